from typing import Any

import pytest
from sandbox.stripe_account import Account

PROMISE = {"promotion[type]": "coupon", "promotion[coupon]": "TEN"}


@pytest.fixture(autouse=True)
async def coupon(account: Account) -> Any:
    return await account.post("/v1/coupons", {"id": "TEN", "percent_off": 10})


async def test_a_code_promises_its_coupon(account: Account, coupon: Any) -> None:
    code = await account.post("/v1/promotion_codes", {**PROMISE, "code": "Spring-26"})
    path = f"/v1/promotion_codes/{code['id']}"

    whole = await account.get(path, {"expand[]": "promotion.coupon"})

    assert (code["code"], code["active"], code["promotion"]) == ("Spring-26", True, {"coupon": "TEN", "type": "coupon"})
    assert await account.get(path) == code
    assert whole["promotion"]["coupon"] == coupon


async def test_before_clover_the_coupon_stands_on_the_code_whole(account: Account, coupon: Any) -> None:
    old = {"Stripe-Version": "2025-08-27.basil"}

    code = await account.post("/v1/promotion_codes", {"coupon": "TEN"}, **old)
    now = await account.get(f"/v1/promotion_codes/{code['id']}")
    await account.delete("/v1/coupons/TEN")
    orphan = await account.get(f"/v1/promotion_codes/{code['id']}", **old)

    assert code["coupon"] == coupon
    assert "promotion" not in code
    assert now["promotion"] == {"coupon": "TEN", "type": "coupon"}
    assert orphan["coupon"] == {"id": "TEN", "object": "coupon", "deleted": True}


async def test_a_code_is_made_up_where_none_is_named(account: Account) -> None:
    codes = [(await account.post("/v1/promotion_codes", PROMISE))["code"] for _ in range(2)]

    assert codes[0] != codes[1]
    assert all(len(code) == 8 and code == code.upper() for code in codes)


async def test_its_life_is_told_by_events(account: Account) -> None:
    code = await account.post("/v1/promotion_codes", PROMISE)
    path = f"/v1/promotion_codes/{code['id']}"

    off = await account.post(path, {"active": "false"})
    on = await account.post(path, {"active": "true"})
    await account.delete("/v1/coupons/TEN")

    assert (off["active"], on["active"], (await account.get(path))["active"]) == (False, True, False)
    assert (await account.event_types())[1:] == [
        "promotion_code.created",
        "promotion_code.updated",
        "promotion_code.updated",
        "promotion_code.updated",
        "coupon.deleted",
    ]
    await account.post(path, {"active": "true"}, status=400)


async def test_a_word_is_active_once_for_the_same_people(account: Account) -> None:
    ann, bea = [(await account.post("/v1/customers"))["id"] for _ in range(2)]
    first = await account.post("/v1/promotion_codes", {**PROMISE, "code": "HI", "customer": ann})

    await account.post("/v1/promotion_codes", {**PROMISE, "code": "hi", "customer": ann}, status=400)
    await account.post("/v1/promotion_codes", {**PROMISE, "code": "hi"}, status=400)
    await account.post("/v1/promotion_codes", {**PROMISE, "code": "hi", "customer": bea})
    await account.post(f"/v1/promotion_codes/{first['id']}", {"active": "false"})
    await account.post("/v1/promotion_codes", {**PROMISE, "code": "hi", "customer": ann})

    body = await account.post(f"/v1/promotion_codes/{first['id']}", {"active": "true"}, status=400)
    assert body["error"]["param"] == "code"


async def test_codes_are_found_by_word_coupon_customer_and_activity(account: Account) -> None:
    await account.post("/v1/coupons", {"id": "HALF", "percent_off": 50})
    customer = (await account.post("/v1/customers"))["id"]
    ten = await account.post("/v1/promotion_codes", {**PROMISE, "code": "TEN"})
    half = await account.post("/v1/promotion_codes", {**PROMISE, "promotion[coupon]": "HALF", "customer": customer})
    await account.post(f"/v1/promotion_codes/{half['id']}", {"active": "false"})

    async def found(**params: str) -> list[str]:
        return [code["id"] for code in (await account.get("/v1/promotion_codes", params))["data"]]

    assert await found(code="ten") == [ten["id"]]
    assert await found(coupon="HALF") == [half["id"]]
    assert await found(customer=customer) == [half["id"]]
    assert await found(active="true") == [ten["id"]]
    assert await found() == [half["id"], ten["id"]]


async def test_restrictions_are_kept(account: Account) -> None:
    form = {"restrictions[first_time_transaction]": "true", "restrictions[minimum_amount]": 500}

    code = await account.post("/v1/promotion_codes", {**PROMISE, **form, "max_redemptions": 3})

    assert code["max_redemptions"] == 3
    assert code["restrictions"] == {
        "first_time_transaction": True,
        "minimum_amount": 500,
        "minimum_amount_currency": None,
    }


@pytest.mark.parametrize(
    ("form", "param"),
    [
        pytest.param({}, "promotion[type]", id="nothing promised"),
        pytest.param({"promotion[type]": "coupon"}, "promotion[coupon]", id="no coupon"),
        pytest.param({"coupon": "none"}, "coupon", id="unknown coupon"),
        pytest.param({**PROMISE, "code": "a b"}, "code", id="no word"),
        pytest.param({**PROMISE, "customer": "cus_none"}, "customer", id="unknown customer"),
        pytest.param({**PROMISE, "expires_at": 5}, "expires_at", id="over before it begins"),
    ],
)
async def test_a_wrong_code_is_refused(account: Account, form: dict[str, object], param: str) -> None:
    body = await account.post("/v1/promotion_codes", form, status=400)

    assert body["error"]["param"] == param


async def test_a_coupon_that_has_ended_gets_no_codes(account: Account) -> None:
    await account.control("objects/TEN", {"set": {"redeem_by": account.clock.at}})

    body = await account.post("/v1/promotion_codes", PROMISE, status=400)

    assert body["error"]["code"] == "coupon_expired"
