"""One backoff for all processes: Stripe's API is left alone while it fails, whoever found that out."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeVar

from app.domain.stripe_backoff import EVERYTHING, ApiStates
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
        self.states = ApiStates()
        """As they were last seen."""

    async def look(self) -> ApiStates:
        """Return the states as they are now."""
        states, self._revision = await self._jobs.read(JOB, ApiStates)
        self.states, self._read_at_s = states or ApiStates(), asyncio.get_running_loop().time()
        return self.states

    async def known(self) -> ApiStates:
        """Return the states as they were not long ago."""
        now_s = asyncio.get_running_loop().time()
        if self._read_at_s is not None and now_s - self._read_at_s < self._fresh_s:
            return self.states
        return await self.look()

    async def enter(self, type: str) -> None:
        """Return where the API may be asked for this type now; while it fails, for one request of all processes.

        Raises `ApiFailingError` where it is left alone.
        """
        if not (await self.known()).states:
            return
        states, now_at = await self.look(), self._clock.now_at()
        if left_ms := states.left_alone_ms(type, now_at):
            raise _left_alone(states, left_ms)
        if not (states.of(type).is_failing or states.of(EVERYTHING).is_failing):
            return
        tried = states.after_trial(type, now_at)
        if not await self._jobs.write(JOB, tried, revision=self._revision):
            raise _left_alone(states, tried.left_alone_ms(type, now_at))  # another process was quicker

    async def failed(self, type: str, error: ProcessorUnavailableError) -> bool:
        """Note a failure; tell whether the object that was asked for may be at fault: whether others were answered."""
        at, jitter = self._clock.now_at(), self._jitter()
        may_be_its_own = not error.slow_down

        def change(states: ApiStates) -> ApiStates:
            nonlocal may_be_its_own
            was_well = not (states.of(type).failures or states.of(EVERYTHING).failures)
            may_be_its_own = may_be_its_own and was_well
            return states.after_failure(
                type,
                str(error),
                at=at,
                asked_s=error.retry_after_s or 0,
                slow_down=error.slow_down,
                jitter=jitter,
            )

        await self._change(change)
        return may_be_its_own

    async def refused(self, type: str, error: ProcessorRefusedError) -> None:
        """Note that the API answers, and what it refuses."""
        at = self._clock.now_at()
        await self._change(lambda states: states.after_refusal(type, str(error), at))

    async def answered(self, type: str) -> None:
        """Note that the API answers."""
        at = self._clock.now_at()
        if self.states.after_answer(type, at) != self.states:
            await self._change(lambda states: states.after_answer(type, at))

    async def _change(self, change: Callable[[ApiStates], ApiStates]) -> None:
        for _ in range(_TRIES):
            before = await self.look()
            after = change(before)
            if after == before:
                return
            if await self._jobs.write(JOB, after, revision=self._revision):
                self.states, self._revision = after, self._revision + 1
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
        return await self._ask(type, partial(self._processor.retrieve, type, id))

    async def list_page(self, listing: Listing, *, after: str | None) -> ListedPage:
        """Read one page; see `ProcessorLists`."""
        return await self._ask(listing.type, partial(self._processor.list_page, listing, after=after))

    async def _ask(self, type: str, request: Callable[[], Awaitable[T]]) -> T:
        await self._backoff.enter(type)
        try:
            answer = await request()
        except ProcessorUnavailableError as error:
            if await self._backoff.failed(type, error):
                raise
            raise ApiFailingError(str(error), retry_after_s=error.retry_after_s) from error
        except ProcessorRefusedError as error:
            await self._backoff.refused(type, error)
            raise
        except CursorGoneError:
            await self._backoff.answered(type)
            raise
        await self._backoff.answered(type)
        return answer


def _left_alone(states: ApiStates, left_ms: int) -> ApiFailingError:
    left_s = left_ms / 1000
    return ApiFailingError(
        f"Stripe is left alone for {left_s:.0f} s: {states.trouble}", retry_after_s=left_s, was_asked=False
    )
