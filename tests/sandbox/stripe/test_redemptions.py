"""Coupons and promotion codes become discounts, are counted, and end."""

from typing import Any

import pytest
import stripe
from sandbox.stripe_account import Account

_DAY = 86_400
_OLD = {"Stripe-Version": "2025-02-24.acacia"}


async def coupon(account: Account, **form: Any) -> str:
    return (await account.post("/v1/coupons", {"percent_off": 20, "duration": "forever", **form}))["id"]


async def code(account: Account, of: str, **form: Any) -> str:
    promotion = {"promotion[type]": "coupon", "promotion[coupon]": of}
    return (await account.post("/v1/promotion_codes", {**promotion, **form}))["id"]


async def discount_events(account: Account) -> list[str]:
    return [name.removeprefix("customer.") for name in await account.event_types() if "discount" in name]


async def test_a_subscription_takes_a_promotion_code(account: Account) -> None:
    promised = await coupon(account)
    named = await code(account, promised)
    made = await account.subscription({"discounts[0][promotion_code]": named})

    found = await account.sdk.v1.subscriptions.retrieve_async(made["id"], {"expand": ["discounts.source.coupon"]})

    discount = found.discounts[0]
    assert isinstance(discount, stripe.Discount)
    assert isinstance(discount.source.coupon, stripe.Coupon)
    assert (discount.source.coupon.id, discount.source.coupon.times_redeemed) == (promised, 1)
    assert (discount.promotion_code, discount.customer) == (named, made["customer"])
    assert (discount.subscription, discount.start, discount.end) == (made["id"], account.clock.at, None)
    assert (await account.get(f"/v1/promotion_codes/{named}"))["times_redeemed"] == 1
    assert await discount_events(account) == ["discount.created"]


async def test_discounts_are_kept_added_and_removed(account: Account) -> None:
    made = await account.subscription({"discounts[0][coupon]": await coupon(account)})
    kept = made["discounts"][0]

    both = await account.change(
        made, {"discounts[0][discount]": kept, "discounts[1][coupon]": await coupon(account, percent_off=5)}
    )
    none = await account.change(made, {"discounts": ""})

    assert (both["discounts"][0], len(both["discounts"])) == (kept, 2)
    assert none["discounts"] == []
    assert await discount_events(account) == ["discount.created"] * 2 + ["discount.deleted"] * 2


async def test_what_is_used_up_ends(account: Account) -> None:
    few = await coupon(account, max_redemptions=1)
    named = await code(account, await coupon(account), max_redemptions=1)
    await account.subscription({"discounts[0][coupon]": few})
    await account.subscription({"discounts[0][promotion_code]": named})

    for name, used_up in (("coupon", few), ("promotion_code", named)):
        refused = await account.change(await account.subscription(), {f"discounts[0][{name}]": used_up}, status=400)
        assert refused["error"]["param"] == f"discounts[0][{name}]"
    assert (await account.get(f"/v1/promotion_codes/{named}"))["active"] is False
    assert (await account.get(f"/v1/coupons/{few}"))["valid"] is False


@pytest.mark.parametrize(
    ("form", "because"),
    [
        pytest.param({"discounts[0][coupon]": "none"}, "No such coupon", id="no coupon"),
        pytest.param({"discounts[0][promotion_code]": "none"}, "No such promotion code", id="no code"),
        pytest.param({"discounts[0][discount]": "di_none"}, "No such discount", id="no discount"),
        pytest.param({"discounts[0][coupon]": "EURO"}, "takes off eur", id="other currency"),
        pytest.param({"discounts[0][coupon]": "BRIEF"}, "Coupon expired", id="expired"),
        pytest.param({"discounts[0][unicorn]": "x"}, "unknown parameter", id="unknown"),
        pytest.param({"coupon": "EURO"}, "unknown parameter", id="before basil"),
    ],
)
async def test_a_wrong_discount_is_refused(account: Account, form: dict[str, str], because: str) -> None:
    await account.post("/v1/coupons", {"id": "EURO", "amount_off": 100, "currency": "eur"})
    await coupon(account, id="BRIEF", redeem_by=account.clock.at + 60)
    account.clock.at += 60
    made = await account.subscription()

    refused = await account.change(made, form, status=400)

    assert because in refused["error"]["message"]
    assert await discount_events(account) == []


