"""What grants and overrides may hold: what fits their feature."""

from collections.abc import Iterator
from typing import Final

from app.domain.allowance_rules import (
    allowance_faults,
    allowed_faults,
    not_counted,
    positive_faults,
    reset_faults,
    value_faults,
)
from app.domain.errors import FieldError
from app.domain.faults import INPUT, REASON_MAX, Path, expiry_faults, fault, instant_faults, text_faults
from app.domain.grant import PRIORITY, Grant, GrantSource, Override
from app.domain.plan import Feature, FeatureType, LimitBehavior, ResetPeriod

GIVEN: Final = frozenset({GrantSource.PROMOTIONAL, GrantSource.TOP_UP, GrantSource.MANUAL})
"""The sources of grants that people give; the others are computed."""
PRIORITY_MAX: Final = 1000


def grant_faults(grant: Grant, feature: Feature, now: int, *, path: Path = INPUT) -> Iterator[FieldError]:
    """Check a new grant of the feature."""
    if grant.source not in GIVEN:
        yield fault((*path, "source"), "NOT_ALLOWED", "must be PROMOTIONAL, TOP_UP or MANUAL")
    yield from allowed_faults(path, feature)
    if not feature.is_counted:
        yield from _no_amount_faults(grant, feature, path)
    elif feature.credit_key is None:
        yield from _amount_faults(grant, feature, path)
    if feature.type is FeatureType.CONFIG:
        yield from value_faults((*path, "value"), feature, grant.value)
    elif grant.value is not None:
        yield fault((*path, "value"), "NOT_ALLOWED", f"belongs to CONFIG features only; {feature.key!r} is none")
    yield from instant_faults((*path, "effectiveAt"), grant.effective_at)
    yield from expiry_faults((*path, "expiresAt"), grant.expires_at, after=grant.effective_at, now=now)
    yield from reason_faults(grant.reason, path=path)


def _amount_faults(grant: Grant, feature: Feature, path: Path) -> Iterator[FieldError]:
    if grant.unlimited == (grant.amount is not None):
        yield fault((*path, "amount"), "EXACTLY_ONE", "is needed, or unlimited, and not both")
    if grant.amount is not None:
        yield from positive_faults((*path, "amount"), grant.amount)
    if not 0 <= grant.priority <= PRIORITY_MAX:
        yield fault((*path, "priority"), "OUT_OF_RANGE", f"must lie between 0 and {PRIORITY_MAX}")
    if grant.reset_period is ResetPeriod.BILLING_CYCLE:
        yield fault((*path, "resetPeriod"), "NOT_ALLOWED", "must not be BILLING_CYCLE: a grant has none; take MONTH")
    elif grant.unlimited and grant.reset_period is not ResetPeriod.NEVER:
        yield fault((*path, "resetPeriod"), "NOT_ALLOWED", "must be NEVER where unlimited")
    else:
        yield from reset_faults(path, feature, grant.reset_period)


def _no_amount_faults(grant: Grant, feature: Feature, path: Path) -> Iterator[FieldError]:
    only = not_counted(feature)
    if grant.amount is not None:
        yield fault((*path, "amount"), "NOT_ALLOWED", only)
    if grant.unlimited:
        yield fault((*path, "unlimited"), "NOT_ALLOWED", only)
    if grant.priority != PRIORITY:
        yield fault((*path, "priority"), "NOT_ALLOWED", only)
    if grant.reset_period is not ResetPeriod.NEVER:
        yield fault((*path, "resetPeriod"), "NOT_ALLOWED", only)


def override_faults(override: Override, feature: Feature, now: int, *, path: Path = INPUT) -> Iterator[FieldError]:
    """Check a new override of the feature. A revocation says nothing else, and may be of any feature."""
    if override.revoked:
        yield from _revocation_faults(override, path)
    else:
        yield from allowance_faults(
            path,
            feature,
            limit=override.limit,
            limit_behavior=override.limit_behavior,
            reset_period=override.reset_period,
            value=override.value,
        )
    yield from expiry_faults((*path, "expiresAt"), override.expires_at, after=now, now=now)
    yield from reason_faults(override.reason, path=path)


def _revocation_faults(override: Override, path: Path) -> Iterator[FieldError]:
    if override.limit is not None or override.limit_behavior is LimitBehavior.UNLIMITED:
        yield fault((*path, "limit"), "NOT_ALLOWED", "and a revocation exclude each other")
    if override.value is not None:
        yield fault((*path, "value"), "NOT_ALLOWED", "and a revocation exclude each other")


def reason_faults(reason: str, *, path: Path = INPUT) -> Iterator[FieldError]:
    """Check why somebody did it; it may be empty."""
    if reason:
        yield from text_faults((*path, "reason"), reason, longest=REASON_MAX)
