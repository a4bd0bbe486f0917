"""Stripe's events: look at one again."""

from collections.abc import Sequence

import msgspec

from app.domain.api_key import Principal
from app.domain.change import Record
from app.domain.errors import ConflictError, NotFoundError
from app.domain.faults import NAME_MAX, is_storable
from app.domain.stripe_event import StripeEvent
from app.runtime import Runtime
from app.services.idempotency import once
from app.telemetry import logger

_log = logger(__name__)


class ReplayInput(msgspec.Struct, frozen=True, kw_only=True):
    idempotency_key: str
    event_id: str


class Replay(msgspec.Struct, frozen=True):
    """The event as it is now; `replayed` where this request had been answered before and nothing was marked."""

    event: StripeEvent
    replayed: bool


async def replay(rt: Runtime, principal: Principal, input: ReplayInput) -> Replay:
    """Mark the event's object dirty, so that the worker learns its state anew; doing it twice does no harm."""
    event = await _load(rt, input.event_id)

    async def mark() -> Sequence[Record]:
        if event.object_type is None or event.object_id is None:
            raise ConflictError(f"event {event.id!r} names no object that could be looked at again")
        await rt.inbox.mark(event.object_type, event.object_id)
        rt.sync.wake()
        _log.info("stripe event replayed", event_id=event.id, principal=principal.id)
        return ()

    marked = await once(rt, principal, "replayStripeEvent", input.idempotency_key, input, mark)
    return Replay(await _load(rt, input.event_id), marked.replayed)


async def _load(rt: Runtime, id: str) -> StripeEvent:
    is_plausible = 1 <= len(id) <= NAME_MAX and is_storable(id)
    event = await rt.inbox.event(id) if is_plausible else None
    if event is None:
        raise NotFoundError("event", id)
    return event
