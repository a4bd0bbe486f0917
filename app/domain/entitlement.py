"""The one door that decides access: `evaluate`, a pure function of records and the instant."""

from decimal import Decimal
from enum import StrEnum

import msgspec

from app.domain.grant import Grant, GrantSource, Override
from app.domain.plan import Catalogue, ConfigValue, Feature, LimitBehavior, ResetPeriod
from app.domain.subscription import Subscription
from app.domain.usage import Balance
from app.domain.workspace import Workspace


class AccessDeniedReason(StrEnum):
    """Why not. The most specific reason is given."""

    WORKSPACE_NOT_FOUND = "WORKSPACE_NOT_FOUND"
    WORKSPACE_ARCHIVED = "WORKSPACE_ARCHIVED"
    FEATURE_NOT_FOUND = "FEATURE_NOT_FOUND"
    FEATURE_TYPE_MISMATCH = "FEATURE_TYPE_MISMATCH"
    NO_ACTIVE_SUBSCRIPTION = "NO_ACTIVE_SUBSCRIPTION"
    SUBSCRIPTION_PAST_DUE = "SUBSCRIPTION_PAST_DUE"
    SUBSCRIPTION_PAUSED = "SUBSCRIPTION_PAUSED"
    SUBSCRIPTION_INCOMPLETE = "SUBSCRIPTION_INCOMPLETE"
    TRIAL_EXPIRED = "TRIAL_EXPIRED"
    PRICE_NOT_IN_CATALOG = "PRICE_NOT_IN_CATALOG"
    FEATURE_NOT_IN_PLAN = "FEATURE_NOT_IN_PLAN"
    REVOKED = "REVOKED"
    USAGE_LIMIT_EXCEEDED = "USAGE_LIMIT_EXCEEDED"
    REQUESTED_VALUE_NOT_ALLOWED = "REQUESTED_VALUE_NOT_ALLOWED"
    STATE_UNKNOWN = "STATE_UNKNOWN"


class WorkspaceState(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """All that decides what one workspace may use, beside the catalogue. The order within the tuples does not matter.

    `version` is the sum of the versions of the workspace's records, dead ones too, so that it never falls.
    """

    workspace: Workspace
    subscriptions: tuple[Subscription, ...] = ()
    grants: tuple[Grant, ...] = ()
    overrides: tuple[Override, ...] = ()
    balance: Balance | None = None
    version: int = 0


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


class UsageAnswer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Usage in the window that binds most. `limit` and `remaining` are None where unlimited."""

    used: Decimal
    limit: Decimal | None
    remaining: Decimal | None
    overage: Decimal
    period_start_at: int | None
    resets_at: int | None


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


class UsageWindow(msgspec.Struct, frozen=True, gc=False):
    """A window in which usage of a feature must be counted now."""

    reset_period: ResetPeriod
    start_at: int
    end_at: int | None


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
    """Decide whether the workspace may use the feature at `at`, for that amount (default 1 for METERED) and those values."""
    raise AssertionError((feature_key, state, catalogue, at, requested_usage, requested_values))


def usage_windows(feature_key: str, state: WorkspaceState, catalogue: Catalogue, at: int) -> tuple[UsageWindow, ...]:
    """Return every window in which usage at `at` counts, so that whichever plan decides later finds it counted."""
    raise AssertionError((feature_key, state, catalogue, at))
