import asyncio
from collections.abc import Awaitable, Callable

from support.sync import until

from app.telemetry import Metrics
from sync.jobs.schedule import Job, Schedule


def schedule(
    run: Callable[[], Awaitable[object]], failures: list[str] | None = None, *others: Callable[[], Awaitable[object]]
) -> tuple[Schedule, Metrics]:
    metrics = Metrics()
    failed = (failures if failures is not None else []).append
    jobs = [Job(f"other {number}", 0.05, other, failed) for number, other in enumerate(others)]
    return Schedule([Job("work", 0.05, run, failed), *jobs], metrics=metrics), metrics


async def test_job_runs_again_and_again() -> None:
    runs: list[int] = []

    async def work() -> None:
        runs.append(1)

    running, _ = schedule(work)
    running.start()
    await until(lambda: len(runs) >= 3)
    await running.stop()


async def test_failed_job_is_counted_told_and_tried_again() -> None:
    failures: list[str] = []

    async def work() -> None:
        raise OSError("no route")

    running, metrics = schedule(work, failures)
    running.start()
    await until(lambda: metrics.value("job_failures", "work") >= 2)
    await running.stop()

    assert failures[:2] == ["OSError: no route"] * 2


async def test_one_at_a_time_and_what_runs_is_awaited_at_the_end() -> None:
    may_end, now_running, most, ended, turns = asyncio.Event(), 0, 0, 0, 0

    async def work() -> None:
        nonlocal now_running, most, ended
        now_running += 1
        most = max(most, now_running)
        await may_end.wait()
        now_running -= 1
        ended += 1

    async def other() -> None:
        nonlocal turns
        turns += 1

    running, _ = schedule(work, None, other)
    running.start()
    await until(lambda: now_running == 1)
    before = turns
    await until(lambda: turns >= before + 4)  # in which as many of the work's own were missed, give or take the jitter
    async with asyncio.TaskGroup() as group:
        stopping = group.create_task(running.stop())
        for _ in range(10):
            await asyncio.sleep(0)
        assert not stopping.done()
        may_end.set()

    assert (most, ended) == (1, 1)
