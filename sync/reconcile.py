"""Clean and refresh: prove RAM equal to the store, and repair what is not."""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Final

import msgspec

from app.cache.cache import HELD, BillingCache
from app.domain.change import Kind, Outcome, Record, Source, Tombstone
from app.domain.sync_status import ReconcileResult, ReconcileStatus
from app.domain.workspace import Workspace
from app.ports.store import RecordStore
from app.ports.system import Clock
from app.telemetry import Metrics, logger

log = logger(__name__)

_ASKED: Final = 5_000
_NAMED: Final = 100
_ROUNDS: Final = 5

Item = Record | Tombstone
Place = tuple[Kind, str]


class _Run:
    """What one run has found so far."""

    def __init__(self, *, dry: bool, initial: bool, direct: bool) -> None:
        self.dry = dry
        self.initial = initial
        self.direct = direct
        """Take what the scan brings at once: no stream is live that would bring it anyway."""
        self.compared = 0
        self.repaired = 0
        self.dropped = 0
        self.divergent: list[str] = []
        self.doubtful: list[Place] = []

    def found(self, place: Place, truth: Item | None) -> None:
        """Count a difference that is no mere delay."""
        if _is_dead(truth):
            self.dropped += 1
        else:
            self.repaired += 1
        if len(self.divergent) < _NAMED:
            self.divergent.append(f"{place[0]}/{place[1]}")

    def result(self) -> ReconcileResult:
        return ReconcileResult(
            compared=self.compared,
            repaired=self.repaired,
            dropped=self.dropped,
            divergent=tuple(self.divergent),
            dry_run=self.dry,
            initial=self.initial,
        )


