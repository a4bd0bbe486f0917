"""The one door that decides access: `evaluate`, a pure function of records and the instant."""

from decimal import Decimal
from typing import Final

import msgspec

from app.domain.config_value import allows, merge_values
from app.domain.coverage import holdings, of_default_plan
from app.domain.denial import AccessDeniedReason
from app.domain.findings import Findings, gather, is_in_force, own_anchor, rows_of
from app.domain.grant import GrantSource
from app.domain.metering import Group, UsageAnswer, decide_usage, limits_of
from app.domain.plan import (
    AccessLevel,
    Catalogue,
    ConfigValue,
    Feature,
    FeatureType,
    LimitBehavior,
    MeterType,
    ResetPeriod,
)
from app.domain.usage import Balance, UsageWindow
from app.domain.workspace_state import WorkspaceState

_Reason = AccessDeniedReason

_MOST_SPECIFIC: Final = (
    _Reason.REVOKED,
    _Reason.SUBSCRIPTION_PAST_DUE,
    _Reason.SUBSCRIPTION_PAUSED,
    _Reason.SUBSCRIPTION_INCOMPLETE,
    _Reason.TRIAL_EXPIRED,
    _Reason.PRICE_NOT_IN_CATALOG,
    _Reason.FEATURE_NOT_IN_PLAN,
    _Reason.NO_ACTIVE_SUBSCRIPTION,
)


