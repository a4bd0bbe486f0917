"""What is left to do until a Stripe account is adopted."""

import strawberry

from app.domain import stripe_adoption as domain
from app.graphql.context import Info
from app.graphql.permissions import OPERATES, requires
from app.graphql.types.exposing import expose
from app.services.stripe_emails import find_matches

expose(
    domain.AdoptionIssueKind,
    "What is to be done until a Stripe account is adopted.",
    {
        "UNLINKED_CUSTOMER": "No workspace is known for a customer.",
        "UNLINKED_SUBSCRIPTION": "No workspace is known for a subscription.",
        "UNMAPPED_PRICE": "No plan and no add-on names a price that subscriptions hold.",
        "SEVERAL_CUSTOMERS": "Several customers are linked to one workspace.",
        "AMBIGUOUS_EMAIL": "An unlinked customer's e-mail address does not tell which workspace is its own.",
    },
    name="StripeAdoptionIssueKind",
)


@strawberry.type(directives=requires(*OPERATES), description="How far the adoption of a Stripe account is, in numbers.")
class StripeAdoption:
    customers: int = strawberry.field(description="Customers that exist at Stripe and are known here.")
    linked_customers: int = strawberry.field(description="Those that a workspace is known for.")
    unlinked_customers: int = strawberry.field(description="Those that none is known for.")
    unlinked_subscriptions: int = strawberry.field(description="Subscriptions that no workspace is known for.")
    workspaces_with_several_customers: int = strawberry.field(
        description="Workspaces that several customers are linked to."
    )

    @strawberry.field(description="Prices that subscriptions hold, that are not over, and that no plan names.")
    def unmapped_prices(self, info: Info) -> int:
        return len(info.context.loaded().cache.unmapped_prices())

    @strawberry.field(
        description="E-mail addresses of unlinked customers that do not tell which workspace is theirs. Compares all "
        "customers with all workspaces: select it when you need it."
    )
    async def ambiguous_emails(self, info: Info) -> int:
        return len((await find_matches(info.context.loaded())).ambiguities)

    @classmethod
    def from_domain(cls, counts: domain.MirrorCounts) -> "StripeAdoption":
        """Translate."""
        return cls(
            customers=counts.customers,
            linked_customers=counts.customers - counts.unlinked_customers,
            unlinked_customers=counts.unlinked_customers,
            unlinked_subscriptions=counts.unlinked_subscriptions,
            workspaces_with_several_customers=counts.shared_workspaces,
        )


@strawberry.type(directives=requires(*OPERATES), description="One thing to do until the account is adopted.")
class StripeAdoptionIssue:
    kind: domain.AdoptionIssueKind = strawberry.field(description="What is the matter.")
    key: str = strawberry.field(description="What it is about: an id of Stripe's or ours, or an e-mail address.")
    message: str = strawberry.field(description="What to do about it.")
    customer_ids: list[strawberry.ID] = strawberry.field(description="The Stripe customers that are concerned.")
    workspace_ids: list[strawberry.ID] = strawberry.field(description="The workspaces that are concerned.")
    subscription_ids: list[strawberry.ID] = strawberry.field(description="The subscriptions that wait.")

    @classmethod
    def from_domain(cls, issue: domain.AdoptionIssue) -> "StripeAdoptionIssue":
        """Translate."""
        return cls(
            kind=issue.kind,
            key=issue.key,
            message=issue.message,
            customer_ids=[strawberry.ID(name) for name in issue.customer_ids],
            workspace_ids=[strawberry.ID(name) for name in issue.workspace_ids],
            subscription_ids=[strawberry.ID(name) for name in issue.subscription_ids],
        )
