"""What operators read: how true RAM is, and Stripe's events."""

from typing import Annotated

import msgspec
import strawberry

from app.domain import stripe_event as domain
from app.graphql.context import Info
from app.graphql.pagination import Connection, connection_of, page_size, read_timed_key, timed_key
from app.graphql.permissions import OPERATES, requires
from app.graphql.scalars import DateTime
from app.graphql.types.stripe_event import StripeEvent, with_queue
from app.graphql.types.sync_status import SyncStatus
from app.ports.store import Page
from app.services.stripe_events import check_filter, find_event


def _argument(description: str, name: str | None = None) -> object:
    return strawberry.argument(description=description, name=name)


@strawberry.type
class SyncQueries:
    @strawberry.field(
        directives=requires(*OPERATES),
        description="Stripe's events, the newest received first. Filters narrow one another; a type that comes "
        "seldom is found faster with `from`. `first` at most 100.",
    )
    async def stripe_events(
        self,
        info: Info,
        *,
        status: Annotated[domain.StripeEventStatus | None, _argument("What became of them.")] = None,
        type: Annotated[
            str | None,
            _argument("Stripe's type, or its beginning and an asterisk: `customer.*` finds subscriptions' too."),
        ] = None,
        object_id: Annotated[strawberry.ID | None, _argument("Stripe's id of what they are about.")] = None,
        from_: Annotated[DateTime | None, _argument("Received then or later.", "from")] = None,
        to: Annotated[DateTime | None, _argument("Received before then.")] = None,
        failed: Annotated[bool, _argument("Only those that are dead, or wait after a failed attempt.")] = False,
        first: int | None = 50,
        after: str | None = None,
    ) -> Connection[StripeEvent]:
        wanted = domain.StripeEventFilter(
            status=status, type=type, object_id=object_id, from_at=from_, to_at=to, failed=failed
        )
        check_filter(wanted)
        inbox, cursors = info.context.rt.inbox, info.context.cursors
        listing = f"stripeEvents:{msgspec.json.encode(wanted).decode()}"
        start = read_timed_key(cursors.read(listing, after))
        page = await inbox.events_page(wanted, after=start, first=page_size(first))
        places = {event.id: timed_key(event.received_at, event.id) for event in page.items}
        return connection_of(
            Page(tuple(await with_queue(inbox, page.items)), has_next=page.has_next),
            after=after,
            cursor=lambda event: cursors.write(listing, places[event.id]),
            translate=lambda event: event,
        )

    @strawberry.field(
        directives=requires(*OPERATES),
        description="One of Stripe's events, with its timeline. Null where it never came, or was kept long enough.",
    )
    async def stripe_event(self, info: Info, id: strawberry.ID) -> StripeEvent | None:
        found = await find_event(info.context.rt, id)
        return (await with_queue(info.context.rt.inbox, [found]))[0] if found else None

    @strawberry.field(directives=requires(*OPERATES), description="How true RAM is. Answers also while it is loading.")
    async def sync_status(self, info: Info) -> SyncStatus:
        return SyncStatus.from_domain(await info.context.rt.sync.status())
