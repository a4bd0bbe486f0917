"""Billing subscriptions: one from RAM, pages from the store."""

import strawberry

from app.domain import subscription as domain
from app.domain.change import Kind
from app.graphql.context import Info
from app.graphql.pagination import Connection, connection_of, page_size
from app.graphql.permissions import READS_BILLING, requires
from app.graphql.types.workspace import Subscription


@strawberry.type
class SubscriptionQueries:
    @strawberry.field(
        directives=requires(*READS_BILLING),
        description="A subscription by Stripe's id, ended ones too. Null where there is none.",
    )
    def subscription(self, info: Info, id: strawberry.ID) -> Subscription | None:
        sub = info.context.loaded().cache.subscription(id)
        return Subscription.from_domain(sub) if sub else None

    @strawberry.field(
        directives=requires(*READS_BILLING),
        description="Subscriptions by id, of one workspace and of some statuses where given. `first` at most 100.",
    )
    async def subscriptions(
        self,
        info: Info,
        workspace_id: strawberry.ID | None = None,
        status: list[domain.SubscriptionStatus] | None = None,
        first: int | None = 50,
        after: str | None = None,
    ) -> Connection[Subscription]:
        store, cursors, size = info.context.rt.store, info.context.cursors, page_size(first)
        statuses = tuple(dict.fromkeys(status or ()))
        listing = f"subscriptions:{workspace_id or ''}:{','.join(sorted(statuses))}"
        start = cursors.read(listing, after)
        owner = None if workspace_id is None else await info.context.workspace_id(workspace_id) or workspace_id
        page = await store.subscriptions_page(workspace_id=owner, statuses=statuses, after=start, first=size)
        equals: dict[str, str | tuple[str, ...]] = {} if owner is None else {"workspace_id": owner}
        if statuses:
            equals["status"] = statuses
        return connection_of(
            page,
            after=after,
            cursor=lambda record: cursors.write(listing, record.id),
            translate=Subscription.from_domain,
            count=lambda: store.count(Kind.SUBSCRIPTION, **equals),
        )
