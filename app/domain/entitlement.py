"""The one door that decides access: `evaluate`, a pure function of records and the instant."""

import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

import msgspec

from app.domain.config_value import allows, merge_values
from app.domain.contribution import Contribution, of_buckets, of_grants, of_parts, of_rollover
from app.domain.coverage import Holding, holdings, of_default_plan
from app.domain.denial import AccessDeniedReason
from app.domain.findings import Findings, gather, own_anchor, rows_of
from app.domain.grant import GrantSource
from app.domain.offer import Offer, offer_of
from app.domain.plan import (
    AccessLevel,
    Catalogue,
    ConfigValue,
    Feature,
    FeatureType,
    LimitBehavior,
    ResetPeriod,
)
from app.domain.supply import Supply, supply_of
from app.domain.usage import UsageWindow, charge_of
from app.domain.workspace_state import WorkspaceState

_Reason = AccessDeniedReason
_ZERO: Final = Decimal(0)

MOST_SPECIFIC: Final = (
    _Reason.REVOKED,
    _Reason.SUBSCRIPTION_PAST_DUE,
    _Reason.SUBSCRIPTION_PAUSED,
    _Reason.SUBSCRIPTION_INCOMPLETE,
    _Reason.TRIAL_EXPIRED,
    _Reason.PRICE_NOT_IN_CATALOG,
    _Reason.FEATURE_NOT_IN_PLAN,
    _Reason.NO_ACTIVE_SUBSCRIPTION,
)
"""Why nothing gives the feature: the first of these that is found is the reason."""


class Gauge(msgspec.Struct, frozen=True, gc=False):
    """What is used of one of the plans' windows, and at which percentages of its `limit` somebody wants to be told."""

    reset_period: ResetPeriod
    period_start_at: int
    used: Decimal
    limit: Decimal
    thresholds: tuple[int, ...]


class UsageAnswer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Usage in the window that binds most, with all that stands beside it. In credits for CREDIT features.

    `limit` and `remaining` are None where unlimited. `reserved` is held back and neither used nor remaining. `gauges`
    are of the windows that have thresholds and a limit.
    """

    used: Decimal
    reserved: Decimal
    limit: Decimal | None
    remaining: Decimal | None
    overage: Decimal
    period_start_at: int | None
    resets_at: int | None
    gauges: tuple[Gauge, ...] = ()


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

    METERED and CREDIT features are asked for 1 unless told otherwise; 0 asks whether the feature is there at all.
    In a read-only state BOOLEAN and CONFIG features answer with `read_only`; the others allow no further usage.
    """
    answer, _ = assess(
        feature_key, state, catalogue, at, requested_usage=requested_usage, requested_values=requested_values
    )
    return answer


def assess(
    feature_key: str,
    state: WorkspaceState | None,
    catalogue: Catalogue,
    at: int,
    *,
    requested_usage: Decimal | None = None,
    requested_values: tuple[str, ...] | None = None,
) -> tuple[Entitlement, Supply | None]:
    """Evaluate, and return also what the answer was drawn from; None where nothing is counted."""
    if state is None:
        return denied(feature_key, _Reason.WORKSPACE_NOT_FOUND), None
    feature = catalogue.features.get(feature_key)
    if state.workspace.archived_at is not None:
        return denied(feature_key, _Reason.WORKSPACE_ARCHIVED, feature, state.version), None
    if feature is None:
        return denied(feature_key, _Reason.FEATURE_NOT_FOUND, version=state.version), None
    mismatch = (requested_usage is not None and not feature.is_counted) or (
        requested_values is not None and feature.type is not FeatureType.CONFIG
    )
    if mismatch:
        return denied(feature_key, _Reason.FEATURE_TYPE_MISMATCH, feature, state.version), None
    found = findings_of(feature, state, catalogue, at)
    answer = _frame(feature, state, found)
    if not feature.is_counted:
        return _valued(answer, feature, found, requested_values or ()), None
    offer = offer_of(catalogue.balance_feature(feature), found, at)
    supply = supply_of(offer, state.balance, at)
    charge = charge_of(feature, Decimal(1) if requested_usage is None else requested_usage)
    return _counted(answer, feature, found, offer, supply, charge), supply


def refusal(feature: Feature, offer: Offer, supply: Supply, charge: Decimal) -> AccessDeniedReason | None:
    """Return why the charge may not be used of what is given; None where it may."""
    if charge > 0 and offer.read_only_for is not None:
        return offer.read_only_for
    if supply.passes(charge):
        return None
    return _Reason.INSUFFICIENT_CREDITS if feature.type is FeatureType.CREDIT else _Reason.USAGE_LIMIT_EXCEEDED


def findings_of(
    feature: Feature, state: WorkspaceState, catalogue: Catalogue, at: int, *, held: tuple[Holding, ...] | None = None
) -> Findings:
    """Gather all that speaks about the feature; of one that draws on credits, all that speaks about the credit type.

    A revocation of the feature itself holds, whatever credits there are.
    """
    return gather(catalogue.balance_feature(feature), state, catalogue, at, drawn_by=feature.key, held=held)


