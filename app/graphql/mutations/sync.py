"""What operators do with RAM: resync it."""

import inspect
from typing import Annotated

import strawberry

from app.domain.errors import NotFoundError as DomainNotFoundError
from app.domain.errors import ValidationError as DomainValidationError
from app.graphql.context import Info, find_state
from app.graphql.mutations.inputs import WORKSPACE
from app.graphql.permissions import OPERATES, follows, requires
from app.graphql.types.enums import ResyncScope
from app.graphql.types.errors import ConflictError, IdempotencyConflictError, NotFoundError, ValidationError
from app.graphql.types.sync_status import ReconcileResult


@strawberry.input(description="What is to be compared with the database.")
class ResyncInput:
    scope: ResyncScope = strawberry.field(description="ALL, or the one WORKSPACE.")
    workspace_id: strawberry.ID | None = strawberry.field(default=None, description=f"With WORKSPACE. {WORKSPACE}")
    dry_run: bool = strawberry.field(default=False, description="Only report what differs.")


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


ResyncResult = Annotated[
    ResyncPayload | ValidationError | NotFoundError | ConflictError | IdempotencyConflictError,
    strawberry.union("ResyncResult", description="What was found, or why nothing was done."),
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
