"""How many webhooks of Stripe one process acknowledges, and whether queries answered from RAM notice.

The service runs as it would beside a worker of its own (`--role api`): it verifies, stores and acknowledges. Another
process makes the load over kept-alive connections: first queries alone, then with webhooks at a set rate, then with as
many webhooks as it takes. Beside rates stands the processor time of an acknowledgement in the service, that of the
queries beside it included: what one core could do with nothing else to do.
"""

import argparse
import asyncio
import hashlib
import hmac
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import httpx

from app.cli.bootstrap_key import make_key
from app.domain.plan import Feature, FeatureType, MergeRule, Plan, PlanFeature
from app.domain.workspace import Workspace
from app.sandbox.mongod import EmbeddedMongod
from app.store.mongo import Mongo
from app.store.records import MongoStore
from app.telemetry import configure_logging

ROOT: Final = Path(__file__).parents[2]
DATABASE: Final = "bench_ack"
SECRET: Final = "whsec_bench"  # noqa: S105 - it opens nothing
CALLERS: Final = 32
GOAL_PER_S: Final = 500
_READY_S: Final = 60
_CHECK: Final = (
    """{ checkEntitlement(input: { workspaceId: "ws_1", featureKey: "sso" }) { entitlement { hasAccess } } }"""
)


class Connection:
    """One kept-alive connection, with as little between the clock and the wire as will do."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, request: bytes) -> float:
        """Send a request, read the answer, and return how many seconds that took."""
        began = perf_counter()
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        body = await self._reader.readexactly(int(length.partition(b":")[2]))
        if b" 200 " not in head.split(b"\r\n")[0] or b'"errors"' in body:
            sys.exit(f"the service answered {head!r} {body[:300]!r}")
        return perf_counter() - began

    def close(self) -> None:
        self._writer.close()


class Service:
    """`entitled serve --role api` on a port of its own."""

    def __init__(self, uri: str, key: str, log: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self._key = key
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("STRIPE_", "MONGODB_"))}
        ours = {"MONGODB_URI": uri, "MONGODB_DATABASE": DATABASE, "PORT": str(self.port), "LOG_LEVEL": "ERROR"}
        command = [Path(sys.executable).with_name("entitled"), "serve", "--role", "api"]
        with log.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603 - ourselves
                command, cwd=ROOT, env={**kept, **ours, "STRIPE_WEBHOOK_SECRET": SECRET}, stdout=output, stderr=output
            )

    def cpu_s(self) -> float:
        """Return the processor time that the service has used so far, in seconds."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + _READY_S
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"http://127.0.0.1:{self.port}/readyz").is_success:
                    self._give_a_key_that_asks()
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        sys.exit("the service did not get ready")

    def _give_a_key_that_asks(self) -> None:
        made = 'createApiKey(input: { idempotencyKey: "k", name: "b", scopes: [ENTITLEMENTS_READ] })'
        answer = httpx.post(
            f"http://127.0.0.1:{self.port}/graphql",
            json={"query": f"mutation {{ {made} {{ ... on CreateApiKeyPayload {{ credential }} }} }}"},
            headers={"Authorization": f"Bearer {self._key}"},
        )
        self._key = answer.json()["data"]["createApiKey"]["credential"]

    @asynccontextmanager
    async def connections(self, count: int) -> AsyncGenerator[list[Connection]]:
        made = [Connection(*await asyncio.open_connection("127.0.0.1", self.port)) for _ in range(count)]
        try:
            yield made
        finally:
            for connection in made:
                connection.close()

    def request(self, path: str, body: bytes, **headers: str) -> bytes:
        lines = {"Host": "bench", "Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
        shown = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in lines.items())
        return f"POST {path} HTTP/1.1\r\n{shown}\r\n".encode() + body

    def query(self) -> bytes:
        return self.request("/graphql", json.dumps({"query": _CHECK}).encode(), Authorization=f"Bearer {self._key}")

    def webhook(self, number: int) -> bytes:
        body = json.dumps(event(number)).encode()
        at = int(time.time())  # noqa: TID251 - signatures carry the time of day
        digest = hmac.new(SECRET.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
        return self.request("/webhooks/stripe", body, Stripe_Signature=f"t={at},v1={digest}")

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(30)


def event(number: int) -> dict[str, Any]:
    """Make an event of a subscription, about as long as Stripe's."""
    item = {"id": f"si_{number}", "quantity": 1, "price": {"id": "price_1", "product": "prod_1"}, "metadata": {}}
    sub = {"id": f"sub_{number}", "object": "subscription", "customer": "cus_1", "status": "active", "x": "y" * 2000}
    about = {"type": "customer.subscription.updated", "created": 1_790_000_000, "livemode": False}
    told = {**sub, "items": {"object": "list", "data": [item]}}
    return {"id": f"evt_{number}", "object": "event", **about, "data": {"object": told}}


async def fill_store(uri: str) -> str:
    """Write one workspace with one feature, and return the first API key."""
    mongo = Mongo(uri, DATABASE)
    await mongo.open()
    now = int(time.time() * 1000)  # noqa: TID251 - a record's date, nothing is measured by it
    life: dict[str, Any] = {"version": 1, "incarnation": "bench", "created_at": now, "updated_at": now}
    sso = Feature(id="feat_sso", key="sso", name="SSO", type=FeatureType.BOOLEAN, merge=MergeRule.ANY, **life)
    rows = (PlanFeature(feature_key="sso"),)
    plan = Plan(id="plan_1", key="free", plan_version=1, name="Free", published_at=now, features=rows, **life)
    await MongoStore(mongo).write((sso, plan, Workspace(id="ws_1", **life)), (), None)
    await mongo.close()
    return (await make_key(Mongo(uri, DATABASE), "bench"))[1]


class Load:
    """What is sent to the service, and how long each answer took, in seconds."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._sent = 0

    async def webhooks(self, seconds: float, *, per_s: float | None) -> tuple[float, list[float]]:
        """Send webhooks at a rate, or as fast as they are acknowledged; return the rate and the times."""
        took: list[float] = []
        began = perf_counter()

        async def caller(connection: Connection) -> None:
            while (now := perf_counter() - began) < seconds:
                if per_s is not None and len(took) / per_s > now:
                    await asyncio.sleep(0.001)
                    continue
                self._sent += 1
                took.append(0.0)
                place = len(took) - 1
                took[place] = await connection.send(self._service.webhook(self._sent))

        async with self._service.connections(CALLERS) as connections:
            await asyncio.gather(*(caller(connection) for connection in connections))
        return len(took) / (perf_counter() - began), took

    async def queries(self, seconds: float) -> list[float]:
        """Ask a hundred times a second, one after the other; return the times."""
        took: list[float] = []
        request, ends = self._service.query(), perf_counter() + seconds
        async with self._service.connections(1) as (connection,):
            while perf_counter() < ends:
                took.append(await connection.send(request))
                await asyncio.sleep(0.01)
        return took


def percentile(took: list[float], share: float) -> float:
    return sorted(took)[min(len(took) - 1, int(len(took) * share))] * 1000


async def measure(service: Service, *, rounds: int, seconds: float) -> None:
    """Print what each kind of load came to, in rounds that take turns."""
    load = Load(service)
    await load.webhooks(1, per_s=None)
    alone: list[float] = []
    for name, per_s in ((f"{GOAL_PER_S}/s", float(GOAL_PER_S)), ("all it takes", None)):
        rates, acks, queries, cpu_s = list[float](), list[float](), list[float](), 0.0
        for _ in range(rounds):
            alone += await load.queries(seconds / 2)
            before_s = service.cpu_s()
            (rate, took), asked = await asyncio.gather(load.webhooks(seconds, per_s=per_s), load.queries(seconds))
            cpu_s += service.cpu_s() - before_s
            rates.append(rate)
            acks += took
            queries += asked
        p50, p99 = percentile(acks, 0.5), percentile(acks, 0.99)
        cpu_us = cpu_s / len(acks) * 1_000_000
        print(
            f"webhooks, {name:12} {statistics.median(rates):6.0f}/s  p50 {p50:6.1f} ms  p99 {p99:6.1f} ms"
            f"  {cpu_us:5.0f} us of the service's CPU each, so {1_000_000 / cpu_us:5.0f}/s on one core"
        )
        beside, without = percentile(queries, 0.5), percentile(alone, 0.5)
        print(
            f"queries,  {name:12} beside  p50 {beside:6.1f} ms  p99 {percentile(queries, 0.99):6.1f} ms"
            f"  alone  p50 {without:6.1f} ms  p99 {percentile(alone, 0.99):6.1f} ms  ratio {beside / without:5.2f}"
        )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--seconds", type=float, default=5.0, help="of each load and round")
    given = arguments.parse_args()
    configure_logging(level="ERROR", format="json")
    with tempfile.TemporaryDirectory() as folder:
        mongod = EmbeddedMongod.start(Path(folder))
        service = Service(mongod.uri, asyncio.run(fill_store(mongod.uri)), Path(folder) / "log")
        try:
            service.wait_until_ready()
            asyncio.run(measure(service, rounds=given.rounds, seconds=given.seconds))
        finally:
            service.stop()
            mongod.stop()


if __name__ == "__main__":
    sys.exit(main())
