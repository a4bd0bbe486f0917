"""What operators do: resync RAM, replay a Stripe event."""

import inspect
from typing import Annotated

import strawberry

from app.domain.errors import NotFoundError as DomainNotFoundError
from app.domain.errors import ValidationError as DomainValidationError
from app.graphql.context import Info, find_state
from app.graphql.mutations.inputs import KEY, WORKSPACE
from app.graphql.permissions import OPERATES, follows, requires
from app.graphql.types.enums import ResyncScope
from app.graphql.types.errors import ConflictError, IdempotencyConflictError, NotFoundError, ValidationError
from app.graphql.types.stripe_event import StripeEvent
from app.graphql.types.sync_status import ReconcileResult
from app.services import stripe_events


@strawberry.input(description="What is to be compared with the database.")
class ResyncInput:
    scope: ResyncScope = strawberry.field(description="ALL, or the one WORKSPACE.")
    workspace_id: strawberry.ID | None = strawberry.field(default=None, description=f"With WORKSPACE. {WORKSPACE}")
    dry_run: bool = strawberry.field(default=False, description="Only report what differs.")


@strawberry.input(description="Which event is to be replayed.")
class ReplayStripeEventInput:
    idempotency_key: str = strawberry.field(description=KEY)
    event_id: strawberry.ID = strawberry.field(description="Stripe's id of the event.")


@strawberry.type(directives=follows(), description="What a resync found.")
class ResyncPayload:
    result: ReconcileResult = strawberry.field(description="The whole finding.")

    @strawberry.field(description="Records compared.")
    def compared(self) -> int:
        return self.result.compared

    @strawberry.field(description="Records that differed and were refreshed. 0 is healthy.")
    def repaired(self) -> int:
        return self.result.repaired

    @strawberry.field(description="Records that the database no longer has. 0 is healthy.")
    def dropped(self) -> int:
        return self.result.dropped

    @strawberry.field(description="The first hundred ids that differed.")
    def divergent(self) -> list[strawberry.ID]:
        return self.result.divergent


@strawberry.type(directives=follows(), description="The event whose object is looked at anew.")
class ReplayStripeEventPayload:
    event: StripeEvent = strawberry.field(description="As it now stands; the worker takes it up at once.")
    replayed: bool = strawberry.field(
        description="Whether this request had been answered before; then nothing was done."
    )


ResyncResult = Annotated[
    ResyncPayload | ValidationError | NotFoundError | ConflictError | IdempotencyConflictError,
    strawberry.union("ResyncResult", description="What was found, or why nothing was done."),
]
ReplayStripeEventResult = Annotated[
    ReplayStripeEventPayload | ValidationError | NotFoundError | ConflictError | IdempotencyConflictError,
    strawberry.union("ReplayStripeEventResult", description="The event, or why nothing was done."),
]


@strawberry.type
class SyncMutations:
    @strawberry.mutation(
        directives=requires(*OPERATES),
        description="Compare RAM with the database and repair what differs: everything, or one workspace.",
    )
    async def resync(self, info: Info, input: ResyncInput) -> ResyncResult:
        workspace_id = await _workspace_id(info, input)
        result = await info.context.rt.sync.resync(workspace_id=workspace_id, dry_run=input.dry_run)
        return ResyncPayload(result=ReconcileResult.from_domain(result))

    @strawberry.mutation(
        directives=requires(*OPERATES), description="Look at a Stripe event's object again, also when it was given up."
    )
    async def replay_stripe_event(self, info: Info, input: ReplayStripeEventInput) -> ReplayStripeEventResult:
        command = stripe_events.ReplayInput(idempotency_key=input.idempotency_key, event_id=input.event_id)
        done = await stripe_events.replay(info.context.rt, info.context.principal, command)
        return ReplayStripeEventPayload(event=StripeEvent.from_domain(done.event), replayed=done.replayed)


async def _workspace_id(info: Info, input: ResyncInput) -> str | None:
    """Return our id of the workspace named; None for ALL."""
    match input.scope, input.workspace_id:
        case ResyncScope.ALL, None:
            return None
        case ResyncScope.WORKSPACE, str() as ref:
            found = find_state(info.context.rt, ref)
            state = await found if inspect.isawaitable(found) else found
            if state is None:
                raise DomainNotFoundError("workspace", ref)
            return state.workspace.id
        case _:
            raise DomainValidationError.of(
                "input.workspaceId", "INVALID", "workspaceId goes with the scope WORKSPACE, and is needed there"
            )
