"""Read all that Stripe has."""

from typing import Annotated

import strawberry

from app.graphql.context import Info
from app.graphql.mutations.inputs import KEY, REPLAYED
from app.graphql.permissions import OPERATES, follows, requires
from app.graphql.types.errors import ConflictError, IdempotencyConflictError, NotFoundError, ValidationError
from app.graphql.types.stripe_backfill import StripeBackfill
from app.services import stripe_backfill


@strawberry.input(description="Whether a backfill is to change anything.")
class BackfillStripeInput:
    idempotency_key: str = strawberry.field(description=KEY)
    dry_run: bool = strawberry.field(default=False, description="Read everything, store nothing, tell what would be.")


@strawberry.type(directives=follows(), description="The backfill as it was started.")
class BackfillStripePayload:
    backfill: StripeBackfill = strawberry.field(description="As it began: `stripeBackfill` tells how far it has come.")
    replayed: bool = strawberry.field(description=REPLAYED)


BackfillStripeResult = Annotated[
    BackfillStripePayload | ValidationError | NotFoundError | ConflictError | IdempotencyConflictError,
    strawberry.union("BackfillStripeResult", description="The backfill, or why none was started."),
]


@strawberry.type
class StripeBackfillMutations:
    @strawberry.mutation(
        directives=requires(*OPERATES),
        description="Bring everything from Stripe's lists to the database, in the background: for an account that "
        "existed before, and after events were lost. One runs at a time; a conflict while it does. Doing it again "
        "does no harm.",
    )
    async def backfill_stripe(self, info: Info, input: BackfillStripeInput) -> BackfillStripeResult:
        command = stripe_backfill.BackfillStripeInput(idempotency_key=input.idempotency_key, dry_run=input.dry_run)
        started = await stripe_backfill.start_backfill(info.context.rt, info.context.principal, command)
        return BackfillStripePayload(backfill=StripeBackfill.from_domain(started.backfill), replayed=started.replayed)
