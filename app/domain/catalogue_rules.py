"""What features and plans may say, and whether a value or a limit fits its feature."""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Final

from app.domain.errors import FieldError
from app.domain.faults import (
    INPUT,
    NAME_MAX,
    Path,
    fault,
    key_faults,
    quantity_faults,
    repeated,
    text_faults,
)
from app.domain.plan import (
    Catalogue,
    ConfigValue,
    Feature,
    FeatureType,
    LimitBehavior,
    MergeRule,
    MeterType,
    Plan,
    PlanFeature,
    PlanPrice,
    ResetPeriod,
    ValueType,
)

VALUE_MAX: Final = 500
TRIAL_DAYS_MAX: Final = 730
GRACE_DAYS_MAX: Final = 90
INTEGER_BOUND: Final = 2**63
"""Integers are stored in 64 bits."""

_DECIMAL: Final = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,9})?")
_CONFIG_MERGES: Final[Mapping[ValueType, frozenset[MergeRule]]] = {
    ValueType.INTEGER: frozenset({MergeRule.MAX, MergeRule.LATEST}),
    ValueType.DECIMAL: frozenset({MergeRule.MAX, MergeRule.LATEST}),
    ValueType.STRING: frozenset({MergeRule.LATEST}),
    ValueType.ENUM: frozenset({MergeRule.UNION}),
}


def feature_faults(feature: Feature) -> Iterator[FieldError]:
    """Check a new feature."""
    yield from key_faults((*INPUT, "key"), feature.key)
    yield from text_faults((*INPUT, "name"), feature.name)
    yield from text_faults((*INPUT, "unit"), feature.unit)
    yield from _type_faults(feature)
    yield from _enum_faults(feature)
    allowed = _merges(feature)
    if allowed and feature.merge not in allowed:
        problem = f"{feature.merge} does not fit; allowed is {' or '.join(sorted(allowed))}"
        yield fault((*INPUT, "merge"), "NOT_ALLOWED", problem)


def _type_faults(feature: Feature) -> Iterator[FieldError]:
    is_metered, is_config = feature.type is FeatureType.METERED, feature.type is FeatureType.CONFIG
    if not is_metered and feature.meter_type is not None:
        yield fault((*INPUT, "meterType"), "NOT_ALLOWED", "belongs to METERED features only")
    if not is_config and feature.value_type is not None:
        yield fault((*INPUT, "valueType"), "NOT_ALLOWED", "belongs to CONFIG features only")
    if is_config and feature.value_type is None:
        yield fault((*INPUT, "valueType"), "REQUIRED", "is needed for a CONFIG feature")


def _enum_faults(feature: Feature) -> Iterator[FieldError]:
    path = (*INPUT, "enumValues")
    if feature.value_type is not ValueType.ENUM:
        if feature.enum_values:
            yield fault(path, "NOT_ALLOWED", "belongs to features of the value type ENUM only")
        return
    if not feature.enum_values:
        yield fault(path, "REQUIRED", "is needed for the value type ENUM")
    for position, value in enumerate(feature.enum_values):
        yield from text_faults((*path, str(position)), value)
    for position in repeated(feature.enum_values):
        yield fault((*path, str(position)), "DUPLICATE", f"repeats {feature.enum_values[position]!r}")


def _merges(feature: Feature) -> frozenset[MergeRule]:
    match feature.type:
        case FeatureType.METERED:
            return frozenset({MergeRule.SUM})
        case FeatureType.BOOLEAN:
            return frozenset({MergeRule.ANY})
        case FeatureType.CONFIG:
            return _CONFIG_MERGES[feature.value_type] if feature.value_type else frozenset()


def plan_faults(plan: Plan, catalogue: Catalogue) -> Iterator[FieldError]:
    """Check a new plan version against the features and the other plans that exist."""
    yield from key_faults((*INPUT, "key"), plan.key)
    yield from text_faults((*INPUT, "name"), plan.name)
    yield from _price_faults(plan, catalogue)
    for position, entry in enumerate(plan.features):
        yield from _plan_feature_faults((*INPUT, "features", str(position)), entry, catalogue.features)
    yield from _repeated_feature_faults(plan, catalogue.features)
    yield from days_faults((*INPUT, "trialDays"), plan.trial_days, most=TRIAL_DAYS_MAX)
    yield from days_faults((*INPUT, "grace", "days"), plan.grace.days, most=GRACE_DAYS_MAX)


def days_faults(path: Path, days: int, *, most: int, least: int = 0) -> Iterator[FieldError]:
    """Check a number of days."""
    if not least <= days <= most:
        yield fault(path, "OUT_OF_RANGE", f"must lie between {least} and {most}")


