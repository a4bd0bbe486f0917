"""The workers of one process: started together, restarted when they fail, stopped in order; and what they add up to."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final, cast

from app.cache.cache import BillingCache
from app.cache.feed import SYNC_TOPIC
from app.domain.errors import UnavailableError
from app.domain.sync_status import ReconcileResult, ReconcileStatus, WorkerStatus
from app.ports.store import RecordStore
from app.ports.system import Clock
from app.store.mongo import Mongo
from app.store.watch import StreamPausedError, Watch
from app.telemetry import Metrics, logger
from sync.cancellation import apart, obey_cancellation
from sync.change_stream import STREAMS, StreamWorker
from sync.jobs.schedule import Job, Schedule
from sync.reconcile import Reconciler
from sync.status import Worker, Workers

log = logger(__name__)

Run = Callable[[], Coroutine[Any, Any, None]]
Work = Callable[[Callable[[], None]], Coroutine[Any, Any, None]]
"""What an added worker does; it calls its argument whenever it has seen that all is well."""

_FIRST_BACKOFF_S: Final = 0.2
_LAST_BACKOFF_S: Final = 10.0
_HEALTHY_S: Final = 30.0  # a run this long was no failed start
_SETTLE_S: Final = 5.0
_INSIST_S: Final = 2.0
_EXPECTED: Final = (UnavailableError, StreamPausedError)
"""The database away: told by the worker's state, without a traceback."""


async def supervise(worker: Worker, run: Run, *, metrics: Metrics) -> None:
    """Run a worker for ever; after an error, again, at growing and jittered intervals."""
    clock = asyncio.get_running_loop().time
    backoff_s = _FIRST_BACKOFF_S
    try:
        while True:
            started = clock()
            try:
                await apart(run())
            except Exception as error:
                cause = _first_cause(error)
                worker.failed(f"{type(cause).__name__}: {cause}")
                if not isinstance(cause, _EXPECTED):
                    log.exception("bug in a worker", worker=worker.name)
            else:
                worker.failed("ended by itself")
            obey_cancellation()  # a task group that fails while it is cancelled tells of the failure alone
            metrics.count("worker_restarts", worker.name)
            backoff_s = _FIRST_BACKOFF_S if clock() - started > _HEALTHY_S else min(backoff_s * 2, _LAST_BACKOFF_S)
            await asyncio.sleep(backoff_s * (0.5 + secrets.randbelow(1000) / 1000))
    finally:
        worker.off()


def _first_cause(error: Exception) -> Exception:
    if isinstance(error, ExceptionGroup):
        return _first_cause(cast("ExceptionGroup[Exception]", error).exceptions[0])  # it holds nothing else
    return error


class SyncService:
    """Keeps RAM true: two change streams, the reconciler, the schedule, and whatever workers and jobs `main` adds.

    A worker that `main` adds is VALID from when it says that all is well until it fails.
    """

    def __init__(
        self,
        *,
        mongo: Mongo,
        store: RecordStore,
        cache: BillingCache,
        metrics: Metrics,
        clock: Clock,
        reconcile_interval_s: float,
        workers: Sequence[tuple[str, Work]] = (),
        jobs: Sequence[Job] = (),
    ) -> None:
        self._cache = cache
        self._metrics = metrics
        self._workers = Workers(clock=clock, metrics=metrics, feed=cache.feed)
        self._wanted = asyncio.Event()
        client, database = mongo.stream_client(), mongo.db.name
        self._streams = [
            StreamWorker(
                self._workers.add(name),
                partial(Watch.open, client, database, kinds),
                cache=cache,
                metrics=metrics,
                clock=clock,
                opened=self._wanted.set,
                became_valid=self._mark_ready,
            )
            for name, kinds in STREAMS.items()
        ]
        self._reconciler = Reconciler(
            store=store, cache=cache, clock=clock, metrics=metrics, is_live=self._is_live, settle=self._settle
        )
        self._repair = self._workers.add("reconcile")
        self._jobs = self._workers.add("jobs")
        self._added = [(self._workers.add(name), work) for name, work in workers]
        job = Job("reconcile", reconcile_interval_s, self._run_reconciler, self._repair.failed)
        self._schedule = Schedule((job, *jobs), metrics=metrics)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Run all workers while the block does, which is once. Those that depend on others end first."""
        runs: list[tuple[Worker, Run]] = [(stream.worker, stream.run) for stream in self._streams]
        runs += [(self._repair, self._repair_when_wanted)]
        runs += [(worker, partial(_told, worker, work)) for worker, work in self._added]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(supervise(worker, run, metrics=self._metrics)) for worker, run in runs]
            self._schedule.start()
            self._jobs.valid()
            try:
                yield
            finally:
                await self._schedule.stop()
                self._jobs.off()
                for task in reversed(tasks):
                    await _end(task)

    async def resync(self, *, workspace_id: str | None, dry_run: bool) -> ReconcileResult:
        """Clean and refresh everything, or one workspace. Raises `UnavailableError`."""
        result = await self._reconciler.run(workspace_id=workspace_id, dry_run=dry_run)
        self._cache.feed.publish(SYNC_TOPIC)
        return result

    def is_ready(self) -> bool:
        """Tell whether RAM was loaded and live; once it was, reads go on whatever happens."""
        return self._cache.ready

    async def until_ready(self) -> None:
        """Wait until `is_ready`."""
        with self._cache.feed.subscribe(SYNC_TOPIC) as changes:
            while not self.is_ready():
                await changes.wait(None)

    def worker_statuses(self) -> tuple[WorkerStatus, ...]:
        """Return the state of every worker."""
        return self._workers.statuses()

    def reconcile_status(self) -> ReconcileStatus:
        """Return what the reconciler does and did."""
        return self._reconciler.status

    def _is_live(self) -> bool:
        return all(stream.worker.is_valid for stream in self._streams)

    def _mark_ready(self) -> None:
        if self._is_live() and not self._cache.ready:
            self._cache.mark_ready()
            self._cache.feed.publish(SYNC_TOPIC)

    async def _settle(self) -> None:
        """Wait, while the streams are live, until they have brought every change made before this call."""
        if not self._is_live():
            return
        try:
            goals = [await stream.now() for stream in self._streams]
        except StreamPausedError:
            return
        async with asyncio.TaskGroup() as group:
            for stream, goal in zip(self._streams, goals, strict=True):
                group.create_task(stream.passed(goal, _SETTLE_S))

    async def _repair_when_wanted(self) -> None:
        """Load whenever a stream was opened; with both open, so that nothing is written between the two unseen."""
        self._repair.starting()
        while True:
            obey_cancellation()
            await self._wanted.wait()
            if not all(stream.is_open for stream in self._streams):
                self._wanted.clear()
                continue
            openings = [stream.opening for stream in self._streams]
            await self._run_reconciler()
            for stream, opening in zip(self._streams, openings, strict=True):
                goal = await stream.now()
                if stream.opening == opening:
                    stream.loaded(goal)
            if openings == [stream.opening for stream in self._streams]:
                self._wanted.clear()

    async def _run_reconciler(self) -> None:
        await self.resync(workspace_id=None, dry_run=False)
        self._repair.valid()


async def _end(task: asyncio.Task[None]) -> None:
    """Cancel until it has ended; see `obey_cancellation` for why once may not do."""
    while not task.done():
        task.cancel()
        await asyncio.wait((task,), timeout=_INSIST_S)


async def _told(worker: Worker, work: Work) -> None:
    worker.starting()
    await work(worker.valid)
