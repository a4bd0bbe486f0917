"""Workspaces: create, change, archive, and the trial that needs no Stripe."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from app.domain import ids
from app.domain.api_key import Principal
from app.domain.catalogue_rules import TRIAL_DAYS_MAX, days_faults
from app.domain.change import Record
from app.domain.coverage import DAY_MS
from app.domain.errors import ConflictError, FieldError, NotFoundError, ValidationError
from app.domain.faults import INPUT, idempotency_key_faults, refuse
from app.domain.plan import Plan, PlanKind, PlanStatus
from app.domain.workspace import BillingDetails, Workspace, WorkspaceTrial
from app.domain.workspace_rules import (
    billing_faults,
    email_faults,
    external_id_faults,
    metadata_faults,
    name_faults,
)
from app.runtime import Runtime
from app.services.loading import load_workspace, refresh_catalogue, refuse_archived, refuse_other_version
from app.services.result import Written, until_settled, written, written_or_current


class CreateWorkspaceInput(msgspec.Struct, frozen=True, kw_only=True):
    idempotency_key: str
    name: str | None = None
    external_id: str | None = None
    email: str | None = None
    metadata: dict[str, str] = {}
    billing: BillingDetails | None = None


class UpdateWorkspaceInput(msgspec.Struct, frozen=True, kw_only=True):
    """`workspace_id` is our id or the external id. What is UNSET stays; metadata and billing are replaced whole."""

    idempotency_key: str
    workspace_id: str
    if_version: int | None = None
    name: str | UnsetType | None = UNSET
    external_id: str | UnsetType | None = UNSET
    email: str | UnsetType | None = UNSET
    metadata: dict[str, str] | UnsetType | None = UNSET
    billing: BillingDetails | UnsetType | None = UNSET


class ArchiveWorkspaceInput(msgspec.Struct, frozen=True, kw_only=True):
    idempotency_key: str
    workspace_id: str
    if_version: int | None = None


class StartTrialInput(msgspec.Struct, frozen=True, kw_only=True):
    """`days` None takes the plan's own number."""

    idempotency_key: str
    workspace_id: str
    plan_key: str
    days: int | None = None


async def create_workspace(rt: Runtime, principal: Principal, input: CreateWorkspaceInput) -> Written[Workspace]:
    """Create a workspace. An external id is unique, also among archived workspaces."""
    workspace = Workspace(
        id=rt.ids.new(ids.WORKSPACE),
        external_id=input.external_id,
        name=input.name,
        email=input.email,
        metadata=input.metadata,
        billing=input.billing or BillingDetails(),
    )
    refuse(idempotency_key_faults(input.idempotency_key), _workspace_faults(workspace))

    async def decide(conflicts: int) -> Sequence[Record]:
        await _refuse_taken(rt, workspace, fresh=conflicts > 0)
        return (workspace,)

    done = written(await until_settled(rt, principal, "createWorkspace", input, decide), Workspace)
    await tell_of(rt, done.record)
    return done


async def update_workspace(rt: Runtime, principal: Principal, input: UpdateWorkspaceInput) -> Written[Workspace]:
    """Change the fields that are given; an archived workspace refuses."""
    given = _given(input)
    refuse(idempotency_key_faults(input.idempotency_key), _workspace_faults(msgspec.structs.replace(_BLANK, **given)))

    async def decide(conflicts: int) -> Sequence[Record]:
        workspace = await load_workspace(rt, input.workspace_id, fresh=conflicts > 0)
        refuse_archived(workspace)
        refuse_other_version(workspace, input.if_version)
        changed = msgspec.structs.replace(workspace, **given)
        await _refuse_taken(rt, changed, fresh=conflicts > 0)
        return () if changed == workspace else (changed,)

    once = await until_settled(rt, principal, "updateWorkspace", input, decide)
    done = await written_or_current(once, Workspace, lambda: load_workspace(rt, input.workspace_id))
    await tell_of(rt, done.record)
    return done


