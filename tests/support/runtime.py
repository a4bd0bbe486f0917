"""A runtime over a real database, with fakes where another service stands."""

from collections.abc import AsyncIterator, Awaitable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
from support.clock import FrozenClock, SequentialIds

from app.cache.cache import BillingCache
from app.cache.feed import Feed
from app.domain.api_key import Principal, Scope
from app.domain.change import Record, Source
from app.domain.stripe_backfill import TypeCount
from app.domain.stripe_catalogue import StripeCatalogue
from app.domain.stripe_event import (
    Discard,
    Discarded,
    ObjectName,
    QueuedObject,
    ReceivedObjects,
    StripeEvent,
    StripeEventFilter,
)
from app.domain.stripe_setup import AccountAccess, CreatedEndpoint, WebhookEndpoint
from app.domain.sync_status import (
    CacheStatus,
    ReconcileResult,
    ReconcileStatus,
    StripeBacklog,
    StripeSyncMode,
    StripeSyncStatus,
    SyncStatus,
)
from app.domain.workspace_state import WorkspaceState
from app.ports.jobs import S
from app.ports.store import Page
from app.runtime import Runtime
from app.services.group_commit import GroupCommit
from app.services.lookup import Lookup
from app.store.audit import MongoAuditTrail
from app.store.billing_events import MongoBillingEvents
from app.store.jobs import MongoJobStates
from app.store.ledger import MongoLedger
from app.store.mirrors import MongoMirrors
from app.store.mongo import Mongo, Retention
from app.store.records import MongoStore
from app.telemetry import Metrics

_CENTURY_S = 100 * 365 * 86_400
_FOREVER = Retention(
    **{f"{name}_s": _CENTURY_S for name in ("audit", "idempotency", "stripe_events", "billing_events")}
)
ADMIN = Principal(id="key_admin", scopes=frozenset({Scope.ADMIN}))


class FakeSync:
    """Remembers what it was asked."""

    def __init__(self) -> None:
        self.woken = 0
        self.woken_for_migrations = 0
        self.woken_for_backfill = 0
        self.woken_for_reconcile = 0
        self.resynced: list[tuple[str | None, bool]] = []
        self.ready = True
        self.synced: list[str] = []
        self.stripe_fails: Exception | None = None

    async def resync(self, *, workspace_id: str | None, dry_run: bool) -> ReconcileResult:
        self.resynced.append((workspace_id, dry_run))
        return ReconcileResult(compared=0, repaired=0, dropped=0, dry_run=dry_run)

    async def status(self) -> SyncStatus:
        return SyncStatus(
            cache=CacheStatus(ready=self.ready, records=0, workspaces=0, last_applied_at=None),
            workers=(),
            reconcile=ReconcileStatus(running=False, last_run_at=None, last_result=None),
            stripe=StripeSyncStatus(
                mode=StripeSyncMode.OFF,
                backlog=StripeBacklog(pending=0, parked=0, dead=0, last_event_at=None),
                unmapped_prices=(),
            ),
        )

    async def sync_customer(self, customer_id: str) -> tuple[TypeCount, ...]:
        return await self._synced(customer_id)

    async def sync_catalog(self) -> tuple[TypeCount, ...]:
        return await self._synced("catalog")

    async def _synced(self, what: str) -> tuple[TypeCount, ...]:
        self.synced.append(what)
        if self.stripe_fails:
            raise self.stripe_fails
        return (TypeCount(type="customer", listed=len(self.synced), changed=1),)

    def wake(self) -> None:
        self.woken += 1

    def wake_migrations(self) -> None:
        self.woken_for_migrations += 1

    def wake_backfill(self) -> None:
        self.woken_for_backfill += 1

    def wake_reconcile(self) -> None:
        self.woken_for_reconcile += 1

    def is_ready(self) -> bool:
        return self.ready


