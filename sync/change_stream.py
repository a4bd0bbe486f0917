"""MongoDB to RAM: one worker per stream, which applies transactions whole and knows when it is live."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final

from app.cache.cache import HELD, BillingCache
from app.domain.change import Kind, Source, Tombstone
from app.ports.system import Clock
from app.store.mapping import MappingError, live_or_tombstone
from app.store.watch import Change, Position, StreamLostError, StreamPausedError, Watch
from app.telemetry import Metrics, logger
from sync.cancellation import apart, obey_cancellation
from sync.status import Worker

log = logger(__name__)

STREAMS: Final[Mapping[str, tuple[Kind, ...]]] = {
    "control_stream": tuple(kind for kind in HELD if kind is not Kind.BALANCE),
    "usage_stream": (Kind.BALANCE,),
}
"""Balances have a stream of their own, so that a flood of usage never delays a revocation."""

_TURN: Final = 200  # changes between two chances for others to use the loop
_BACKLOG: Final = 20_000  # changes read ahead of what is applied
_CUTTABLE: Final = 500  # the server cuts a batch at 16 MB; one of fewer records than this never gets there
_PAUSE_S: Final = 0.5
_NEXT_OPENING_S: Final = 0.2


class StreamWorker:
    """Follows one change stream.

    It is VALID once RAM was loaded after the stream was opened, and the stream has passed what that load saw.
    """

    def __init__(
        self,
        worker: Worker,
        open_watch: Callable[[], Awaitable[Watch]],
        *,
        cache: BillingCache,
        metrics: Metrics,
        clock: Clock,
        opened: Callable[[], None],
        became_valid: Callable[[], None],
    ) -> None:
        self.worker = worker
        self.opening = 0
        """How many streams were opened; a load that began at another count does not count for this one."""
        self._open_watch = open_watch
        self._cache = cache
        self._metrics = metrics
        self._clock = clock
        self._opened = opened
        self._became_valid = became_valid
        self._watch: Watch | None = None
        self._reached: Position = (0, 0)
        self._moved = asyncio.Event()
        self._goal: Position | None = None
        self._loaded = False

    @property
    def is_open(self) -> bool:
        """Whether a stream collects what happens from now on."""
        return self._watch is not None

    async def run(self) -> None:
        """Follow the stream for ever; open a new one, and ask for a reconciliation, whenever it is lost."""
        self.worker.starting()
        while True:
            try:
                await apart(self._follow_one())
            except* StreamLostError as lost:
                self.worker.failed(f"stream lost: {lost.exceptions[0]}")
            obey_cancellation()
            self._metrics.count("stream_reopened", self.worker.name)
            await asyncio.sleep(_NEXT_OPENING_S)

    def loaded(self, goal: Position) -> None:
        """Note that RAM was loaded after this stream was opened: it is live once it has passed `goal`."""
        self._loaded = True
        self._aim(goal)

    async def passed(self, goal: Position, timeout_s: float) -> bool:
        """Wait until everything up to `goal` is applied; False where that took too long."""
        try:
            async with asyncio.timeout(timeout_s):
                while self._reached < goal:
                    await self._moved.wait()
        except TimeoutError:
            return False
        return True

    async def now(self) -> Position:
        """Return a position that covers every change made before this call. Raises `StreamPausedError`."""
        if self._watch is None:
            raise StreamPausedError(f"{self.worker.name} is not open")
        return await self._watch.now()

    async def _follow_one(self) -> None:
        watch = await self._open_watch()
        try:
            self._watch, self._reached, self._goal, self._loaded = watch, watch.position, None, False
            self.opening += 1
            self._opened()
            inbox = _Inbox()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._read(watch, inbox))
                group.create_task(self._apply_all(watch, inbox))
        finally:
            self._watch = None
            await watch.close()

    async def _read(self, watch: Watch, inbox: "_Inbox") -> None:
        while True:
            obey_cancellation()
            try:
                change = await watch.poll()
            except StreamPausedError as error:
                self.worker.failed(str(error))
                await asyncio.sleep(_PAUSE_S)
                continue
            inbox.put(change)
            if self._loaded and self._goal is None and not self.worker.is_valid:
                await self._aim_again(watch)
            await inbox.room()

    async def _aim_again(self, watch: Watch) -> None:
        """After a pause: live again once everything that happened meanwhile is applied."""
        try:
            self._aim(await watch.now())
        except StreamPausedError as error:
            self.worker.failed(str(error))

    async def _apply_all(self, watch: Watch, inbox: "_Inbox") -> None:
        # `poll` gives up the loop only at the end of a batch, so that what lies here by our turn are whole batches.
        while True:
            changes, is_whole = await inbox.take()
            position = watch.position
            applied = 0
            for transaction in _transactions(changes):
                for change in transaction:
                    self._apply(change)
                applied += len(transaction)
                if applied >= _TURN:
                    applied = 0
                    await asyncio.sleep(0)
            if changes:
                lag_ms = max(0, self._clock.now_at() - changes[-1].occurred_at)
                self._metrics.set("apply_lag_seconds", lag_ms / 1000, self.worker.name)
            if is_whole:
                self._reach(position)

    def _apply(self, change: Change) -> None:
        if change.document is None:
            self._cache.apply(Tombstone(change.kind, change.id), source=Source.STREAM)
            return
        try:
            record = live_or_tombstone(change.kind, change.document)
        except MappingError as error:
            log.warning("document cannot be read; its last good state stays", kind=error.kind, record_id=error.id)
            self._cache.note_malformed(change.kind, error.id, error.problem)
            return
        self._cache.apply(record, source=Source.STREAM)

    def _aim(self, goal: Position) -> None:
        self._goal = goal
        self._reach(self._reached)

    def _reach(self, position: Position) -> None:
        self._reached = max(self._reached, position)
        self._moved.set()
        self._moved = asyncio.Event()
        if self._goal is not None and self._reached >= self._goal:
            self._goal = None
            self.worker.valid()
            self._became_valid()


class _Inbox:
    """Changes read and not yet applied."""

    def __init__(self) -> None:
        self._changes: list[Change] = []
        self._held_back: list[Change] = []
        self._idle = False
        self._filled = asyncio.Event()
        self._emptied = asyncio.Event()

    def put(self, change: Change | None) -> None:
        """Add a change; None says that the stream has no more just now."""
        self._idle = change is None
        if change is not None:
            self._changes.append(change)
        self._filled.set()

    async def room(self) -> None:
        """Wait while too much lies here."""
        while len(self._changes) >= _BACKLOG:
            self._emptied.clear()
            await self._emptied.wait()

    async def take(self) -> tuple[list[Change], bool]:
        """Return all changes of transactions that are complete, and whether nothing was held back."""
        await self._filled.wait()
        self._filled.clear()
        may_be_cut = not self._idle and len(self._changes) >= _CUTTABLE
        changes = [*self._held_back, *self._changes]
        end = _end_of_whole_transactions(changes) if may_be_cut else len(changes)
        self._changes, self._held_back = [], changes[end:]
        self._emptied.set()
        return changes[:end], end == len(changes)


def _end_of_whole_transactions(changes: Sequence[Change]) -> int:
    last = changes[-1].transaction
    end = len(changes)
    while last is not None and end and changes[end - 1].transaction == last:
        end -= 1
    return end


def _transactions(changes: Sequence[Change]) -> Iterator[list[Change]]:
    for transaction, members in groupby(changes, key=lambda change: change.transaction):
        if transaction is None:
            yield from ([change] for change in members)
        else:
            yield list(members)
