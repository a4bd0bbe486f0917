"""What grants and overrides may hold: what fits their feature."""

from collections.abc import Iterator

from app.domain.catalogue_rules import allowance_faults, value_faults
from app.domain.errors import FieldError
from app.domain.faults import INPUT, REASON_MAX, expiry_faults, fault, instant_faults, quantity_faults, text_faults
from app.domain.grant import Grant, GrantSource, Override
from app.domain.plan import Feature, FeatureType, LimitBehavior

GIVEN: frozenset[GrantSource] = frozenset({GrantSource.PROMOTIONAL, GrantSource.MANUAL})
"""The sources of grants that people give; the others are computed."""


def grant_faults(grant: Grant, feature: Feature, now: int) -> Iterator[FieldError]:
    """Check a new grant of the feature."""
    if grant.source not in GIVEN:
        yield fault((*INPUT, "source"), "NOT_ALLOWED", "must be PROMOTIONAL or MANUAL")
    yield from _grant_amount_faults(grant, feature)
    if feature.type is FeatureType.CONFIG:
        yield from value_faults((*INPUT, "value"), feature, grant.value)
    elif grant.value is not None:
        yield fault((*INPUT, "value"), "NOT_ALLOWED", f"belongs to CONFIG features only; {feature.key!r} is none")
    yield from instant_faults((*INPUT, "effectiveAt"), grant.effective_at)
    yield from expiry_faults((*INPUT, "expiresAt"), grant.expires_at, after=grant.effective_at, now=now)
    yield from reason_faults(grant.reason)


def _grant_amount_faults(grant: Grant, feature: Feature) -> Iterator[FieldError]:
    path = (*INPUT, "amount")
    if feature.type is not FeatureType.METERED:
        if grant.amount is not None or grant.unlimited:
            problem = f"and unlimited belong to METERED features only; {feature.key!r} is none"
            yield fault(path, "NOT_ALLOWED", problem)
        return
    if grant.unlimited == (grant.amount is not None):
        yield fault(path, "EXACTLY_ONE", "is needed, or unlimited, and not both")
    if grant.amount is not None:
        yield from quantity_faults(path, grant.amount)
        if grant.amount == 0:
            yield fault(path, "OUT_OF_RANGE", "must be above 0")


def override_faults(override: Override, feature: Feature, now: int) -> Iterator[FieldError]:
    """Check a new override of the feature. A revocation says nothing else."""
    if override.revoked:
        yield from _revocation_faults(override)
    else:
        yield from allowance_faults(
            INPUT,
            feature,
            limit=override.limit,
            limit_behavior=override.limit_behavior,
            reset_period=override.reset_period,
            value=override.value,
        )
    yield from expiry_faults((*INPUT, "expiresAt"), override.expires_at, after=now, now=now)
    yield from reason_faults(override.reason)


def _revocation_faults(override: Override) -> Iterator[FieldError]:
    if override.limit is not None or override.limit_behavior is LimitBehavior.UNLIMITED:
        yield fault((*INPUT, "limit"), "NOT_ALLOWED", "and a revocation exclude each other")
    if override.value is not None:
        yield fault((*INPUT, "value"), "NOT_ALLOWED", "and a revocation exclude each other")


def reason_faults(reason: str) -> Iterator[FieldError]:
    """Check why somebody did it; it may be empty."""
    if reason:
        yield from text_faults((*INPUT, "reason"), reason, longest=REASON_MAX)
