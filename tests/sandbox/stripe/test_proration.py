"""What Stripe's own documents and recorded events say that a proration comes to."""

from fractions import Fraction
from typing import Any

import pytest

from app.sandbox.stripe.proration import amount_of, prorate, round_half_away

_DAY = 86_400


@pytest.mark.parametrize(
    ("unit", "quantity", "start", "end", "at", "amount"),
    [
        pytest.param(1000, 1, 1_596_749_288, 1_599_427_688, 1_598_982_148, 166, id="old price of a month"),
        pytest.param(3252, 1, 1_596_749_288, 1_599_427_688, 1_598_982_148, 541, id="new price of a month"),
        pytest.param(1000, 1, 1_487_030_400, 1_489_449_600, 1_488_568_488, 364, id="February"),
        pytest.param(1500, 1, 1_648_320_096, 1_650_998_496, 1_648_320_097, 1500, id="all but a second"),
        pytest.param(1000, 2, 1_767_999_600, 1_770_678_000, 1_768_863_600, 1355, id="rounded after the quantity"),
        pytest.param(1000, 3, 1_767_999_600, 1_770_678_000, 1_768_863_600, 2032, id="three of them"),
    ],
)
def test_public_vectors(unit: int, quantity: int, start: int, end: int, at: int, amount: int) -> None:
    whole = amount_of(price(unit), quantity)

    assert prorate(whole, at=at, start=start, end=end) == amount
    assert prorate(-whole, at=at, start=start, end=end) == -amount


@pytest.mark.parametrize(
    ("at", "amount"),
    [
        pytest.param(-_DAY, 1000, id="before the period"),
        pytest.param(0, 1000, id="its start"),
        pytest.param(5 * _DAY, 500, id="its middle"),
        pytest.param(10 * _DAY, 0, id="its end"),
        pytest.param(11 * _DAY, 0, id="after it"),
    ],
)
def test_the_share_is_that_of_the_time_left(at: int, amount: int) -> None:
    assert prorate(Fraction(1000), at=at, start=0, end=10 * _DAY) == amount


@pytest.mark.parametrize(("amount", "rounded"), [("0.5", 1), ("1.5", 2), ("2.49", 2), ("-0.5", -1), ("-2.5", -3)])
def test_halves_are_rounded_away_from_zero(amount: str, rounded: int) -> None:
    assert round_half_away(Fraction(amount)) == rounded


def price(unit: str | int | None = None, **fields: Any) -> dict[str, Any]:
    blank = {"billing_scheme": "per_unit", "transform_quantity": None, "tiers": None, "tiers_mode": None}
    return {**blank, "unit_amount_decimal": None if unit is None else str(unit), **fields}


_TIERS = [
    {"up_to": 10, "unit_amount_decimal": "100", "flat_amount_decimal": "50"},
    {"up_to": None, "unit_amount_decimal": "80", "flat_amount_decimal": None},
]


@pytest.mark.parametrize(
    ("sold", "quantity", "amount"),
    [
        pytest.param(price("0.5"), 3, Fraction(3, 2), id="fraction of a cent"),
        pytest.param(price(1000), None, 0, id="metered"),
        pytest.param(price(10, transform_quantity={"divide_by": 5, "round": "up"}), 11, 30, id="packages up"),
        pytest.param(price(10, transform_quantity={"divide_by": 5, "round": "down"}), 11, 20, id="packages down"),
        pytest.param(price(billing_scheme="tiered", tiers_mode="volume", tiers=_TIERS), 10, 1050, id="volume, first"),
        pytest.param(price(billing_scheme="tiered", tiers_mode="volume", tiers=_TIERS), 11, 880, id="volume, second"),
        pytest.param(price(billing_scheme="tiered", tiers_mode="graduated", tiers=_TIERS), 10, 1050, id="one tier"),
        pytest.param(price(billing_scheme="tiered", tiers_mode="graduated", tiers=_TIERS), 12, 1210, id="both tiers"),
    ],
)
def test_what_a_price_costs(sold: dict[str, Any], quantity: int | None, amount: Fraction | int) -> None:
    assert amount_of(sold, quantity) == amount
