"""Usage as the ledger has it: entries, and sums over time."""

from typing import Annotated

import strawberry

from app.domain.errors import NotFoundError
from app.domain.faults import is_storable, refuse
from app.domain.usage_summary import Granularity, range_faults, slices
from app.graphql.context import Info
from app.graphql.errors import bad_input
from app.graphql.pagination import Connection, connection_of, page_size, read_timed_key, timed_key
from app.graphql.permissions import READS_USAGE, requires
from app.graphql.scalars import DateTime
from app.graphql.types.usage import UsageEvent, UsageSummary
from app.ports.usage import UsageFilter

_Until = Annotated[
    DateTime | None, strawberry.argument(name="to", description="Before this instant; null is no bound.")
]
_Since = Annotated[
    DateTime | None, strawberry.argument(name="from", description="From this instant on; null is no bound.")
]


@strawberry.type
class UsageQueries:
    @strawberry.field(
        directives=requires(*READS_USAGE),
        description="The ledger of one workspace's usage, those that happened last first. `first` at most 100. "
        "Of a credit type also what features drew on it.",
    )
    async def usage_events(
        self,
        info: Info,
        workspace_id: strawberry.ID,
        *,
        feature_key: str | None = None,
        since: _Since = None,
        until: _Until = None,
        first: int | None = 50,
        after: str | None = None,
    ) -> Connection[UsageEvent]:
        ledger, cursors, size = info.context.rt.ledger, info.context.cursors, page_size(first)
        owner = await info.context.workspace_id(workspace_id) or workspace_id
        wanted = UsageFilter(workspace_id=owner, from_at=since, to_at=until, **_named(info, feature_key))
        if not is_storable(workspace_id) or not is_storable(feature_key or ""):
            raise bad_input("an argument holds a NUL or half a surrogate pair")
        listing = f"usage:{wanted.workspace_id}:{feature_key or ''}:{since or ''}:{until or ''}"
        page = await ledger.page(wanted, after=read_timed_key(cursors.read(listing, after)), first=size)
        return connection_of(
            page,
            after=after,
            cursor=lambda entry: cursors.write(listing, timed_key(entry.occurred_at, entry.id)),
            translate=UsageEvent.from_domain,
            count=lambda: ledger.count(wanted),
        )

    @strawberry.field(
        directives=requires(*READS_USAGE),
        description=(
            "How much of a feature one workspace used, added up by hour, day or month in UTC; at most 1,000 slices. "
            "Of a credit type: all that was drawn on it, in credits. Null where there is no such workspace."
        ),
    )
    async def usage_summary(
        self,
        info: Info,
        workspace_id: strawberry.ID,
        feature_key: str,
        granularity: Granularity,
        since: Annotated[DateTime, strawberry.argument(name="from", description="The first instant.")],
        until: Annotated[DateTime, strawberry.argument(name="to", description="The first instant after it.")],
    ) -> UsageSummary | None:
        refuse(range_faults(granularity, since, until))
        owner = await info.context.workspace_id(workspace_id)
        if owner is None:
            return None
        if feature_key not in info.context.rt.cache.catalogue().features:
            raise NotFoundError("feature", feature_key)
        wanted = UsageFilter(workspace_id=owner, from_at=since, to_at=until, **_named(info, feature_key))
        found = await info.context.rt.ledger.summary(wanted, granularity)
        return UsageSummary.from_domain(owner, feature_key, slices(granularity, since, until, found))


def _named(info: Info, feature_key: str | None) -> dict[str, str | None]:
    """Return by what the ledger's entries of a feature are found: of a credit type, by what they were charged to."""
    feature = info.context.rt.cache.catalogue().features.get(feature_key or "")
    is_credit_type = feature is not None and feature.is_credit_type
    return {"balance_key" if is_credit_type else "feature_key": feature_key}
