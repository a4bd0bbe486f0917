"""Stripe's events: find them, look at their objects again, give dead ones up."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from app.domain.api_key import Principal
from app.domain.change import Record
from app.domain.errors import ConflictError, FieldError, NotFoundError
from app.domain.faults import INPUT, NAME_MAX, REASON_MAX, fault, instant_faults, is_storable, refuse, text_faults
from app.domain.stripe_event import (
    Discard,
    Discarded,
    ObjectName,
    StripeEvent,
    StripeEventFilter,
    StripeEventStatus,
)
from app.domain.stripe_object import SYNCED_TYPES
from app.runtime import Runtime
from app.services.idempotency import once
from app.telemetry import logger

MOST_MARKED: Final = 5_000
"""Events, or objects that failed, that one request looks through; where more follow it says where to go on."""
MOST_DISCARDED: Final = 100

_TYPE: Final = re.compile(r"[^*]*\*?")
_REPLAYABLE: Final = f"objects of these types can be looked at: {', '.join(SYNCED_TYPES)}"

_log = logger(__name__)


class ReplayInput(msgspec.Struct, frozen=True, kw_only=True):
    idempotency_key: str
    event_id: str
    dry_run: bool = False


class Replay(msgspec.Struct, frozen=True):
    """The event as it is now; `replayed` where this request had been answered before and nothing was marked."""

    event: StripeEvent
    replayed: bool


class ReplayManyInput(msgspec.Struct, frozen=True, kw_only=True):
    """One object, what was received in `[from_at, to_at)`, or what failed since: exactly one of the three.

    `after` is the `end` of an earlier answer.
    """

    idempotency_key: str
    object: ObjectName | None = None
    from_at: int | None = None
    to_at: int | None = None
    failed_since_at: int | None = None
    after: str | None = None
    dry_run: bool = False


class Chosen(msgspec.Struct, frozen=True):
    """The objects that one request is about, each once; `events` where they were found by what was received."""

    objects: tuple[ObjectName, ...]
    events: int | None = None
    end: str | None = None


class ReplayMany(msgspec.Struct, frozen=True):
    """What was marked, or would be; `replayed` as in `Replay`."""

    chosen: Chosen
    replayed: bool


class DiscardInput(msgspec.Struct, frozen=True, kw_only=True):
    """These events, or all dead ones of an object."""

    idempotency_key: str
    reason: str
    event_ids: tuple[str, ...] = ()
    object_id: str | None = None


class DiscardedLetters(msgspec.Struct, frozen=True):
    """What was given up; `replayed` where an earlier request did."""

    discarded: Discarded
    replayed: bool


def check_filter(wanted: StripeEventFilter) -> None:
    """Raise `ValidationError` for a filter that nothing can match."""
    refuse(_filter_faults(wanted))


async def find_event(rt: Runtime, id: str) -> StripeEvent | None:
    """Return one event; what can be no id is not asked for."""
    return await rt.inbox.event(id) if _is_plausible(id) else None


async def replay(rt: Runtime, principal: Principal, input: ReplayInput) -> Replay:
    """Mark the event's object dirty, so that the worker learns its state anew; doing it twice does no harm."""
    event = await _load(rt, input.event_id)
    name = _object_of(event)
    if input.dry_run:
        return Replay(event, replayed=False)

    async def mark() -> Sequence[Record]:
        await rt.inbox.mark(name.type, name.id)
        rt.sync.wake()
        _log.info("stripe event replayed", event_id=event.id, principal=principal.id)
        return ()

    marked = await once(rt, principal, "replayStripeEvent", input.idempotency_key, input, mark)
    return Replay(await _load(rt, input.event_id), marked.replayed)


async def replay_many(
    rt: Runtime, principal: Principal, input: ReplayManyInput, *, most: int = MOST_MARKED
) -> ReplayMany:
    """Mark the objects dirty that are meant, the oldest event's first; a dry run only finds them.

    Looks through `most` events or objects. Raises `ValidationError`, `UnavailableError`: then some may
    be marked, which does no harm.
    """
    refuse(_replay_faults(input))
    if input.dry_run:
        return ReplayMany(await _choose(rt, input, most), replayed=False)
    chosen = Chosen(())

    async def mark() -> Sequence[Record]:
        nonlocal chosen
        chosen = await _choose(rt, input, most)
        await rt.inbox.mark_all(chosen.objects)
        rt.sync.wake()
        _log.info("stripe objects replayed", count=len(chosen.objects), principal=principal.id)
        return ()

    done = await once(
        rt,
        principal,
        "replayStripeEvents",
        input.idempotency_key,
        input,
        mark,
        answer=lambda: msgspec.json.encode(chosen).decode(),
    )
    return ReplayMany(msgspec.json.decode(done.answer, type=Chosen), done.replayed)


