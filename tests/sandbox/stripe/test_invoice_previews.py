"""Previews of invoices: as they are created, and as they were retrieved before basil."""

from typing import Any

import pytest
from sandbox.stripe_account import Account, line_amounts

_DAY = 86_400
_OLD = {"Stripe-Version": "2025-02-24.acacia"}
_CREATE = "/v1/invoices/create_preview"
_UPCOMING = "/v1/invoices/upcoming"


async def _discounted(account: Account) -> Any:
    coupon = (await account.post("/v1/coupons", {"percent_off": 25, "duration": "forever"}))["id"]
    return await account.subscription({"items[0][quantity]": 2, "discounts[0][coupon]": coupon})


async def test_before_basil_it_is_retrieved_with_the_same_numbers(account: Account) -> None:
    subscription = await _discounted(account)
    account.clock.at += 10 * _DAY
    item = subscription["items"]["data"][0]["id"]
    details = "subscription_details[items][0]"
    changed = {"subscription": subscription["id"], f"{details}[id]": item, f"{details}[quantity]": 3}
    old_form = {"subscription_items[0][id]": item, "subscription_items[0][quantity]": 3}

    new = await account.post(_CREATE, changed)
    old = await account.get(_UPCOMING, {"customer": subscription["customer"], **old_form}, **_OLD)
    lines = await account.get(f"{_UPCOMING}/lines", {"subscription": subscription["id"], **old_form}, **_OLD)

    for name in ("subtotal", "total", "amount_due", "total_discount_amounts", "next_payment_attempt"):
        assert old[name] == new[name]
    assert line_amounts(old) == line_amounts(new) == [line["amount"] for line in lines["data"]]
    assert ("id" in old, old["subscription"], old["discount"]["id"]) == (False, subscription["id"], new["discounts"][0])


async def test_the_lines_come_in_pages(account: Account) -> None:
    prices = [(await account.price(unit_amount=100 + index))["id"] for index in range(5)]
    items = {f"items[{index}][price]": price for index, price in enumerate(prices)}
    form = {"subscription": (await account.subscription(items))["id"], "limit": 2}

    first = await account.get(f"{_UPCOMING}/lines", form, **_OLD)
    second = await account.get(f"{_UPCOMING}/lines", {**form, "starting_after": first["data"][-1]["id"]}, **_OLD)

    assert [line["amount"] for line in first["data"] + second["data"]] == [100, 101, 102, 103]
    assert second["has_more"]


async def test_a_customer_s_next_is_of_what_renews_first(account: Account) -> None:
    yearly = (await account.price(unit_amount=9000, **{"recurring[interval]": "year"}))["id"]
    monthly = await account.subscription()
    customer = monthly["customer"]
    await account.subscription({"customer": customer, "items[0][price]": yearly})

    upcoming = await account.get(_UPCOMING, {"customer": customer}, **_OLD)

    assert (upcoming["subscription"], upcoming["total"]) == (monthly["id"], 1000)


async def test_other_discounts_are_taken_off_as_it_was_said_then(account: Account) -> None:
    subscription = await _discounted(account)
    half = (await account.post("/v1/coupons", {"percent_off": 50}))["id"]

    upcoming = await account.get(_UPCOMING, {"subscription": subscription["id"], "coupon": half}, **_OLD)

    assert upcoming["total"] == 1000


@pytest.mark.parametrize("path", [_UPCOMING, f"{_UPCOMING}/lines"])
async def test_since_basil_there_is_none_to_retrieve(account: Account, path: str) -> None:
    subscription = await account.subscription()

    refused = await account.get(path, {"subscription": subscription["id"]}, status=404)

    assert "create_preview" in refused["error"]["message"]


async def test_what_does_not_renew_has_none(account: Account) -> None:
    subscription = await account.subscription()
    customer = subscription["customer"]
    await account.delete(f"/v1/subscriptions/{subscription['id']}")

    old = await account.get(_UPCOMING, {"customer": customer}, status=404, **_OLD)
    new = await account.post(_CREATE, {"subscription": subscription["id"]}, status=404)

    assert old["error"]["code"] == new["error"]["code"] == "invoice_upcoming_none"
    await account.get(_UPCOMING, status=400, **_OLD)
    await account.get(_UPCOMING, {"customer": customer, "unicorn": 1}, status=400, **_OLD)
    other = (await account.post("/v1/customers"))["id"]
    await account.post(_CREATE, {"subscription": subscription["id"], "customer": other}, status=400)


async def test_the_sdk_previews_a_subscription_that_does_not_exist_yet(account: Account) -> None:
    customer, price = (await account.post("/v1/customers"))["id"], (await account.price())["id"]
    half = (await account.post("/v1/coupons", {"percent_off": 50}))["id"]

    preview = await account.sdk.v1.invoices.create_preview_async(
        {
            "customer": customer,
            "discounts": [{"coupon": half}],
            "subscription_details": {"items": [{"price": price, "quantity": 3}]},
        }
    )

    assert (preview.subtotal, preview.total, preview.billing_reason) == (3000, 1500, "subscription_create")
    assert (await account.get("/v1/subscriptions", {"status": "all"}))["data"] == []


async def test_the_renewal_is_announced_once_with_the_numbers_of_its_preview(account: Account) -> None:
    subscription = await _discounted(account)
    await account.control("clock", {"by": 25 * _DAY})
    await account.change(subscription, {"items[0][quantity]": 3, "proration_behavior": "none"})
    preview = await account.post(_CREATE, {"subscription": subscription["id"]})
    await account.control("clock", {"by": 5 * _DAY})

    (told,) = (await account.get("/v1/events", {"type": "invoice.upcoming"}))["data"]

    assert told["data"]["object"]["total"] == 1500
    assert preview["total"] == 2250
    await account.control("clock", {"by": 26 * _DAY})
    assert (await account.event_types()).count("invoice.upcoming") == 1  # the first is too long ago


async def test_what_ends_with_its_period_has_only_what_is_left_to_charge(account: Account) -> None:
    subscription = await account.subscription()
    await account.change(subscription, {"cancel_at_period_end": "true"})
    form = {"subscription": subscription["id"]}

    await account.post(_CREATE, form, status=404)
    account.clock.at += 10 * _DAY
    await account.change(subscription, {"items[0][quantity]": 2})

    assert line_amounts(await account.post(_CREATE, form)) == [-677, 1355]
