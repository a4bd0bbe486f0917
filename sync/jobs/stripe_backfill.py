"""The worker that reads all that Stripe has, a page at a time, and goes on where a killed process was."""

import asyncio
from collections.abc import Callable
from typing import Final

import msgspec

from app.domain.stripe_backfill import Backfill, BackfillStatus, advanced, failed, finished, restarted
from app.domain.stripe_object import StripeObject
from app.ports.stripe import CursorGoneError, ProcessorRefusedError, ProcessorUnavailableError
from app.runtime import Runtime
from app.services.stripe_backfill import JOB
from app.telemetry import logger
from sync.bell import Bell
from sync.cancellation import obey_cancellation
from sync.jobs.lease import JobLease, until_loaded
from sync.stripe.lists import EVERYTHING, Lists

_RENEWED_S: Final = 5
_LONGEST_PAUSE_S: Final = 60.0
_LONGEST_ASKED_S: Final = 600.0
_MOST_RESTARTS: Final = 100
_ERROR_LENGTH: Final = 500

_TYPES: Final = frozenset(listing.type for listing in EVERYTHING)

_log = logger(__name__)


class BackfillWorker:
    """Works on the backfill that was started, until cancelled. Of several replicas one does, by a lease.

    `jitter` returns a random number in [0, 1). Without `lists` nothing is done.
    """

    def __init__(
        self, rt: Runtime, lists: Lists | None, *, jitter: Callable[[], float], poll_s: float = 5, pause_s: float = 1
    ) -> None:
        self._rt = rt
        self._lists = lists
        self._jitter = jitter
        self._poll_s = poll_s
        self._pause_s = pause_s
        self._lease = JobLease(rt, JOB)
        self._bell = Bell()

    def wake(self) -> None:
        """Look for a backfill now."""
        self._bell.ring()

    async def run(self, well: Callable[[], None]) -> None:
        """Work until cancelled; call `well` after each page and each look. Raises where the database is away."""
        if self._lists is None:
            well()
            await asyncio.Event().wait()
            return
        await until_loaded(self._rt.cache)
        while True:
            self._bell.silence()
            if await self._is_wanted() and await self._lease.hold():
                try:
                    await self._work(self._lists, well)
                finally:
                    await self._lease.give_up()
            well()
            await self._bell.wait(self._poll_s)

    async def _is_wanted(self) -> bool:
        run, _ = await self._rt.jobs.read(JOB, Backfill)
        return run is not None and run.status is BackfillStatus.RUNNING

    async def _work(self, lists: Lists, well: Callable[[], None]) -> None:
        run, revision = await self._rt.jobs.read(JOB, Backfill)
        failures = 0
        while run is not None and run.status is BackfillStatus.RUNNING:
            obey_cancellation()
            asked_s = 0.0
            try:
                after = await self._read_page(lists, run)
                failures = 0
            except ProcessorUnavailableError as error:
                failures, asked_s = failures + 1, error.retry_after_s or 0.0
                after = msgspec.structs.replace(run, trouble=str(error)[:_ERROR_LENGTH])
            except ProcessorRefusedError as error:
                after = failed(run, f"Stripe refuses: {error}"[:_ERROR_LENGTH], self._rt.clock.now_at())
            if not await self._rt.jobs.write(JOB, after, revision=revision):
                _log.info("backfill left to another replica", backfill=run.id)
                return
            run, revision = after, revision + 1
            well()
            if not await self._pause(failures, asked_s):
                return
        if run is not None:
            _log.info("backfill ended", backfill=run.id, status=run.status.value, listed=run.listed)

    async def _read_page(self, lists: Lists, run: Backfill) -> Backfill:
        """Read the next page and return the backfill after it."""
        clock = asyncio.get_running_loop().time
        started = clock()
        if run.sequence is None:
            run = msgspec.structs.replace(run, sequence=await lists.sequence())
        try:
            page = await lists.absorb(EVERYTHING[run.list_number], after=run.after, dry_run=run.dry_run)
        except CursorGoneError as error:
            _log.info("a list is begun again", backfill=run.id, list=run.list_number, reason=str(error))
            again = restarted(run)
            if again.restarts > _MOST_RESTARTS:
                reason = f"a list was begun again {_MOST_RESTARTS} times, for what it was to go on after was gone"
                return failed(run, reason, self._rt.clock.now_at())
            return again
        took_ms = max(1, round((clock() - started) * 1000))
        after = advanced(run, page.findings, after=page.after, took_ms=took_ms)
        return after if after.list_number < len(EVERYTHING) else await self._finish(lists, after)

    async def _finish(self, lists: Lists, run: Backfill) -> Backfill:
        """End it once the worker is told to look at what Stripe has no more: no event tells of it after 30 days."""
        if not run.dry_run:
            async for _ in lists.missing(run.sequence or 0, _is_listed):
                await self._lease.hold()
        return finished(run, self._rt.clock.now_at())

    async def _pause(self, failures: int, asked_s: float) -> bool:
        """Hold on to the lease, and wait where Stripe's API fails, longer each time; False where the lease is lost."""
        growing_s = min(self._pause_s * 2 ** min(failures - 1, 10), _LONGEST_PAUSE_S) * (0.5 + self._jitter() / 2)
        left_s = max(growing_s, min(asked_s, _LONGEST_ASKED_S)) if failures else 0.0
        while await self._lease.hold():
            if left_s <= 0:
                return True
            obey_cancellation()
            await asyncio.sleep(min(left_s, _RENEWED_S))
            left_s -= _RENEWED_S
        return False


def _is_listed(mirror: StripeObject) -> bool:
    return mirror.type in _TYPES
