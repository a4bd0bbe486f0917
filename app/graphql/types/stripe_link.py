"""What came of linking Stripe's customers to workspaces."""

import strawberry

from app.domain import stripe_link as domain
from app.domain.stripe_email import EmailAmbiguity
from app.graphql.permissions import follows
from app.graphql.types.exposing import expose

expose(
    domain.LinkOutcome,
    "What came of linking a Stripe customer to a workspace.",
    {
        "LINKED": "It is linked now.",
        "UNCHANGED": "It was linked so before.",
        "CUSTOMER_UNKNOWN": "No such customer is known here.",
        "CUSTOMER_DELETED": "The customer was deleted at Stripe.",
        "CUSTOMER_TAKEN": "The customer is linked to another workspace.",
        "WORKSPACE_UNKNOWN": "There is no such workspace.",
        "WORKSPACE_ARCHIVED": "The workspace is archived.",
        "WORKSPACE_TAKEN": "The workspace has another customer.",
    },
    name="StripeLinkOutcome",
)


@strawberry.type(directives=follows(), description="What came of one link.")
class StripeLinking:
    customer_id: strawberry.ID = strawberry.field(description="Stripe's customer.")
    outcome: domain.LinkOutcome = strawberry.field(description="Whether it is linked now, or why not.")
    workspace_id: strawberry.ID | None = strawberry.field(
        description="Our id of the workspace that it is linked to; null where it is not."
    )
    message: str | None = strawberry.field(
        description="Why it is not linked, and what to do about it; null where it is."
    )

    @classmethod
    def from_domain(cls, linking: domain.Linking) -> "StripeLinking":
        """Translate."""
        return cls(
            customer_id=strawberry.ID(linking.customer_id),
            outcome=linking.outcome,
            workspace_id=strawberry.ID(linking.workspace_id) if linking.workspace_id else None,
            message=linking.message,
        )


@strawberry.type(directives=follows(), description="An e-mail address that does not tell who pays for what.")
class StripeEmailAmbiguity:
    email: str = strawberry.field(description="In lower case.")
    customer_ids: list[strawberry.ID] = strawberry.field(description="Stripe's customers that have it.")
    workspace_ids: list[strawberry.ID] = strawberry.field(description="The workspaces that have it.")
    message: str = strawberry.field(description="Why it does not tell, and what to do.")

    @classmethod
    def from_domain(cls, found: EmailAmbiguity) -> "StripeEmailAmbiguity":
        """Translate."""
        return cls(
            email=found.email,
            customer_ids=[strawberry.ID(name) for name in found.customer_ids],
            workspace_ids=[strawberry.ID(name) for name in found.workspace_ids],
            message=found.message,
        )
