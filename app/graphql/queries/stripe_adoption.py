"""What is left to do until a Stripe account is adopted."""

import strawberry

from app.domain.stripe_adoption import AdoptionIssueKind
from app.graphql.context import Info
from app.graphql.pagination import Connection, connection_of, page_size
from app.graphql.permissions import OPERATES, requires
from app.graphql.types.stripe_adoption import StripeAdoption, StripeAdoptionIssue
from app.services.stripe_adoption import issues_page


@strawberry.type
class StripeAdoptionQueries:
    @strawberry.field(
        directives=requires(*OPERATES),
        description="How far the adoption of a Stripe account that existed before is, in numbers.",
    )
    async def stripe_adoption(self, info: Info) -> StripeAdoption:
        return StripeAdoption.from_domain(await info.context.rt.store.mirror_counts())

    @strawberry.field(
        directives=requires(*OPERATES),
        description="What is left to do, of one kind, with what to do about each. `first` at most 100.",
    )
    async def stripe_adoption_issues(
        self, info: Info, kind: AdoptionIssueKind, first: int | None = 50, after: str | None = None
    ) -> Connection[StripeAdoptionIssue]:
        cursors, listing = info.context.cursors, f"stripeAdoptionIssues:{kind}"
        start, size = cursors.read(listing, after), page_size(first)
        page = await issues_page(info.context.loaded(), kind, after=start, first=size)
        return connection_of(
            page,
            after=after,
            cursor=lambda issue: cursors.write(listing, issue.key),
            translate=StripeAdoptionIssue.from_domain,
        )
