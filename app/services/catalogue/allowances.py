"""What a plan's file says of a feature, as the row that a plan keeps: its meaning depends on the feature's type."""

from decimal import Decimal

from app.domain.plan import Feature, FeatureType, LimitBehavior, PlanFeature, ValueType
from app.services.catalogue.draft import UNLIMITED, RowDraft, Window
from app.services.catalogue.section import Faults, to_quantity


def to_row(draft: RowDraft, feature: Feature, faults: Faults) -> PlanFeature | None:
    """Return the row; None where the plan is not to have the feature, or where what it says can be no such row."""
    match feature.type:
        case FeatureType.BOOLEAN:
            return _presence(draft, feature, faults)
        case FeatureType.CONFIG:
            return _setting(draft, feature, faults)
        case FeatureType.METERED | FeatureType.CREDIT:
            return _limit(draft, feature, faults)


def _presence(draft: RowDraft, feature: Feature, faults: Faults) -> PlanFeature | None:
    if isinstance(draft.said, bool):
        return PlanFeature(feature_key=feature.key) if draft.said else None
    return _unfit(draft, faults, f"must be true or false: {feature.key!r} is BOOLEAN")


def _setting(draft: RowDraft, feature: Feature, faults: Faults) -> PlanFeature | None:
    match draft.said:
        case bool() | Window():
            pass
        case int() | Decimal() as number if feature.value_type is ValueType.DECIMAL:
            return PlanFeature(feature_key=feature.key, value=format(Decimal(number), "f"))
        case int() | str() | tuple() as value:
            return PlanFeature(feature_key=feature.key, value=value)
        case Decimal():
            pass
    return _unfit(draft, faults, f"must be a value: {feature.key!r} is CONFIG of the type {feature.value_type}")


def _limit(draft: RowDraft, feature: Feature, faults: Faults) -> PlanFeature | None:
    if isinstance(draft.said, Window):
        window = draft.said
        return PlanFeature(
            feature_key=feature.key,
            limit=window.limit,
            limit_behavior=window.behavior,
            reset_period=window.reset,
            rollover_max=window.rollover_max,
            thresholds=window.thresholds,
        )
    if draft.said == UNLIMITED:
        return PlanFeature(feature_key=feature.key, limit_behavior=LimitBehavior.UNLIMITED)
    if (limit := to_quantity(draft.said)) is not None:
        return PlanFeature(feature_key=feature.key, limit=limit)
    example = '3, "UNLIMITED" or { limit = 100, reset = "MONTH" }'
    return _unfit(draft, faults, f"must be a limit, as {example}: {feature.key!r} is {feature.type}")


def _unfit(draft: RowDraft, faults: Faults, problem: str) -> None:
    faults.at_value(draft.path, "WRONG_TYPE", problem)
