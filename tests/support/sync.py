"""A process's sync service and RAM over a real MongoDB, and the waiting for what must come true."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime

from support.clock import FrozenClock
from support.records import NOW

from app.cache.cache import BillingCache
from app.cache.feed import Feed
from app.domain.change import Kind, Record, Tombstone
from app.domain.errors import UnavailableError
from app.domain.sync_status import WorkerState
from app.store.mapping import MappingError
from app.store.mongo import Mongo
from app.store.records import MongoStore
from app.telemetry import Metrics
from sync.supervisor import SyncService, Work

NOW_DATE = datetime.fromtimestamp(NOW / 1000, UTC)


class BreakableStore(MongoStore):
    """The store, which refuses to be scanned while it is `broken`."""

    broken = False

    def scan(self, kind: Kind) -> AsyncIterator[Sequence[Record | Tombstone]]:
        if self.broken:
            raise UnavailableError
        return super().scan(kind)


class Replica:
    """One process's share: clients, store, RAM, and what keeps it true."""

    def __init__(
        self, uri: str, database: str, *, reconcile_interval_s: float = 3600, workers: Sequence[tuple[str, Work]] = ()
    ) -> None:
        clock = FrozenClock()
        self.metrics = Metrics()
        self.mongo = Mongo(uri, database)
        self.cache = BillingCache(feed=Feed(), clock=clock, default_plan_key=None)
        self.store = BreakableStore(self.mongo, on_malformed=self._note)
        self.sync = SyncService(
            mongo=self.mongo,
            store=self.store,
            cache=self.cache,
            metrics=self.metrics,
            clock=clock,
            reconcile_interval_s=reconcile_interval_s,
            workers=workers,
        )

    def _note(self, error: MappingError) -> None:
        self.cache.note_malformed(Kind(error.kind), error.id, error.problem)

    def states(self) -> dict[str, WorkerState]:
        return {worker.name: worker.state for worker in self.sync.worker_statuses()}

    def held(self, kind: Kind) -> dict[str, Record]:
        found = {key: self.cache.held(kind, key) for key in self.cache.ids(kind)}
        return {key: record for key, record in found.items() if isinstance(record, Record)}

    async def stored(self, kind: Kind) -> dict[str, Record]:
        items = [item async for batch in self.store.scan(kind) for item in batch]
        return {item.id: item for item in items if isinstance(item, Record)}

    async def live(self) -> None:
        await until(lambda: all(state is WorkerState.VALID for state in self.states().values()))


@asynccontextmanager
async def replica(uri: str, database: str, **options: object) -> AsyncGenerator[Replica]:
    """Run one until the block ends; it need not be live yet."""
    started = Replica(uri, database, **options)  # type: ignore[arg-type]
    try:
        await started.mongo.open(with_indexes=False)
        async with started.sync.running():
            yield started
    finally:
        await started.mongo.close()


async def until(came_true: Callable[[], bool], timeout_s: float = 15) -> None:
    """Wait until it is true; fail after `timeout_s`."""
    async with asyncio.timeout(timeout_s):
        while not came_true():
            await asyncio.sleep(0.005)


def raw_grant(id: str, workspace_id: str = "ws_1", *, version: int = 1, reason: str = "") -> dict[str, object]:
    """Return the document of a grant as another application would write it."""
    return {
        "_id": id,
        "version": version,
        "incarnation": "i",
        "workspaceId": workspace_id,
        "featureKey": "api_calls",
        "source": "PROMOTIONAL",
        "effectiveAt": NOW_DATE,
        "reason": reason,
    }


def raw_workspace(id: str, **fields: object) -> dict[str, object]:
    """Return the document of a workspace as another application would write it."""
    return {"_id": id, "version": 1, "incarnation": "i", **fields}


@asynccontextmanager
async def at_work(work: Work, well: Callable[[], None] = lambda: None) -> AsyncGenerator[asyncio.Task[None]]:
    """Let a worker run while the block does."""
    task = asyncio.create_task(work(well))
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
