"""What reconciling with Stripe found, from the store."""

import strawberry

from app.graphql.context import Info
from app.graphql.permissions import OPERATES, requires
from app.graphql.types.stripe_reconcile import StripeReconcile
from app.services.stripe_reconcile import current_reconcile


@strawberry.type
class StripeReconcileQueries:
    @strawberry.field(
        directives=requires(*OPERATES),
        description="What reconciling with Stripe found. Null before the first time, and without a Stripe key.",
    )
    async def stripe_reconcile(self, info: Info) -> StripeReconcile | None:
        state = await current_reconcile(info.context.rt)
        return StripeReconcile.from_domain(state) if state else None
