"""Stripe's events as the inbox keeps them, and the objects that they make dirty."""

from enum import StrEnum

import msgspec

from app.domain.change import Instant


class StripeEventStatus(StrEnum):
    """RECEIVED waits for its object's turn; PROCESSED is reflected; IGNORED is of a type that we keep and do not use.

    PARKED waits for a parent that is unknown here (a customer that no workspace claims); DEAD failed too often.
    """

    RECEIVED = "RECEIVED"
    PROCESSED = "PROCESSED"
    IGNORED = "IGNORED"
    PARKED = "PARKED"
    DEAD = "DEAD"


class StripeEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """One event: `id` is Stripe's, `payload` the body's text as it came, `occurred_at` Stripe's `created`."""

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


class DirtyObject(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """An object of which something is to be learned. `sequence` counts the marks: a mark during work is not lost."""

    id: str
    type: str
    sequence: int
    attempts: int = 0
    last_error: str | None = None


class FetchedObject(msgspec.Struct, frozen=True, gc=False):
    """An object as Stripe's API gave it, every page of its sub-lists in it; `gone` where it answered 404 or deleted."""

    id: str
    type: str
    raw: str
    api_version: str | None
    gone: bool = False
