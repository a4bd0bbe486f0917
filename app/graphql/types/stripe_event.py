"""Stripe's events as the inbox keeps them."""

from collections.abc import Sequence
from typing import Final

import strawberry

from app.domain import stripe_event as domain
from app.domain.stripe_object import SYNCED_TYPES
from app.graphql.permissions import OPERATES, follows, requires
from app.graphql.scalars import DateTime
from app.graphql.types.grants import instant
from app.graphql.types.node import Node
from app.ports.stripe import Inbox

OBJECT_TYPE: Final = f"Stripe's name of its type, one of: {', '.join(SYNCED_TYPES)}."


@strawberry.type(directives=follows(), description="One of Stripe's objects.")
class StripeObjectName:
    type: str = strawberry.field(description=OBJECT_TYPE)
    id: strawberry.ID = strawberry.field(description="Stripe's id of it.")

    @classmethod
    def from_domain(cls, name: domain.ObjectName) -> "StripeObjectName":
        """Translate."""
        return cls(type=name.type, id=strawberry.ID(name.id))


@strawberry.type(
    directives=follows(),
    description="An event's way through the service. An instant is null where it is unknown or has not come.",
)
class StripeEventTimeline:
    received_at: DateTime = strawberry.field(description="It was stored; Stripe was answered a moment later.")
    first_fetched_at: DateTime | None = strawberry.field(
        description="Its object was first asked for and Stripe answered. Always null without an API key."
    )
    written_at: DateTime | None = strawberry.field(
        description="What Stripe said was stored, last. Null where the same or newer was stored already."
    )
    applied_at: DateTime | None = strawberry.field(
        description="RAM of the replica that wrote it had it; the others follow within moments. Null as `writtenAt` is."
    )
    settled_at: DateTime | None = strawberry.field(
        description="It was processed, ignored or discarded; from here on it is kept for INBOX_RETENTION_DAYS."
    )


@strawberry.type(directives=follows(), description="An object of which something is still to be learned.")
class QueuedStripeObject:
    type: str = strawberry.field(description="Stripe's: `subscription`.")
    id: strawberry.ID = strawberry.field(description="Stripe's id of it.")
    state: domain.StripeObjectState = strawberry.field(description="How it waits.")
    marked_at: DateTime | None = strawberry.field(description="Since when something is to be learned of it.")
    due_at: DateTime | None = strawberry.field(
        description="When it is taken next; while it is worked on, when the lease ends. Null unless PENDING."
    )
    attempts: int = strawberry.field(description="How often it failed since it was marked or released.")
    parked_under: list[str] = strawberry.field(
        description="What releases it once a workspace is known for it: a customer's id, or a workspace's name."
    )
    last_error: str | None = strawberry.field(description="Why the last attempt failed.")
    failed_at: DateTime | None = strawberry.field(description="When that was.")

    @classmethod
    def from_domain(cls, queued: domain.QueuedObject) -> "QueuedStripeObject":
        """Translate."""
        is_pending = queued.state is domain.StripeObjectState.PENDING
        return cls(
            type=queued.type,
            id=strawberry.ID(queued.id),
            state=queued.state,
            marked_at=instant(queued.marked_at),
            due_at=DateTime(queued.due_at) if is_pending else None,
            attempts=queued.attempts,
            parked_under=list(queued.parked_under),
            last_error=queued.last_error,
            failed_at=instant(queued.failed_at),
        )


@strawberry.type(directives=follows(), description="That somebody has given a dead event up.")
class StripeEventDiscard:
    by: str = strawberry.field(description="The id of the API key.")
    reason: str = strawberry.field(description="Why, in that person's words.")


@strawberry.type(directives=requires(*OPERATES), description="An event that Stripe sent; `id` is Stripe's.")
class StripeEvent(Node):
    type: str = strawberry.field(description="Stripe's type: `customer.subscription.updated`.")
    status: domain.StripeEventStatus = strawberry.field(description="What became of it.")
    occurred_at: DateTime = strawberry.field(description="When it happened at Stripe.")
    received_at: DateTime = strawberry.field(description="When it arrived here.")
    processed_at: DateTime | None = strawberry.field(
        description="When it was reflected here, ignored or discarded; null before that."
    )
    object_type: str | None = strawberry.field(description="What it is about: `subscription`.")
    object_id: strawberry.ID | None = strawberry.field(description="Stripe's id of that.")
    attempts: int = strawberry.field(description="How often it was tried.")
    reason: str | None = strawberry.field(description="Why it is parked, dead or ignored, or what went wrong last.")
    livemode: bool = strawberry.field(description="Whether it is of Stripe's live mode.")
    api_version: str | None = strawberry.field(description="The API version its payload is written in.")
    payload: str = strawberry.field(description="The body as it came: JSON text.")
    timeline: StripeEventTimeline = strawberry.field(description="Its way through the service.")
    queued: QueuedStripeObject | None = strawberry.field(
        description="What is still to be done about its object, also because of other events; null where nothing is."
    )
    discard: StripeEventDiscard | None = strawberry.field(description="Who gave it up; null unless DISCARDED.")

    @classmethod
    def from_domain(cls, event: domain.StripeEvent, queued: domain.QueuedObject | None) -> "StripeEvent":
        """Translate."""
        return cls(
            id=strawberry.ID(event.id),
            type=event.type,
            status=event.status,
            occurred_at=DateTime(event.occurred_at),
            received_at=DateTime(event.received_at),
            processed_at=instant(event.processed_at),
            object_type=event.object_type,
            object_id=None if event.object_id is None else strawberry.ID(event.object_id),
            attempts=event.attempts,
            reason=event.reason,
            livemode=event.livemode,
            api_version=event.api_version,
            payload=event.payload,
            timeline=_timeline(event),
            queued=QueuedStripeObject.from_domain(queued) if queued else None,
            discard=_discard(event),
        )


async def with_queue(inbox: Inbox, events: Sequence[domain.StripeEvent]) -> list[StripeEvent]:
    """Translate events, each with what is still to be done about its object."""
    queued = await inbox.queued({event.object_id for event in events if event.object_id})
    return [StripeEvent.from_domain(event, queued.get(event.object_id or "")) for event in events]


def _timeline(event: domain.StripeEvent) -> StripeEventTimeline:
    return StripeEventTimeline(
        received_at=DateTime(event.received_at),
        first_fetched_at=instant(event.first_fetched_at),
        written_at=instant(event.written_at),
        applied_at=instant(event.applied_at),
        settled_at=instant(event.processed_at),
    )


def _discard(event: domain.StripeEvent) -> StripeEventDiscard | None:
    if event.discarded_by is None:
        return None
    return StripeEventDiscard(by=event.discarded_by, reason=event.discard_reason or "")
