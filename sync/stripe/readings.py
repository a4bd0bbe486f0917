"""Stripe's word about one object: fetched from the API, or told by an event's payload."""

from collections.abc import Sequence
from enum import IntEnum

import msgspec

from app.domain.stripe_event import FetchedObject, StripeEvent
from app.domain.stripe_object import StripeObject, StripeSource
from app.domain.stripe_subject import UPCOMING
from sync.stripe.decode import decode_attempts, decode_payload, decode_type
from sync.stripe.wire import DecodeError


class Phase(IntEnum):
    """Where in its object's life an event stands."""

    CREATED = 0
    UPDATED = 1
    DELETED = 2


class Reading(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`at` is when it was said; `event_at` the creation of the newest event that it reflects."""

    id: str
    type: str
    raw: str
    source: StripeSource
    at: int
    event_at: int
    fetch_sequence: int = 0
    api_version: str | None = None
    gone: bool = False
    phase: Phase = Phase.UPDATED
    is_again: bool = False
    """Whether it may have been stored before, and the process died before it could do what follows from it."""
    first_failed_at: int | None = None
    """Of an invoice: when its first payment failed, where one of its events tells of that attempt."""


def from_fetched(fetched: FetchedObject, *, sequence: int, at: int, events: Sequence[StripeEvent]) -> Reading:
    """Read an object that was asked for at `at`, after these events had come."""
    return Reading(
        id=fetched.id,
        type=fetched.type,
        raw=fetched.raw,
        source=StripeSource.FETCH,
        at=at,
        event_at=max([at // 1000 * 1000, *(event.occurred_at for event in events)]),
        fetch_sequence=sequence,
        api_version=fetched.api_version,
        gone=fetched.gone,
        first_failed_at=min((told for one in events if (told := _first_failure(one)) is not None), default=None),
    )


def from_mirror(mirror: StripeObject) -> Reading:
    """Read anew what an older version of the decoders has read."""
    return Reading(
        id=mirror.id,
        type=mirror.type,
        raw=mirror.raw,
        source=mirror.source,
        at=mirror.event_at or 0,
        event_at=mirror.event_at or 0,
        fetch_sequence=mirror.fetch_sequence,
        api_version=mirror.api_version,
    )


def from_event(event: StripeEvent, *, id: str, type: str) -> Reading | None:
    """Read the object in an event; None where another object tells that this one changed. Raises `DecodeError`."""
    phase, raw = phase_of(event), decode_payload(event.payload)
    if event.type == UPCOMING or decode_type(raw) != type:
        return None
    return Reading(
        id=id,
        type=type,
        raw=raw,
        source=StripeSource.EVENT,
        at=event.occurred_at,
        event_at=event.occurred_at,
        api_version=event.api_version,
        # a deleted subscription is still there, and canceled
        gone=phase is Phase.DELETED and type != "subscription",
        phase=phase,
        first_failed_at=_first_failure(event),
    )


def _first_failure(event: StripeEvent) -> int | None:
    """Return when an invoice's first payment failed, where the event tells of just that."""
    if event.type != "invoice.payment_failed":
        return None
    try:
        attempts = decode_attempts(event.payload)
    except DecodeError:  # a thin event, or one whose payload was not asked for
        return None
    return event.occurred_at if attempts == 1 else None


def phase_of(event: StripeEvent) -> Phase:
    """Tell the phase by the last word of the event's type."""
    match event.type.rpartition(".")[2]:
        case "created":
            return Phase.CREATED
        case "deleted":
            return Phase.DELETED
        case _:
            return Phase.UPDATED
