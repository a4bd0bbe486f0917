"""Payments, from the store."""

from typing import Annotated

import strawberry

from app.graphql.context import Info
from app.graphql.pagination import Connection, connection_of, page_size, read_timed_key, timed_key
from app.graphql.permissions import READS_MONEY, requires
from app.graphql.types.payment import Payment
from app.services.payments import count_payments, payments_page


@strawberry.type
class PaymentQueries:
    @strawberry.field(
        directives=requires(*READS_MONEY),
        description="A workspace's payments, the newest first, those that failed too: of all the customers of Stripe's "
        "that are linked to it. Empty without a customer, and for a workspace that does not exist. `first` at most "
        "100. One by its id: `node`.",
    )
    async def payments(
        self,
        info: Info,
        workspace_id: Annotated[strawberry.ID, strawberry.argument(description="Our id or your external id.")],
        first: int | None = 50,
        after: str | None = None,
    ) -> Connection[Payment]:
        rt, cursors, size = info.context.rt, info.context.cursors, page_size(first)
        listing = f"payments:{workspace_id}"
        start = read_timed_key(cursors.read(listing, after))
        owner = await info.context.workspace_id(workspace_id) or ""
        return connection_of(
            await payments_page(rt, owner, after=start, first=size),
            after=after,
            cursor=lambda payment: cursors.write(listing, timed_key(payment.intent.created_at, payment.id)),
            translate=Payment.from_domain,
            count=lambda: count_payments(rt, owner),
        )
