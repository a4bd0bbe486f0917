"""All that speaks about one feature of a workspace at one instant, gathered before it is decided."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from app.domain.coverage import Holding, holdings
from app.domain.denial import AccessDeniedReason
from app.domain.grant import Grant, GrantSource, Override
from app.domain.plan import AccessLevel, Catalogue, Feature, FeatureType, PlanFeature
from app.domain.workspace import Workspace
from app.domain.workspace_state import WorkspaceState

_Reason = AccessDeniedReason


class Part(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one holding or override says of the feature."""

    holding: Holding
    source: GrantSource
    id: str
    source_id: str
    rows: tuple[PlanFeature, ...]
    expires_at: int | None = None


class Findings(msgspec.Struct, frozen=True, gc=False):
    """All that speaks about one feature at one instant, before it is decided."""

    parts: tuple[Part, ...]
    grants: tuple[Grant, ...]
    reasons: tuple[AccessDeniedReason, ...]
    turns: tuple[int, ...]
    lapsed: tuple[Holding, ...]


def gather(
    feature: Feature,
    state: WorkspaceState,
    catalogue: Catalogue,
    at: int,
    *,
    drawn_by: str | None = None,
    held: tuple[Holding, ...] | None = None,
) -> Findings:
    """Gather parts, grants, reasons and turns; overrides and revocations take effect here.

    `drawn_by` names the feature that draws on this credit type: what revokes it, revokes the credits for it.
    `held` are the workspace's holdings at `at`, where the caller has them already.
    """
    overrides = _overrides(feature.key, state, at, drawn_by=drawn_by)
    grants = tuple(sorted((g for g in state.grants if _speaks_of(g, feature)), key=lambda g: g.id))
    if held is None:
        held = holdings(state.workspace, state.subscriptions, catalogue, at)
    turns = _turns(held, overrides, grants, at)
    of_workspace = next((o for o in overrides if o.subscription_id is None), None)
    if of_workspace is not None and of_workspace.revoked:
        return Findings((), (), (_Reason.REVOKED,), turns, ())
    active = tuple(grant for grant in grants if is_in_force(grant, at))
    by_subscription = {o.subscription_id: o for o in reversed(overrides) if o.subscription_id is not None}
    parts, reasons = _parts(feature.key, held, by_subscription)
    if of_workspace is not None:
        add_ons = (part for part in parts if part.source is GrantSource.ADD_ON)
        parts = (_of_override(of_workspace, _anchor(state.workspace, held), state.workspace.id), *add_ons)
        return Findings(parts, active, (), turns, ())
    lapsed = tuple(h for h in held if h.level is AccessLevel.NONE)
    return Findings(parts, active, reasons, turns, lapsed)


def _speaks_of(grant: Grant, feature: Feature) -> bool:
    """Tell whether the grant is one of the feature; Stripe's entitlements say nothing of amounts and values."""
    if grant.feature_key != feature.key:
        return False
    return grant.source is not GrantSource.STRIPE_ENTITLEMENT or feature.type is FeatureType.BOOLEAN


def _overrides(feature_key: str, state: WorkspaceState, at: int, *, drawn_by: str | None) -> list[Override]:
    """Return the overrides that last, the one that decides first."""
    overrides = [
        override
        for override in state.overrides
        if (override.feature_key == feature_key or (override.revoked and override.feature_key == drawn_by))
        and _lasts(override.expires_at, at)
    ]
    return sorted(overrides, key=lambda o: (o.revoked, o.updated_at, o.id), reverse=True)


def _turns(held: Sequence[Holding], overrides: Sequence[Override], grants: Sequence[Grant], at: int) -> tuple[int, ...]:
    """Return when the clock alone may change something, the earliest first."""
    instants = [
        *(h.next_turn_at for h in held),
        *(o.expires_at for o in overrides),
        *(instant for g in grants for instant in (g.effective_at, g.expires_at, g.revoked_at)),
    ]
    return tuple(sorted({instant for instant in instants if instant is not None and instant > at}))


def _anchor(workspace: Workspace, held: Sequence[Holding]) -> Holding:
    """Return what a workspace's override hangs on, with full access: its first plan, or itself."""
    plans = (h for h in held if h.level is AccessLevel.FULL and not h.is_add_on)
    anchor = next(plans, None) or own_anchor(workspace)
    return msgspec.structs.replace(anchor, level=AccessLevel.FULL, reason=None, is_trial=False, in_grace=False)


