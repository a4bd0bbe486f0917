"""Stripe's events as the inbox keeps them, and the objects that they make dirty."""

from enum import StrEnum

import msgspec

from app.domain.change import Instant


class StripeEventStatus(StrEnum):
    """RECEIVED waits for its object's turn; PROCESSED is reflected; IGNORED is of a type that we keep and do not use.

    PARKED waits for a parent that is unknown here (a customer that no workspace claims); DEAD failed too often;
    DISCARDED was dead, and somebody has given it up.
    """

    RECEIVED = "RECEIVED"
    PROCESSED = "PROCESSED"
    IGNORED = "IGNORED"
    PARKED = "PARKED"
    DEAD = "DEAD"
    DISCARDED = "DISCARDED"


class StripeEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """One event: `id` is Stripe's, `payload` the body's text as it came, `occurred_at` Stripe's `created`.

    `processed_at` is when it was settled; see `StripeTrace` for what came before.
    """

    id: str
    type: str
    occurred_at: Instant
    received_at: Instant
    payload: str
    status: StripeEventStatus
    livemode: bool = False
    api_version: str | None = None
    object_type: str | None = None
    object_id: str | None = None
    attempts: int = 0
    reason: str | None = None
    processed_at: Instant | None = None
    foreign: bool = False
    """Of another mode or account than our API key's: its object cannot be asked for."""
    first_fetched_at: Instant | None = None
    written_at: Instant | None = None
    applied_at: Instant | None = None
    discarded_by: str | None = None
    discard_reason: str | None = None


class StripeEventFilter(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Which events are asked for; None is any. They were received in `[from_at, to_at)`.

    `type` is Stripe's, or a beginning of it and an asterisk. `failed` ones are dead, or wait after a failure.
    """

    status: StripeEventStatus | None = None
    type: str | None = None
    object_id: str | None = None
    from_at: Instant | None = None
    to_at: Instant | None = None
    failed: bool = False


class StripeTrace(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the worker knows of an event's way. None is unknown, or has not happened.

    `fetched_at` is when Stripe was asked for the object and answered, `written_at` when what it said was stored,
    `applied_at` when the RAM of the process that wrote it had it.
    """

    fetched_at: Instant | None = None
    written_at: Instant | None = None
    applied_at: Instant | None = None


class StripeObjectState(StrEnum):
    """PENDING waits for its turn or is worked on; PARKED waits for a parent; DEAD failed too often."""

    PENDING = "PENDING"
    PARKED = "PARKED"
    DEAD = "DEAD"


class QueuedObject(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """An object of which something is still to be learned.

    `marked_at` is since when, `due_at` when it may be taken next, `failed_at` when `last_error` was met.
    """

    id: str
    type: str
    state: StripeObjectState
    due_at: Instant
    marked_at: Instant | None = None
    attempts: int = 0
    parked_under: tuple[str, ...] = ()
    last_error: str | None = None
    failed_at: Instant | None = None


class ObjectName(msgspec.Struct, frozen=True, gc=False):
    """Which object: Stripe's type and id of it."""

    type: str
    id: str


class ReceivedObjects(msgspec.Struct, frozen=True, gc=False):
    """The objects that a stretch of received events is about, each once.

    `events` is how many events there were, `end` the instant and id of the last one where more may follow.
    """

    events: int
    objects: tuple[ObjectName, ...]
    end: tuple[Instant, str] | None


class Discard(msgspec.Struct, frozen=True, kw_only=True):
    """Which dead letters to give up: these events, or all of one object; by whom, and why."""

    by: str
    reason: str
    event_ids: tuple[str, ...] = ()
    object_id: str | None = None


class Discarded(msgspec.Struct, frozen=True):
    """How many events were given up, and how many objects left the queue with them."""

    events: int
    objects: int


class DirtyObject(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """An object of which something is to be learned. `sequence` counts the marks: a mark during work is not lost.

    `released` is one that has waited for a parent and of which nothing was heard since. `taken_over` is one that was
    leased before and never settled: what was to follow from that work may have been lost.
    """

    id: str
    type: str
    sequence: int
    attempts: int = 0
    last_error: str | None = None
    released: bool = False
    taken_over: bool = False


class FetchedObject(msgspec.Struct, frozen=True, gc=False):
    """An object as Stripe's API gave it, every page of its sub-lists in it; `gone` where it answered 404 or deleted."""

    id: str
    type: str
    raw: str
    api_version: str | None
    gone: bool = False
