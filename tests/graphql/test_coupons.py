"""Coupons and codes, as callers see them: over the real store."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from support.api import Api
from support.records import NOW, mirror, plan, workspace
from support.runtime import put, running

from app.domain.plan import PlanPrice
from app.domain.stripe_facts import CouponFacts, CustomerFacts, PriceFacts, PromotionCodeFacts
from app.domain.stripe_object import StripeObject

MONEY = "{ amountMinor currency exponent }"
PAGE = """query($n: Int, $a: String) { coupons(first: $n, after: $a) {
    nodes { id promotionCodes { id code } } totalCount pageInfo { hasNextPage endCursor } } }"""
VALIDATE = f"""query($c: String!, $p: String! = "pro", $w: ID) {{
    validateCoupon(code: $c, planKey: $p, workspaceId: $w) {{
    valid reason coupon {{ id percentOff amountOff {MONEY} promotionCodes {{ id }} }} promotionCode {{ id code }}
    prices {{ priceId lookupKey interval amount {MONEY} discount {MONEY} }} }} }}"""


def coupon(id: str, **fields: Any) -> StripeObject:
    values: dict[str, Any] = {"percent_off": Decimal(20), **fields}
    return mirror(id, CouponFacts(duration="once", **values))


def code(id: str, text: str, coupon_id: str, **fields: Any) -> StripeObject:
    return mirror(id, PromotionCodeFacts(code=text, coupon_id=coupon_id, **fields))


def price(id: str, lookup_key: str | None = None, **fields: Any) -> StripeObject:
    values: dict[str, Any] = {"product_id": "prod_1", "currency": "eur", "unit_amount": Decimal(1_999), **fields}
    return mirror(id, PriceFacts(lookup_key=lookup_key, interval="month", **values))


@pytest.fixture
async def api(mongodb_uri: str, database: str) -> AsyncIterator[Api]:
    async with running(mongodb_uri, database) as rt:
        prices = (PlanPrice(lookup_key="pro_monthly"), PlanPrice(stripe_price_id="price_2"))
        await put(rt, workspace("ws_1", external_id="acme"), plan("pro", prices=prices), plan("bare", prices=()))
        mirrors = [
            price("price_1", "pro_monthly"),
            price("price_2", unit_amount=Decimal(19_990)),
            price("price_3", "team_monthly"),
            price("price_4", "pro_monthly_old", active=False),
            mirror("cus_1", CustomerFacts(), workspace_id="ws_1"),
            coupon("twenty"),
            coupon("gone_by", redeem_by_at=NOW),
            code("promo_1", "SAVE20", "twenty"),
        ]
        await rt.store.write(mirrors, (), None)
        yield Api(rt)


def euros(amount: int) -> dict[str, Any]:
    return {"amountMinor": str(amount), "currency": "EUR", "exponent": 2}


async def verdict(api: Api, code: str, **asked: Any) -> Any:
    return (await api.data(VALIDATE, {"c": code, **asked}))["validateCoupon"]


async def test_coupons_come_in_pages_with_their_codes(api: Api) -> None:
    first = (await api.data(PAGE, {"n": 1}))["coupons"]
    rest = (await api.data(PAGE, {"n": 1, "a": first["pageInfo"]["endCursor"]}))["coupons"]

    assert first["nodes"] == [{"id": "gone_by", "promotionCodes": []}]
    assert rest["nodes"] == [{"id": "twenty", "promotionCodes": [{"id": "promo_1", "code": "SAVE20"}]}]
    assert (first["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasNextPage"]) == (True, False)


@pytest.mark.parametrize("typed", ["SAVE20", "save20", "Save20"])
async def test_a_code_in_any_case_takes_its_share_off_every_price_of_the_plan(api: Api, typed: str) -> None:
    assert await verdict(api, typed) == {
        "valid": True,
        "reason": None,
        "coupon": {"id": "twenty", "percentOff": "20", "amountOff": None, "promotionCodes": [{"id": "promo_1"}]},
        "promotionCode": {"id": "promo_1", "code": "SAVE20"},
        "prices": [
            {
                "priceId": "price_1",
                "lookupKey": "pro_monthly",
                "interval": "month",
                "amount": euros(1_999),
                "discount": euros(400),
            },
            {
                "priceId": "price_2",
                "lookupKey": None,
                "interval": "month",
                "amount": euros(19_990),
                "discount": euros(3_998),
            },
        ],
    }


async def test_a_coupons_own_id_will_do_as_it_is_written(api: Api) -> None:
    found = await verdict(api, "twenty")

    assert (found["valid"], found["promotionCode"]) == (True, None)
    assert (await verdict(api, "TWENTY"))["reason"] == "UNKNOWN"


@pytest.mark.parametrize(
    ("code", "plan_key", "reason"),
    [
        pytest.param("nothing", "pro", "UNKNOWN", id="no such code"),
        pytest.param("", "pro", "UNKNOWN", id="no code"),
        pytest.param("a\0", "pro", "UNKNOWN", id="what cannot be stored"),
        pytest.param("gone_by", "pro", "EXPIRED", id="too late"),
        pytest.param("SAVE20", "ghost", "PLAN_NOT_FOUND", id="no such plan"),
        pytest.param("SAVE20", "bare", "PLAN_WITHOUT_PRICE", id="nothing sold"),
    ],
)
async def test_what_cannot_be_used_says_why(api: Api, code: str, plan_key: str, reason: str) -> None:
    found = await verdict(api, code, p=plan_key)

    assert (found["valid"], found["reason"], found["prices"]) == (False, reason, [])


async def test_a_code_of_one_customer_is_for_its_workspace_alone(api: Api) -> None:
    await api.rt.store.write([code("promo_2", "ONLYYOU", "twenty", customer_id="cus_1")], (), None)

    assert (await verdict(api, "onlyyou"))["reason"] == "OTHER_CUSTOMER"
    assert (await verdict(api, "onlyyou", w="acme"))["valid"] is True


async def test_a_code_that_is_used_anew_leads_to_the_coupon_of_now(api: Api) -> None:
    old = code("promo_0", "AGAIN", "gone_by", active=False, created_at=NOW)
    await api.rt.store.write([old, code("promo_9", "again", "twenty")], (), None)

    assert (await verdict(api, "Again"))["promotionCode"]["id"] == "promo_9"
