"""What features, plans and add-ons may say. Every check yields all its faults, below the path it is given."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Final

from app.domain.allowance_rules import allowance_faults, not_counted, positive_faults
from app.domain.errors import FieldError
from app.domain.faults import INPUT, NAME_MAX, Path, fault, key_faults, quantity_faults, repeated, text_faults
from app.domain.plan import (
    AccessLevel,
    Catalogue,
    Feature,
    FeatureType,
    GracePolicy,
    LimitBehavior,
    MergeRule,
    Plan,
    PlanFeature,
    PlanKind,
    PlanPrice,
    ResetPeriod,
    ValueType,
)

TRIAL_DAYS_MAX: Final = 730
GRACE_DAYS_MAX: Final = 90
ADD_ON_QUANTITY_MAX: Final = 2**31 - 1
"""The API's integers have 32 bits."""
THRESHOLDS_MAX: Final = 10
THRESHOLD_MAX: Final = 1000

_CONFIG_MERGES: Final[Mapping[ValueType, frozenset[MergeRule]]] = {
    ValueType.INTEGER: frozenset({MergeRule.MAX, MergeRule.LATEST}),
    ValueType.DECIMAL: frozenset({MergeRule.MAX, MergeRule.LATEST}),
    ValueType.STRING: frozenset({MergeRule.LATEST}),
    ValueType.ENUM: frozenset({MergeRule.UNION}),
}


def feature_faults(feature: Feature, catalogue: Catalogue, *, path: Path = INPUT) -> Iterator[FieldError]:
    """Check a feature on its own, and that the credit type it draws on exists."""
    yield from key_faults((*path, "key"), feature.key)
    yield from text_faults((*path, "name"), feature.name)
    yield from text_faults((*path, "unit"), feature.unit)
    yield from _type_faults(feature, path)
    yield from _enum_faults(feature, path)
    yield from _credit_faults(feature, catalogue, path)
    allowed = _merges(feature)
    if allowed and feature.merge not in allowed:
        problem = f"{feature.merge} does not fit; allowed is {' or '.join(sorted(allowed))}"
        yield fault((*path, "merge"), "NOT_ALLOWED", problem)


def _type_faults(feature: Feature, path: Path) -> Iterator[FieldError]:
    is_metered, is_config = feature.type is FeatureType.METERED, feature.type is FeatureType.CONFIG
    if not is_metered and feature.meter_type is not None:
        yield fault((*path, "meterType"), "NOT_ALLOWED", "belongs to METERED features only")
    if not is_config and feature.value_type is not None:
        yield fault((*path, "valueType"), "NOT_ALLOWED", "belongs to CONFIG features only")
    if is_config and feature.value_type is None:
        yield fault((*path, "valueType"), "REQUIRED", "is needed for a CONFIG feature")


def _enum_faults(feature: Feature, path: Path) -> Iterator[FieldError]:
    path = (*path, "enumValues")
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


def _credit_faults(feature: Feature, catalogue: Catalogue, path: Path) -> Iterator[FieldError]:
    credit_path, cost_path = (*path, "creditKey"), (*path, "cost")
    if feature.credit_key is None:
        if feature.cost is not None:
            yield fault(cost_path, "NOT_ALLOWED", "belongs to CREDIT features with a creditKey only")
        return
    if feature.type is not FeatureType.CREDIT:
        yield fault(credit_path, "NOT_ALLOWED", "belongs to CREDIT features only")
    elif problem := _credit_type_problem(feature.credit_key, catalogue):
        code = "UNKNOWN" if feature.credit_key not in catalogue.features else "NOT_ALLOWED"
        yield fault(credit_path, code, problem)
    if feature.cost is None:
        yield fault(cost_path, "REQUIRED", "is needed with creditKey: the credits that one unit takes")
    else:
        yield from positive_faults(cost_path, feature.cost)


def _credit_type_problem(key: str, catalogue: Catalogue) -> str | None:
    credit_type = catalogue.features.get(key)
    if credit_type is None:
        return f"names no credit type: {key!r}; it takes a CREDIT feature that has no creditKey itself"
    if credit_type.type is not FeatureType.CREDIT:
        return f"names {key!r}, which is {credit_type.type} and no CREDIT feature"
    if credit_type.credit_key is not None:
        return f"names {key!r}, which draws on credits itself and is no credit type"
    return f"names {key!r}, which is archived" if credit_type.archived_at is not None else None


