"""Scalars at their edges."""

from decimal import Decimal

import pytest
from graphql import GraphQLError

from app.graphql.scalars import datetime_text, decimal_text, parse_datetime, parse_decimal


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00.001Z", 1),
        ("1970-01-01t00:00:00.0019z", 1),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1969-12-31T23:59:59.999Z", -1),
        ("2026-03-01T12:00:00-05:30", 1_772_386_200_000),
        ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
    ],
)
def test_datetimes_with_an_offset_are_read(text: str, at: int) -> None:
    assert parse_datetime(text) == at


@pytest.mark.parametrize(
    "value",
    [
        "2026-03-01T12:00:00",
        "2026-03-01",
        "2026-02-30T00:00:00Z",
        "0001-01-01T00:00:00+23:59x",
        "2026-03-01T25:00:00Z",
        "20260301T120000Z",
        "٢٠٢٦-03-01T12:00:00Z",
        1_772_386_200_000,
        None,
        "",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59.999-14:00",
    ],
)
def test_naive_and_odd_datetimes_are_refused(value: object) -> None:
    with pytest.raises(GraphQLError, match=r"DateTime|date"):
        parse_datetime(value)


@pytest.mark.parametrize("at", [0, 1, -1, 999, 1_772_386_200_123, 253_402_300_799_999])
def test_datetimes_come_back_as_they_went(at: int) -> None:
    text = datetime_text(at)

    assert parse_datetime(text) == at
    assert len(text) == len("1970-01-01T00:00:00.000Z")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("12.50", "12.5"),
        (12, "12"),
        ("-0", "0"),
        ("0.000", "0"),
        ("1e3", "1000"),
        ("100", "100"),
        ("1E-9", "0.000000001"),
        ("9" * 30, "9" * 30),
    ],
)
def test_decimals_are_exact_and_written_plainly(value: object, text: str) -> None:
    assert decimal_text(parse_decimal(value)) == text


@pytest.mark.parametrize(
    "value",
    ["NaN", "sNaN", "Infinity", "-Infinity", "1e30", "1e-31", "1e99", "9" * 31, " 1", "1_0", "", 1.0, True, None],
)
def test_odd_decimals_are_refused(value: object) -> None:
    with pytest.raises(GraphQLError, match="Decimal"):
        parse_decimal(value)


def test_a_huge_integer_is_refused_before_it_is_written_out() -> None:
    with pytest.raises(GraphQLError):
        parse_decimal(10**6000)


def test_a_decimal_passes_through() -> None:
    assert parse_decimal(Decimal("1.5")) == Decimal("1.5")
