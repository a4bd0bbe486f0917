"""How long it takes to adopt a Stripe account that existed before, within the rates that suit Stripe's live mode.

The sandbox gets customers, each with an active subscription; the service gets most of their workspaces. Then an
operator's commands are run, one after the other, and timed: backfill, link by a mapping file, link by e-mail, then,
once the worker has brought in what waited, the report. The account is one where nothing has happened for a while, so
that reconciling finds nothing to do meanwhile. Of ten customers four are named
by metadata, four by the file, one by its e-mail; of the last every other shares its e-mail, and the rest nobody knows.
At the end every customer is linked and its subscription serves a workspace, or both are listed.
"""

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import httpx

from app.cli.bootstrap_key import make_key
from app.domain.api_key import Scope
from app.domain.change import Record
from app.domain.plan import Feature, FeatureType, MergeRule, Plan, PlanFeature, PlanPrice
from app.domain.stripe_reconcile import StripeReconcile
from app.domain.workspace import Workspace
from app.gateways.clock import SystemClock
from app.sandbox.mongod import EmbeddedMongod
from app.sandbox.process import StripeSandboxProcess
from app.services.stripe_reconcile import JOB as RECONCILE_JOB
from app.store.jobs import MongoJobStates
from app.store.mongo import Mongo
from app.store.records import MongoStore
from app.telemetry import configure_logging
from sync.jobs.stripe_reconcile import OVERLAP_MS

ROOT: Final = Path(__file__).parents[2]
DATABASE: Final = "bench_adoption"
LOOKUP_KEY: Final = "pro_monthly"
_KNOWN: Final = (*["metadata"] * 4, *["file"] * 4, "e-mail")
GROUPS: Final = (*_KNOWN, "shared e-mail", *_KNOWN, "nobody")
ROUND: Final = 2 * len(GROUPS)
"""Of so many customers two share an e-mail address."""
GOAL_S: Final = 600
AT_ONCE: Final = 8
_READY_S: Final = 60
_SERVED: Final = "{ subscriptions(first: 1) { totalCount } syncStatus { stripe { pending dead } } }"


def named_by(number: int) -> str:
    """Return by what the customer's workspace is known."""
    return GROUPS[number % len(GROUPS)]


def email_of(number: int) -> str:
    return (
        f"shared{number // ROUND}@bench.example" if named_by(number) == "shared e-mail" else f"P{number}@bench.example"
    )


async def fill_account(url: str, customers: int) -> list[str]:
    """Make the price, the customers and their subscriptions at the sandbox; return the customers' ids."""
    headers = {"Authorization": "Bearer sk_test_bench"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=60) as http:

        async def make(path: str, **fields: Any) -> str:
            answer = await http.post(f"/v1/{path}", data=fields)
            answer.raise_for_status()
            return answer.json()["id"]

        product = await make("products", name="Pro")
        recurring = {"recurring[interval]": "month"}
        price = await make(
            "prices", product=product, currency="usd", unit_amount=1000, lookup_key=LOOKUP_KEY, **recurring
        )
        made = [""] * customers
        numbers = iter(range(customers))

        async def fill() -> None:
            for number in numbers:
                named = {"metadata[workspace_id]": f"w{number}"} if named_by(number) == "metadata" else {}
                made[number] = await make("customers", email=email_of(number), **named)
                await make("subscriptions", customer=made[number], **{"items[0][price]": price})

        await asyncio.gather(*(fill() for _ in range(AT_ONCE)))
        return made


async def fill_store(uri: str, customers: int) -> str:
    """Write the catalogue and the workspaces that are known, and return the first API key."""
    mongo = Mongo(uri, DATABASE)
    await mongo.open()
    now = int(time.time() * 1000)  # noqa: TID251 - a record's date, nothing is measured by it
    life: dict[str, Any] = {"version": 1, "incarnation": "bench", "created_at": now, "updated_at": now}
    sso = Feature(id="feat_sso", key="sso", name="SSO", type=FeatureType.BOOLEAN, merge=MergeRule.ANY, **life)
    plan = Plan(
        id="plan_pro",
        key="pro",
        plan_version=1,
        name="Pro",
        published_at=now - 86_400_000,
        prices=(PlanPrice(lookup_key=LOOKUP_KEY),),
        features=(PlanFeature(feature_key="sso"),),
        **life,
    )
    known = [number for number in range(customers) if named_by(number) != "nobody"]
    records: list[Record] = [
        sso,
        plan,
        *(Workspace(id=f"ws_{n}", external_id=f"w{n}", email=email_of(n).lower(), **life) for n in known),
    ]
    store = MongoStore(mongo)
    for start in range(0, len(records), 1000):
        await store.write(records[start : start + 1000], (), None)
    # as if it had just reconciled, with an account that was quiet for longer than it looks back
    quiet = StripeReconcile(watching_since_at=now, seen_at=now + OVERLAP_MS, last_reconcile_at=now, last_relist_at=now)
    await MongoJobStates(mongo, SystemClock()).write(RECONCILE_JOB, quiet, revision=0)
    await mongo.close()
    return (await make_key(Mongo(uri, DATABASE), "bench"))[1]