def _merges(feature: Feature) -> frozenset[MergeRule]:
    match feature.type:
        case FeatureType.METERED | FeatureType.CREDIT:
            return frozenset({MergeRule.SUM})
        case FeatureType.BOOLEAN:
            return frozenset({MergeRule.ANY})
        case FeatureType.CONFIG:
            return _CONFIG_MERGES[feature.value_type] if feature.value_type else frozenset()


def plan_faults(plan: Plan, catalogue: Catalogue, *, path: Path = INPUT) -> Iterator[FieldError]:
    """Check a version of a plan or an add-on against the features and the other plans that there are.

    Versions of its own key may be among them, itself too.
    """
    yield from key_faults((*path, "key"), plan.key)
    yield from _kind_faults(plan, catalogue, path)
    yield from text_faults((*path, "name"), plan.name)
    yield from _price_faults(plan, catalogue, path)
    for position, row in enumerate(plan.features):
        yield from _row_faults((*path, "features", str(position)), row, plan.kind, catalogue.features)
    yield from _repeated_row_faults(plan, catalogue.features, path)
    match plan.kind:
        case PlanKind.PLAN:
            yield from _terms_faults(plan, catalogue, path)
        case PlanKind.ADD_ON:
            yield from _add_on_faults(plan, path)


def _kind_faults(plan: Plan, catalogue: Catalogue, path: Path) -> Iterator[FieldError]:
    other = next((held.kind for held in catalogue.versions(plan.key) if held.kind is not plan.kind), None)
    if other is not None:
        problem = f"names the {other.noun} {plan.key!r}, which cannot become the other; take another key"
        yield fault((*path, "key"), "TAKEN", problem)


def _price_faults(plan: Plan, catalogue: Catalogue, path: Path) -> Iterator[FieldError]:
    names = [price.lookup_key or price.stripe_price_id for price in plan.prices]
    doubles = set(repeated(names))
    for position, price in enumerate(plan.prices):
        place, name = (*path, "prices", str(position)), names[position]
        yield from _price_name_faults(place, price)
        if name and position in doubles:
            yield fault(place, "DUPLICATE", f"repeats {name!r}")
        if name and (holder := catalogue.seller(name, besides=plan.key)):
            problem = f"names {name!r}, which belongs to the {holder.kind.noun} {holder.key!r}"
            yield fault(place, "TAKEN", problem)


def _price_name_faults(path: Path, price: PlanPrice) -> Iterator[FieldError]:
    if (price.lookup_key is None) == (price.stripe_price_id is None):
        yield fault(path, "EXACTLY_ONE", "needs exactly one of lookupKey and stripePriceId")
    yield from text_faults((*path, "lookupKey"), price.lookup_key, longest=NAME_MAX)
    yield from text_faults((*path, "stripePriceId"), price.stripe_price_id, longest=NAME_MAX)


def _row_faults(path: Path, row: PlanFeature, kind: PlanKind, features: Mapping[str, Feature]) -> Iterator[FieldError]:
    feature = features.get(row.feature_key)
    if feature is None:
        yield fault((*path, "featureKey"), "UNKNOWN", f"names no feature: {row.feature_key!r}")
        return
    yield from allowance_faults(
        path,
        feature,
        limit=row.limit,
        limit_behavior=row.limit_behavior,
        reset_period=row.reset_period,
        value=row.value,
    )
    yield from _rollover_faults((*path, "rolloverMax"), row, feature, kind)
    yield from _threshold_faults((*path, "thresholds"), row, feature, kind)
    if kind is PlanKind.ADD_ON and row.limit_behavior not in (LimitBehavior.HARD, LimitBehavior.UNLIMITED):
        yield fault((*path, "limitBehavior"), "NOT_ALLOWED", "must be HARD or UNLIMITED in an add-on")


def _rollover_faults(path: Path, row: PlanFeature, feature: Feature, kind: PlanKind) -> Iterator[FieldError]:
    if row.rollover_max is None:
        return
    yield from quantity_faults(path, row.rollover_max)
    if problem := _limit_problem(row, feature, kind):
        yield fault(path, "NOT_ALLOWED", problem)
    elif feature.is_level or row.reset_period is ResetPeriod.NEVER:
        yield fault(path, "NOT_ALLOWED", "needs a resetPeriod at whose end something is left")


