"""Whether a code can be used, why not, and what it takes off."""

from decimal import Decimal
from typing import Any

import pytest
from support.records import NOW

from app.domain.coupon import CouponRefusal as Refusal
from app.domain.coupon import Redemption, judge
from app.domain.stripe_facts import CouponFacts, PriceFacts, PriceTier, PromotionCodeFacts

HALF: dict[str, Any] = {"percent_off": Decimal(50)}
FIVER: dict[str, Any] = {"amount_off": 500, "currency": "eur"}


def price(**fields: Any) -> PriceFacts:
    values: dict[str, Any] = {"product_id": "prod_1", "currency": "eur", "unit_amount": Decimal(2_000), **fields}
    return PriceFacts(**values)


def redemption(code: dict[str, Any] | None = None, id: str = "promo_1", **coupon: Any) -> Redemption:
    facts = CouponFacts(duration="once", **(coupon or HALF))
    if code is None:
        return Redemption(coupon_id="SAVE", coupon=facts)
    return Redemption(coupon_id="SAVE", coupon=facts, promotion_id=id, promotion=PromotionCodeFacts(code="X", **code))


def judged(*redemptions: Redemption, prices: tuple[PriceFacts, ...] | None = (price(),)) -> Any:
    named = None if prices is None else [(f"price_{n}", each) for n, each in enumerate(prices, 1)]
    return judge(redemptions, named, customer_ids=("cus_1",), at=NOW)


@pytest.mark.parametrize(
    ("given", "refusal"),
    [
        pytest.param(redemption(), None, id="a coupon's id"),
        pytest.param(redemption({"active": True}), None, id="a promotion code"),
        pytest.param(redemption({"active": False}), Refusal.INACTIVE, id="switched off"),
        pytest.param(redemption(**HALF, valid=False), Refusal.INACTIVE, id="invalid at Stripe"),
        pytest.param(redemption(**HALF, redeem_by_at=NOW), Refusal.EXPIRED, id="a coupon's end"),
        pytest.param(redemption(**HALF, redeem_by_at=NOW + 1), None, id="just before it"),
        pytest.param(redemption({"active": False, "expires_at": NOW}), Refusal.EXPIRED, id="a code's end"),
        pytest.param(redemption(**HALF, max_redemptions=2, times_redeemed=1), None, id="the last one"),
        pytest.param(redemption(**HALF, max_redemptions=2, times_redeemed=2, valid=False), Refusal.USED_UP, id="none"),
        pytest.param(redemption({"max_redemptions": 1, "times_redeemed": 1}), Refusal.USED_UP, id="a code's last"),
        pytest.param(redemption({"customer_id": "cus_1"}), None, id="the workspace's own"),
        pytest.param(redemption({"customer_id": "cus_2"}), Refusal.OTHER_CUSTOMER, id="another's"),
        pytest.param(redemption(**HALF, product_ids=("prod_2",)), Refusal.OTHER_PRODUCTS, id="another product's"),
        pytest.param(redemption(**HALF, product_ids=("prod_2", "prod_1")), None, id="for this product too"),
        pytest.param(redemption(amount_off=5, currency="usd"), Refusal.OTHER_CURRENCY, id="another currency's"),
    ],
)
def test_a_code_can_be_used_or_says_why_not(given: Redemption, refusal: Refusal | None) -> None:
    verdict = judged(given)

    assert verdict.refusal is refusal
    assert verdict.redemption == given
    assert bool(verdict.cuts) is (refusal is None)


def test_without_coupon_plan_or_price_there_is_nothing_to_take_off() -> None:
    assert judged().refusal is Refusal.UNKNOWN
    assert judged(redemption(), prices=None).refusal is Refusal.PLAN_NOT_FOUND
    assert judged(redemption(), prices=()).refusal is Refusal.PLAN_WITHOUT_PRICE


@pytest.mark.parametrize(
    ("coupon", "unit_amount", "discount"),
    [
        pytest.param(HALF, "1999", 1_000, id="a half is rounded away from nothing"),
        pytest.param({"percent_off": Decimal("12.5")}, "2000", 250, id="part of a percent"),
        pytest.param({"percent_off": Decimal(100)}, "1999", 1_999, id="all of it"),
        pytest.param(FIVER, "2000", 500, id="an amount"),
        pytest.param(FIVER, "300", 300, id="never more than there is"),
    ],
)
def test_what_is_taken_off_one_piece(coupon: dict[str, Any], unit_amount: str, discount: int) -> None:
    (cut,) = judged(redemption(**coupon), prices=(price(unit_amount=Decimal(unit_amount)),)).cuts

    assert (cut.amount, cut.discount) == (int(unit_amount), discount)


@pytest.mark.parametrize(
    "fields", [{"unit_amount": None}, {"is_metered": True}, {"tiers": (PriceTier(unit_amount=Decimal(1)),)}]
)
def test_what_depends_on_the_quantity_has_no_amount(fields: dict[str, Any]) -> None:
    (cut,) = judged(redemption(), prices=(price(**fields),)).cuts

    assert (cut.amount, cut.discount) == (None, None)


def test_of_a_plans_prices_only_those_that_fit_are_cut() -> None:
    prices = (price(currency="usd"), price(), price(product_id="prod_2"))

    verdict = judged(redemption(**FIVER, product_ids=("prod_1",)), prices=prices)

    assert [cut.price_id for cut in verdict.cuts] == ["price_2"]


def test_of_several_codes_the_one_that_can_be_used_counts_else_the_first() -> None:
    old, others, ours = (
        redemption({"active": False}, "promo_1"),
        redemption({"customer_id": "cus_2"}, "promo_2"),
        redemption({"customer_id": "cus_1"}, "promo_3"),
    )

    assert judged(old, others, ours).redemption == ours
    assert judged(others, old).refusal is Refusal.OTHER_CUSTOMER
