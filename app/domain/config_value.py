"""Values of CONFIG features: how several become one, and what a value allows."""

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation

from app.domain.plan import ConfigValue, Feature, MergeRule, ValueType

Dated = tuple[int, ConfigValue]


def merge_values(feature: Feature, plans: Sequence[Dated], grants: Sequence[Dated]) -> ConfigValue | None:
    """Merge the values of plans and grants by the feature's rule; each comes with the instant it began.

    Under LATEST a grant counts only where no plan gives a value: grants add, they never take away.
    """
    match feature.merge:
        case MergeRule.UNION:
            members = {member for _, value in (*plans, *grants) if isinstance(value, tuple) for member in value}
            return tuple(sorted(members, key=lambda member: (_place(feature, member), member)))
        case MergeRule.LATEST:
            dated = plans or grants
            return max(dated, key=lambda pair: (pair[0], str(pair[1])))[1] if dated else None
        case _:
            values = [value for _, value in (*plans, *grants)]
            return max(values, key=lambda value: _number(value) or Decimal(0)) if values else None


def allows(value_type: ValueType | None, value: ConfigValue | None, requested: Sequence[str]) -> bool:
    """Tell whether every requested value is within the value: a member, an equal string, or a number not above it."""
    if not requested:
        return True
    if value is None:
        return False
    match value_type:
        case ValueType.ENUM:
            return isinstance(value, tuple) and set(requested) <= set(value)
        case ValueType.INTEGER | ValueType.DECIMAL:
            most = _number(value)
            numbers = [_number(text) for text in requested]
            return most is not None and all(number is not None and number <= most for number in numbers)
        case _:
            return all(text == value for text in requested)


def _place(feature: Feature, member: str) -> int:
    return feature.enum_values.index(member) if member in feature.enum_values else len(feature.enum_values)


def _number(value: ConfigValue) -> Decimal | None:
    if isinstance(value, tuple):
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
