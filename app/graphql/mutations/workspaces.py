"""Create, change and archive workspaces; start a trial."""

from typing import Annotated

import msgspec
import strawberry

from app.graphql.context import Info
from app.graphql.mutations.inputs import KEY, REPLAYED, VERSION, WORKSPACE, given, to_metadata, to_version
from app.graphql.permissions import WRITES_BILLING, follows, requires
from app.graphql.scalars import Json
from app.graphql.types.billing_details import BillingDetailsInput
from app.graphql.types.errors import ConflictError, IdempotencyConflictError, NotFoundError, ValidationError
from app.graphql.types.workspace import Workspace
from app.services import workspaces


@strawberry.input(description="A new workspace. Everything but the key may be left out.")
class CreateWorkspaceInput:
    idempotency_key: str = strawberry.field(description=KEY)
    name: str | None = strawberry.field(default=None, description="For people.")
    external_id: str | None = strawberry.field(default=None, description="Your own id of it; unique.")
    email: str | None = strawberry.field(default=None, description="Where billing mail goes.")
    metadata: Json | None = strawberry.field(default=None, description="An object of strings, your own.")
    billing: BillingDetailsInput | None = strawberry.field(default=None, description="What stands on an invoice.")


@strawberry.input(
    description="What is to change. Fields left out stay; null clears; metadata and billing are replaced."
)
class UpdateWorkspaceInput:
    idempotency_key: str = strawberry.field(description=KEY)
    workspace_id: strawberry.ID = strawberry.field(description=WORKSPACE)
    if_version: str | None = strawberry.field(default=None, description=VERSION)
    name: str | None = strawberry.field(default=strawberry.UNSET, description="For people.")
    external_id: str | None = strawberry.field(default=strawberry.UNSET, description="Your own id; unique.")
    email: str | None = strawberry.field(default=strawberry.UNSET, description="Where billing mail goes.")
    metadata: Json | None = strawberry.field(default=strawberry.UNSET, description="An object of strings, your own.")
    billing: BillingDetailsInput | None = strawberry.field(
        default=strawberry.UNSET, description="What stands on an invoice."
    )


@strawberry.input(description="Which workspace is to be archived.")
class ArchiveWorkspaceInput:
    idempotency_key: str = strawberry.field(description=KEY)
    workspace_id: strawberry.ID = strawberry.field(description=WORKSPACE)
    if_version: str | None = strawberry.field(default=None, description=VERSION)


@strawberry.input(description="Which plan is to be tried.")
class StartTrialInput:
    idempotency_key: str = strawberry.field(description=KEY)
    workspace_id: strawberry.ID = strawberry.field(description=WORKSPACE)
    plan_key: str = strawberry.field(description="The plan; its latest version is given.")
    days: int | None = strawberry.field(default=None, description="How long; the plan's trialDays unless given.")


@strawberry.type(directives=follows(), description="The workspace as it now stands.")
class WorkspacePayload:
    workspace: Workspace = strawberry.field(description="As written.")
    replayed: bool = strawberry.field(description=REPLAYED)


WorkspaceResult = Annotated[
    WorkspacePayload | ValidationError | NotFoundError | ConflictError | IdempotencyConflictError,
    strawberry.union("WorkspaceResult", description="The workspace, or why nothing was changed."),
]


@strawberry.type
class WorkspaceMutations:
    @strawberry.mutation(directives=requires(*WRITES_BILLING), description="Create a workspace.")
    async def create_workspace(self, info: Info, input: CreateWorkspaceInput) -> WorkspaceResult:
        command = workspaces.CreateWorkspaceInput(
            idempotency_key=input.idempotency_key,
            name=input.name,
            external_id=input.external_id,
            email=input.email,
            metadata=to_metadata(input.metadata),
            billing=input.billing.to_domain() if input.billing else None,
        )
        context = info.context
        return _payload(await workspaces.create_workspace(context.loaded(), context.principal, command))

    @strawberry.mutation(directives=requires(*WRITES_BILLING), description="Change a workspace that is not archived.")
    async def update_workspace(self, info: Info, input: UpdateWorkspaceInput) -> WorkspaceResult:
        billing = input.billing
        command = workspaces.UpdateWorkspaceInput(
            idempotency_key=input.idempotency_key,
            workspace_id=input.workspace_id,
            if_version=to_version(input.if_version),
            name=input.name if given(input.name) else msgspec.UNSET,
            external_id=input.external_id if given(input.external_id) else msgspec.UNSET,
            email=input.email if given(input.email) else msgspec.UNSET,
            metadata=to_metadata(input.metadata) if given(input.metadata) else msgspec.UNSET,
            billing=(billing.to_domain() if billing else None) if given(billing) else msgspec.UNSET,
        )
        context = info.context
        return _payload(await workspaces.update_workspace(context.loaded(), context.principal, command))

    @strawberry.mutation(
        directives=requires(*WRITES_BILLING),
        description="Archive a workspace: checks deny with WORKSPACE_ARCHIVED. Archiving it again changes nothing.",
    )
    async def archive_workspace(self, info: Info, input: ArchiveWorkspaceInput) -> WorkspaceResult:
        command = workspaces.ArchiveWorkspaceInput(
            idempotency_key=input.idempotency_key,
            workspace_id=input.workspace_id,
            if_version=to_version(input.if_version),
        )
        context = info.context
        return _payload(await workspaces.archive_workspace(context.loaded(), context.principal, command))

    @strawberry.mutation(
        directives=requires(*WRITES_BILLING), description="Give a trial without Stripe; once per workspace."
    )
    async def start_trial(self, info: Info, input: StartTrialInput) -> WorkspaceResult:
        command = workspaces.StartTrialInput(
            idempotency_key=input.idempotency_key,
            workspace_id=input.workspace_id,
            plan_key=input.plan_key,
            days=input.days,
        )
        context = info.context
        return _payload(await workspaces.start_trial(context.loaded(), context.principal, command))


def _payload(written: "workspaces.Written[workspaces.Workspace]") -> WorkspacePayload:
    return WorkspacePayload(workspace=Workspace.from_domain(written.record), replayed=written.replayed)