async def discard(rt: Runtime, principal: Principal, input: DiscardInput) -> DiscardedLetters:
    """Give dead letters up; they stay listed, with who did it and why.

    Raises `ConflictError` where an event is not dead, `NotFoundError` where there is none.
    """
    refuse(_discard_faults(input))
    discarded = Discarded(0, 0)

    async def give_up() -> Sequence[Record]:
        nonlocal discarded
        for event_id in input.event_ids:
            _check_dead(await _load(rt, event_id))
        discarded = await rt.inbox.discard(
            Discard(by=principal.id, reason=input.reason, event_ids=input.event_ids, object_id=input.object_id)
        )
        if input.object_id is not None and not (discarded.events or discarded.objects):
            raise ConflictError(f"nothing of {input.object_id!r} is dead; only dead letters can be discarded")
        _log.info("stripe events discarded", count=discarded.events, principal=principal.id)
        return ()

    done = await once(
        rt,
        principal,
        "discardStripeEvents",
        input.idempotency_key,
        input,
        give_up,
        answer=lambda: msgspec.json.encode(discarded).decode(),
    )
    return DiscardedLetters(msgspec.json.decode(done.answer, type=Discarded), done.replayed)


async def _choose(rt: Runtime, input: ReplayManyInput, most: int) -> Chosen:
    if input.object is not None:
        return Chosen((input.object,))
    if input.failed_since_at is not None:
        failed = await rt.inbox.failed(since_at=input.failed_since_at, after=input.after, most=most)
        return Chosen(failed, end=failed[-1].id if len(failed) == most else None)
    received = await rt.inbox.received(
        from_at=input.from_at or 0,
        to_at=rt.clock.now_at() if input.to_at is None else input.to_at,
        after=_place(input.after),
        most=most,
    )
    end = f"{received.end[0]}:{received.end[1]}" if received.end else None
    return Chosen(received.objects, events=received.events, end=end)


def _place(after: str | None) -> tuple[int, str] | None:
    if after is None:
        return None
    at, _, id = after.partition(":")  # noqa: A001 - the API's word
    return int(at), id


def _object_of(event: StripeEvent) -> ObjectName:
    if event.object_type is None or event.object_id is None:
        raise ConflictError(f"event {event.id!r} names no object that could be looked at again")
    if event.foreign:
        raise ConflictError(f"event {event.id!r} is not of our API key's mode and account; {event.reason}")
    if event.object_type not in SYNCED_TYPES:
        raise ConflictError(f"event {event.id!r} is about a {event.object_type}; {_REPLAYABLE}")
    return ObjectName(event.object_type, event.object_id)


def _check_dead(event: StripeEvent) -> None:
    if event.status not in (StripeEventStatus.DEAD, StripeEventStatus.DISCARDED):
        raise ConflictError(f"event {event.id!r} is {event.status}; only dead letters can be discarded")


async def _load(rt: Runtime, id: str) -> StripeEvent:
    event = await find_event(rt, id)
    if event is None:
        raise NotFoundError("event", id)
    return event


def _is_plausible(id: str) -> bool:
    return 1 <= len(id) <= NAME_MAX and is_storable(id)


def _filter_faults(wanted: StripeEventFilter) -> Iterator[FieldError]:
    yield from text_faults(("type",), wanted.type)
    yield from text_faults(("objectId",), wanted.object_id)
    if wanted.type is not None and not _TYPE.fullmatch(wanted.type):
        yield fault(("type",), "INVALID_FORMAT", "takes an asterisk at its end only: customer.*")
    if wanted.from_at is not None and wanted.to_at is not None and wanted.to_at <= wanted.from_at:
        yield fault(("to",), "OUT_OF_RANGE", "must be later than `from`")


def _replay_faults(input: ReplayManyInput) -> Iterator[FieldError]:
    ways = (input.object, input.from_at, input.failed_since_at)
    if sum(way is not None for way in ways) != 1:
        yield fault(INPUT, "INVALID", "names exactly one of object, receivedFromAt and failedSinceAt")
    if input.object is not None and input.object.type not in SYNCED_TYPES:
        yield fault((*INPUT, "object", "type"), "INVALID", f"is {input.object.type!r}; {_REPLAYABLE}")
    if input.object is not None:
        yield from text_faults((*INPUT, "object", "id"), input.object.id)
    for name, at in (("receivedFromAt", input.from_at), ("failedSinceAt", input.failed_since_at)):
        yield from instant_faults((*INPUT, name), at)
    if input.to_at is not None and (input.from_at is None or input.to_at <= input.from_at):
        yield fault((*INPUT, "receivedToAt"), "OUT_OF_RANGE", "goes with receivedFromAt and must be later")


def _discard_faults(input: DiscardInput) -> Iterator[FieldError]:
    yield from text_faults((*INPUT, "reason"), input.reason, longest=REASON_MAX)
    yield from text_faults((*INPUT, "objectId"), input.object_id)
    if bool(input.event_ids) == (input.object_id is not None):
        yield fault(INPUT, "INVALID", "names either eventIds or objectId")
    if len(input.event_ids) > MOST_DISCARDED:
        problem = f"has {len(input.event_ids)} ids; at most {MOST_DISCARDED} are allowed"
        yield fault((*INPUT, "eventIds"), "TOO_MANY", problem)