def _parts(
    feature_key: str, held: Sequence[Holding], overrides: Mapping[str, Override]
) -> tuple[tuple[Part, ...], tuple[AccessDeniedReason, ...]]:
    """Return what each holding gives, or why not. An override speaks once, in place of its subscription's plans."""
    parts: list[Part] = []
    reasons: list[AccessDeniedReason] = []
    voices = _voices(held) if overrides else {}
    for holding in held:
        override = overrides.get(holding.subscription_id or "")
        rows = rows_of(holding, feature_key)
        if override is not None and not override.revoked and holding.is_add_on:
            override = None
        if holding.level is AccessLevel.NONE:
            reasons.append(_lapse(holding, named=bool(rows) or override is not None))
        elif override is not None and override.revoked:
            reasons.append(_Reason.REVOKED)
        elif override is not None:
            if voices[override.subscription_id] is holding:
                parts.append(_of_override(override, holding, holding.source_id))
        elif rows:
            parts.append(_of_plan(holding, feature_key, rows))
        else:
            reasons.append(_Reason.FEATURE_NOT_IN_PLAN)
    return tuple(parts), tuple(reasons)


def _voices(held: Iterable[Holding]) -> dict[str | None, Holding]:
    """Return for each subscription the plan whose place an override takes: the first with most access."""
    voices: dict[str | None, Holding] = {}
    for holding in held:
        if holding.level is AccessLevel.NONE or holding.is_add_on:
            continue
        known = voices.get(holding.subscription_id)
        if known is None or (known.level is not AccessLevel.FULL and holding.level is AccessLevel.FULL):
            voices[holding.subscription_id] = holding
    return voices


def _of_plan(holding: Holding, feature_key: str, rows: tuple[PlanFeature, ...]) -> Part:
    if holding.is_add_on and holding.plan is not None:
        part_id, source = f"{holding.source_id}:{holding.plan.key}:{feature_key}", GrantSource.ADD_ON
    else:
        is_trial = holding.subscription_id is None and holding.is_trial
        part_id, source = f"{holding.source_id}:{feature_key}", GrantSource.TRIAL if is_trial else GrantSource.PLAN
    return Part(
        holding=holding,
        source=source,
        id=part_id,
        source_id=holding.source_id,
        rows=rows,
        expires_at=holding.trial_ends_at if source is GrantSource.TRIAL else None,
    )


def _lapse(holding: Holding, *, named: bool) -> AccessDeniedReason:
    """Say why the holding gives nothing: its own state only where it would give the feature otherwise."""
    reason = holding.reason or _Reason.NO_ACTIVE_SUBSCRIPTION
    if named or holding.plan is None or reason is _Reason.NO_ACTIVE_SUBSCRIPTION:
        return reason
    return _Reason.FEATURE_NOT_IN_PLAN


def _of_override(override: Override, holding: Holding, source_id: str) -> Part:
    row = PlanFeature(
        feature_key=override.feature_key,
        limit=override.limit,
        limit_behavior=override.limit_behavior,
        reset_period=override.reset_period,
        value=override.value,
    )
    return Part(
        holding=holding,
        source=GrantSource.OVERRIDE,
        id=override.id,
        source_id=source_id,
        rows=(row,),
        expires_at=override.expires_at,
    )


def rows_of(holding: Holding, feature_key: str) -> tuple[PlanFeature, ...]:
    """Return what the holding's plan says of the feature; an add-on's amounts are multiplied by its quantity."""
    if holding.plan is None:
        return ()
    rows = tuple(row for row in holding.plan.features if row.feature_key == feature_key)
    return tuple(_times(row, holding.quantity) for row in rows) if holding.is_add_on else rows


def _times(row: PlanFeature, quantity: int) -> PlanFeature:
    return row if row.limit is None else msgspec.structs.replace(row, limit=row.limit * quantity)


def own_anchor(workspace: Workspace) -> Holding:
    """Return what anchors a workspace that has no plan at all."""
    return Holding(
        source_id=workspace.id,
        plan=None,
        level=AccessLevel.FULL,
        started_at=workspace.created_at,
        since_at=workspace.created_at,
        anchor_at=workspace.created_at,
    )


def _lasts(expires_at: int | None, at: int) -> bool:
    return expires_at is None or at < expires_at


def is_in_force(grant: Grant, at: int) -> bool:
    return grant.effective_at <= at and _lasts(grant.expires_at, at) and _lasts(grant.revoked_at, at)
