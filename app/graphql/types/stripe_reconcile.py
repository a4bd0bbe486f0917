"""Reconciling with Stripe: what it found."""

import strawberry

from app.domain import stripe_reconcile as domain
from app.graphql.permissions import OPERATES, requires
from app.graphql.scalars import DateTime
from app.graphql.types.grants import instant


@strawberry.type(
    directives=requires(*OPERATES), description="An object that was found changed with no event that told of it."
)
class StripeDrift:
    type: str = strawberry.field(description="Its type, in Stripe's word: `subscription`.")
    id: strawberry.ID = strawberry.field(description="Stripe's id.")
    found_at: DateTime = strawberry.field(description="When it was found, and put right.")


@strawberry.type(
    directives=requires(*OPERATES),
    description="Reconciling with Stripe, of all replicas: every few minutes Stripe is asked for events that never "
    "came, and once a day for products, prices and subscriptions that changed without one.",
)
class StripeReconcile:
    watching_since_at: DateTime = strawberry.field(description="When it began.")
    asked_since_at: DateTime | None = strawberry.field(
        description="Since when events were asked for by `reconcileStripe`; null once they were brought."
    )
    last_reconcile_at: DateTime | None = strawberry.field(
        description="When events were last asked for; null before the first time."
    )
    last_relist_at: DateTime | None = strawberry.field(
        description="When the lists were last read; null before the first time."
    )
    listed: int = strawberry.field(description="Events that Stripe listed the last time, most of them known.")
    recovered: int = strawberry.field(description="Events that had not come by themselves, since it began.")
    drift: int = strawberry.field(description="Objects that changed with no event, since it began. 0 is healthy.")
    drifted: list[StripeDrift] = strawberry.field(description="The last hundred of them, the newest first.")

    @classmethod
    def from_domain(cls, state: domain.StripeReconcile) -> "StripeReconcile":
        """Translate."""
        return cls(
            watching_since_at=DateTime(state.watching_since_at),
            asked_since_at=instant(state.asked.since_at) if state.asked else None,
            last_reconcile_at=instant(state.last_reconcile_at),
            last_relist_at=instant(state.last_relist_at),
            listed=state.listed,
            recovered=state.recovered,
            drift=state.drift,
            drifted=[
                StripeDrift(type=found.type, id=strawberry.ID(found.id), found_at=DateTime(found.found_at))
                for found in state.drifted
            ],
        )
