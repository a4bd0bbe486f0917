"""The worker: takes dirty objects, learns their state from Stripe, brings it to the store."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Final

import msgspec

from app.domain.change import Kind
from app.domain.errors import UnavailableError
from app.domain.stripe_backoff import EVERYTHING, ApiStates
from app.domain.stripe_event import DirtyObject, ObjectName, StripeEvent, StripeEventStatus, StripeTrace
from app.domain.stripe_object import SYNCED_TYPES, StripeObject, StripeSource
from app.domain.sync_status import StripeSyncMode, StripeWork
from app.ports.stripe import (
    ApiFailingError,
    Lease,
    PaymentProcessor,
    ProcessorRefusedError,
    ProcessorUnavailableError,
    WorkQueue,
)
from app.runtime import Runtime
from app.services.loading import find_workspaces
from app.telemetry import logger
from sync.bell import Bell
from sync.cancellation import obey_cancellation
from sync.stripe.backoff import Backoff
from sync.stripe.batch import Batches
from sync.stripe.follow_up import follow_up
from sync.stripe.notices import tell_notices
from sync.stripe.readings import Reading, from_event, from_fetched, from_mirror, phase_of
from sync.stripe.verdict import Fate, Verdict
from sync.stripe.wire import DecodeError

MOST_ATTEMPTS: Final = 12
WORK: Final = "stripe_worker"
"""Under which name the processes that work on the inbox say so, for those that do not."""
SWEEP: Final = "stripe_sweep"
"""The lease of the process that looks for what fell between two steps."""

_LEASE_MS: Final = 15_000
_FORGOTTEN_MS: Final = 10_000  # longer than a webhook may take between storing an event and marking its object
_FIRST_DELAY_MS: Final = 1_000
_LONGEST_DELAY_MS: Final = 600_000
_ERROR_LENGTH: Final = 500
_MOST_PROVISIONAL: Final = 500
_ONLY_A_HINT: Final = "it tells that the object changed, not how: that takes STRIPE_SECRET_KEY"

_log = logger(__name__)


class StripeWorker:
    """Works on several objects at a time until cancelled.

    With a `processor`, which keeps to the `backoff`, every object is fetched; without one, payloads are applied as
    provisional where `accepts_payloads`; else nothing is done. `jitter` returns a random number in [0, 1).
    """

    def __init__(
        self,
        rt: Runtime,
        queue: WorkQueue,
        processor: PaymentProcessor | None,
        *,
        backoff: Backoff,
        accepts_payloads: bool,
        jitter: Callable[[], float],
        concurrency: int = 8,
        poll_s: float = 1,
        sweep_s: float = 15,
    ) -> None:
        self._rt = rt
        self._queue = queue
        self._processor = processor
        self._backoff = backoff
        self._accepts_payloads = accepts_payloads
        self._jitter = jitter
        self._concurrency = concurrency
        self._poll_s = poll_s
        self._sweep_s = sweep_s
        self._batches = Batches(rt)
        self._bell = Bell()
        self._held: dict[str, Lease] = {}
        self._token = rt.ids.secret()

    @property
    def mode(self) -> StripeSyncMode:
        """How objects are learned."""
        if self._processor is not None:
            return StripeSyncMode.FETCH
        return StripeSyncMode.PROVISIONAL if self._accepts_payloads else StripeSyncMode.OFF

    def wake(self) -> None:
        """Look at the inbox now."""
        self._bell.ring()

    async def run(self, well: Callable[[], None]) -> None:
        """Work until cancelled; call `well` whenever the inbox has answered.

        Raises where the database does not answer: the supervisor starts it again.
        """
        if self.mode is StripeSyncMode.OFF:
            well()
            await asyncio.Event().wait()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._renew_leases())
            tasks.create_task(self._sweep(well))
            while True:
                self._bell.silence()
                for lease in await self._take(well):
                    self._held[lease.object.id] = lease
                    tasks.create_task(self._work(lease))
                await self._bell.wait(self._poll_s)

    async def _take(self, well: Callable[[], None]) -> list[Lease]:
        limit = self._concurrency - len(self._held)
        states = ApiStates() if self._processor is None else await self._backoff.known()
        now_at = self._rt.clock.now_at()
        left_alone = states.left_alone(now_at)
        if limit <= 0 or EVERYTHING in left_alone:
            return []
        leases = await self._queue.lease(
            limit=limit, until_at=now_at + _LEASE_MS, without=left_alone, in_turn=states.is_failing
        )
        well()
        return leases

    async def _work(self, lease: Lease) -> None:
        try:
            await self._process(lease)
        except UnavailableError as error:
            # The lease ends by itself; whether anything was written does not matter, the guard will tell.
            _log.warning("stripe_object_left", object=lease.object.id, error=str(error))
        except Exception:  # noqa: BLE001 - an event that somebody made unreadable must not stop the other objects
            _log.exception("stripe_object_left", object=lease.object.id)
        finally:
            self._held.pop(lease.object.id, None)
            self._bell.ring()

    async def _process(self, lease: Lease) -> None:
        dirty = lease.object
        # which of an invoice's payments failed first is told by its event alone
        payloads = self.mode is StripeSyncMode.PROVISIONAL or dirty.type == "invoice"
        events = await self._queue.unsettled(dirty.id, payloads=payloads)
        if dirty.type not in SYNCED_TYPES:
            await self._queue.note(_ids(events), StripeEventStatus.IGNORED, reason=f"{dirty.type} is not used")
            await self._queue.clear(lease)
            return
        try:
            verdicts, fetched_at = await self._learn(dirty, events)
        except ApiFailingError as error:
            # nothing was learned of the object, so that it comes no nearer to its burial
            if error.was_asked:
                await self._postpone(lease, events, str(error), counted=False)
            else:
                await self._queue.put_back(lease)
        except UnavailableError:
            raise
        except (ProcessorUnavailableError, ProcessorRefusedError) as error:
            await self._postpone(lease, events, str(error), counted=True)
        except Exception as error:  # noqa: BLE001 - a fault of ours with one object must not stop the others
            _log.exception("stripe_object_failed", object=dirty.id)
            await self._postpone(lease, events, f"{type(error).__name__}: {error}", counted=True)
        else:
            applied_at = self._rt.clock.now_at()
            await self._settle(lease, events, verdicts, StripeTrace(fetched_at=fetched_at, applied_at=applied_at))

    async def _learn(self, dirty: DirtyObject, events: Sequence[StripeEvent]) -> tuple[Sequence[Verdict], int | None]:
        """Bring the object to the store and to RAM.

        Return one verdict on all events, or one on each, in their order, and when Stripe was asked.
        """
        if self._processor is None:
            return await (self._apply_payloads(dirty, events) if events else self._decide_again(dirty)), None
        if known := await self._kept(dirty, events):
            return await self._batches.submit([known]), None
        sequence = await self._queue.fetch_sequence()
        at = self._rt.clock.now_at()
        fetched = await self._processor.retrieve(dirty.type, dirty.id)
        reading = from_fetched(fetched, sequence=sequence, at=at, events=events)
        return await self._batches.submit([msgspec.structs.replace(reading, is_again=dirty.taken_over)]), at

    async def _kept(self, dirty: DirtyObject, events: Sequence[StripeEvent]) -> Reading | None:
        """Return what was read of an object that only waited for its parent: it need not be asked for again."""
        if not dirty.released or any(event.status is not StripeEventStatus.PARKED for event in events):
            return None
        mirror = (await self._rt.store.read(Kind.STRIPE_OBJECT, [dirty.id])).get(dirty.id)
        if not isinstance(mirror, StripeObject) or mirror.source is not StripeSource.FETCH or mirror.gone:
            return None
        return from_mirror(mirror)

    async def _decide_again(self, dirty: DirtyObject) -> Sequence[Verdict]:
        """Place anew what no event tells of, but whose customer is elsewhere now."""
        mirror = (await self._rt.store.read(Kind.STRIPE_OBJECT, [dirty.id])).get(dirty.id)
        if not isinstance(mirror, StripeObject) or mirror.gone:
            return ()
        return await self._batches.submit([from_mirror(mirror)])

    async def _apply_payloads(self, dirty: DirtyObject, events: Sequence[StripeEvent]) -> Sequence[Verdict]:
        verdicts: dict[str, Verdict] = {}
        told: dict[str, Reading] = {}
        for event in sorted(events, key=lambda event: (event.occurred_at, phase_of(event), event.received_at)):
            try:
                reading = from_event(event, id=dirty.id, type=dirty.type)
            except DecodeError as error:
                verdicts[event.id] = Verdict(fate=Fate.DEAD, reason=str(error))
                continue
            if reading is None:
                verdicts[event.id] = Verdict(fate=Fate.DONE, reason=_ONLY_A_HINT)
            else:
                told[event.id] = reading
        if told:
            verdicts.update(zip(told, await self._batches.submit(list(told.values())), strict=True))
        return [verdicts[event.id] for event in events]

    async def _settle(
        self, lease: Lease, events: Sequence[StripeEvent], verdicts: Sequence[Verdict], trace: StripeTrace
    ) -> None:
        """Follow up what was stored, note the events, then give the object up: a crash between repeats the work."""
        for verdict in verdicts:
            if verdict.linked:
                await self._queue.release([verdict.linked])
            for name in (*verdict.touched, *follow_up(self._rt, lease.object.id, verdict)):
                await self._queue.mark(name.type, name.id)
        parked = next((verdict for verdict in reversed(verdicts) if verdict.fate is Fate.PARKED), None)
        dead = next((verdict for verdict in reversed(verdicts) if verdict.fate is Fate.DEAD), None)
        each = list(verdicts) if len(verdicts) == len(events) else list(verdicts) * len(events)
        if parked is None:
            done = [event for event, verdict in zip(events, each, strict=True) if verdict.fate is not Fate.DEAD]
            await tell_notices(self._rt, done, provisional=self._processor is None)
        await self._note(events, each, trace, is_parked=parked is not None)
        if parked is not None:
            await self._queue.park(lease, parked.parents)
            await self._release_known(parked.parents)  # one of them may have come just before
        elif dead is not None:
            await self._queue.bury(lease, error=dead.reason or "")
        else:
            await self._queue.clear(lease)

    async def _note(
        self, events: Sequence[StripeEvent], verdicts: Sequence[Verdict], trace: StripeTrace, *, is_parked: bool
    ) -> None:
        noted: dict[tuple[StripeEventStatus, str | None, int | None], list[str]] = {}
        for event, verdict in zip(events, verdicts, strict=True):
            match verdict.fate:
                case Fate.DEAD:
                    status = StripeEventStatus.DEAD
                case Fate.PARKED:
                    status = StripeEventStatus.PARKED
                case Fate.DONE | Fate.STALE:
                    # what an older payload of a parked object said must be there to be folded again
                    status = StripeEventStatus.PARKED if is_parked else StripeEventStatus.PROCESSED
            self._rt.metrics.count("stripe_events", "stale" if verdict.fate is Fate.STALE else status.value.lower())
            noted.setdefault((status, verdict.reason, verdict.written_at), []).append(event.id)
        for (status, reason, written_at), ids in noted.items():
            await self._queue.note(ids, status, reason=reason, trace=_complete(trace, status, written_at))

    async def _postpone(self, lease: Lease, events: Sequence[StripeEvent], error: str, *, counted: bool) -> None:
        error = error[:_ERROR_LENGTH]
        attempts = lease.object.attempts + counted
        if attempts > MOST_ATTEMPTS:
            self._rt.metrics.count("stripe_events", "dead", len(events))
            await self._queue.note(_ids(events), StripeEventStatus.DEAD, reason=error)
            await self._queue.bury(lease, error=error)
            return
        self._rt.metrics.count("stripe_events", "retried", len(events))
        delay_ms = self._jittered(min(_FIRST_DELAY_MS * 2**attempts, _LONGEST_DELAY_MS))
        await self._queue.note(_ids(events), StripeEventStatus.RECEIVED, reason=error)
        await self._queue.postpone(lease, until_at=self._rt.clock.now_at() + delay_ms, error=error, counted=counted)

    def _jittered(self, delay_ms: int) -> int:
        return int(delay_ms * (0.5 + self._jitter() / 2))

    async def _renew_leases(self) -> None:
        while True:
            obey_cancellation()
            await asyncio.sleep(_LEASE_MS / 3000)
            if self._held:
                await self._queue.renew(list(self._held.values()), until_at=self._rt.clock.now_at() + _LEASE_MS)

    async def _sweep(self, well: Callable[[], None]) -> None:
        """Find what fell between two steps: events never marked, parked objects whose parent is there.

        Of several processes one does; the others go on where it has died.
        """
        is_confirmed = self.mode is not StripeSyncMode.FETCH
        try:
            while True:
                await self._tell()
                if not is_confirmed and self._rt.cache.ready:
                    await self._confirm_provisional()
                    is_confirmed = True
                now_at = self._rt.clock.now_at()
                if await self._rt.jobs.lease(SWEEP, self._token, until_at=now_at + int(self._sweep_s * 2000)):
                    await self._queue.mark_forgotten(received_before_at=now_at - _FORGOTTEN_MS)
                    async for parents in self._queue.parents():
                        await self._release_known(parents)
                well()
                self._bell.ring()
                obey_cancellation()
                await asyncio.sleep(self._sweep_s)
        finally:
            with suppress(UnavailableError):  # then it ends by itself
                await self._rt.jobs.give_up(SWEEP, self._token)

    async def _tell(self) -> None:
        """Say that the inbox is worked on; where another process says so at the same time, that will do."""
        _, revision = await self._rt.jobs.read(WORK, StripeWork)
        await self._rt.jobs.write(WORK, StripeWork(self.mode, self._rt.clock.now_at()), revision=revision)

    async def _release_known(self, parents: Collection[str]) -> None:
        linked = await self._rt.store.linked_customers(parents)
        claimed = {parent for parent in parents if self._rt.cache.workspace_of_customer(parent)}
        # of most there is nothing: they are told in one question, not one by one
        named = await self._rt.store.names(set(parents) - linked - claimed)
        known = {*linked, *claimed, *await find_workspaces(self._rt, named)}
        if known and await self._queue.release(known):
            self._bell.ring()

    async def _confirm_provisional(self) -> None:
        """Once there is a key, learn anew what was only told by payloads."""
        after = ""
        while mirrors := await self._rt.store.provisional_mirrors(after=after, most=_MOST_PROVISIONAL):
            await self._rt.inbox.mark_all([ObjectName(mirror.type, mirror.id) for mirror in mirrors])
            after = mirrors[-1].id


def _complete(trace: StripeTrace, status: StripeEventStatus, written_at: int | None) -> StripeTrace:
    """Say what was written; RAM has it where it was, and where it did not have to wait for a workspace."""
    is_applied = written_at is not None and status is StripeEventStatus.PROCESSED
    return msgspec.structs.replace(trace, written_at=written_at, applied_at=trace.applied_at if is_applied else None)


def _ids(events: Sequence[StripeEvent]) -> list[str]:
    return [event.id for event in events]