def usage_windows(
    feature: Feature, state: WorkspaceState, catalogue: Catalogue, at: int, *, held: tuple[Holding, ...] | None = None
) -> tuple[UsageWindow, ...]:
    """Return every window in which usage at `at` counts, so that whichever plan decides later finds it counted.

    `feature` is the one whose balance is used: a credit type for what draws on it. A level has one window, for ever.
    """
    windows = {(ResetPeriod.NEVER, 0): UsageWindow(ResetPeriod.NEVER, 0, None)}
    if feature.is_level:
        return tuple(windows.values())
    if held is None:
        held = holdings(state.workspace, state.subscriptions, catalogue, at)
    anchors = [*held, own_anchor(state.workspace)]
    if default := catalogue.default_plan():
        anchors.append(of_default_plan(state.workspace, default))
    overridden = {o.reset_period for o in state.overrides if o.feature_key == feature.key and not o.revoked}
    for holding in (h for h in anchors if not h.ended and not h.is_add_on):
        for reset in {row.reset_period for row in rows_of(holding, feature.key)} | overridden:
            period = holding.period(reset, at)
            window = UsageWindow(reset, period.start_at, period.end_at)
            # Two that start together are one, although a month from the 31st may end later than one from the 28th.
            name = reset, period.start_at
            windows[name] = max(windows.get(name, window), window, key=_end)
    return tuple(windows[name] for name in sorted(windows))


def _end(window: UsageWindow) -> float:
    return math.inf if window.end_at is None else window.end_at


def _frame(feature: Feature, state: WorkspaceState, found: Findings) -> Entitlement:
    """Fill in all that does not depend on what was asked for; denied until decided."""
    reason = next((reason for reason in MOST_SPECIFIC if reason in found.reasons), _Reason.NO_ACTIVE_SUBSCRIPTION)
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
        grants=(*of_parts(found, is_counted=feature.is_counted), *of_grants(found)),
        valid_until_at=min(found.turns, default=None),
        version=state.version,
    )


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
        if not allows(feature.value_type, value, requested):
            reason = _Reason.REQUESTED_VALUE_NOT_ALLOWED
            return msgspec.structs.replace(answer, value=value, read_only=read_only, access_denied_reason=reason)
    return msgspec.structs.replace(answer, has_access=True, access_denied_reason=None, value=value, read_only=read_only)


def _counted(
    answer: Entitlement, feature: Feature, found: Findings, offer: Offer, supply: Supply, charge: Decimal
) -> Entitlement:
    """Decide a METERED or CREDIT feature."""
    if feature.is_level:
        grants = answer.grants
    else:
        plans = tuple(part for part in of_parts(found, is_counted=True) if part.source is not GrantSource.ADD_ON)
        grants = (*plans, *of_buckets(supply), *of_rollover(supply))
    if supply.is_empty:
        return msgspec.structs.replace(answer, grants=grants)
    ends = [*supply.turns, *([answer.valid_until_at] if answer.valid_until_at is not None else [])]
    reason = refusal(feature, offer, supply, charge)
    windows = supply.windows
    usage = usage_of(supply)
    behavior = min(windows, key=lambda window: window.left).behavior if windows else LimitBehavior.HARD
    return msgspec.structs.replace(
        answer,
        has_access=reason is None,
        access_denied_reason=reason,
        read_only=offer.read_only_for is not None,
        limit_behavior=LimitBehavior.UNLIMITED if usage.limit is None else behavior,
        usage=usage,
        grants=grants,
        valid_until_at=min(ends, default=None),
    )


def usage_of(supply: Supply) -> UsageAnswer:
    """Add up what was used and what is left, in the window that binds and in every pot."""
    window = min(supply.windows, key=lambda window: window.left, default=None)
    sources = [*supply.buckets, *([window] if window else [])]
    used = sum((source.used for source in sources), _ZERO)
    reserved = sum((source.reserved for source in sources), _ZERO)
    amounts = [source.capacity for source in sources]
    limit = None if None in amounts else sum((amount for amount in amounts if amount is not None), _ZERO)
    beyond = (max(_ZERO, source.used - source.capacity) for source in sources if source.capacity is not None)
    return UsageAnswer(
        used=used,
        reserved=reserved,
        limit=limit,
        remaining=None if limit is None else sum((source.left for source in sources), _ZERO),
        overage=_ZERO if limit is None else sum(beyond, _ZERO),
        period_start_at=(window.period.start_at or None) if window else None,
        resets_at=window.period.end_at if window else None,
        gauges=tuple(_gauges(supply)),
    )


def _gauges(supply: Supply) -> Iterator[Gauge]:
    for ref, window in supply.every_window.items():
        if window.thresholds and window.capacity:
            yield Gauge(ref.reset_period, ref.start_at, window.used, window.capacity, window.thresholds)
