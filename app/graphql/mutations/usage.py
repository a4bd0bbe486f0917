"""Record usage."""

from decimal import Decimal
from typing import Annotated

import strawberry

from app.graphql.context import Info
from app.graphql.mutations.inputs import KEY, REPLAYED, WORKSPACE
from app.graphql.permissions import WRITES_USAGE, follows, requires
from app.graphql.types.entitlement import Entitlement
from app.graphql.types.errors import ConflictError, IdempotencyConflictError, NotFoundError, ValidationError
from app.services import usage


@strawberry.input(description="What has already been used.")
class RecordUsageInput:
    idempotency_key: str = strawberry.field(description=KEY)
    workspace_id: strawberry.ID = strawberry.field(description=WORKSPACE)
    feature_key: str = strawberry.field(description="A METERED feature.")
    amount: Decimal = strawberry.field(
        description="How much. Negative only for FLUCTUATING features, whose level it lowers."
    )


@strawberry.type(directives=follows(), description="The entitlement after the usage.")
class RecordUsagePayload:
    event_id: strawberry.ID = strawberry.field(description="Our id of the record of this usage.")
    entitlement: Entitlement = strawberry.field(description="As it is now: a check for one more unit.")
    replayed: bool = strawberry.field(description=REPLAYED)


RecordUsageResult = Annotated[
    RecordUsagePayload | ValidationError | NotFoundError | ConflictError | IdempotencyConflictError,
    strawberry.union("RecordUsageResult", description="The entitlement, or why nothing was recorded."),
]


@strawberry.type
class UsageMutations:
    @strawberry.mutation(
        directives=requires(*WRITES_USAGE),
        description="Record what has already happened, also beyond a HARD limit: `remaining` is 0 then.",
    )
    async def record_usage(self, info: Info, input: RecordUsageInput) -> RecordUsageResult:
        command = usage.RecordUsageInput(
            idempotency_key=input.idempotency_key,
            workspace_id=input.workspace_id,
            feature_key=input.feature_key,
            amount=input.amount,
        )
        done = await usage.record_usage(info.context.loaded(), info.context.principal, command)
        return RecordUsagePayload(
            event_id=strawberry.ID(done.event.id),
            entitlement=Entitlement.from_domain(done.entitlement),
            replayed=done.replayed,
        )
