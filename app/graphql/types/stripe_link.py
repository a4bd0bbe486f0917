"""What came of linking Stripe's customers to workspaces."""

import strawberry

from app.domain import stripe_link as domain
from app.graphql.permissions import follows


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
