"""Grants and overrides: what people give, take away and decide beside the plans."""

from collections.abc import Sequence
from decimal import Decimal
from functools import partial

import msgspec
from msgspec import structs

from app.domain import ids
from app.domain.api_key import Principal
from app.domain.change import Record
from app.domain.errors import NotFoundError
from app.domain.faults import idempotency_key_faults, refuse
from app.domain.grant import PRIORITY, Grant, GrantSource, Override
from app.domain.grant_rules import grant_faults, override_faults, reason_faults
from app.domain.plan import ConfigValue, LimitBehavior, ResetPeriod
from app.domain.workspace_state import WorkspaceState
from app.runtime import Runtime
from app.services.loading import load_feature, load_record, load_state, load_workspace, refuse_archived
from app.services.result import Written, until_settled, written, written_or_current


class GrantEntitlementInput(msgspec.Struct, frozen=True, kw_only=True):
    """`effective_at` None is now; it may lie in the past."""

    idempotency_key: str
    workspace_id: str
    feature_key: str
    source: GrantSource
    amount: Decimal | None = None
    unlimited: bool = False
    value: ConfigValue | None = None
    priority: int = PRIORITY
    reset_period: ResetPeriod = ResetPeriod.NEVER
    effective_at: int | None = None
    expires_at: int | None = None
    reason: str = ""


class RevokeGrantInput(msgspec.Struct, frozen=True, kw_only=True):
    """`reason` replaces the grant's where it is not empty."""

    idempotency_key: str
    grant_id: str
    reason: str = ""


class SetOverrideInput(msgspec.Struct, frozen=True, kw_only=True):
    """`subscription_id` None overrides for the whole workspace."""

    idempotency_key: str
    workspace_id: str
    feature_key: str
    subscription_id: str | None = None
    revoked: bool = False
    limit: Decimal | None = None
    limit_behavior: LimitBehavior = LimitBehavior.HARD
    reset_period: ResetPeriod = ResetPeriod.NEVER
    value: ConfigValue | None = None
    expires_at: int | None = None
    reason: str = ""


class RemoveOverrideInput(msgspec.Struct, frozen=True, kw_only=True):
    idempotency_key: str
    override_id: str


async def grant_entitlement(rt: Runtime, principal: Principal, input: GrantEntitlementInput) -> Written[Grant]:
    """Give an amount or a value on top of what the plans give."""
    refuse(idempotency_key_faults(input.idempotency_key))
    new_id = rt.ids.new(ids.GRANT)

    async def decide(conflicts: int) -> Sequence[Record]:
        workspace = await load_workspace(rt, input.workspace_id, fresh=conflicts > 0)
        feature = await load_feature(rt, input.feature_key)
        refuse_archived(workspace)
        now = rt.clock.now_at()
        grant = _grant(input, new_id, workspace.id, now)
        refuse(grant_faults(grant, feature, now))
        return (grant,)

    return written(await until_settled(rt, principal, "grantEntitlement", input, decide), Grant)


async def revoke_grant(rt: Runtime, principal: Principal, input: RevokeGrantInput) -> Written[Grant]:
    """End a grant now. Revoking a revoked one changes nothing and answers with it as it is."""
    refuse(idempotency_key_faults(input.idempotency_key), reason_faults(input.reason))
    load = partial(load_record, rt, Grant, input.grant_id, "grant")

    async def decide(_conflicts: int) -> Sequence[Record]:
        grant = await load()
        if grant.revoked_at is not None:
            return ()
        return (structs.replace(grant, revoked_at=rt.clock.now_at(), reason=input.reason or grant.reason),)

    return await written_or_current(await until_settled(rt, principal, "revokeGrant", input, decide), Grant, load)


async def set_override(rt: Runtime, principal: Principal, input: SetOverrideInput) -> Written[Override]:
    """Decide a feature for a subscription or a workspace; replaces what was decided there before."""
    refuse(idempotency_key_faults(input.idempotency_key))
    new_id = rt.ids.new(ids.OVERRIDE)

    async def decide(conflicts: int) -> Sequence[Record]:
        state = await load_state(rt, input.workspace_id, fresh=conflicts > 0)
        feature = await load_feature(rt, input.feature_key)
        refuse_archived(state.workspace)
        _refuse_foreign_subscription(state, input.subscription_id)
        override = _override(input, state, new_id)
        refuse(override_faults(override, feature, rt.clock.now_at()))
        return (override,)

    return written(await until_settled(rt, principal, "setOverride", input, decide), Override)


async def remove_override(rt: Runtime, principal: Principal, input: RemoveOverrideInput) -> Written[Override]:
    """Let the plans decide again. Removing a removed one changes nothing and answers with it as it is."""
    refuse(idempotency_key_faults(input.idempotency_key))
    load = partial(load_record, rt, Override, input.override_id, "override")

    async def decide(_conflicts: int) -> Sequence[Record]:
        override = await load()
        return () if override.deleted_at is not None else (structs.replace(override, deleted_at=rt.clock.now_at()),)

    return await written_or_current(await until_settled(rt, principal, "removeOverride", input, decide), Override, load)


def _grant(input: GrantEntitlementInput, id: str, workspace_id: str, now: int) -> Grant:
    return Grant(
        id=id,
        workspace_id=workspace_id,
        feature_key=input.feature_key,
        source=input.source,
        effective_at=now if input.effective_at is None else input.effective_at,
        expires_at=input.expires_at,
        amount=input.amount,
        unlimited=input.unlimited,
        value=input.value,
        priority=input.priority,
        reset_period=input.reset_period,
        reason=input.reason,
    )


def _override(input: SetOverrideInput, state: WorkspaceState, id: str) -> Override:
    place = (input.subscription_id, input.feature_key)
    replaced = next((held for held in state.overrides if (held.subscription_id, held.feature_key) == place), None)
    base = replaced or Override(id=id, workspace_id=state.workspace.id, feature_key=input.feature_key)
    return structs.replace(
        base,
        subscription_id=input.subscription_id,
        revoked=input.revoked,
        limit=input.limit,
        limit_behavior=input.limit_behavior,
        reset_period=input.reset_period,
        value=input.value,
        expires_at=input.expires_at,
        reason=input.reason,
    )


def _refuse_foreign_subscription(state: WorkspaceState, subscription_id: str | None) -> None:
    if subscription_id is not None and subscription_id not in {sub.id for sub in state.subscriptions}:
        raise NotFoundError("subscription", subscription_id)
