"""What became of a reading, and what must follow."""

from enum import StrEnum
from typing import Final

import msgspec

from app.domain.stripe_event import ObjectName


class Fate(StrEnum):
    """What became of a reading. STALE ones are older than what is stored; PARKED ones wait for a workspace."""

    DONE = "DONE"
    STALE = "STALE"
    PARKED = "PARKED"
    DEAD = "DEAD"


class Verdict(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What became of a reading, and what must follow once it is stored.

    `parents` would release a parked object; `linked` is the customer that found its workspace; `missing_customer`
    one that was never fetched; `touched` are others that may have changed along.
    """

    fate: Fate
    reason: str | None = None
    parents: tuple[str, ...] = ()
    linked: str | None = None
    missing_customer: str | None = None
    touched: tuple[ObjectName, ...] = ()
    is_unknown_transition: bool = False
    written_at: int | None = None
    """Known once it is stored."""


STALE: Final = Verdict(fate=Fate.STALE, reason="older than what is stored")
