"""The service as its own process over the real MongoDB, and clients that talk to it."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Self

import httpx
from websockets.asyncio.client import connect

from app.cli.bootstrap_key import make_key
from app.domain.api_key import Scope
from app.store.mongo import Mongo

ROOT = Path(__file__).parents[2]
COMMAND = Path(sys.executable).with_name("entitled")
PATIENCE_S = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Service:
    """`entitled serve` on a free port. `key` is an API key with every scope."""

    def __init__(
        self, mongodb_uri: str, database: str, log: Path, *, port: int | None = None, **environment: str
    ) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("STRIPE_", "MONGODB_"))},
            "MONGODB_URI": mongodb_uri,
            "MONGODB_DATABASE": database,
            "PORT": str(self.port),
            **environment,
        }
        self.log = log
        self.key = ""
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [COMMAND, "serve"],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        return self

    def bootstrap(self) -> Self:
        """Make the first key, as `entitled keys bootstrap` does."""
        mongo = Mongo(self.environment["MONGODB_URI"], self.environment["MONGODB_DATABASE"])
        with ThreadPoolExecutor(1) as aside:  # the caller's loop may be running
            _, self.key = aside.submit(asyncio.run, make_key(mongo, "tests")).result(PATIENCE_S)
        return self

    def wait_until_ready(self) -> Self:
        eventually(lambda: httpx.get(f"{self.url}/readyz").status_code == httpx.codes.OK, why=self.tail)
        return self

    def give_every_scope(self) -> Self:
        """Exchange the first key, which may only make keys, for one that may do everything."""
        document = """mutation($scopes: [Scope!]!) { createApiKey(input: {
            idempotencyKey: "all", name: "all", scopes: $scopes }) { ... on CreateApiKeyPayload { credential } } }"""
        answer = httpx.post(
            f"{self.url}/graphql",
            json={"query": document, "variables": {"scopes": list(Scope)}},
            headers={"Authorization": f"Bearer {self.key}"},
        )
        assert "data" in answer.json(), answer.text
        self.key = answer.json()["data"]["createApiKey"]["credential"]
        return self

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]

    def stop(self, number: int = signal.SIGTERM) -> int | None:
        if self.process is None or self.process.poll() is not None:
            return None
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)


@contextmanager
def running(mongodb_uri: str, database: str, log: Path, **environment: str) -> Iterator[Service]:
    """Run the service until the block ends; its first key is made before it starts."""
    service = Service(mongodb_uri, database, log, **environment).bootstrap()
    try:
        yield service.start().wait_until_ready().give_every_scope()
    finally:
        service.stop()


def eventually(holds: Callable[[], bool], *, why: Callable[[], str] = str, within_s: float = PATIENCE_S) -> None:
    """Wait until something holds; connection errors count as "not yet"."""
    deadline = time.monotonic() + within_s
    while True:
        try:
            if holds():
                return
        except httpx.TransportError:
            pass
        if time.monotonic() > deadline:
            raise AssertionError(f"never came to hold within {within_s} s: {why()}")
        time.sleep(0.02)


async def eventually_equal(read: Callable[[], Awaitable[Any]], expected: Any, *, within_s: float = PATIENCE_S) -> None:
    """Wait until what is read equals what is expected."""
    deadline = time.monotonic() + within_s
    while (found := await read()) != expected:
        if time.monotonic() > deadline:
            raise AssertionError(f"expected {expected!r} within {within_s} s, still {found!r}")
        await asyncio.sleep(0.01)


class Api:
    """A GraphQL client; `mutate` raises unless the result is the payload."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def query(self, document: str, **variables: Any) -> dict[str, Any]:
        answer = await self.client.post("/graphql", json={"query": document, "variables": variables})
        body = answer.json()
        assert "errors" not in body, body
        return body["data"]

    async def mutate(self, name: str, selection: str, /, **fields: Any) -> dict[str, Any]:
        result_of = f"{{ __typename {selection} ... on UserError {{ code message }} }}"
        document = f"mutation($input: {name[0].upper()}{name[1:]}Input!) {{ {name}(input: $input) {result_of} }}"
        result = (await self.query(document, input={"idempotencyKey": uuid.uuid4().hex, **fields}))[name]
        assert result["__typename"].endswith("Payload"), result
        return result

    async def check(self, workspace: str, feature: str, usage: str | None = None) -> dict[str, Any]:
        document = """query($input: CheckInput!) { checkEntitlement(input: $input) { entitlement {
            hasAccess accessDeniedReason inGrace isTrial version usage { used limit remaining } } } }"""
        asked = {"workspaceId": workspace, "featureKey": feature} | ({"requestedUsage": usage} if usage else {})
        return (await self.query(document, input=asked))["checkEntitlement"]["entitlement"]


@asynccontextmanager
async def api(service: Service) -> AsyncIterator[Api]:
    headers = {"Authorization": f"Bearer {service.key}"}
    async with httpx.AsyncClient(base_url=service.url, headers=headers, timeout=30) as client:
        yield Api(client)


@asynccontextmanager
async def live(
    service: Service, document: str, **variables: Any
) -> AsyncIterator[Callable[[], Awaitable[dict[str, Any]]]]:
    """Open a live operation; what is given returns the next thing that is pushed."""
    address = f"ws://127.0.0.1:{service.port}/graphql"
    async with connect(address, subprotocols=["graphql-transport-ws"], open_timeout=10) as socket:  # type: ignore[list-item]
        await socket.send(
            json.dumps({"type": "connection_init", "payload": {"Authorization": f"Bearer {service.key}"}})
        )
        assert json.loads(await asyncio.wait_for(socket.recv(), 10)) == {"type": "connection_ack"}
        operation = {"id": "1", "type": "subscribe", "payload": {"query": document, "variables": variables}}
        await socket.send(json.dumps(operation))

        async def pushed() -> dict[str, Any]:
            message = json.loads(await asyncio.wait_for(socket.recv(), PATIENCE_S))
            assert message["type"] == "next", message
            return message["payload"]["data"]

        yield pushed


FEATURES = (
    {"key": "sso", "name": "Single sign-on", "type": "BOOLEAN"},
    {"key": "api_calls", "name": "API calls", "type": "METERED"},
)


async def make_catalogue(client: Api) -> None:
    """Make a feature of each kind that the flows ask for, and the plan `pro` with the price `pro_monthly`."""
    for feature in FEATURES:
        await client.mutate("createFeature", "... on FeaturePayload { feature { id } }", **feature)
    rows = [{"featureKey": "sso"}, {"featureKey": "api_calls", "limit": "100", "resetPeriod": "MONTH"}]
    await client.mutate(
        "createPlan",
        "... on PlanPayload { plan { id } }",
        key="pro",
        name="Pro",
        prices=[{"lookupKey": "pro_monthly"}],
        features=rows,
    )


async def make_workspace(client: Api, external_id: str) -> str:
    made = await client.mutate(
        "createWorkspace", "... on WorkspacePayload { workspace { id } }", externalId=external_id, name=external_id
    )
    return made["workspace"]["id"]
