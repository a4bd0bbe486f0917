"""Link Stripe's customers to workspaces."""

from typing import Annotated

import strawberry

from app.domain.stripe_link import Link
from app.graphql.context import Info
from app.graphql.mutations.inputs import KEY, REPLAYED, WORKSPACE
from app.graphql.permissions import OPERATES, follows, requires
from app.graphql.types.errors import ConflictError, IdempotencyConflictError, NotFoundError, ValidationError
from app.graphql.types.stripe_link import StripeLinking
from app.services import stripe_links

_CUSTOMER = "Stripe's id of the customer, cus_…."
_REPLACE = "Take customer and workspace from whom they are linked to now; without it that is a conflict."


@strawberry.input(description="Which customer pays for which workspace.")
class LinkStripeCustomerInput:
    idempotency_key: str = strawberry.field(description=KEY)
    customer_id: strawberry.ID = strawberry.field(description=_CUSTOMER)
    workspace_id: strawberry.ID = strawberry.field(description=WORKSPACE)
    replace: bool = strawberry.field(default=False, description=_REPLACE)


@strawberry.input(description="Whose link is to be taken back.")
class UnlinkStripeCustomerInput:
    idempotency_key: str = strawberry.field(description=KEY)
    customer_id: strawberry.ID = strawberry.field(description=_CUSTOMER)


@strawberry.input(description="One of many links.")
class StripeLinkInput:
    customer_id: strawberry.ID = strawberry.field(description=_CUSTOMER)
    workspace_id: strawberry.ID = strawberry.field(description=WORKSPACE)


@strawberry.input(description="Many customers and the workspaces that they pay for.")
class LinkStripeCustomersInput:
    idempotency_key: str = strawberry.field(description=KEY)
    links: list[StripeLinkInput] = strawberry.field(description="At most 100, in the order in which they are done.")
    replace: bool = strawberry.field(default=False, description=_REPLACE)
    dry_run: bool = strawberry.field(default=False, description="Change nothing, tell what would come of each.")


@strawberry.type(directives=follows(), description="The link as it now stands.")
class LinkStripeCustomerPayload:
    linking: StripeLinking = strawberry.field(description="LINKED, or UNCHANGED where it was so before.")
    replayed: bool = strawberry.field(description=REPLAYED)


@strawberry.type(directives=follows(), description="Whose link was taken back.")
class UnlinkStripeCustomerPayload:
    customer_id: strawberry.ID = strawberry.field(description=_CUSTOMER)
    replayed: bool = strawberry.field(description=REPLAYED)


@strawberry.type(directives=follows(), description="What came of each link.")
class LinkStripeCustomersPayload:
    dry_run: bool = strawberry.field(description="Whether nothing was changed because that was asked for.")
    linkings: list[StripeLinking] = strawberry.field(description="In the order of the input.")
    replayed: bool = strawberry.field(description=REPLAYED)


LinkStripeCustomerResult = Annotated[
    LinkStripeCustomerPayload | ValidationError | NotFoundError | ConflictError | IdempotencyConflictError,
    strawberry.union("LinkStripeCustomerResult", description="The link, or why nothing was changed."),
]
UnlinkStripeCustomerResult = Annotated[
    UnlinkStripeCustomerPayload | ValidationError | NotFoundError | ConflictError | IdempotencyConflictError,
    strawberry.union("UnlinkStripeCustomerResult", description="The customer, or why nothing was changed."),
]
LinkStripeCustomersResult = Annotated[
    LinkStripeCustomersPayload | ValidationError | NotFoundError | ConflictError | IdempotencyConflictError,
    strawberry.union("LinkStripeCustomersResult", description="What came of each, or why nothing was changed."),
]


@strawberry.type
class StripeLinkMutations:
    @strawberry.mutation(
        directives=requires(*OPERATES),
        description="Link a Stripe customer to a workspace for good: before what metadata at Stripe says, through "
        "every event and backfill. Its subscriptions move along. Doing it again changes nothing.",
    )
    async def link_stripe_customer(self, info: Info, input: LinkStripeCustomerInput) -> LinkStripeCustomerResult:
        command = stripe_links.LinkCustomerInput(
            idempotency_key=input.idempotency_key,
            customer_id=input.customer_id,
            workspace_id=input.workspace_id,
            replace=input.replace,
        )
        done = await stripe_links.link_customer(info.context.loaded(), info.context.principal, command)
        return LinkStripeCustomerPayload(linking=StripeLinking.from_domain(done.linkings[0]), replayed=done.replayed)

    @strawberry.mutation(
        directives=requires(*OPERATES),
        description="Take back a link that `linkStripeCustomer` made: from then on metadata at Stripe decides. "
        "Subscriptions stay where they are until metadata or another link names another workspace.",
    )
    async def unlink_stripe_customer(self, info: Info, input: UnlinkStripeCustomerInput) -> UnlinkStripeCustomerResult:
        command = stripe_links.UnlinkCustomerInput(idempotency_key=input.idempotency_key, customer_id=input.customer_id)
        done = await stripe_links.unlink_customer(info.context.loaded(), info.context.principal, command)
        return UnlinkStripeCustomerPayload(customer_id=input.customer_id, replayed=done.replayed)

    @strawberry.mutation(
        directives=requires(*OPERATES),
        description="Link many customers that a backfill or an event has made known here; see `linkStripeCustomer`. "
        "Those that can be linked are, and of each it is told what came of it.",
    )
    async def link_stripe_customers(self, info: Info, input: LinkStripeCustomersInput) -> LinkStripeCustomersResult:
        command = stripe_links.LinkCustomersInput(
            idempotency_key=input.idempotency_key,
            links=tuple(Link(customer_id=one.customer_id, workspace_ref=one.workspace_id) for one in input.links),
            replace=input.replace,
            dry_run=input.dry_run,
        )
        done = await stripe_links.link_customers(info.context.loaded(), info.context.principal, command)
        return LinkStripeCustomersPayload(
            dry_run=input.dry_run,
            linkings=[StripeLinking.from_domain(linking) for linking in done.linkings],
            replayed=done.replayed,
        )
