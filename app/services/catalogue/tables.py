"""Features and plans as the tables of a file: plain values under the file's own keys."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from app.domain.plan import (
    ConfigValue,
    Feature,
    GracePolicy,
    LimitBehavior,
    MeterType,
    Plan,
    PlanFeature,
    PlanKind,
    PlanPrice,
    PlanStatus,
    ResetPeriod,
    default_merge,
)
from app.services.catalogue.draft import UNLIMITED

Table = dict[str, Any]
"""Keys in the order of a file; values are texts, integers, booleans, lists and tables of them."""

_RESETS: Final = tuple(ResetPeriod)

FILE_WORDS: Final[Mapping[str, str]] = {
    # the API's name of a field: the file's
    "meterType": "meter",
    "valueType": "value_type",
    "enumValues": "values",
    "creditKey": "credit",
    "lookupKey": "lookup_key",
    "stripePriceId": "id",
    "trialDays": "trial_days",
    "pausedAccess": "paused_access",
    "maxQuantity": "max_quantity",
    "limitBehavior": "behavior",
    "resetPeriod": "reset",
    "rolloverMax": "rollover_max",
    "isDefault": "default_plan",
}


def section_of(record: Feature | Plan) -> str:
    """Return the name of the table of tables that holds the record."""
    match record:
        case Feature():
            return "credits" if record.is_credit_type else "features"
        case Plan():
            return "plans" if record.kind is PlanKind.PLAN else "add_ons"


def feature_table(feature: Feature) -> Table:
    """Return the feature's table; what is not said is left out."""
    return _said(
        name=feature.name,
        type=None if feature.is_credit_type else feature.type.value,
        meter=feature.meter_type.value if feature.meter_type else None,
        value_type=feature.value_type.value if feature.value_type else None,
        values=list(feature.enum_values) or None,
        merge=feature.merge.value,
        unit=feature.unit,
        credit=feature.credit_key,
        cost=None if feature.cost is None else _number(feature.cost),
        archived=feature.archived_at is not None,
    )


def plan_table(plan: Plan) -> Table:
    """Return the plan's or the add-on's table, with what it gives under `features`."""
    is_plan = plan.kind is PlanKind.PLAN
    return _said(
        name=plan.name,
        prices=[_price(price) for price in plan.prices],
        trial_days=plan.trial_days if is_plan else None,
        grace=_grace(plan.grace) if is_plan else None,
        paused_access=plan.paused_access.value if is_plan else None,
        max_quantity=plan.max_quantity,
        archived=plan.status is PlanStatus.ARCHIVED,
        features=_rows(plan.features),
    )


def without_defaults(record: Feature | Plan, table: Table) -> Table:
    """Leave out what a file means where it says nothing."""
    match record:
        case Feature():
            meant: Table = {"merge": default_merge(record.type, record.value_type), "meter": MeterType.INCREMENTAL}
        case Plan():
            meant = {"prices": [], "trial_days": 14, "grace": _grace(GracePolicy()), "paused_access": "NONE"}
    meant |= {"archived": False, "features": {}}
    return {key: value for key, value in table.items() if key not in meant or value != meant[key]}


def _said(**values: Any) -> Table:
    return {key: value for key, value in values.items() if value is not None}


def _price(price: PlanPrice) -> Table:
    return _said(lookup_key=price.lookup_key, id=price.stripe_price_id)


def _grace(policy: GracePolicy) -> Table:
    return {"days": policy.days, "access": policy.access.value}


def _rows(rows: Iterable[PlanFeature]) -> Table:
    grouped: dict[str, list[PlanFeature]] = {}
    for row in rows:
        grouped.setdefault(row.feature_key, []).append(row)
    return {key: _windows(same) if len(same) > 1 else _row(same[0]) for key, same in grouped.items()}


def _windows(rows: list[PlanFeature]) -> list[Table]:
    return [_window(row) for row in sorted(rows, key=lambda row: _RESETS.index(row.reset_period))]


def _row(row: PlanFeature) -> Any:
    if row.value is not None:
        return _value(row.value)
    is_unlimited = row.limit_behavior is LimitBehavior.UNLIMITED
    if row.limit is None and not is_unlimited:
        return True
    match table := _window(row):
        case {"limit": limit} if len(table) == 1:
            return limit
        case {"behavior": LimitBehavior.UNLIMITED} if len(table) == 1:
            return UNLIMITED
        case _:
            return table


def _window(row: PlanFeature) -> Table:
    return _said(
        limit=None if row.limit is None else _number(row.limit),
        behavior=None if row.limit_behavior is LimitBehavior.HARD else row.limit_behavior.value,
        reset=None if row.reset_period is ResetPeriod.NEVER else row.reset_period.value,
        rollover_max=None if row.rollover_max is None else _number(row.rollover_max),
        thresholds=list(row.thresholds) or None,
    )


def _value(value: ConfigValue) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _number(quantity: Decimal) -> int | str:
    """Return a whole number as one, any other as text: the file holds no floating point."""
    is_whole = quantity == quantity.to_integral_value()
    return int(quantity) if is_whole else format(quantity.normalize(), "f")
