"""Who did what: the actor of a write and the entry it leaves."""

from enum import StrEnum
from typing import Any

import msgspec

from app.domain.change import Instant, Kind


class ActorKind(StrEnum):
    """API_KEY a caller; STRIPE an event; SYSTEM a job or the command line."""

    API_KEY = "API_KEY"
    STRIPE = "STRIPE"
    SYSTEM = "SYSTEM"


class Actor(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """Who writes: a key's id, a Stripe event's or object's id, a job's name."""

    kind: ActorKind
    id: str


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """One record's change. `before` is None for a creation; both hold the stored document's fields."""

    id: str
    recorded_at: Instant
    actor: Actor
    operation: str
    kind: Kind
    record_id: str
    before: dict[str, Any] | None
    after: dict[str, Any]
    seal: int | None = None
    """The seal that lists the entry; None until the sealer has come by. Nothing else of an entry ever changes."""


class AuditFilter(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Which entries are asked for; None is any. The time is `[from_at, to_at)`."""

    actor: str | None = None
    record_id: str | None = None
    kind: Kind | None = None
    operation: str | None = None
    from_at: Instant | None = None
    to_at: Instant | None = None
