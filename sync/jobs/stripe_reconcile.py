"""The worker that asks Stripe for events that never came, and nightly for objects that changed without one."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from app.domain.stripe_event import ObjectName, StripeEvent, StripeEventFilter, StripeEventStatus
from app.domain.stripe_object import StripeObject
from app.domain.stripe_reconcile import StripeReconcile, Suspect, is_due, is_relist_due, judged
from app.domain.subscription import TERMINAL
from app.ports.stripe import CursorGoneError, Listing, ProcessorRefusedError, ProcessorUnavailableError
from app.runtime import Runtime
from app.services.stripe_reconcile import JOB, first_state
from app.telemetry import logger
from sync.bell import Bell
from sync.cancellation import obey_cancellation
from sync.jobs.lease import JobLease, until_loaded
from sync.stripe.lists import COUPONS, PRICES, PRODUCTS, Absorbed, Lists

OVERLAP_MS: Final = 15 * 60_000
"""How much older than the newest event an event may be that is listed late."""

_RELISTED: Final = (
    *PRODUCTS,
    *PRICES,
    *COUPONS,
    Listing("subscription"),  # without a status Stripe leaves out the canceled ones
    Listing("invoice", (("status", "open"),)),
)
_RELISTED_TYPES: Final = frozenset(listing.type for listing in _RELISTED)
_EVENTS_OF_ONE: Final = 50
_ON_ITS_WAY_MS: Final = 60_000  # what is younger may yet come by itself
_PAUSE_MS: Final = 60_000  # while Stripe's API fails; what was found until then is stored
_ERROR_LENGTH: Final = 500

_log = logger(__name__)

ReadEvent = Callable[[bytes, int], StripeEvent | None]
"""Reads an event as it came, received at this instant; None where it cannot become one."""


class _LostLeaseError(Exception):
    """Another replica has gone on."""


class _Status(msgspec.Struct):
    status: str | None = None


class ReconcileWorker:
    """Reconciles every `interval_s`, and the lists once a day after `relist_hour` (UTC). Of several replicas one does.

    Without `lists` nothing is done.
    """

    def __init__(
        self,
        rt: Runtime,
        lists: Lists | None,
        read_event: ReadEvent,
        *,
        interval_s: float = 300,
        relist_hour: int = 3,
        poll_s: float = 5,
        most_suspects: int = 1000,
    ) -> None:
        self._rt = rt
        self._lists = lists
        self._read_event = read_event
        self._interval_ms = int(interval_s * 1000)
        self._relist_hour = relist_hour
        self._poll_s = poll_s
        self._most_suspects = most_suspects
        self._lease = JobLease(rt, JOB)
        self._bell = Bell()
        self._revision = 0
        self._resume_at = 0

    def wake(self) -> None:
        """Look whether something was asked for now."""
        self._bell.ring()

    async def run(self, well: Callable[[], None]) -> None:
        """Work until cancelled; call `well` after each look. Raises where the database is away."""
        if self._lists is None:
            well()
            await asyncio.Event().wait()
            return
        await until_loaded(self._rt.cache)
        while True:
            self._bell.silence()
            if await self._is_wanted() and await self._lease.hold():
                try:
                    await self._reconcile(self._lists)
                except _LostLeaseError:
                    _log.info("reconciling left to another replica")
                except (ProcessorUnavailableError, ProcessorRefusedError, CursorGoneError) as error:
                    self._resume_at = self._rt.clock.now_at() + _PAUSE_MS
                    await self._note_trouble(error)
                finally:
                    await self._lease.give_up()
            well()
            await self._bell.wait(self._poll_s)

    async def _is_wanted(self) -> bool:
        state, _ = await self._rt.jobs.read(JOB, StripeReconcile)
        now_at = self._rt.clock.now_at()
        if now_at < self._resume_at:
            return False
        return state is None or is_due(state, now_at, interval_ms=self._interval_ms) or self._is_night(state)

    def _is_night(self, state: StripeReconcile) -> bool:
        return is_relist_due(state, self._rt.clock.now_at(), hour=self._relist_hour)

    async def _note_trouble(self, error: Exception) -> None:
        """Keep why it does not go on; that the API does not answer is known by its backoff, and sooner over."""
        _log.warning("stripe_reconcile_failed", error=str(error))
        if isinstance(error, ProcessorUnavailableError):
            return
        state, revision = await self._rt.jobs.read(JOB, StripeReconcile)
        if state is not None:
            noted = msgspec.structs.replace(state, trouble=str(error)[:_ERROR_LENGTH])
            await self._rt.jobs.write(JOB, noted, revision=revision)

    async def _save(self, state: StripeReconcile) -> StripeReconcile:
        """Store the state and hold on to the lease. Raises `_LostLeaseError`."""
        if not await self._rt.jobs.write(JOB, state, revision=self._revision):
            raise _LostLeaseError
        self._revision += 1
        await self._keep()
        return state

    async def _keep(self) -> None:
        obey_cancellation()
        if not await self._lease.hold():
            raise _LostLeaseError

    async def _reconcile(self, lists: Lists) -> None:
        """Read the lists, where it is time, and then the events: those of a change come before it is judged."""
        found, self._revision = await self._rt.jobs.read(JOB, StripeReconcile)
        state = found or await self._save(first_state(self._rt.clock.now_at()))
        if self._is_night(state):
            state = await self._relist(lists, state)
        await self._judge(await self._poll(lists, state))

    async def _poll(self, lists: Lists, state: StripeReconcile) -> StripeReconcile:
        """Bring every event to the inbox that was created since the last one seen, and a while before it."""
        began_at = self._rt.clock.now_at()
        since_at = state.seen_at - OVERLAP_MS
        if state.asked:
            since_at = min(since_at, state.asked.since_at)
        listing = Listing("event", (("created[gte]", str(max(since_at, 0) // 1000)),))
        listed, recovered, newest_at, after = 0, 0, state.seen_at, None
        while True:
            page = await lists.page(listing, after=after)
            for one in page.objects:
                event = self._read_event(one.raw.encode(), self._rt.clock.now_at())
                if event is not None:
                    listed, newest_at = listed + 1, max(newest_at, event.occurred_at)
                    recovered += await self._accept(event)
            await self._keep()
            after = page.after
            if after is None:
                break
        self._rt.sync.wake()
        if recovered:
            _log.warning("stripe_events_recovered", count=recovered, since_at=since_at)
        done = msgspec.structs.replace(
            state,
            seen_at=newest_at,
            asked=None,
            last_reconcile_at=began_at,
            listed=listed,
            recovered=state.recovered + recovered,
            trouble=None,
        )
        return await self._save(done)

    async def _accept(self, event: StripeEvent) -> bool:
        """Take the event as if it had come by itself; tell whether it should have, and is used."""
        is_new = await self._rt.inbox.accept(event)
        is_late = event.occurred_at <= event.received_at - _ON_ITS_WAY_MS
        if not (is_new and is_late) or event.status is not StripeEventStatus.RECEIVED:
            return False
        self._rt.metrics.count("stripe_events", "recovered")
        return True

    async def _relist(self, lists: Lists, state: StripeReconcile) -> StripeReconcile:
        """Read the lists of what is in use; note what changed, and have looked at what they hold no more."""
        began_at, sequence = self._rt.clock.now_at(), await lists.sequence()
        for listing in _RELISTED:
            async for page in lists.every_page(listing):
                state = await self._note(state, page)
                if len(state.suspects) >= self._most_suspects:
                    state = await self._judge(await self._poll(lists, state))
        async for missing in lists.missing(sequence, _is_relisted):
            found = [(ObjectName(mirror.type, mirror.id), mirror.event_at or 0) for mirror in missing]
            state = await self._suspect(state, found)
        return await self._save(msgspec.structs.replace(state, last_relist_at=began_at))

    async def _note(self, state: StripeReconcile, page: Absorbed) -> StripeReconcile:
        """Add what changed on the page to the suspects; something new is one only if it came while we watched."""
        found: list[tuple[ObjectName, int]] = []
        for name in page.findings.changed:
            created_at = page.created_at.get(name.id, 0)
            if name.id in page.known_at:
                found.append((name, page.known_at[name.id]))
            elif created_at > state.watching_since_at:
                found.append((name, created_at - 1))  # its creation is what an event would have told
        return await self._suspect(state, found)

    async def _suspect(self, state: StripeReconcile, found: Sequence[tuple[ObjectName, int]]) -> StripeReconcile:
        if not found:
            await self._keep()
            return state
        at = self._rt.clock.now_at()
        more = [Suspect(name.type, name.id, known_at, at) for name, known_at in found]
        return await self._save(msgspec.structs.replace(state, suspects=(*state.suspects, *more)))

    async def _judge(self, state: StripeReconcile) -> StripeReconcile:
        """Count as drift what changed and has no event in the inbox that tells of it."""
        if not state.suspects:
            return state
        drifted = [suspect for suspect in state.suspects if not await self._is_explained(suspect)]
        for suspect in drifted:  # before it is stored: an alarm comes better twice than never
            self._rt.metrics.count("stripe_drift")
            _log.warning("stripe_drift", type=suspect.type, object=suspect.id, known_at=suspect.known_at)
        return await self._save(judged(state, drifted))

    async def _is_explained(self, suspect: Suspect) -> bool:
        # What it was known by came in the second of `known_at`: only later events tell of another change.
        wanted = StripeEventFilter(object_id=suspect.id)
        page = await self._rt.inbox.events_page(wanted, after=None, first=_EVENTS_OF_ONE)
        return any(
            event.occurred_at > suspect.known_at or event.status is StripeEventStatus.RECEIVED for event in page.items
        )


def _is_relisted(mirror: StripeObject) -> bool:
    if mirror.type not in _RELISTED_TYPES:
        return False
    match mirror.type:
        case "subscription":
            return _status(mirror.raw) not in TERMINAL
        case "invoice":
            return _status(mirror.raw) == "open"
        case _:
            return True


def _status(raw: str) -> str | None:
    try:
        return msgspec.json.decode(raw, type=_Status).status
    except (ValueError, RecursionError):
        return None