@pytest.mark.parametrize(
    ("restriction", "is_refused"),
    [
        pytest.param({"restrictions[first_time_transaction]": "true"}, True, id="not the first"),
        pytest.param(
            {"restrictions[minimum_amount]": 1001, "restrictions[minimum_amount_currency]": "usd"},
            True,
            id="too little",
        ),
        pytest.param(
            {"restrictions[minimum_amount]": 1000, "restrictions[minimum_amount_currency]": "usd"}, False, id="enough"
        ),
        pytest.param({"customer": "cus_other"}, True, id="another's"),
        pytest.param({"customer": "cus_own"}, False, id="the customer's"),
    ],
)
async def test_a_promotion_code_is_restricted(
    account: Account, restriction: dict[str, Any], *, is_refused: bool
) -> None:
    for customer in ("cus_own", "cus_other"):
        await account.post("/v1/customers", {"id": customer})
    named = await code(account, await coupon(account), **restriction)
    await account.subscription({"customer": "cus_own"})
    price = (await account.price())["id"]

    form = {"customer": "cus_own", "items[0][price]": price, "discounts[0][promotion_code]": named}
    await account.post("/v1/subscriptions", form, status=400 if is_refused else 200)


async def test_nothing_is_redeemed_by_what_fails(account: Account) -> None:
    promised, customer = await coupon(account), await account.customer_with("pm_card_chargeCustomerFail")
    form = {
        "customer": customer,
        "items[0][price]": (await account.price())["id"],
        "discounts[0][coupon]": promised,
        "payment_behavior": "error_if_incomplete",
    }

    await account.post("/v1/subscriptions", form, status=402)

    assert (await account.get(f"/v1/coupons/{promised}"))["times_redeemed"] == 0
    assert await discount_events(account) == []


async def test_before_basil_there_is_one_discount_with_its_coupon(account: Account) -> None:
    promised = await coupon(account)
    customer = (await account.post("/v1/customers", {"coupon": promised}, **_OLD))["id"]
    price = (await account.price())["id"]
    form = {"customer": customer, "items[0][price]": price, "promotion_code": await code(account, promised)}

    made = await account.post("/v1/subscriptions", {**form, "expand[]": "latest_invoice"}, **_OLD)
    old = await account.get(f"/v1/customers/{customer}", **_OLD)
    new = await account.get(f"/v1/customers/{customer}")

    assert made["discount"]["id"] == made["discounts"][0] == made["latest_invoice"]["discount"]["id"]
    for discount in (made["discount"], made["latest_invoice"]["discount"], old["discount"]):
        assert (discount["coupon"]["id"], "source" in discount) == (promised, False)
    assert new["discount"]["source"] == {"coupon": promised, "type": "coupon"}
    cleared = await account.post(f"/v1/subscriptions/{made['id']}", {"coupon": ""}, **_OLD)
    assert (cleared["discount"], cleared["discounts"]) == (None, [])
    both = {"coupon": promised, "promotion_code": form["promotion_code"]}
    await account.post(f"/v1/subscriptions/{made['id']}", both, status=400, **_OLD)


async def test_a_customer_switches_from_one_coupon_to_another(account: Account) -> None:
    customer = (await account.post("/v1/customers", {"coupon": await coupon(account)}, **_OLD))["id"]

    other = await coupon(account, percent_off=5)
    switched = await account.post(f"/v1/customers/{customer}", {"coupon": other}, **_OLD)
    gone = await account.sdk.v1.customers.delete_discount_async(customer)

    assert switched["discount"]["coupon"]["id"] == other
    assert (gone.deleted, gone.id) == (True, switched["discount"]["id"])
    assert (await account.get(f"/v1/customers/{customer}"))["discount"] is None
    assert await discount_events(account) == ["discount.created", "discount.updated", "discount.deleted"]
    await account.delete(f"/v1/customers/{customer}/discount", status=404)


async def test_a_subscription_s_discounts_are_deleted(account: Account) -> None:
    made = await account.subscription({"discounts[0][coupon]": await coupon(account)})

    gone = await account.sdk.v1.subscriptions.delete_discount_async(made["id"])

    assert (gone.deleted, gone.subscription) == (True, made["id"])
    assert (await account.get(f"/v1/subscriptions/{made['id']}"))["discounts"] == []
    told = (await account.get("/v1/events", {"limit": 1}))["data"][0]
    assert told["data"]["previous_attributes"] == {"discounts": made["discounts"]}
    await account.delete(f"/v1/subscriptions/{made['id']}/discount", status=404)


