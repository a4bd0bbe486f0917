import pytest
from sandbox.stripe_account import Account


async def test_a_coupon_takes_off_a_share_or_an_amount(account: Account) -> None:
    share = await account.post("/v1/coupons", {"percent_off": "12.5", "duration": "forever"})
    repeating = {"amount_off": 500, "currency": "USD", "duration": "repeating", "duration_in_months": 3}
    amount = await account.post("/v1/coupons", {"id": "SPRING", **repeating})

    assert (share["percent_off"], share["amount_off"], share["valid"]) == (12.5, None, True)
    assert (amount["id"], amount["amount_off"], amount["currency"]) == ("SPRING", 500, "usd")
    assert (amount["duration"], amount["duration_in_months"]) == ("repeating", 3)
    assert await account.get("/v1/coupons/SPRING") == amount


async def test_its_life_is_told_by_events(account: Account) -> None:
    coupon = await account.post("/v1/coupons", {"percent_off": 10})
    path = f"/v1/coupons/{coupon['id']}"
    renamed = await account.post(path, {"name": "Ten"})
    deleted = await account.delete(path)

    assert renamed["name"] == "Ten"
    assert deleted == {"id": coupon["id"], "object": "coupon", "deleted": True}
    assert await account.event_types() == ["coupon.created", "coupon.updated", "coupon.deleted"]
    await account.get(path, status=404)
    assert (await account.get("/v1/coupons"))["data"] == []


async def test_a_coupon_ends_with_its_last_day(account: Account) -> None:
    coupon = await account.post("/v1/coupons", {"percent_off": 10, "redeem_by": account.clock.at + 60})

    account.clock.at += 60

    assert coupon["valid"] is True
    assert (await account.get(f"/v1/coupons/{coupon['id']}"))["valid"] is False
    assert [each["valid"] for each in (await account.get("/v1/coupons"))["data"]] == [False]


async def test_a_coupon_that_is_used_up_is_not_valid(account: Account) -> None:
    coupon = await account.post("/v1/coupons", {"percent_off": 10, "max_redemptions": 2})

    await account.control(f"objects/{coupon['id']}", {"set": {"times_redeemed": 2}})

    assert (await account.get(f"/v1/coupons/{coupon['id']}"))["valid"] is False


async def test_the_products_it_is_for_are_there_on_request(account: Account) -> None:
    product = await account.post("/v1/products", {"name": "Pro"})
    coupon = await account.post("/v1/coupons", {"percent_off": 10, "applies_to[products][0]": product["id"]})

    whole = await account.get(f"/v1/coupons/{coupon['id']}", {"expand[]": "applies_to"})

    assert "applies_to" not in coupon
    assert whole["applies_to"] == {"products": [product["id"]]}


@pytest.mark.parametrize(
    ("form", "param"),
    [
        pytest.param({}, "percent_off", id="nothing off"),
        pytest.param({"percent_off": 10, "amount_off": 5, "currency": "usd"}, "percent_off", id="both"),
        pytest.param({"percent_off": 0}, "percent_off", id="no share"),
        pytest.param({"percent_off": 101}, "percent_off", id="more than all"),
        pytest.param({"percent_off": "ten"}, "percent_off", id="no number"),
        pytest.param({"amount_off": 5}, "currency", id="no currency"),
        pytest.param({"amount_off": 0, "currency": "usd"}, "amount_off", id="no amount"),
        pytest.param({"percent_off": 10, "duration": "repeating"}, "duration_in_months", id="no months"),
        pytest.param({"percent_off": 10, "duration_in_months": 3}, "duration_in_months", id="months of once"),
        pytest.param({"percent_off": 10, "redeem_by": 5}, "redeem_by", id="over before it begins"),
        pytest.param({"percent_off": 10, "applies_to[products][0]": "x"}, "applies_to[products]", id="no product"),
    ],
)
async def test_a_wrong_coupon_is_refused(account: Account, form: dict[str, object], param: str) -> None:
    body = await account.post("/v1/coupons", form, status=400)

    assert body["error"]["param"] == param
    assert (await account.get("/v1/coupons"))["data"] == []


async def test_what_it_takes_off_cannot_be_changed(account: Account) -> None:
    await account.post("/v1/coupons", {"id": "TEN", "percent_off": 10})

    await account.post("/v1/coupons/TEN", {"percent_off": 20}, status=400)
    await account.post("/v1/coupons", {"id": "TEN", "percent_off": 20}, status=400)

    assert (await account.get("/v1/coupons/TEN"))["percent_off"] == 10