async def archive_workspace(rt: Runtime, principal: Principal, input: ArchiveWorkspaceInput) -> Written[Workspace]:
    """End every access of the workspace for good. Archiving an archived one changes nothing."""
    refuse(idempotency_key_faults(input.idempotency_key))

    async def decide(conflicts: int) -> Sequence[Record]:
        workspace = await load_workspace(rt, input.workspace_id, fresh=conflicts > 0)
        if workspace.archived_at is not None:
            return ()
        refuse_other_version(workspace, input.if_version)
        return (msgspec.structs.replace(workspace, archived_at=rt.clock.now_at()),)

    once = await until_settled(rt, principal, "archiveWorkspace", input, decide)
    return await written_or_current(once, Workspace, lambda: load_workspace(rt, input.workspace_id))


async def start_trial(rt: Runtime, principal: Principal, input: StartTrialInput) -> Written[Workspace]:
    """Give the plan's latest version for some days, once in the workspace's life."""
    refuse(idempotency_key_faults(input.idempotency_key), _days_faults(input.days))

    async def decide(conflicts: int) -> Sequence[Record]:
        workspace = await load_workspace(rt, input.workspace_id, fresh=conflicts > 0)
        plan = await _offered_plan(rt, input.plan_key)
        refuse_archived(workspace)
        if workspace.trial is not None:
            raise ConflictError(f"workspace {workspace.id!r} had its trial", current_version=workspace.version)
        trial = _trial(plan, input.days, rt.clock.now_at())
        return (msgspec.structs.replace(workspace, trial=trial),)

    return written(await until_settled(rt, principal, "startTrial", input, decide), Workspace)


_BLANK: Final = Workspace(id="")


def _given(input: UpdateWorkspaceInput) -> dict[str, Any]:
    given = {
        "name": input.name,
        "external_id": input.external_id,
        "email": input.email,
        "metadata": {} if input.metadata is None else input.metadata,
        "billing": BillingDetails() if input.billing is None else input.billing,
    }
    return {name: value for name, value in given.items() if value is not UNSET}


def _workspace_faults(workspace: Workspace) -> Iterator[FieldError]:
    yield from name_faults(workspace.name)
    yield from external_id_faults(workspace.external_id)
    yield from email_faults(workspace.email)
    yield from metadata_faults(workspace.metadata)
    yield from billing_faults(workspace.billing)


def _days_faults(days: int | None) -> Iterator[FieldError]:
    if days is not None:
        yield from days_faults((*INPUT, "days"), days, most=TRIAL_DAYS_MAX, least=1)


async def _offered_plan(rt: Runtime, key: str) -> Plan:
    if rt.cache.catalogue().plan(key) is None:
        await refresh_catalogue(rt)
    plan = rt.cache.catalogue().plan(key)
    if plan is None:
        raise NotFoundError("plan", key)
    if plan.kind is PlanKind.ADD_ON:
        raise ValidationError.of("input.planKey", "NOT_ALLOWED", f"planKey names {key!r}, an add-on; try a plan")
    if plan.status is PlanStatus.ARCHIVED:
        raise ConflictError(f"plan {key!r} is archived")
    return plan


def _trial(plan: Plan, days: int | None, at: int) -> WorkspaceTrial:
    length = plan.trial_days if days is None else days
    if length == 0:
        raise ValidationError.of("input.days", "REQUIRED", f"days is needed: the plan {plan.key!r} has no trial")
    return WorkspaceTrial(plan_id=plan.id, started_at=at, ends_at=at + length * DAY_MS)


async def _refuse_taken(rt: Runtime, workspace: Workspace, *, fresh: bool) -> None:
    """Refuse an external id that another workspace has; the store's unique index is the last word."""
    ref = workspace.external_id
    if ref is None:
        return
    if fresh:
        held = await rt.store.read_workspace(ref)
        holder = next((record.id for record in held if isinstance(record, Workspace)), None)
    else:
        holder = rt.cache.workspace_id(ref)
    if holder is not None and holder != workspace.id:
        raise ConflictError(f"external id {ref!r} belongs to the workspace {holder!r}")


async def tell_of(rt: Runtime, workspace: Workspace) -> None:
    """Let what waits for this workspace go on: look-ups that missed it, and Stripe's objects that name it."""
    names = [name for name in (workspace.id, workspace.external_id, workspace.stripe_customer_id) if name]
    for name in names:
        rt.lookup.forget(name)
    await rt.inbox.release(names)
    rt.sync.wake()
