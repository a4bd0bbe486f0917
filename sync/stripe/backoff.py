"""One backoff for all processes: Stripe's API is left alone while it fails, whoever found that out."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeVar

from app.domain.stripe_backoff import ApiState, after_answer, after_failure, after_refusal, after_trial
from app.domain.stripe_event import FetchedObject
from app.ports.jobs import JobStates
from app.ports.stripe import (
    ApiFailingError,
    CursorGoneError,
    ListedPage,
    Listing,
    ProcessorLists,
    ProcessorRefusedError,
    ProcessorUnavailableError,
)
from app.ports.system import Clock

JOB: Final = "stripe_api"

_TRIES: Final = 10  # where as many processes fail at once, what the others noted will do

T = TypeVar("T")


class Backoff:
    """What all processes know of Stripe's API. One of them learns within `fresh_s` what another one has met.

    `jitter` returns a random number in [0, 1). Every method raises `UnavailableError` where the database is away.
    """

    def __init__(self, jobs: JobStates, clock: Clock, *, jitter: Callable[[], float], fresh_s: float = 1) -> None:
        self._jobs = jobs
        self._clock = clock
        self._jitter = jitter
        self._fresh_s = fresh_s
        self._revision = 0
        self._read_at_s: float | None = None
        self.state = ApiState()
        """As it was last seen."""

    async def look(self) -> ApiState:
        """Return the state as it is now."""
        state, self._revision = await self._jobs.read(JOB, ApiState)
        self.state, self._read_at_s = state or ApiState(), asyncio.get_running_loop().time()
        return self.state

    async def most_at_a_time(self, concurrency: int) -> int:
        """Return how many requests may be made at a time, of so many: all, none, or one to see if it answers again."""
        state = await self._known()
        if state.left_alone_ms(self._clock.now_at()):
            return 0
        return 1 if state.is_failing else concurrency

    async def enter(self) -> None:
        """Return where the API may be asked now; while it fails, for one request of all processes.

        Raises `ApiFailingError` where it is left alone.
        """
        state = await self._known()
        if not state.trouble:
            return
        state, now_at = await self.look(), self._clock.now_at()
        if left_ms := state.left_alone_ms(now_at):
            raise _left_alone(state, left_ms)
        if not state.is_failing:
            return
        tried = after_trial(state, now_at)
        if not await self._jobs.write(JOB, tried, revision=self._revision):
            raise _left_alone(state, tried.left_alone_ms(now_at))  # another process was quicker

    async def failed(self, error: ProcessorUnavailableError) -> bool:
        """Note a failure; tell whether the object that was asked for may be at fault: whether others were answered."""
        at, jitter = self._clock.now_at(), self._jitter()
        may_be_its_own = not error.slow_down

        def change(state: ApiState) -> ApiState:
            nonlocal may_be_its_own
            may_be_its_own = may_be_its_own and state.failures == 0
            return after_failure(
                state,
                str(error),
                at=at,
                asked_s=error.retry_after_s or 0,
                slow_down=error.slow_down,
                jitter=jitter,
            )

        await self._change(change)
        return may_be_its_own

    async def refused(self, error: ProcessorRefusedError) -> None:
        """Note that the API answers, and what it refuses."""
        await self._change(lambda _: after_refusal(str(error)))

    async def answered(self) -> None:
        """Note that the API answers."""
        if self.state != ApiState():
            await self._change(lambda _: after_answer())

    async def _known(self) -> ApiState:
        now_s = asyncio.get_running_loop().time()
        if self._read_at_s is not None and now_s - self._read_at_s < self._fresh_s:
            return self.state
        return await self.look()

    async def _change(self, change: Callable[[ApiState], ApiState]) -> None:
        for _ in range(_TRIES):
            before = await self.look()
            after = change(before)
            if after == before:
                return
            if await self._jobs.write(JOB, after, revision=self._revision):
                self.state, self._revision = after, self._revision + 1
                return


class PatientProcessor:
    """Stripe's API for the work that goes on by itself: asked where the backoff lets it be, and told how it went.

    Raises `ApiFailingError` where the API is left alone, or fails whatever it is asked for.
    """

    def __init__(self, processor: ProcessorLists, backoff: Backoff) -> None:
        self._processor = processor
        self._backoff = backoff

    async def retrieve(self, type: str, id: str) -> FetchedObject:
        """Fetch one object; see `PaymentProcessor`."""
        return await self._ask(partial(self._processor.retrieve, type, id))

    async def list_page(self, listing: Listing, *, after: str | None) -> ListedPage:
        """Read one page; see `ProcessorLists`."""
        return await self._ask(partial(self._processor.list_page, listing, after=after))

    async def _ask(self, request: Callable[[], Awaitable[T]]) -> T:
        await self._backoff.enter()
        try:
            answer = await request()
        except ProcessorUnavailableError as error:
            if await self._backoff.failed(error):
                raise
            raise ApiFailingError(str(error), retry_after_s=error.retry_after_s) from error
        except ProcessorRefusedError as error:
            await self._backoff.refused(error)
            raise
        except CursorGoneError:
            await self._backoff.answered()
            raise
        await self._backoff.answered()
        return answer


def _left_alone(state: ApiState, left_ms: int) -> ApiFailingError:
    left_s = left_ms / 1000
    return ApiFailingError(
        f"Stripe is left alone for {left_s:.0f} s: {state.trouble}", retry_after_s=left_s, was_asked=False
    )
