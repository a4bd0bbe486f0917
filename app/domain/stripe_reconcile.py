"""Reconciling with Stripe: events that never came, objects that changed without one, and what is remembered of both."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

NAMED_MAX: Final = 100
"""How many of the objects that drifted are named, the last ones found."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Suspect(msgspec.Struct, frozen=True, gc=False):
    """An object that was found changed at `found_at`; it was last known to be right at `known_at`."""

    type: str
    id: str
    known_at: int
    found_at: int


class Asked(msgspec.Struct, frozen=True, gc=False):
    """Somebody wants all events since then. `request` names who, and under which key."""

    request: str
    since_at: int


class StripeReconcile(msgspec.Struct, frozen=True, kw_only=True):
    """What reconciling remembers, for all replicas.

    Events are asked for since `watching_since_at`; up to `seen_at`, an event's creation, all have been. The last time
    `listed` were there; `recovered` had, in all, not come by themselves. `suspects` are yet to be held against the
    inbox; `drift` counts those that no event explained, and `drifted` names the last ones.
    `trouble` says why Stripe could not be asked the last time.
    """

    watching_since_at: int
    seen_at: int
    asked: Asked | None = None
    last_reconcile_at: int | None = None
    last_relist_at: int | None = None
    listed: int = 0
    recovered: int = 0
    suspects: tuple[Suspect, ...] = ()
    drift: int = 0
    drifted: tuple[Suspect, ...] = ()
    trouble: str | None = None


def is_due(state: StripeReconcile, now_at: int, *, interval_ms: int) -> bool:
    """Tell whether events are to be asked for now."""
    return state.asked is not None or now_at >= (state.last_reconcile_at or 0) + interval_ms


def is_relist_due(state: StripeReconcile, now_at: int, *, hour: int) -> bool:
    """Tell whether the lists are to be read now: once a day, at or after this hour, UTC."""
    now = _EPOCH + timedelta(milliseconds=now_at)
    tonight = now.replace(hour=hour, minute=0, second=0, microsecond=0)
    night = tonight if tonight <= now else tonight - timedelta(days=1)
    night_at = (night - _EPOCH) // timedelta(milliseconds=1)
    return night_at > max(state.last_relist_at or 0, state.watching_since_at)


def judged(state: StripeReconcile, drifted: Iterable[Suspect]) -> StripeReconcile:
    """Return the state without suspects: these drifted, for the others there is an event."""
    found = tuple(drifted)
    return msgspec.structs.replace(
        state, suspects=(), drift=state.drift + len(found), drifted=(*reversed(found), *state.drifted)[:NAMED_MAX]
    )
