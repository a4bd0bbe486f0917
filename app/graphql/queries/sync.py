"""What operators read: how true RAM is, and Stripe's events."""

import strawberry

from app.domain import stripe_event as domain
from app.graphql.context import Info
from app.graphql.pagination import Connection, connection_of, page_size
from app.graphql.permissions import OPERATES, requires
from app.graphql.types.stripe_event import StripeEvent
from app.graphql.types.sync_status import SyncStatus


@strawberry.type
class SyncQueries:
    @strawberry.field(
        directives=requires(*OPERATES), description="Stripe's events, the newest received first. `first` at most 100."
    )
    async def stripe_events(
        self,
        info: Info,
        status: domain.StripeEventStatus | None = None,
        first: int | None = 50,
        after: str | None = None,
    ) -> Connection[StripeEvent]:
        cursors, listing = info.context.cursors, f"stripeEvents:{status or ''}"
        start = cursors.read(listing, after)
        page = await info.context.rt.inbox.events_page(status=status, after=start, first=page_size(first))
        return connection_of(
            page,
            after=after,
            cursor=lambda event: cursors.write(listing, event.id),
            translate=StripeEvent.from_domain,
        )

    @strawberry.field(directives=requires(*OPERATES), description="How true RAM is. Answers also while it is loading.")
    async def sync_status(self, info: Info) -> SyncStatus:
        return SyncStatus.from_domain(await info.context.rt.sync.status())