def _price_faults(plan: Plan, catalogue: Catalogue) -> Iterator[FieldError]:
    names = [price.lookup_key or price.stripe_price_id for price in plan.prices]
    holders = {
        name: other.key
        for other in catalogue.plans()
        if other.key != plan.key
        for price in other.prices
        for name in (price.lookup_key, price.stripe_price_id)
        if name
    }
    doubles = set(repeated(names))
    for position, price in enumerate(plan.prices):
        path, name = (*INPUT, "prices", str(position)), names[position]
        yield from _price_name_faults(path, price)
        if name and position in doubles:
            yield fault(path, "DUPLICATE", f"repeats {name!r}")
        if name in holders:
            yield fault(path, "TAKEN", f"names {name!r}, which belongs to the plan {holders[name]!r}")


def _price_name_faults(path: Path, price: PlanPrice) -> Iterator[FieldError]:
    if (price.lookup_key is None) == (price.stripe_price_id is None):
        yield fault(path, "EXACTLY_ONE", "needs exactly one of lookupKey and stripePriceId")
    yield from text_faults((*path, "lookupKey"), price.lookup_key, longest=NAME_MAX)
    yield from text_faults((*path, "stripePriceId"), price.stripe_price_id, longest=NAME_MAX)


def _plan_feature_faults(path: Path, entry: PlanFeature, features: Mapping[str, Feature]) -> Iterator[FieldError]:
    feature = features.get(entry.feature_key)
    if feature is None:
        yield fault((*path, "featureKey"), "UNKNOWN", f"names no feature: {entry.feature_key!r}")
        return
    yield from allowance_faults(
        path,
        feature,
        limit=entry.limit,
        limit_behavior=entry.limit_behavior,
        reset_period=entry.reset_period,
        value=entry.value,
    )


def _repeated_feature_faults(plan: Plan, features: Mapping[str, Feature]) -> Iterator[FieldError]:
    places = [(entry.feature_key, _bucket(entry, features.get(entry.feature_key))) for entry in plan.features]
    for position in repeated(places):
        key, reset_period = places[position]
        problem = f"repeats {key!r}" + (f" with the reset period {reset_period}" if reset_period else "")
        yield fault((*INPUT, "features", str(position)), "DUPLICATE", problem)


def _bucket(entry: PlanFeature, feature: Feature | None) -> ResetPeriod | None:
    return entry.reset_period if feature is not None and feature.type is FeatureType.METERED else None


def allowance_faults(
    path: Path,
    feature: Feature,
    *,
    limit: Decimal | None,
    limit_behavior: LimitBehavior,
    reset_period: ResetPeriod,
    value: ConfigValue | None,
) -> Iterator[FieldError]:
    """Check that what a plan or an override says fits the feature's type."""
    if feature.type is not FeatureType.CONFIG and value is not None:
        yield fault((*path, "value"), "NOT_ALLOWED", f"belongs to CONFIG features only; {feature.key!r} is none")
    if feature.type is FeatureType.METERED:
        yield from _limit_faults(path, feature, limit, limit_behavior, reset_period)
        return
    only = f"belongs to METERED features only; {feature.key!r} is none"
    if limit is not None:
        yield fault((*path, "limit"), "NOT_ALLOWED", only)
    if limit_behavior is not LimitBehavior.HARD:
        yield fault((*path, "limitBehavior"), "NOT_ALLOWED", only)
    if reset_period is not ResetPeriod.NEVER:
        yield fault((*path, "resetPeriod"), "NOT_ALLOWED", only)
    if feature.type is FeatureType.CONFIG:
        yield from value_faults((*path, "value"), feature, value)


def _limit_faults(
    path: Path, feature: Feature, limit: Decimal | None, limit_behavior: LimitBehavior, reset_period: ResetPeriod
) -> Iterator[FieldError]:
    if limit_behavior is LimitBehavior.UNLIMITED:
        if limit is not None:
            yield fault((*path, "limit"), "NOT_ALLOWED", "must be left out where limitBehavior is UNLIMITED")
    elif limit is None:
        yield fault((*path, "limit"), "REQUIRED", "is needed unless limitBehavior is UNLIMITED")
    else:
        yield from quantity_faults((*path, "limit"), limit)
    if feature.meter_type is MeterType.FLUCTUATING and reset_period is not ResetPeriod.NEVER:
        problem = f"must be NEVER: {feature.key!r} is FLUCTUATING, a level that never resets"
        yield fault((*path, "resetPeriod"), "NOT_ALLOWED", problem)


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
