"""The scheduler's table: which job runs how often. Jobs live in the code alone; nothing of them is stored."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC
from typing import Final

import msgspec
from apscheduler.executors.asyncio import AsyncIOExecutor
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from app.telemetry import Metrics, logger

log = logger(__name__)

_JITTER: Final = 0.1  # of the interval, so that replicas started together do not work together
_PATIENCE_S: Final = 10


class Job(msgspec.Struct, frozen=True):
    """What runs every `every_s` seconds, give or take a tenth, the first time after one interval."""

    name: str
    every_s: float
    run: Callable[[], Awaitable[object]]
    failed: Callable[[str], None]
    """Told why, when the job raised."""


class Schedule:
    """Runs jobs, one of each at a time; missed runs become a single late one."""

    def __init__(self, jobs: Sequence[Job], *, metrics: Metrics) -> None:
        self._metrics = metrics
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._scheduler = AsyncIOScheduler(
            jobstores={"default": MemoryJobStore()},
            executors={"default": AsyncIOExecutor()},
            job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1},
            timezone=UTC,
        )
        for job in jobs:
            trigger = IntervalTrigger(seconds=job.every_s, jitter=job.every_s * _JITTER, timezone=UTC)  # pyright: ignore[reportArgumentType] - fractions work
            self._scheduler.add_job(self._run, trigger, args=(job,), id=job.name)  # pyright: ignore[reportUnknownMemberType] - untyped library

    def start(self) -> None:
        """Begin; the event loop runs the jobs."""
        self._scheduler.start()

    async def stop(self) -> None:
        """Start no more, and wait for those that are under way, for ten seconds at most."""
        # The library's own `shutdown(wait=True)` would cancel them.
        self._scheduler.pause()
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await self._idle.wait()
        except TimeoutError:
            log.warning("a job did not end in time", seconds=_PATIENCE_S)
        self._scheduler.shutdown(wait=False)

    async def _run(self, job: Job) -> None:
        self._running += 1
        self._idle.clear()
        try:
            await job.run()
        except Exception as error:
            self._metrics.count("job_failures", job.name)
            log.warning("job failed", job=job.name, exc_info=error)
            job.failed(f"{type(error).__name__}: {error}")
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()
