"""All that speaks about one feature of a workspace at one instant, gathered before it is decided."""

from collections.abc import Iterable

import msgspec

from app.domain.coverage import Holding, holdings
from app.domain.denial import AccessDeniedReason
from app.domain.grant import Grant, GrantSource, Override
from app.domain.plan import AccessLevel, Catalogue, Feature, PlanFeature
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


def gather(feature: Feature, state: WorkspaceState, catalogue: Catalogue, at: int) -> Findings:
    """Gather parts, grants, reasons and turns; overrides and revocations take effect here."""
    overrides = [o for o in state.overrides if o.feature_key == feature.key and _lasts(o.expires_at, at)]
    overrides.sort(key=lambda o: (o.revoked, o.updated_at, o.id), reverse=True)
    grants = tuple(sorted((g for g in state.grants if g.feature_key == feature.key), key=lambda g: g.id))
    held = holdings(state.workspace, state.subscriptions, catalogue, at)
    instants = [
        *(h.next_turn_at for h in held),
        *(o.expires_at for o in overrides),
        *(instant for g in grants for instant in (g.effective_at, g.expires_at, g.revoked_at)),
    ]
    turns = tuple(sorted({instant for instant in instants if instant is not None and instant > at}))
    of_workspace = next((o for o in overrides if o.subscription_id is None), None)
    if of_workspace is not None and of_workspace.revoked:
        return Findings((), (), (_Reason.REVOKED,), turns, ())
    active = tuple(grant for grant in grants if is_in_force(grant, at))
    by_subscription = {o.subscription_id: o for o in reversed(overrides) if o.subscription_id is not None}
    if of_workspace is not None:
        anchor = next((h for h in held if h.level is AccessLevel.FULL), None) or own_anchor(state.workspace)
        whole = msgspec.structs.replace(anchor, level=AccessLevel.FULL, reason=None, is_trial=False, in_grace=False)
        return Findings((_of_override(of_workspace, whole, state.workspace.id),), active, (), turns, ())
    parts, reasons = _parts(feature.key, held, by_subscription)
    lapsed = tuple(h for h in held if h.level is AccessLevel.NONE)
    return Findings(parts, active, reasons, turns, lapsed)


def _parts(
    feature_key: str, held: Iterable[Holding], overrides: dict[str, Override]
) -> tuple[tuple[Part, ...], tuple[AccessDeniedReason, ...]]:
    parts: list[Part] = []
    reasons: list[AccessDeniedReason] = []
    for holding in held:
        override = overrides.get(holding.subscription_id or "")
        rows = rows_of(holding, feature_key)
        if holding.level is AccessLevel.NONE:
            reasons.append(_lapse(holding, named=bool(rows) or override is not None))
        elif override is not None and override.revoked:
            reasons.append(_Reason.REVOKED)
        elif override is not None:
            parts.append(_of_override(override, holding, holding.source_id))
        elif rows:
            source = GrantSource.TRIAL if holding.subscription_id is None and holding.is_trial else GrantSource.PLAN
            ends_at = holding.trial_ends_at if source is GrantSource.TRIAL else None
            parts.append(
                Part(
                    holding=holding,
                    source=source,
                    id=f"{holding.source_id}:{feature_key}",
                    source_id=holding.source_id,
                    rows=rows,
                    expires_at=ends_at,
                )
            )
        else:
            reasons.append(_Reason.FEATURE_NOT_IN_PLAN)
    return tuple(parts), tuple(reasons)


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
    return tuple(row for row in holding.plan.features if row.feature_key == feature_key) if holding.plan else ()


def own_anchor(workspace: Workspace) -> Holding:
    """Return what anchors a workspace that has no plan at all."""
    return Holding(
        source_id=workspace.id,
        plan=None,
        level=AccessLevel.FULL,
        started_at=workspace.created_at,
        anchor_at=workspace.created_at,
    )


def _lasts(expires_at: int | None, at: int) -> bool:
    return expires_at is None or at < expires_at


def is_in_force(grant: Grant, at: int) -> bool:
    return grant.effective_at <= at and _lasts(grant.expires_at, at) and _lasts(grant.revoked_at, at)
