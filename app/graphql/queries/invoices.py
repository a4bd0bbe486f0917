"""Invoices, from the store."""

from typing import Annotated

import strawberry

from app.domain.invoice import InvoiceStatus
from app.graphql.context import Info
from app.graphql.pagination import Connection, connection_of, page_size, read_timed_key, timed_key
from app.graphql.permissions import READS_MONEY, requires
from app.graphql.types.invoice import Invoice
from app.services.invoices import count_invoices, find_invoice, invoices_page

_WORKSPACE = "Our id or your external id."


@strawberry.type
class InvoiceQueries:
    @strawberry.field(
        directives=requires(*READS_MONEY),
        description="A workspace's invoices, the newest first: of all the customers of Stripe's that are linked to it. "
        "Empty without a customer, and for a workspace that does not exist. `first` at most 100.",
    )
    async def invoices(
        self,
        info: Info,
        workspace_id: Annotated[strawberry.ID, strawberry.argument(description=_WORKSPACE)],
        status: Annotated[
            list[InvoiceStatus] | None, strawberry.argument(description="Only these; null or empty is every status.")
        ] = None,
        first: int | None = 50,
        after: str | None = None,
    ) -> Connection[Invoice]:
        rt, cursors, size = info.context.rt, info.context.cursors, page_size(first)
        statuses = tuple(dict.fromkeys(status or ()))
        listing = f"invoices:{workspace_id}:{','.join(sorted(statuses))}"
        start = read_timed_key(cursors.read(listing, after))
        owner = await info.context.workspace_id(workspace_id) or ""
        return connection_of(
            await invoices_page(rt, owner, statuses=statuses, after=start, first=size),
            after=after,
            cursor=lambda invoice: cursors.write(listing, timed_key(invoice.facts.created_at, invoice.id)),
            translate=Invoice.from_domain,
            count=lambda: count_invoices(rt, owner, statuses=statuses),
        )

    @strawberry.field(
        directives=requires(*READS_MONEY),
        description="An invoice by Stripe's id. Null where there is none, and for a draft that was deleted.",
    )
    async def invoice(self, info: Info, id: strawberry.ID) -> Invoice | None:
        found = await find_invoice(info.context.rt, id)
        return Invoice.from_domain(found) if found else None
