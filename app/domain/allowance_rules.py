"""Whether a limit or a value fits its feature, for plans, overrides and grants alike."""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from app.domain.errors import FieldError
from app.domain.faults import INPUT, Path, fault, quantity_faults, text_faults
from app.domain.plan import ConfigValue, Feature, FeatureType, LimitBehavior, ResetPeriod, ValueType

VALUE_MAX: Final = 500
INTEGER_BOUND: Final = 2**63
"""Integers are stored in 64 bits."""

_DECIMAL: Final = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,9})?")


def allowance_faults(
    path: Path,
    feature: Feature,
    *,
    limit: Decimal | None,
    limit_behavior: LimitBehavior,
    reset_period: ResetPeriod,
    value: ConfigValue | None,
) -> Iterator[FieldError]:
    """Check that what a plan or an override says may be said of the feature, and fits its type."""
    yield from allowed_faults(path, feature)
    if feature.credit_key is not None:
        return
    if feature.type is not FeatureType.CONFIG and value is not None:
        yield fault((*path, "value"), "NOT_ALLOWED", f"belongs to CONFIG features only; {feature.key!r} is none")
    if feature.is_counted:
        yield from _limit_faults((*path, "limit"), limit, limit_behavior)
        yield from reset_faults(path, feature, reset_period)
        return
    only = not_counted(feature)
    if limit is not None:
        yield fault((*path, "limit"), "NOT_ALLOWED", only)
    if limit_behavior is not LimitBehavior.HARD:
        yield fault((*path, "limitBehavior"), "NOT_ALLOWED", only)
    if reset_period is not ResetPeriod.NEVER:
        yield fault((*path, "resetPeriod"), "NOT_ALLOWED", only)
    if feature.type is FeatureType.CONFIG:
        yield from value_faults((*path, "value"), feature, value)


def allowed_faults(path: Path, feature: Feature) -> Iterator[FieldError]:
    """Check that anything may be given of the feature: it is not archived and draws on no credits."""
    if feature.archived_at is not None:
        yield fault((*path, "featureKey"), "ARCHIVED", f"names {feature.key!r}, which is archived")
    if feature.credit_key is not None:
        problem = f"names {feature.key!r}, which draws on credits; name the credit type {feature.credit_key!r} instead"
        yield fault((*path, "featureKey"), "NOT_ALLOWED", problem)


def not_counted(feature: Feature) -> str:
    """Say of a field that it is for features that are used in amounts, and that this is none."""
    return f"belongs to METERED and CREDIT features only; {feature.key!r} is none"


def _limit_faults(path: Path, limit: Decimal | None, limit_behavior: LimitBehavior) -> Iterator[FieldError]:
    if limit_behavior is LimitBehavior.UNLIMITED:
        if limit is not None:
            yield fault(path, "NOT_ALLOWED", "must be left out where limitBehavior is UNLIMITED")
    elif limit is None:
        yield fault(path, "REQUIRED", "is needed unless limitBehavior is UNLIMITED")
    else:
        yield from quantity_faults(path, limit)


def reset_faults(path: Path, feature: Feature, reset_period: ResetPeriod) -> Iterator[FieldError]:
    """Check that only what counts up resets."""
    if feature.is_level and reset_period is not ResetPeriod.NEVER:
        problem = f"must be NEVER: {feature.key!r} is FLUCTUATING, a level that never resets"
        yield fault((*path, "resetPeriod"), "NOT_ALLOWED", problem)


def positive_faults(path: Path, amount: Decimal) -> Iterator[FieldError]:
    """Check a quantity that must be above 0."""
    yield from quantity_faults(path, amount)
    if amount == 0:
        yield fault(path, "OUT_OF_RANGE", "must be above 0")


def value_faults(path: Path, feature: Feature, value: ConfigValue | None) -> Iterator[FieldError]:
    """Check that the value is one of the CONFIG feature's value type."""
    if value is None:
        yield fault(path, "REQUIRED", f"is needed: {feature.key!r} is a CONFIG feature")
    elif problem := _value_problem(feature, value):
        yield fault(path, "INVALID_VALUE", problem)


def _value_problem(feature: Feature, value: ConfigValue) -> str | None:
    match feature.value_type:
        case ValueType.INTEGER:
            return None if _is_integer(value) else "must be an integer of 64 bits"
        case ValueType.DECIMAL:
            return None if _is_decimal(value) else 'must be a decimal in a string: "0.25"'
        case ValueType.STRING:
            is_text = isinstance(value, str) and not tuple(text_faults(INPUT, value, longest=VALUE_MAX))
            return None if is_text else f"must be a text of 1 to {VALUE_MAX} characters"
        case ValueType.ENUM:
            return _enum_problem(feature, value)
        case None:
            return "has no type to fit"


def _is_integer(value: ConfigValue) -> bool:
    # A bool is an int in Python and never one in the API.
    return isinstance(value, int) and not isinstance(value, bool) and -INTEGER_BOUND <= value < INTEGER_BOUND


def _is_decimal(value: ConfigValue) -> bool:
    if not isinstance(value, str) or not _DECIMAL.fullmatch(value):
        return False
    return not tuple(quantity_faults(INPUT, Decimal(value), lowest=None))


def _enum_problem(feature: Feature, value: ConfigValue) -> str | None:
    problem = f"must be a list of one or more of {', '.join(feature.enum_values)}, each once"
    if not isinstance(value, tuple) or not value:
        return problem
    is_known = all(choice in feature.enum_values for choice in value)
    return None if is_known and len(set(value)) == len(value) else problem
