"""The API over its real ASGI app and a real cache, with fakes for the store and what is behind it."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import httpx
import orjson
import uvicorn
from starlette.applications import Starlette
from support.audit import EmptyAuditTrail
from support.clock import FrozenClock, SequentialIds
from support.runtime import FakeInbox, FakeJobs, FakeStripe, FakeSync
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from app.cache.cache import BillingCache
from app.cache.feed import Feed
from app.domain.api_key import ApiKey, Scope
from app.domain.change import Kind, Record, Source
from app.domain.errors import UnavailableError
from app.domain.migration import Migration, MigrationStatus
from app.domain.stripe_adoption import MirrorCounts
from app.domain.stripe_object import StripeObject
from app.domain.subscription import Subscription, SubscriptionStatus
from app.domain.workspace import Workspace
from app.graphql.endpoint import graphql_routes
from app.graphql.limits import SocketLimits
from app.http.auth import authenticate
from app.http.routes import build_app
from app.ports.store import Page
from app.runtime import Runtime
from app.services.group_commit import GroupCommit
from app.services.lookup import Lookup
from app.telemetry import Metrics

SECRET = "s3cret_with_underscore"
JSON = "application/json"
MODERN = "application/graphql-response+json"


class FakeStore:
    """Records in a list; `down` makes every call fail. Writes are for tests over the real one."""

    def __init__(self, clock: FrozenClock) -> None:
        self.records: list[Record] = []
        self.down = False
        self.reads = 0
        self.counted = 0
        self.clock = clock

    async def names(self, refs: Collection[str]) -> set[str]:
        self.reads += 1
        await asyncio.sleep(0)
        if self.down:
            raise UnavailableError
        known = {name for r in self.records if isinstance(r, Workspace) for name in (r.id, r.external_id)}
        return {ref for ref in refs if ref in known}

    async def read_workspace(self, ref: str) -> list[Record]:
        await asyncio.sleep(0)
        if self.down:
            raise UnavailableError
        found = [r for r in self.records if isinstance(r, Workspace) and ref in (r.id, r.external_id)]
        ids = {record.id for record in found}
        return [*found, *(r for r in self.records if getattr(r, "workspace_id", None) in ids)]

    async def workspaces_page(self, *, after: str | None, first: int) -> Page[Workspace]:
        return _page([r for r in self.records if isinstance(r, Workspace)], after, first)

    async def subscriptions_page(
        self, *, workspace_id: str | None, statuses: Collection[SubscriptionStatus], after: str | None, first: int
    ) -> Page[Subscription]:
        subs = [r for r in self.records if isinstance(r, Subscription)]
        subs = [s for s in subs if workspace_id in (None, s.workspace_id) and (not statuses or s.status in statuses)]
        return _page(subs, after, first)

    async def migrations_page(
        self, *, status: MigrationStatus | None, after: str | None, first: int
    ) -> Page[Migration]:
        found = [r for r in self.records if isinstance(r, Migration) and status in (None, r.status)]
        return _page(found, after, first)

    async def read(self, kind: Kind, ids: Collection[str]) -> dict[str, Record]:
        return {record.id: record for record in self.records if record.KIND is kind and record.id in ids}

    async def page(self, *_: Any, **__: Any) -> Page[Any]:
        return Page((), has_next=False)

    async def customers_of(self, _workspace_ids: Collection[str]) -> list[StripeObject]:
        return []

    async def unlinked_page(self, _type: str, *, after: str | None, first: int) -> Page[StripeObject]:
        del after, first
        return Page((), has_next=False)

    async def promotion_codes_named(self, _code: str) -> list[StripeObject]:
        return []

    async def mirror_counts(self) -> MirrorCounts:
        return MirrorCounts(customers=0, unlinked_customers=0, unlinked_subscriptions=0, shared_workspaces=0)

    async def count(self, kind: Kind, **_: Any) -> int:
        self.counted += 1
        return sum(record.KIND is kind for record in self.records)


def _page(records: list[Any], after: str | None, first: int) -> Page[Any]:
    rest = sorted((r for r in records if after is None or r.id > after), key=lambda r: r.id)
    return Page(tuple(rest[:first]), has_next=len(rest) > first)


class Api:
    """A runtime and its app; `key()` makes a credential, `ask()` posts an operation."""

    def __init__(self, rt: Runtime | None = None, *, socket_limits: SocketLimits | None = None) -> None:
        self.clock = FrozenClock()
        self.store = FakeStore(self.clock)
        self.sync = FakeSync()
        self.inbox = FakeInbox()
        self.jobs = FakeJobs()
        self.rt = rt or self._runtime()
        self.app: Starlette = build_app(
            self.rt,
            routes=graphql_routes(
                self.rt,
                authenticate=partial(authenticate, self.rt),
                cursor_secret=b"c" * 32,
                socket_limits=socket_limits,
            ),
        )
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://test")

    def _runtime(self) -> Runtime:
        cache = BillingCache(feed=Feed(), clock=self.clock, default_plan_key=None)
        cache.mark_ready()
        store: Any = self.store
        audit: Any = EmptyAuditTrail()
        ids = SequentialIds()
        return Runtime(
            clock=self.clock,
            ids=ids,
            store=store,
            mirrors=store,
            audit=audit,
            billing_events=store,
            ledger=store,
            usage=GroupCommit(store, store, cache, clock=self.clock, ids=ids),
            cache=cache,
            inbox=self.inbox,
            jobs=self.jobs,
            lookup=Lookup(store, cache, self.clock),
            sync=self.sync,
            metrics=Metrics(),
            stripe=FakeStripe(),
            backdate_ms=0,
        )

    def put(self, *records: Record) -> None:
        """Bring records to RAM."""
        for record in records:
            self.rt.cache.apply(record, source=Source.STREAM)

    def key(self, *scopes: Scope, id: str = "key_1", version: int = 1, **fields: Any) -> str:
        """Bring a key to RAM and return its Authorization header."""
        digest = hashlib.sha256(SECRET.encode()).hexdigest()
        given = scopes or tuple(Scope)
        self.put(ApiKey(id=id, version=version, incarnation="i", name=id, secret_hash=digest, scopes=given, **fields))
        return f"Bearer ent_{id}_{SECRET}"

    async def post(self, body: Any, *, key: str | None, accept: str = MODERN, **headers: str) -> httpx.Response:
        """Post a body as it is, or as JSON."""
        content = body if isinstance(body, (bytes, str)) else orjson.dumps(body)
        sent = {"content-type": JSON, "accept": accept, **{k.replace("_", "-"): v for k, v in headers.items()}}
        if key is not None:
            sent["authorization"] = key
        return await self.http.post("/graphql", content=content, headers=sent)

    async def ask(
        self, query: str, variables: dict[str, Any] | None = None, *, key: str | None = None
    ) -> dict[str, Any]:
        """Post an operation and return the answer's body."""
        response = await self.post({"query": query, "variables": variables}, key=key or self.key())
        return response.json()

    async def data(self, query: str, variables: dict[str, Any] | None = None, *, key: str | None = None) -> Any:
        """Post an operation that must succeed and return its data."""
        answer = await self.ask(query, variables, key=key)
        assert "errors" not in answer, answer
        return answer["data"]

    async def code(self, query: str, variables: dict[str, Any] | None = None, *, key: str | None = None) -> str:
        """Post an operation that must fail at the top and return the first error's code."""
        answer = await self.ask(query, variables, key=key)
        return answer["errors"][0]["extensions"]["code"]