class FakeStripe:
    """Tells what is sold, which is nothing unless a test says so, or fails; has webhook endpoints in a dict."""

    livemode = False
    api_version = "2026-10-28.endive"

    def __init__(self, told: StripeCatalogue | Exception | None = None) -> None:
        self._told = told or StripeCatalogue((), (), (), {})
        self.told_access = AccountAccess(livemode=None, missing=())
        self.has: dict[str, WebhookEndpoint] = {}
        self.created: list[str] = []

    async def access(self) -> AccountAccess:
        if isinstance(self._told, Exception):
            raise self._told
        return self.told_access

    async def endpoints(self) -> tuple[WebhookEndpoint, ...]:
        return tuple(self.has.values())

    async def create_endpoint(self, url: str, events: Sequence[str], *, idempotency_key: str) -> CreatedEndpoint:
        self.created.append(idempotency_key)
        made = WebhookEndpoint(
            id=f"we_{len(self.has) + 1}",
            url=url,
            enabled_events=tuple(events),
            is_enabled=True,
            api_version=self.api_version,
            created_at=0,
        )
        self.has[made.id] = made
        return CreatedEndpoint(made, "whsec_made")

    async def update_endpoint(self, id: str, events: Sequence[str]) -> WebhookEndpoint:
        changed = msgspec.structs.replace(self.has[id], enabled_events=tuple(events), is_enabled=True)
        self.has[id] = changed
        return changed

    async def catalogue(self) -> StripeCatalogue:
        if isinstance(self._told, Exception):
            raise self._told
        return self._told


class FakeInbox:
    """Events in a dict; remembers what was marked and released."""

    def __init__(self) -> None:
        self.events: dict[str, StripeEvent] = {}
        self.queue: dict[str, QueuedObject] = {}
        self.wanted: StripeEventFilter | None = None
        self.discards: list[Discard] = []
        self.discardable = Discarded(events=1, objects=1)
        self.marked: list[tuple[str, str]] = []
        self.released: list[str] = []

    async def accept(self, event: StripeEvent) -> bool:
        is_new = event.id not in self.events
        self.events.setdefault(event.id, event)
        return is_new

    async def mark(self, type: str, id: str) -> None:
        self.marked.append((type, id))

    async def release(self, parents: Collection[str]) -> int:
        self.released.extend(parents)
        return 0

    async def event(self, id: str) -> StripeEvent | None:
        return self.events.get(id)

    async def events_page(
        self, wanted: StripeEventFilter, *, after: tuple[int, str] | None, first: int
    ) -> Page[StripeEvent]:
        self.wanted = wanted
        newest = sorted(self.events.values(), key=lambda event: (event.received_at, event.id), reverse=True)
        matching = [event for event in newest if wanted.status in (None, event.status)]
        rest = [event for event in matching if after is None or (event.received_at, event.id) < after]
        return Page(tuple(rest[:first]), has_next=len(rest) > first)

    async def queued(self, ids: Collection[str]) -> dict[str, QueuedObject]:
        return {name: self.queue[name] for name in ids if name in self.queue}

    async def received(self, *, from_at: int, to_at: int, after: tuple[int, str] | None, most: int) -> ReceivedObjects:
        oldest = sorted((e.received_at, e.id) for e in self.events.values() if from_at <= e.received_at < to_at)
        rest = [place for place in oldest if after is None or place > after][:most]
        found = [self.events[name] for _, name in rest]
        names = dict.fromkeys(ObjectName(e.object_type, e.object_id) for e in found if e.object_type and e.object_id)
        return ReceivedObjects(len(found), tuple(names), rest[-1] if len(rest) == most else None)

    async def failed(self, *, since_at: int, after: str | None, most: int) -> tuple[ObjectName, ...]:
        failed = (dirty for dirty in self.queue.values() if (dirty.failed_at or -1) >= since_at)
        found = sorted((dirty for dirty in failed if after is None or dirty.id > after), key=lambda dirty: dirty.id)
        return tuple(ObjectName(dirty.type, dirty.id) for dirty in found[:most])

    async def mark_all(self, objects: Sequence[ObjectName]) -> None:
        self.marked.extend((name.type, name.id) for name in objects)

    async def discard(self, wanted: Discard) -> Discarded:
        self.discards.append(wanted)
        return self.discardable

    async def backlog(self) -> StripeBacklog:
        return StripeBacklog(pending=0, parked=0, dead=0, last_event_at=None)