class Service:
    """`entitled serve` with the rates it has by default, and the commands of an operator."""

    def __init__(self, uri: str, stripe_url: str, key: str, log: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._key = key
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("STRIPE_", "MONGODB_"))},
            "MONGODB_URI": uri,
            "MONGODB_DATABASE": DATABASE,
            "PORT": str(port),
            "STRIPE_SECRET_KEY": "sk_test_bench",
            "STRIPE_API_BASE": stripe_url,
            "ENTITLED_URL": f"{self.url}/graphql",
        }
        self._command = Path(sys.executable).with_name("entitled")
        with log.open("wb") as output:
            self._process = subprocess.Popen(  # noqa: S603 - ourselves
                [self._command, "serve"], cwd=ROOT, env=self._environment, stdout=output, stderr=output
            )

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + _READY_S
        while True:
            try:
                if httpx.get(f"{self.url}/readyz").is_success:
                    break
            except httpx.TransportError:
                pass
            if time.monotonic() > deadline:
                sys.exit("the service did not get ready")
            time.sleep(0.1)
        scopes = ", ".join(scope.value for scope in Scope)
        made = self.query(
            f'mutation {{ createApiKey(input: {{ idempotencyKey: "k", name: "all", scopes: [{scopes}] }}) '
            "{ ... on CreateApiKeyPayload { credential } } }"
        )
        self._key = made["createApiKey"]["credential"]

    def query(self, document: str) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self._key}"}
        answer = httpx.post(f"{self.url}/graphql", json={"query": document}, headers=headers, timeout=60).json()
        if "errors" in answer:
            sys.exit(f"the service answered {answer['errors']}")
        return answer["data"]

    def run(self, *arguments: str) -> dict[str, Any]:
        """Run a command with --json, tell how long it took, and return what it printed."""
        began = perf_counter()
        environment = {**self._environment, "ENTITLED_API_KEY": self._key}
        done = subprocess.run(  # noqa: S603 - ourselves
            [self._command, *arguments, "--json"], env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            sys.exit(f"{' '.join(arguments)}: exit code {done.returncode}\n{done.stderr}")
        shown = " ".join(part if "/" not in part else Path(part).name for part in arguments)
        print(f"{perf_counter() - began:8.1f} s  entitled {shown}", flush=True)
        return json.loads(done.stdout)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(30)


def adopt(service: Service, customers: list[str], mapping: Path) -> None:
    """Run the commands and tell what came of them."""
    rows = (f"{one},w{number}\n" for number, one in enumerate(customers) if named_by(number) == "file")
    mapping.write_text("".join(rows))
    began = perf_counter()
    service.run("stripe", "backfill")
    service.run("stripe", "link", "--file", str(mapping))
    service.run("stripe", "link", "--by-email")
    waited = perf_counter()
    while (queue := service.query(_SERVED)["syncStatus"]["stripe"])["pending"]:
        time.sleep(0.5)
    print(
        f"{perf_counter() - waited:8.1f} s  until the worker had brought in what waited; {queue['dead']} dead",
        flush=True,
    )
    report = service.run("stripe", "report", "--limit", str(len(customers)))
    served = service.query(_SERVED)["subscriptions"]["totalCount"]
    took = perf_counter() - began
    check(report, len(customers), served)
    print(
        f"{took:8.1f} s  in all, for {len(customers)} customers: {report['counts']['linkedCustomers']} linked, "
        f"{report['counts']['unlinkedCustomers']} listed, {served} subscriptions in force (goal: {GOAL_S} s)"
    )


def check(report: dict[str, Any], customers: int, served: int) -> None:
    """End with an error unless every customer is linked and served, or listed with its subscription."""
    counts, linked = report["counts"], sum(named_by(n) in ("metadata", "file", "e-mail") for n in range(customers))
    listed = {one["key"]: one["subscriptionIds"] for one in _of_kind(report, "UNLINKED_CUSTOMER")}
    told = (counts["customers"], counts["linkedCustomers"], len(listed), served)
    if told != (customers, linked, customers - linked, linked) or not all(listed.values()):
        sys.exit(f"customers, linked, listed, served: {told}; expected {customers}, {linked}")


def _of_kind(report: dict[str, Any], kind: str) -> Iterable[dict[str, Any]]:
    return (issue for issue in report["issues"] if issue["kind"] == kind)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--customers", type=int, default=5000, help=f"a multiple of {ROUND}")
    given = arguments.parse_args()
    if given.customers % ROUND:
        arguments.error(f"--customers is to be a multiple of {ROUND}")
    configure_logging(level="ERROR", format="json")
    with tempfile.TemporaryDirectory() as folder:
        mongod = EmbeddedMongod.start(Path(folder) / "mongodb")
        sandbox = StripeSandboxProcess.start(webhook_url=None, webhook_secret="whsec_bench")  # noqa: S106 - none
        try:
            customers = asyncio.run(fill_account(sandbox.url, given.customers))
            key = asyncio.run(fill_store(mongod.uri, given.customers))
            service = Service(mongod.uri, sandbox.url, key, Path(folder) / "log")
            try:
                service.wait_until_ready()
                adopt(service, customers, Path(folder) / "mapping.csv")
            finally:
                service.stop()
        finally:
            sandbox.stop()
            mongod.stop()


if __name__ == "__main__":
    sys.exit(main())
