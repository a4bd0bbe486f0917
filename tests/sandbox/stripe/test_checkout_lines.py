from typing import Any

import pytest

from app.sandbox.stripe.checkout_lines import new_line, sums_of, with_coupon
from app.sandbox.stripe.wire import JsonObject

_PRICE: JsonObject = {
    "id": "price_1",
    "billing_scheme": "per_unit",
    "currency": "usd",
    "transform_quantity": None,
    "unit_amount_decimal": "33.5",
}


def _line(quantity: int | None, **more: Any) -> JsonObject:
    return new_line({**_PRICE, **more}, "Pro", {"quantity": quantity}, {"_subscription_data": {}})


@pytest.mark.parametrize(
    ("quantity", "terms", "amount"),
    [
        pytest.param(3, {}, 101, id="rounded once"),
        pytest.param(3, {"trial_period_days": 7}, 0, id="before a trial"),
        pytest.param(3, {"trial_end": 9}, 0, id="before a trial until then"),
        pytest.param(None, {}, 0, id="by use"),
    ],
)
def test_a_line_costs_its_price_times_its_quantity(quantity: int | None, terms: JsonObject, amount: int) -> None:
    line = new_line(_PRICE, "Pro", {"quantity": quantity}, {"_subscription_data": terms})

    assert (line["amount_subtotal"], line["amount_total"], line["amount_discount"]) == (amount, amount, 0)


@pytest.mark.parametrize(
    ("coupon", "off"),
    [
        pytest.param(None, [0, 0], id="none"),
        pytest.param({"percent_off": 50.0, "amount_off": None}, [50, 50], id="percent"),
        pytest.param({"percent_off": None, "amount_off": 51}, [26, 25], id="amount"),
        pytest.param({"percent_off": None, "amount_off": 900}, [100, 100], id="more than there is"),
        pytest.param({"percent_off": 50.0, "amount_off": None, "applies_to": {"products": ["b"]}}, [0, 50], id="one"),
    ],
)
def test_a_coupon_takes_off_what_it_is_for(coupon: JsonObject | None, off: list[int]) -> None:
    lines = [_line(1, unit_amount_decimal="100") for _ in range(2)]

    cut = with_coupon(lines, ["a", "b"], coupon)

    assert [line["amount_discount"] for line in cut] == off
    assert sums_of(cut) == {
        "amount_subtotal": 200,
        "amount_total": 200 - sum(off),
        "total_details": {"amount_discount": sum(off), "amount_shipping": 0, "amount_tax": 0},
    }