class FakeJobs:
    """The states of jobs in a dict. Nobody else ever holds a lease."""

    def __init__(self) -> None:
        self.states: dict[str, tuple[msgspec.Struct, int]] = {}

    async def read(self, name: str, type: type[S]) -> tuple[S | None, int]:
        state, revision = self.states.get(name, (None, 0))
        assert state is None or isinstance(state, type)
        return state, revision

    async def write(self, name: str, state: msgspec.Struct, *, revision: int) -> bool:
        if self.states.get(name, (None, 0))[1] != revision:
            return False
        self.states[name] = state, revision + 1
        return True

    async def lease(self, *_: Any, **__: Any) -> bool:
        return True

    async def give_up(self, *_: Any) -> None:
        return


@dataclass(frozen=True)
class Fakes:
    """The runtime's collaborators, by their own types."""

    clock: FrozenClock
    ids: SequentialIds
    inbox: FakeInbox
    sync: FakeSync


def fakes_of(rt: Runtime) -> Fakes:
    """Give the fakes of a runtime that `running` made."""
    clock, ids, inbox, sync = rt.clock, rt.ids, rt.inbox, rt.sync
    assert isinstance(clock, FrozenClock)
    assert isinstance(ids, SequentialIds)
    assert isinstance(inbox, FakeInbox)
    assert isinstance(sync, FakeSync)
    return Fakes(clock, ids, inbox, sync)


@asynccontextmanager
async def running(
    uri: str,
    database: str,
    *,
    default_plan_key: str | None = None,
    clock: FrozenClock | None = None,
    ids: SequentialIds | None = None,
) -> AsyncIterator[Runtime]:
    """Give a runtime with real store, cache and lookup. No change stream runs: a second one lags, as a replica may."""
    mongo = Mongo(uri, database)
    # The frozen clock may lie far behind the server's, which would delete as expired what was just written.
    await mongo.open(retention=_FOREVER)
    clock = clock or FrozenClock()
    store = MongoStore(mongo)
    cache = BillingCache(feed=Feed(), clock=clock, default_plan_key=default_plan_key)
    cache.mark_ready()
    try:
        ledger, ids = MongoLedger(mongo), ids or SequentialIds()
        yield Runtime(
            clock=clock,
            ids=ids,
            store=store,
            mirrors=MongoMirrors(mongo),
            audit=MongoAuditTrail(mongo, retention_ms=_CENTURY_S * 1000),
            billing_events=MongoBillingEvents(mongo),
            ledger=ledger,
            usage=GroupCommit(store, ledger, cache, clock=clock, ids=ids),
            cache=cache,
            inbox=FakeInbox(),
            jobs=MongoJobStates(mongo, clock),
            lookup=Lookup(store, cache, clock),
            sync=FakeSync(),
            metrics=Metrics(),
            backdate_ms=72 * 3_600_000,
        )
    finally:
        await mongo.close()


async def state_of(rt: Runtime, ref: str) -> WorkspaceState | None:
    """Look a workspace up, whether RAM has it or not."""
    found = rt.lookup.state(ref)
    return await found if isinstance(found, Awaitable) else found


async def put(rt: Runtime, *records: Record) -> None:
    """Write records as another client would, and let RAM have them. They must be new: version 1."""
    await rt.store.write(records, (), None)
    for record in records:
        rt.cache.apply(record, source=Source.STREAM)
