"""Link Stripe's customers to workspaces by e-mail."""

from typing import Annotated

import strawberry

from app.graphql.context import Info
from app.graphql.mutations.inputs import KEY, REPLAYED
from app.graphql.permissions import OPERATES, follows, requires
from app.graphql.types.errors import ConflictError, IdempotencyConflictError, NotFoundError, ValidationError
from app.graphql.types.stripe_link import StripeEmailAmbiguity, StripeLinking
from app.services import stripe_emails


@strawberry.input(description="Whether links are to be made.")
class LinkStripeCustomersByEmailInput:
    idempotency_key: str = strawberry.field(description=KEY)
    dry_run: bool = strawberry.field(default=False, description="Change nothing, tell what would be.")


@strawberry.type(directives=follows(), description="What came of it.")
class LinkStripeCustomersByEmailPayload:
    dry_run: bool = strawberry.field(description="Whether nothing was changed because that was asked for.")
    linked: int = strawberry.field(description="Customers that were linked, or in a dry run would be.")
    left: int = strawberry.field(description="Those that were not reached within 20 s: ask again, with a fresh key.")
    ambiguous: int = strawberry.field(description="Addresses that do not tell who pays for what.")
    unmatched: int = strawberry.field(
        description="Unlinked customers without an address, or with one that no workspace has."
    )
    ambiguities: list[StripeEmailAmbiguity] = strawberry.field(
        description=f"The first {stripe_emails.MOST_NAMED} of the ambiguous addresses."
    )
    refused: list[StripeLinking] = strawberry.field(
        description=f"Customers that could not be linked, for something changed meanwhile; at most "
        f"{stripe_emails.MOST_NAMED}."
    )
    replayed: bool = strawberry.field(description=REPLAYED)


LinkStripeCustomersByEmailResult = Annotated[
    LinkStripeCustomersByEmailPayload | ValidationError | NotFoundError | ConflictError | IdempotencyConflictError,
    strawberry.union("LinkStripeCustomersByEmailResult", description="What came of it, or why nothing was changed."),
]


@strawberry.type
class StripeEmailMutations:
    @strawberry.mutation(
        directives=requires(*OPERATES),
        description="Link every unlinked customer to the workspace with the same e-mail address, where exactly one "
        "customer and one workspace have it; upper and lower case are the same. What is ambiguous is told and left. "
        "Links hold as those of `linkStripeCustomer`.",
    )
    async def link_stripe_customers_by_email(
        self, info: Info, input: LinkStripeCustomersByEmailInput
    ) -> LinkStripeCustomersByEmailResult:
        command = stripe_emails.LinkByEmailInput(idempotency_key=input.idempotency_key, dry_run=input.dry_run)
        done = await stripe_emails.link_by_email(info.context.loaded(), info.context.principal, command)
        return LinkStripeCustomersByEmailPayload(
            dry_run=input.dry_run,
            linked=done.linked,
            left=done.left,
            ambiguous=done.ambiguous,
            unmatched=done.unmatched,
            ambiguities=[StripeEmailAmbiguity.from_domain(one) for one in done.ambiguities],
            refused=[StripeLinking.from_domain(linking) for linking in done.refused],
            replayed=done.replayed,
        )