def _threshold_faults(path: Path, row: PlanFeature, feature: Feature, kind: PlanKind) -> Iterator[FieldError]:
    if not row.thresholds:
        return
    if problem := _limit_problem(row, feature, kind):
        yield fault(path, "NOT_ALLOWED", problem)
    if len(row.thresholds) > THRESHOLDS_MAX:
        yield fault(path, "TOO_MANY", f"has {len(row.thresholds)} entries; at most {THRESHOLDS_MAX} are allowed")
    for position, percent in enumerate(row.thresholds):
        if not 1 <= percent <= THRESHOLD_MAX:
            yield fault((*path, str(position)), "OUT_OF_RANGE", f"must lie between 1 and {THRESHOLD_MAX} percent")
    for position, (before, percent) in enumerate(pairwise(row.thresholds), start=1):
        if percent <= before:
            yield fault((*path, str(position)), "NOT_ASCENDING", "must be greater than the one before it")


def _limit_problem(row: PlanFeature, feature: Feature, kind: PlanKind) -> str | None:
    """Say why there is no limit of a plan that a rollover or a threshold could be of."""
    if kind is PlanKind.ADD_ON:
        return "belongs to plans only; this is an add-on"
    if not feature.is_counted:
        return not_counted(feature)
    return "needs a limit" if row.limit is None else None


def _repeated_row_faults(plan: Plan, features: Mapping[str, Feature], path: Path) -> Iterator[FieldError]:
    places = [(row.feature_key, _bucket(row, features.get(row.feature_key))) for row in plan.features]
    for position in repeated(places):
        key, reset_period = places[position]
        problem = f"repeats {key!r}" + (f" with the reset period {reset_period}" if reset_period else "")
        yield fault((*path, "features", str(position)), "DUPLICATE", problem)


def _bucket(row: PlanFeature, feature: Feature | None) -> ResetPeriod | None:
    return row.reset_period if feature is not None and feature.is_counted else None


def _terms_faults(plan: Plan, catalogue: Catalogue, path: Path) -> Iterator[FieldError]:
    """Check what only plans have: a trial, grace, and that one of them may be the default."""
    yield from days_faults((*path, "trialDays"), plan.trial_days, most=TRIAL_DAYS_MAX)
    yield from days_faults((*path, "grace", "days"), plan.grace.days, most=GRACE_DAYS_MAX)
    if plan.max_quantity is not None:
        yield fault((*path, "maxQuantity"), "NOT_ALLOWED", "belongs to add-ons only; this is a plan")
    default = next((other for other in catalogue.declared_defaults if other.key != plan.key), None)
    if plan.is_default and default is not None:
        problem = f"holds for the plan {default.key!r}, and only one may have it; publish that one without it first"
        yield fault((*path, "isDefault"), "TAKEN", problem)


def _add_on_faults(plan: Plan, path: Path) -> Iterator[FieldError]:
    """Check what only add-ons have, and that they leave alone what only plans have."""
    only = "belongs to plans only; this is an add-on"
    if plan.trial_days != 0:
        yield fault((*path, "trialDays"), "NOT_ALLOWED", only)
    if plan.grace != GracePolicy():
        yield fault((*path, "grace"), "NOT_ALLOWED", only)
    if plan.paused_access is not AccessLevel.NONE:
        yield fault((*path, "pausedAccess"), "NOT_ALLOWED", only)
    if plan.is_default:
        yield fault((*path, "isDefault"), "NOT_ALLOWED", only)
    if plan.max_quantity is not None and not 1 <= plan.max_quantity <= ADD_ON_QUANTITY_MAX:
        yield fault((*path, "maxQuantity"), "OUT_OF_RANGE", f"must lie between 1 and {ADD_ON_QUANTITY_MAX}")


def days_faults(path: Path, days: int, *, most: int, least: int = 0) -> Iterator[FieldError]:
    """Check a number of days."""
    if not least <= days <= most:
        yield fault(path, "OUT_OF_RANGE", f"must lie between {least} and {most}")
