"""Custom scalars: DateTime, Decimal, MinorUnits and JSON, and how each is read and written."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NewType, cast

import strawberry
from graphql import GraphQLError, IntValueNode, StringValueNode, ValueNode, value_from_ast_untyped
from strawberry.types.scalar import ScalarDefinition

from app.graphql.errors import bad_input

DateTime = NewType("DateTime", int)
"""Epoch milliseconds within, RFC 3339 without."""
MinorUnits = NewType("MinorUnits", int)
"""Whole minor units of a currency; text without, because GraphQL's Int ends at 32 bits."""
Json = NewType("Json", object)

MAX_DIGITS: Final = 30
_WHOLE: Final = re.compile(r"-?\d{1,18}", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_RFC3339: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_NUMBER: Final = re.compile(r"-?\d{1,40}(\.\d{1,40})?([eE][+-]?\d{1,2})?", re.ASCII)


def datetime_text(at: int) -> str:
    """Write epoch milliseconds as RFC 3339 in UTC, always with milliseconds."""
    return (_EPOCH + at * _MILLISECOND).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def date_or_null(at: int | None) -> DateTime | None:
    """Translate what may not have happened."""
    return None if at is None else DateTime(at)


def parse_datetime(value: object) -> DateTime:
    """Read RFC 3339 with an offset; digits beyond milliseconds are cut."""
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        raise bad_input("a DateTime is RFC 3339 with an offset: 2026-03-01T12:00:00.000Z")
    try:
        at = datetime.fromisoformat(value.upper()).astimezone(UTC)  # near the ends of the calendar there is none
        return DateTime((at - _EPOCH) // _MILLISECOND)
    except (ValueError, OverflowError) as error:
        raise bad_input(f"{value} is no date") from error


def decimal_text(value: Decimal) -> str:
    """Write without exponent and without trailing zeros."""
    text = f"{value:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in {"-0", ""} else text


def parse_decimal(value: object) -> Decimal:
    """Read a string or an integer; never a Float, which has lost digits already."""
    if isinstance(value, Decimal):
        return value
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise bad_input('a Decimal is a string such as "12.5", or an integer')
    text = str(value) if isinstance(value, str) or abs(value) < 10**MAX_DIGITS else ""
    if not _NUMBER.fullmatch(text):
        raise bad_input(f"a Decimal has digits, at most {MAX_DIGITS}, and neither NaN nor Infinity")
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise bad_input("not a Decimal") from error
    digits, exponent = number.as_tuple().digits, number.as_tuple().exponent
    if not isinstance(exponent, int) or max(len(digits) + max(exponent, 0), -exponent) > MAX_DIGITS:
        raise bad_input(f"a Decimal has at most {MAX_DIGITS} digits")
    return number


def parse_minor_units(value: object) -> MinorUnits:
    """Read a string of digits or an integer."""
    text = str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    if not _WHOLE.fullmatch(text):
        raise bad_input('MinorUnits are whole: a string such as "1999", or an integer, of at most 18 digits')
    return MinorUnits(int(text))


def _minor_units_literal(node: ValueNode, _variables: dict[str, Any] | None = None) -> MinorUnits:
    return parse_minor_units(node.value if isinstance(node, (IntValueNode, StringValueNode)) else None)


def _decimal_literal(node: ValueNode, _variables: dict[str, Any] | None = None) -> Decimal:
    if isinstance(node, (IntValueNode, StringValueNode)):
        return parse_decimal(node.value)
    raise GraphQLError('a Decimal is a string such as "12.5", or an integer', node)


def _datetime_literal(node: ValueNode, _variables: dict[str, Any] | None = None) -> DateTime:
    return parse_datetime(node.value if isinstance(node, StringValueNode) else None)


def _json_literal(node: ValueNode, variables: dict[str, Any] | None = None) -> Json:
    return Json(value_from_ast_untyped(node, variables))


def _json_out(value: Any) -> Any:
    return (
        list(cast("tuple[object, ...]", value)) if isinstance(value, tuple) else value
    )  # a list of strings is held so


SCALARS: Final[dict[object, ScalarDefinition]] = {
    DateTime: strawberry.scalar(
        name="DateTime",
        description="An instant in RFC 3339, UTC, with ms: `2026-03-01T12:00:00.000Z`. Inputs need an offset.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=datetime_text,
        parse_value=parse_datetime,
        parse_literal=_datetime_literal,
    ),
    Decimal: strawberry.scalar(
        name="Decimal",
        description='An exact decimal as a string: `"12.5"`. Inputs may be integers; at most 30 digits, never a Float.',
        serialize=decimal_text,
        parse_value=parse_decimal,
        parse_literal=_decimal_literal,
    ),
    MinorUnits: strawberry.scalar(
        name="MinorUnits",
        description='Whole units of a currency\'s smallest part, as a string: `"1999"` is 19.99 EUR, or 1999 JPY.',
        serialize=str,
        parse_value=parse_minor_units,
        parse_literal=_minor_units_literal,
    ),
    Json: strawberry.scalar(
        name="JSON",
        description="Any JSON value; the field that has it says which ones occur.",
        serialize=_json_out,
        parse_value=Json,
        parse_literal=_json_literal,
    ),
}
