"""The backfill from Stripe, from the store."""

import strawberry

from app.graphql.context import Info
from app.graphql.permissions import OPERATES, requires
from app.graphql.types.stripe_backfill import StripeBackfill
from app.services.stripe_backfill import current_backfill


@strawberry.type
class StripeBackfillQueries:
    @strawberry.field(
        directives=requires(*OPERATES),
        description="The backfill that runs, on whichever replica, else the last one. Null where there never was one.",
    )
    async def stripe_backfill(self, info: Info) -> StripeBackfill | None:
        run = await current_backfill(info.context.rt)
        return StripeBackfill.from_domain(run) if run else None