@asynccontextmanager
async def served(app: Starlette) -> AsyncIterator[str]:
    """Serve over real sockets; give `host:port`. Started and ended by its parts: uvicorn's own loop ticks slowly."""
    config = uvicorn.Config(app, port=0, log_level="critical", lifespan="off", ws_max_size=2**20)
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    state = server.server_state
    try:
        host, port = server.servers[0].sockets[0].getsockname()[:2]
        yield f"{host}:{port}"
    finally:
        for listening in server.servers:
            listening.close()
        for connection in list(state.connections):
            connection.shutdown()
        await until(lambda: not state.connections and not state.tasks)


@asynccontextmanager
async def socket(host: str, **options: Any) -> AsyncIterator[ClientConnection]:
    """Open a socket that speaks the protocol, and say nothing yet."""
    async with connect(f"ws://{host}/graphql", subprotocols=["graphql-transport-ws"], **options) as ws:  # type: ignore[list-item]
        yield ws


async def send(ws: ClientConnection, message: Any) -> None:
    """Send a message as JSON text."""
    await ws.send(orjson.dumps(message).decode())


async def read(ws: ClientConnection) -> dict[str, Any]:
    """Read the next message, within seconds."""
    async with asyncio.timeout(5):
        return orjson.loads(await ws.recv())


async def subscribe(ws: ClientConnection, query: str, id: str = "1", **variables: Any) -> None:
    """Start an operation."""
    await send(ws, {"id": id, "type": "subscribe", "payload": {"query": query, "variables": variables}})


async def greet(ws: ClientConnection, key: str) -> None:
    """Initialise the connection."""
    await send(ws, {"type": "connection_init", "payload": {"authorization": key}})
    assert (await read(ws))["type"] == "connection_ack"


async def closed(ws: ClientConnection) -> int:
    """Read until the server closes, and return the code."""
    with suppress(ConnectionClosed):
        async with asyncio.timeout(5):
            async for _ in ws:
                pass
    assert ws.close_code is not None
    return ws.close_code


async def until(condition: Callable[[], bool], timeout_s: float = 20) -> None:
    """Poll a condition, bounded."""
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.005)
