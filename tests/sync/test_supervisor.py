import asyncio
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs
from support.clock import FrozenClock
from support.records import NOW
from support.sync import replica, until

from app.cache.feed import Feed
from app.domain.errors import UnavailableError
from app.domain.sync_status import WorkerState, WorkerStatus
from app.store.watch import StreamPausedError
from app.telemetry import Metrics
from sync.status import Workers
from sync.supervisor import supervise


class Bench:
    def __init__(self) -> None:
        self.metrics = Metrics()
        self.workers = Workers(clock=FrozenClock(), metrics=self.metrics, feed=Feed())
        self.worker = self.workers.add("w")
        self.starts = 0
        self.error: Exception = ValueError("the stick broke")

    async def run_until(self, starts: int) -> None:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(supervise(self.worker, self.run, metrics=self.metrics))
            await until(lambda: self.starts >= starts)
            await asyncio.sleep(0)
            self.seen = self.worker.status
            task.cancel()

    async def run(self) -> None:
        self.starts += 1
        self.worker.starting()
        self.worker.valid()
        if self.starts == 1:
            raise ExceptionGroup("several", [self.error])
        if self.starts == 2:
            return
        await asyncio.Event().wait()


async def test_worker_that_dies_or_ends_lives_again() -> None:
    bench = Bench()

    await bench.run_until(3)

    assert bench.metrics.value("worker_restarts", "w") == 2
    assert bench.seen == WorkerStatus("w", WorkerState.VALID, NOW, "ended by itself", NOW)
    assert bench.worker.status.state is WorkerState.OFF


async def test_failure_is_told_by_its_first_cause() -> None:
    bench = Bench()

    await bench.run_until(1)

    assert bench.seen.state is WorkerState.INTERRUPTED
    assert bench.seen.last_error == "ValueError: the stick broke"


@pytest.mark.parametrize(
    ("error", "tracebacks"),
    [
        pytest.param(ValueError("the stick broke"), 1, id="a bug"),
        pytest.param(UnavailableError(), 0, id="database away"),
        pytest.param(StreamPausedError("no primary"), 0, id="stream away"),
    ],
)
async def test_a_bug_is_logged_with_its_traceback_and_the_weather_is_not(error: Exception, tracebacks: int) -> None:
    bench = Bench()
    bench.error = error

    with capture_logs() as logged:
        await bench.run_until(1)

    assert [line["worker"] for line in logged if line.get("exc_info")] == ["w"] * tracebacks


async def test_added_worker_is_valid_once_it_says_so_and_ends_before_the_streams(
    mongodb_uri: str, database: str
) -> None:
    ends: list[WorkerState] = []
    failing = asyncio.Event()

    async def work(well: Callable[[], None]) -> None:
        well()
        try:
            await failing.wait()
        finally:
            ends.append(started.states()["control_stream"])
        failing.clear()
        raise RuntimeError("sk_live_123 is wrong")

    async with replica(mongodb_uri, database, workers=[("stripe", work)]) as started:
        await started.live()
        assert started.states()["stripe"] is WorkerState.VALID
        failing.set()
        await until(lambda: started.states()["stripe"] is WorkerState.INTERRUPTED)
        error = next(w.last_error for w in started.sync.worker_statuses() if w.name == "stripe")
        await started.live()

    assert error == "RuntimeError: sk_live_[redacted] is wrong"
    assert ends == [WorkerState.VALID, WorkerState.VALID]


async def test_added_worker_that_fails_at_every_start_is_interrupted_until_it_gets_on(
    mongodb_uri: str, database: str
) -> None:
    runs = 0
    is_away = False
    seen: list[WorkerState] = []

    async def work(well: Callable[[], None]) -> None:
        nonlocal runs
        runs += 1
        seen.append(started.states()["stripe"])
        if is_away:
            raise UnavailableError
        well()
        while not is_away:
            await asyncio.sleep(0)
        raise UnavailableError

    async with replica(mongodb_uri, database, workers=[("stripe", work)]) as started:
        await started.live()
        is_away = True
        await until(lambda: runs >= 4)
        is_away = False
        await started.live()

    assert seen[0] is WorkerState.INITIALIZING
    assert set(seen[1:]) == {WorkerState.INTERRUPTED}


async def test_ready_means_loaded_and_live_and_is_told(mongodb_uri: str, database: str) -> None:
    async with replica(mongodb_uri, database) as started:
        with started.cache.feed.subscribe("sync") as changes:
            assert not started.sync.is_ready()
            while not started.sync.is_ready():
                assert await changes.wait(10)

        states = started.states()
        assert (states["control_stream"], states["usage_stream"]) == (WorkerState.VALID, WorkerState.VALID)
        status = started.sync.reconcile_status()
        assert status.last_result is not None
        assert (status.last_result.initial, status.running) == (True, False)


async def test_reconcile_runs_on_schedule(mongodb_uri: str, database: str) -> None:
    async with replica(mongodb_uri, database, reconcile_interval_s=0.2) as started:
        await started.live()

        await until(lambda: started.metrics.value("reconcile_runs") >= 3)


async def test_failed_scheduled_run_shows_until_the_next_good_one(mongodb_uri: str, database: str) -> None:
    async with replica(mongodb_uri, database, reconcile_interval_s=0.2) as started:
        await started.live()
        started.store.broken = True
        await until(lambda: started.states()["reconcile"] is WorkerState.INTERRUPTED)
        started.store.broken = False
        await started.live()

    assert started.metrics.value("job_failures", "reconcile") >= 1


async def test_worker_that_swallows_a_cancellation_ends_all_the_same(mongodb_uri: str, database: str) -> None:
    swallowed = 0

    async def deaf_once(well: Callable[[], None]) -> None:
        nonlocal swallowed
        well()
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if swallowed:
                    raise
                swallowed += 1

    async with replica(mongodb_uri, database, workers=[("deaf", deaf_once)]) as started:
        await started.live()

    assert swallowed == 1
    assert set(started.states().values()) == {WorkerState.OFF}


async def test_worker_that_fails_while_it_is_cancelled_is_not_started_again() -> None:
    bench = Bench()

    async def fail_at_the_end() -> None:
        bench.starts += 1
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            raise OSError("lost at the end") from error

    async with asyncio.TaskGroup() as group:
        task = group.create_task(supervise(bench.worker, fail_at_the_end, metrics=bench.metrics))
        await until(lambda: bench.starts == 1)
        task.cancel()

    assert bench.starts == 1


async def test_worker_whose_task_group_fails_lives_again() -> None:
    bench = Bench()

    async def part() -> None:
        await asyncio.sleep(0)
        if bench.starts == 1:
            raise ValueError("the stick broke")
        await asyncio.Event().wait()

    async def run() -> None:
        bench.starts += 1
        async with asyncio.TaskGroup() as group:
            group.create_task(part())

    bench.run = run  # type: ignore[method-assign]
    await bench.run_until(2)

    assert bench.metrics.value("worker_restarts", "w") == 1