async def test_a_discount_outlives_its_coupon(account: Account) -> None:
    promised = await coupon(account)
    made = await account.subscription({"discounts[0][coupon]": promised})

    await account.delete(f"/v1/coupons/{promised}")
    await account.control("clock", {"by": 32 * _DAY})

    assert (await account.current(made))["latest_invoice"]["total"] == 800
    old = await account.get(f"/v1/subscriptions/{made['id']}", **_OLD)
    assert old["discount"]["coupon"] == {"id": promised, "object": "coupon", "deleted": True}


async def test_a_customer_s_repeating_discount_ends_in_time(account: Account) -> None:
    brief = await coupon(account, duration="repeating", duration_in_months=1)
    customer = (await account.post("/v1/customers", {"coupon": brief}, **_OLD))["id"]

    await account.control("clock", {"by": 32 * _DAY})

    assert (await account.get(f"/v1/customers/{customer}"))["discount"] is None
    assert await discount_events(account) == ["discount.deleted"]  # the first is too long ago


async def test_since_basil_no_amount_is_taken_off_for_ever(account: Account) -> None:
    form = {"amount_off": 100, "currency": "usd", "duration": "forever"}

    refused = await account.post("/v1/coupons", form, status=400)

    assert refused["error"]["param"] == "duration"
    await account.post("/v1/coupons", form, **_OLD)


async def test_the_control_takes_discounts_away_only(account: Account) -> None:
    made = await account.subscription({"discounts[0][coupon]": await coupon(account)})
    customer = f"objects/{made['customer']}"

    for wrong in (["di_1"], "di_1", [{"id": "di_1", "end": None}]):
        await account.control(f"objects/{made['id']}", {"set": {"discounts": []}})
        await account.control(f"objects/{made['id']}", {"set": {"discounts": wrong}}, status=400)
    await account.control(customer, {"set": {"discount": {"id": "di_1"}}}, status=400)
    await account.control(customer, {"set": {"discount": None, "name": "Bo"}})
    await account.control("clock", {"by": 32 * _DAY})

    assert (await account.current(made))["latest_invoice"]["total"] == 1000


async def test_an_amount_in_another_currency_takes_nothing_off(account: Account) -> None:
    euros = (await account.post("/v1/coupons", {"amount_off": 300, "currency": "eur"}))["id"]
    customer = (await account.post("/v1/customers", {"coupon": euros}, **_OLD))["id"]

    abroad = await account.current(await account.subscription({"customer": customer}))
    price = (await account.price(currency="eur"))["id"]
    at_home = await account.current(await account.subscription({"customer": customer, "items[0][price]": price}))

    assert (abroad["latest_invoice"]["total"], at_home["latest_invoice"]["total"]) == (1000, 700)


async def test_an_item_s_discounts_are_kept_used_up_and_removed(account: Account) -> None:
    once, lasting = await coupon(account, duration="once"), await coupon(account, percent_off=5)
    made = await account.subscription({"items[0][discounts][0][coupon]": once})
    path = f"/v1/subscriptions/{made['id']}"

    given = await account.change(made, {"items[0][discounts][0][coupon]": lasting, "discounts[0][coupon]": lasting})
    held = given["items"]["data"][0]["discounts"]
    kept = await account.change(made, {"items[0][discounts][0][discount]": held[0], "items[0][quantity]": 2})
    await account.delete(f"{path}/discount")
    left = await account.get(path, {"expand[]": "items.data.discounts"})
    none = await account.change(made, {"items[0][discounts]": ""})

    assert (await account.current(made))["latest_invoice"]["total"] == 800
    assert kept["items"]["data"][0]["discounts"] == held
    (discount,) = left["items"]["data"][0]["discounts"]
    assert (left["discounts"], discount["subscription_item"]) == ([], made["items"]["data"][0]["id"])
    assert none["items"]["data"][0]["discounts"] == []
    told = ["created", "deleted", "created", "created", "deleted", "deleted"]
    assert await discount_events(account) == [f"discount.{verb}" for verb in told]
    await account.change(made, {"items[0][discounts][0][discount]": "di_none"}, status=400)
