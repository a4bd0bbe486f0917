"""Billing events, from the store."""

from typing import Annotated

import strawberry

from app.domain import billing_event as domain
from app.graphql.context import Info
from app.graphql.pagination import Connection, connection_of, page_size, read_timed_key, timed_key
from app.graphql.permissions import READS_EVENTS, requires
from app.graphql.scalars import DateTime
from app.graphql.types.billing_event import BillingEvent
from app.services.billing_events import asked_for, owned


@strawberry.type
class BillingEventQueries:
    @strawberry.field(
        directives=requires(*READS_EVENTS),
        description="What happened to customers' billing, the newest recorded first. Filters narrow one another; "
        "`workspaceId` is our id or your external id, `from` and `to` are of `recordedAt`. `first` at most 100.",
    )
    async def billing_events(
        self,
        info: Info,
        *,
        workspace_id: strawberry.ID | None = None,
        types: list[domain.BillingEventType] | None = None,
        from_: Annotated[DateTime | None, strawberry.argument(name="from")] = None,
        to: DateTime | None = None,
        first: int | None = 50,
        after: str | None = None,
    ) -> Connection[BillingEvent]:
        events, cursors, size = info.context.rt.billing_events, info.context.cursors, page_size(first)
        kinds = tuple(dict.fromkeys(types or ()))
        listing = f"billingEvents:{workspace_id or ''}:{','.join(sorted(kinds))}:{from_ or ''}:{to or ''}"
        start = read_timed_key(cursors.read(listing, after))
        owner = None if workspace_id is None else await info.context.workspace_id(workspace_id) or workspace_id
        given = domain.BillingEventFilter(workspace_id=owner, types=kinds, from_at=from_, to_at=to)
        wanted = asked_for(info.context.rt, given)
        page = await events.page(wanted, after=start, first=size)
        return connection_of(
            page,
            after=after,
            cursor=lambda event: cursors.write(listing, timed_key(event.recorded_at, event.id)),
            translate=lambda event: BillingEvent.from_domain(owned(info.context.rt, event)),
            count=lambda: events.count(wanted),
        )