class Reconciler:
    """The one repair. It never clears RAM: reads go on meanwhile, and nothing that is right is touched.

    While streams are live (`is_live`), `settle` waits until they have brought every change made before the call. That
    tells a defect from a delay: what differs after it is wrong, counted and named.
    """

    def __init__(
        self,
        *,
        store: RecordStore,
        cache: BillingCache,
        clock: Clock,
        metrics: Metrics,
        is_live: Callable[[], bool],
        settle: Callable[[], Awaitable[None]],
    ) -> None:
        self._store = store
        self._cache = cache
        self._clock = clock
        self._metrics = metrics
        self._is_live = is_live
        self._settle = settle
        self._turn = asyncio.Lock()
        self._tickets = 0
        self._latest: tuple[tuple[str | None, bool], int, ReconcileResult] | None = None
        self._loaded = False
        self._status = ReconcileStatus(running=False, last_run_at=None, last_result=None)

    @property
    def status(self) -> ReconcileStatus:
        """What runs now, what the last run found, and the totals."""
        return self._status

    async def run(self, *, workspace_id: str | None = None, dry_run: bool = False) -> ReconcileResult:
        """Compare everything, or one workspace (our id or the external id), with the store, and repair RAM.

        With `dry_run` nothing is changed. One runs at a time; who asks meanwhile shares the next run. Raises
        `UnavailableError`.
        """
        scope = workspace_id, dry_run
        asked = self._ticket()
        async with self._turn:
            if self._latest is not None and self._latest[0] == scope and self._latest[1] > asked:
                return self._latest[2]
            started = self._ticket()
            result = await self._run(workspace_id, dry_run=dry_run)
            self._latest = scope, started, result
            return result

    def _ticket(self) -> int:
        self._tickets += 1
        return self._tickets

    async def _run(self, workspace_id: str | None, *, dry_run: bool) -> ReconcileResult:
        self._status = msgspec.structs.replace(self._status, running=True)
        try:
            initial = not self._loaded and workspace_id is None and not dry_run
            run = _Run(dry=dry_run, initial=initial, direct=not dry_run and not self._is_live())
            if workspace_id is not None:
                await self._compare_workspace(run, workspace_id)
            elif initial:
                with _no_garbage_collection():
                    await self._compare_all(run)
                self._loaded = True
            else:
                await self._compare_all(run)
            await self._confirm(run)
        finally:
            self._status = msgspec.structs.replace(self._status, running=False)
        return self._finish(run.result())

    def _finish(self, result: ReconcileResult) -> ReconcileResult:
        before, changed = self._status, not result.dry_run
        self._status = ReconcileStatus(
            running=False,
            last_run_at=self._clock.now_at(),
            last_result=result,
            repaired_total=before.repaired_total + result.repaired * changed,
            dropped_total=before.dropped_total + result.dropped * changed,
        )
        self._metrics.count("reconcile_runs")
        if result.divergent:
            log.warning("RAM differed from the store", **msgspec.structs.asdict(result))
        if changed:
            self._metrics.count("reconcile_repaired", by=result.repaired)
            self._metrics.count("reconcile_dropped", by=result.dropped)
        return result

    async def _compare_all(self, run: _Run) -> None:
        for kind in HELD:
            unseen = set(self._cache.ids(kind))
            async for batch in self._store.scan(kind):
                unseen.difference_update(item.id for item in batch)
                self._compare(run, kind, batch)
                await asyncio.sleep(0)
            # A scan can pass a place before a record is written there: absence is only a reason to ask by id.
            run.doubtful += ((kind, record_id) for record_id in unseen)

    async def _compare_workspace(self, run: _Run, ref: str) -> None:
        records = await self._store.read_workspace(ref)
        own_id = next((record.id for record in records if isinstance(record, Workspace)), ref)
        held = self._cache.state(self._cache.workspace_id(ref) or own_id)
        for record in records:
            self._compare(run, record.KIND, (record,))
        if held is None:
            return
        owned = [held.workspace, *held.subscriptions, *held.grants, *held.overrides]
        seen = {(record.KIND, record.id) for record in records}
        places = [(item.KIND, item.id) for item in ([*owned, held.balance] if held.balance else owned)]
        run.doubtful += (place for place in places if place not in seen)

    def _compare(self, run: _Run, kind: Kind, items: Iterable[Item]) -> None:
        for item in items:
            run.compared += 1
            held = self._cache.held(kind, item.id)
            if _agree(held, item):
                if held is None and not run.dry:  # a tombstone, which guards the id and counts in the version
                    self._cache.apply(item, source=Source.SCAN)
            elif not run.direct or self._cache.apply(item, source=Source.SCAN) is not Outcome.APPLIED:
                run.doubtful.append((kind, item.id))
            elif not run.initial:
                run.found((kind, item.id), item)

    async def _confirm(self, run: _Run) -> None:
        """Ask by id for everything in doubt, as often as it changes under our eyes."""
        for _ in range(_ROUNDS):
            places, run.doubtful = dict.fromkeys(run.doubtful), []
            for batch in _batches(places, _ASKED):
                await self._confirm_batch(run, batch)
            if not run.doubtful:
                return
        # What changes that quickly is plainly followed by a stream; the next run looks again.
        log.info("records kept changing while they were compared", count=len(run.doubtful))

    async def _confirm_batch(self, run: _Run, places: Sequence[Place]) -> None:
        held = {place: self._cache.held(*place) for place in places}
        truths = await self._read(places)
        await self._settle()
        for place in places:
            truth, now = truths.get(place), self._cache.held(*place)
            if self._cache.is_malformed(*place) or _agree(now, truth):
                continue  # stored and unreadable is not gone: its last good state stays
            if now is not held[place]:
                run.doubtful.append(place)  # it changed since we asked; the answer may be the older one
                continue
            run.found(place, truth)
            if not run.dry:
                self._cache.apply(truth or Tombstone(*place), source=Source.SCAN, authoritative=True)

    async def _read(self, places: Sequence[Place]) -> dict[Place, Record]:
        truths: dict[Place, Record] = {}
        for kind in HELD:
            ids = [record_id for of, record_id in places if of is kind]
            for record_id in ids:
                self._cache.note_readable(kind, record_id)  # the read tells again of those that are not
            found = await self._store.read(kind, ids) if ids else {}
            truths.update(((kind, record.id), record) for record in found.values())
        return truths


def _agree(held: Item | None, truth: Item | None) -> bool:
    """Tell whether both say the same. Dead is dead, and so is unknown: a tombstone's version guards RAM alone."""
    if _is_dead(truth):
        return _is_dead(held)
    return held == truth


def _is_dead(item: Item | None) -> bool:
    return not isinstance(item, Record) or item.deleted_at is not None


def _batches(places: Iterable[Place], size: int) -> Iterator[list[Place]]:
    rest = iter(places)
    while batch := list(islice(rest, size)):
        yield batch


@contextmanager
def _no_garbage_collection() -> Generator[None]:
    """Load without collections, each of which would visit all that is loaded; freeze it, so that none does later."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.collect()
        gc.freeze()
