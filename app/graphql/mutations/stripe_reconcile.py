"""Ask Stripe for events that never came."""

from typing import Annotated

import strawberry

from app.graphql.context import Info
from app.graphql.mutations.inputs import KEY, REPLAYED
from app.graphql.permissions import OPERATES, follows, requires
from app.graphql.scalars import DateTime
from app.graphql.types.errors import ConflictError, IdempotencyConflictError, NotFoundError, ValidationError
from app.services import stripe_reconcile


@strawberry.input(description="Since when events may have been lost.")
class ReconcileStripeInput:
    idempotency_key: str = strawberry.field(description=KEY)
    since: DateTime = strawberry.field(description="At most 30 days ago: Stripe lists no older events.")


@strawberry.type(directives=follows(), description="What was asked for.")
class ReconcileStripePayload:
    since_at: DateTime = strawberry.field(description="Since when events are brought, in the background.")
    replayed: bool = strawberry.field(description=REPLAYED)


ReconcileStripeResult = Annotated[
    ReconcileStripePayload | ValidationError | NotFoundError | ConflictError | IdempotencyConflictError,
    strawberry.union("ReconcileStripeResult", description="What was asked for, or why nothing is done."),
]


@strawberry.type
class StripeReconcileMutations:
    @strawberry.mutation(
        directives=requires(*OPERATES),
        description="Bring every event since a time to the inbox, in the background. Those that came before are "
        "known, so doing it again does no harm. `stripeReconcile { askedSinceAt }` is null once it is done.",
    )
    async def reconcile_stripe(self, info: Info, input: ReconcileStripeInput) -> ReconcileStripeResult:
        command = stripe_reconcile.ReconcileStripeInput(idempotency_key=input.idempotency_key, since_at=input.since)
        replayed = await stripe_reconcile.ask_reconcile(info.context.rt, info.context.principal, command)
        return ReconcileStripePayload(since_at=input.since, replayed=replayed)