class Contribution(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One thing that adds to an answer.

    `id` is the grant's or override's own id, or `source_id:feature_key` where a plan contributes;
    `source_id` is the subscription's, the plan's (free plan, trial) or the workspace's id.
    """

    id: str
    source: GrantSource
    source_id: str
    limit_behavior: LimitBehavior
    amount: Decimal | None = None
    value: ConfigValue | None = None
    reset_period: ResetPeriod | None = None
    effective_at: int | None = None
    expires_at: int | None = None


class Entitlement(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The answer. `valid_until_at` is the next instant at which the clock alone can change it; None is never."""

    feature_key: str
    feature: Feature | None
    has_access: bool
    access_denied_reason: AccessDeniedReason | None
    limit_behavior: LimitBehavior = LimitBehavior.HARD
    read_only: bool = False
    in_grace: bool = False
    grace_ends_at: int | None = None
    is_trial: bool = False
    trial_ends_at: int | None = None
    value: ConfigValue | None = None
    usage: UsageAnswer | None = None
    grants: tuple[Contribution, ...] = ()
    valid_until_at: int | None = None
    version: int = 0


def denied(
    feature_key: str, reason: AccessDeniedReason, feature: Feature | None = None, version: int = 0
) -> Entitlement:
    """Return the answer for a check that never reaches a plan."""
    return Entitlement(
        feature_key=feature_key, feature=feature, has_access=False, access_denied_reason=reason, version=version
    )


def evaluate(
    feature_key: str,
    state: WorkspaceState | None,
    catalogue: Catalogue,
    at: int,
    *,
    requested_usage: Decimal | None = None,
    requested_values: tuple[str, ...] | None = None,
) -> Entitlement:
    """Decide whether the workspace may use the feature at `at`, for that amount and those values.

    METERED features are asked for 1 unless told otherwise; 0 asks whether the feature is there at all.
    In a read-only state BOOLEAN and CONFIG features answer with `read_only`; METERED ones allow no further usage.
    """
    if state is None:
        return denied(feature_key, _Reason.WORKSPACE_NOT_FOUND)
    feature = catalogue.features.get(feature_key)
    if state.workspace.archived_at is not None:
        return denied(feature_key, _Reason.WORKSPACE_ARCHIVED, feature, state.version)
    if feature is None:
        return denied(feature_key, _Reason.FEATURE_NOT_FOUND, version=state.version)
    mismatch = (requested_usage is not None and feature.type is not FeatureType.METERED) or (
        requested_values is not None and feature.type is not FeatureType.CONFIG
    )
    if mismatch:
        return denied(feature_key, _Reason.FEATURE_TYPE_MISMATCH, feature, state.version)
    found = gather(feature, state, catalogue, at)
    answer = _frame(feature, state, found)
    if feature.type is FeatureType.METERED:
        return _metered(answer, found, state.balance, at, Decimal(1) if requested_usage is None else requested_usage)
    return _valued(answer, feature, found, requested_values or ())


def usage_windows(feature_key: str, state: WorkspaceState, catalogue: Catalogue, at: int) -> tuple[UsageWindow, ...]:
    """Return every window in which usage at `at` counts, so that whichever plan decides later finds it counted."""
    held = [*holdings(state.workspace, state.subscriptions, catalogue, at), own_anchor(state.workspace)]
    if default := catalogue.default_plan():
        held.append(of_default_plan(state.workspace, default))
    overridden = {o.reset_period for o in state.overrides if o.feature_key == feature_key and not o.revoked}
    windows = {UsageWindow(ResetPeriod.NEVER, 0, None)}
    for holding in (holding for holding in held if not holding.ended):
        resets = {row.reset_period for row in rows_of(holding, feature_key)} | overridden
        periods = ((reset, holding.period(reset, at)) for reset in resets)
        windows.update(UsageWindow(reset, period.start_at, period.end_at) for reset, period in periods)
    grants = (grant for grant in state.grants if grant.feature_key == feature_key and is_in_force(grant, at))
    windows.update(UsageWindow(ResetPeriod.NEVER, grant.effective_at, None) for grant in grants)
    return tuple(sorted(windows, key=lambda window: (window.reset_period, window.start_at)))


def _frame(feature: Feature, state: WorkspaceState, found: Findings) -> Entitlement:
    """Fill in all that does not depend on what was asked for; denied until decided."""
    reason = next((reason for reason in _MOST_SPECIFIC if reason in found.reasons), _Reason.NO_ACTIVE_SUBSCRIPTION)
    givers = [part.holding for part in found.parts]
    in_grace = bool(givers) and all(holding.in_grace for holding in givers)
    is_trial = bool(givers) and all(holding.is_trial for holding in givers)
    graces = [h.grace_ends_at for h in (givers if in_grace else found.lapsed) if h.grace_ends_at is not None]
    trials = [h.trial_ends_at for h in (givers if is_trial else found.lapsed) if h.trial_ends_at is not None]
    return Entitlement(
        feature_key=feature.key,
        feature=feature,
        has_access=False,
        access_denied_reason=reason,
        in_grace=in_grace,
        grace_ends_at=max(graces, default=None) if in_grace or reason is _Reason.SUBSCRIPTION_PAST_DUE else None,
        is_trial=is_trial,
        trial_ends_at=max(trials, default=None) if is_trial or reason is _Reason.TRIAL_EXPIRED else None,
        grants=_contributions(feature, found),
        valid_until_at=min(found.turns, default=None),
        version=state.version,
    )


def _contributions(feature: Feature, found: Findings) -> tuple[Contribution, ...]:
    metered = feature.type is FeatureType.METERED
    plans = (
        Contribution(
            id=part.id,
            source=part.source,
            source_id=part.source_id,
            limit_behavior=row.limit_behavior,
            amount=row.limit if metered else None,
            value=row.value,
            reset_period=row.reset_period if metered else None,
            expires_at=part.expires_at,
        )
        for part in found.parts
        for row in part.rows
    )
    grants = (
        Contribution(
            id=grant.id,
            source=grant.source,
            source_id=grant.workspace_id,
            limit_behavior=LimitBehavior.UNLIMITED if grant.unlimited else LimitBehavior.HARD,
            amount=grant.amount,
            value=grant.value,
            effective_at=grant.effective_at,
            expires_at=grant.expires_at,
        )
        for grant in found.grants
    )
    return (*plans, *grants)


def _valued(answer: Entitlement, feature: Feature, found: Findings, requested: tuple[str, ...]) -> Entitlement:
    """Decide a BOOLEAN or CONFIG feature."""
    full = [part for part in found.parts if part.holding.level is AccessLevel.FULL]
    parts = full or ([] if found.grants else found.parts)
    if not parts and not found.grants:
        return answer
    read_only = not full and not found.grants
    value: ConfigValue | None = None
    if feature.type is FeatureType.CONFIG:
        plans = [(part.holding.started_at, row.value) for part in parts for row in part.rows if row.value is not None]
        grants = [(grant.effective_at, grant.value) for grant in found.grants if grant.value is not None]
        value = merge_values(feature, plans, grants)
        if not allows(feature, value, requested):
            reason = _Reason.REQUESTED_VALUE_NOT_ALLOWED
            return msgspec.structs.replace(answer, value=value, read_only=read_only, access_denied_reason=reason)
    return msgspec.structs.replace(answer, has_access=True, access_denied_reason=None, value=value, read_only=read_only)


def _metered(answer: Entitlement, found: Findings, balance: Balance | None, at: int, requested: Decimal) -> Entitlement:
    """Decide a METERED feature."""
    full = [part for part in found.parts if part.holding.level is AccessLevel.FULL]
    parts = full or ([] if found.grants else found.parts)
    if not parts and not found.grants:
        return answer
    meters = balance.meters.get(answer.feature_key, ()) if balance else ()
    groups = [Group(part.id, part.rows, part.holding) for part in parts]
    is_level = answer.feature is not None and answer.feature.meter_type is MeterType.FLUCTUATING
    allowance = decide_usage(limits_of(groups, found.grants, meters, at, is_level=is_level), requested)
    ends = [end for end in (*allowance.turns, answer.valid_until_at) if end is not None]
    read_only = not full and not found.grants
    stopped = read_only and requested > 0
    reason = parts[0].holding.reason if stopped else (None if allowance.passes else _Reason.USAGE_LIMIT_EXCEEDED)
    return msgspec.structs.replace(
        answer,
        has_access=reason is None,
        access_denied_reason=reason,
        read_only=read_only,
        limit_behavior=allowance.behavior,
        usage=allowance.usage,
        valid_until_at=min(ends, default=None),
    )
