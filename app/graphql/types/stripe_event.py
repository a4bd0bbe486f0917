"""Stripe's events as the inbox keeps them."""

import strawberry

from app.domain import stripe_event as domain
from app.graphql.permissions import OPERATES, requires
from app.graphql.scalars import DateTime
from app.graphql.types.grants import instant
from app.graphql.types.node import Node


@strawberry.type(directives=requires(*OPERATES), description="An event that Stripe sent; `id` is Stripe's.")
class StripeEvent(Node):
    type: str = strawberry.field(description="Stripe's type: `customer.subscription.updated`.")
    status: domain.StripeEventStatus = strawberry.field(description="What became of it.")
    occurred_at: DateTime = strawberry.field(description="When it happened at Stripe.")
    received_at: DateTime = strawberry.field(description="When it arrived here.")
    processed_at: DateTime | None = strawberry.field(description="When it was reflected here; null before that.")
    object_type: str | None = strawberry.field(description="What it is about: `subscription`.")
    object_id: strawberry.ID | None = strawberry.field(description="Stripe's id of that.")
    attempts: int = strawberry.field(description="How often it was tried.")
    reason: str | None = strawberry.field(description="Why it is parked, dead or ignored.")
    livemode: bool = strawberry.field(description="Whether it is of Stripe's live mode.")
    api_version: str | None = strawberry.field(description="The API version its payload is written in.")
    payload: str = strawberry.field(description="The body as it came: JSON text.")

    @classmethod
    def from_domain(cls, event: domain.StripeEvent) -> "StripeEvent":
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
        )
