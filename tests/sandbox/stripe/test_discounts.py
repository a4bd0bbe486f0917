"""What discounts take off invoices, previews and prorations."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sandbox.stripe_account import Account, Clock, account_of, line_amounts

from app.sandbox.stripe.discounts import spread, taken_off

_DAY = 86_400
_HOUR = 3_600
_PREVIEW = "/v1/invoices/create_preview"


async def coupon(account: Account, **form: Any) -> str:
    return (await account.post("/v1/coupons", {"percent_off": 20, "duration": "forever", **form}))["id"]


async def amount_coupon(account: Account, amount: int, **form: Any) -> str:
    return (await account.post("/v1/coupons", {"amount_off": amount, "currency": "usd", **form}))["id"]


async def renewals(account: Account, subscription: Any, months: int) -> list[Any]:
    """Return the subscription's invoices of so many months, oldest first."""
    await account.control("clock", {"by": months * 31 * _DAY + _HOUR})
    found = await account.get("/v1/invoices", {"subscription": subscription["id"], "limit": 100})
    return found["data"][::-1]


async def test_a_share_is_taken_off_the_first_invoice_and_off_each_renewal(account: Account) -> None:
    made = await account.sdk.v1.subscriptions.create_async(
        {
            "customer": (await account.post("/v1/customers"))["id"],
            "items": [{"price": (await account.price(unit_amount=999))["id"], "quantity": 3}],
            "discounts": [{"coupon": await coupon(account, percent_off="12.5")}],
        }
    )

    first, second = await renewals(account, {"id": made.id}, 1)

    taken = {"amount": 375, "discount": made.discounts[0]}
    for invoice in (first, second):
        assert (invoice["subtotal"], invoice["total"], invoice["amount_paid"]) == (2997, 2622, 2622)
        assert invoice["total_discount_amounts"] == [taken] == invoice["lines"]["data"][0]["discount_amounts"]
        assert invoice["discounts"] == made.discounts
        assert line_amounts(invoice) == [2997]


@pytest.mark.parametrize(
    ("form", "totals"),
    [
        pytest.param({"duration": "once"}, [800, 1000, 1000, 1000], id="once"),
        pytest.param({"duration": "repeating", "duration_in_months": 2}, [800, 800, 1000, 1000], id="repeating"),
        pytest.param({"duration": "forever"}, [800, 800, 800, 800], id="forever"),
    ],
)
async def test_a_discount_lasts_as_its_coupon_says(account: Account, form: dict[str, Any], totals: list[int]) -> None:
    subscription = await account.subscription({"discounts[0][coupon]": await coupon(account, **form)})

    invoices = await renewals(account, subscription, 3)

    assert [invoice["total"] for invoice in invoices] == totals
    left = (await account.current(subscription))["discounts"]
    assert bool(left) == (form["duration"] == "forever")


async def test_a_trial_does_not_use_a_discount_up(account: Account) -> None:
    form = {"discounts[0][coupon]": await coupon(account, duration="once"), "trial_period_days": 5}
    subscription = await account.subscription(form)

    await account.control("clock", {"by": 6 * _DAY})

    assert (await account.current(subscription))["latest_invoice"]["total"] == 800


async def test_an_amount_never_exceeds_what_there_is_to_pay(account: Account) -> None:
    form = {"discounts[0][coupon]": await amount_coupon(account, 1500)}

    invoice = (await account.current(await account.subscription(form)))["latest_invoice"]

    assert (invoice["total"], invoice["status"], invoice["total_discount_amounts"][0]["amount"]) == (0, "paid", 1000)
    assert (await account.get("/v1/charges"))["data"] == []


async def test_discounts_build_on_each_other(account: Account) -> None:
    form = {
        "discounts[0][coupon]": await amount_coupon(account, 300),
        "discounts[1][coupon]": await coupon(account, percent_off=50),
    }

    invoice = (await account.current(await account.subscription(form)))["latest_invoice"]

    assert [taken["amount"] for taken in invoice["total_discount_amounts"]] == [300, 350]
    assert invoice["total"] == 350


async def test_a_coupon_for_a_product_leaves_the_others_alone(account: Account) -> None:
    cheap, dear = await account.price(unit_amount=100), await account.price(unit_amount=5000)
    only = await coupon(account, **{"applies_to[products][]": cheap["product"]})
    form = {"items[0][price]": cheap["id"], "items[1][price]": dear["id"], "discounts[0][coupon]": only}

    invoice = (await account.current(await account.subscription(form)))["latest_invoice"]

    assert invoice["total"] == 5080
    assert [len(line["discount_amounts"]) for line in invoice["lines"]["data"]] == [1, 0]


async def test_an_item_s_discount_comes_first_and_is_for_its_line_alone(account: Account) -> None:
    half, tenth = await coupon(account, percent_off=50), await coupon(account, percent_off=10)
    items = {"items[0][discounts][0][coupon]": half, "items[1][price]": (await account.price(unit_amount=300))["id"]}

    subscription = await account.current(await account.subscription({**items, "discounts[0][coupon]": tenth}))

    invoice, item = subscription["latest_invoice"], subscription["items"]["data"][0]
    assert [[taken["amount"] for taken in line["discount_amounts"]] for line in invoice["lines"]["data"]] == [
        [500, 50],
        [30],
    ]
    assert [line["discounts"] for line in invoice["lines"]["data"]] == [item["discounts"], []]
    assert (invoice["discounts"], invoice["total"]) == (subscription["discounts"], 720)
    assert {taken["discount"] for taken in invoice["total_discount_amounts"]} == {
        *item["discounts"],
        *subscription["discounts"],
    }
    preview = await account.post(_PREVIEW, {"subscription": subscription["id"], "discounts": ""})
    assert preview["total"] == 800


async def test_a_customer_s_discount_is_for_subscriptions_that_have_none(account: Account) -> None:
    old = {"Stripe-Version": "2025-02-24.acacia"}
    customer = (await account.post("/v1/customers", {"coupon": await coupon(account)}, **old))["id"]

    inherited = await account.current(await account.subscription({"customer": customer}))
    own = {"customer": customer, "discounts[0][coupon]": await coupon(account, percent_off=50)}
    other = await account.current(await account.subscription(own))

    assert (inherited["latest_invoice"]["total"], inherited["discounts"]) == (800, [])
    assert other["latest_invoice"]["total"] == 500
    discount = (await account.get(f"/v1/customers/{customer}"))["discount"]
    assert inherited["latest_invoice"]["discounts"] == [discount["id"]]


async def test_a_change_is_prorated_net_of_what_lasts(account: Account) -> None:
    subscription = await account.subscription({"discounts[0][coupon]": await coupon(account, percent_off=25)})

    await account.change(subscription, {"items[0][quantity]": 2})

    items = (await account.get("/v1/invoiceitems", {"pending": "true"}))["data"][::-1]
    assert [item["amount"] for item in items] == [-750, 1500]
    taken = [[each["amount"] for each in item["proration_details"]["discount_amounts"]] for item in items]
    assert taken == [[-250], [500]]
    (_, renewal) = await renewals(account, subscription, 1)
    assert renewal["total"] == 750 + 1500
    assert [len(line["discount_amounts"]) for line in renewal["lines"]["data"]] == [0, 0, 1]


async def test_what_was_discounted_once_is_credited_as_it_was_paid(account: Account) -> None:
    once = await coupon(account, percent_off=25, duration="once")
    subscription = await account.subscription({"discounts[0][coupon]": once})

    await account.change(subscription, {"items[0][quantity]": 2})
    await account.change(subscription, {"items[0][quantity]": 1})

    assert await account.pending_amounts() == [-750, 2000, -2000, 1000]


async def test_a_preview_takes_off_other_discounts_where_asked(account: Account) -> None:
    half, lasting = await coupon(account, percent_off=50), await coupon(account)
    subscription = (await account.subscription({"discounts[0][coupon]": lasting}))["id"]
    before = (await account.event_types(), (await account.get("/v1/coupons"))["data"])

    other = await account.post(_PREVIEW, {"subscription": subscription, "discounts[0][coupon]": half})
    none = await account.post(_PREVIEW, {"subscription": subscription, "discounts": ""})
    its_own = await account.post(_PREVIEW, {"subscription": subscription})

    assert [preview["total"] for preview in (other, none, its_own)] == [500, 1000, 800]
    assert (await account.event_types(), (await account.get("/v1/coupons"))["data"]) == before


_AMOUNTS = st.integers(0, 5000)
_PERCENTS = st.decimals("0.01", 100, places=2).map(float)


def _line(amount: int, product: str, item: str) -> dict[str, Any]:
    return {
        "amount": amount,
        "discountable": amount >= 0,
        "parent": {"subscription_item_details": {"subscription_item": item}},
        "pricing": {"price_details": {"product": product}},
    }


def _discount(percent: float | None, amount: int, products: list[str]) -> dict[str, Any]:
    applies_to = {"products": products} if products else None
    return {"percent_off": percent, "amount_off": None if percent else amount, "applies_to": applies_to}


_COUPONS = st.builds(
    _discount, st.none() | _PERCENTS, st.integers(1, 9000), st.lists(st.sampled_from("ab"), unique=True, max_size=2)
)


@given(
    lines=st.lists(
        st.builds(_line, st.integers(-3000, 5000), st.sampled_from("abc"), st.sampled_from("xyz")), max_size=6
    ),
    coupons=st.lists(st.tuples(_COUPONS, st.none() | st.sampled_from("xy")), max_size=3),
)
def test_no_line_is_taken_more_off_than_it_comes_to(lines: list[Any], coupons: list[Any]) -> None:
    discounts = [
        {"id": f"di_{index}", "subscription_item": item, "_coupon": each} for index, (each, item) in enumerate(coupons)
    ]

    for line, discounted in zip(lines, taken_off(lines, discounts), strict=True):
        taken = [each["amount"] for each in discounted["discount_amounts"]]
        assert all(amount > 0 for amount in taken)
        assert sum(taken) <= max(line["amount"], 0)


@given(weights=st.lists(_AMOUNTS, min_size=1, max_size=8), share=st.fractions(0, 1))
def test_what_is_spread_adds_up(weights: list[int], share: Any) -> None:
    amount = int(sum(weights) * share)

    parts = spread(amount, weights)

    assert sum(parts) == amount
    assert all(0 <= part <= weight for part, weight in zip(parts, weights, strict=True))


@given(
    percent=st.integers(1, 100),
    amount=st.integers(1, 4000),
    unit=st.integers(1, 3000),
    quantities=st.lists(st.integers(1, 9), min_size=1, max_size=3),
    days=st.integers(0, 30),
)
@settings(max_examples=25, deadline=None)
async def test_the_preview_is_what_comes_of_it(
    percent: int, amount: int, unit: int, quantities: list[int], days: int
) -> None:
    """Changes and discounts together: the books add up, and the renewal costs what its preview said."""
    async with account_of(Clock()) as account:
        repeating = {"duration": "repeating", "duration_in_months": 2}
        form = {
            "items[0][price]": (await account.price(unit_amount=unit))["id"],
            "discounts[0][coupon]": await coupon(account, percent_off=percent),
            "discounts[1][coupon]": await amount_coupon(account, amount, **repeating),
        }
        subscription = await account.subscription(form)
        account.clock.at += days * _DAY
        for quantity in quantities:
            await account.change(subscription, {"items[0][quantity]": quantity})

        preview = await account.post(_PREVIEW, {"subscription": subscription["id"]})
        await account.control("clock", {"by": (31 - days) * _DAY + _HOUR})

        renewal = (await account.current(subscription))["latest_invoice"]
        compared = ("subtotal", "total", "total_discount_amounts")
        assert {name: preview[name] for name in compared} == {name: renewal[name] for name in compared}
        assert line_amounts(preview) == line_amounts(renewal)
        taken = sum(each["amount"] for each in renewal["total_discount_amounts"])
        assert renewal["subtotal"] == sum(line_amounts(renewal))
        assert renewal["total"] == renewal["subtotal"] - taken
        by_line = [each["amount"] for line in renewal["lines"]["data"] for each in line["discount_amounts"]]
        assert sum(by_line) == taken


@given(percent=st.integers(1, 99), unit=st.integers(1, 3000), quantity=st.integers(2, 9), days=st.integers(0, 30))
@settings(max_examples=25, deadline=None)
async def test_there_and_back_again_costs_nothing(percent: int, unit: int, quantity: int, days: int) -> None:
    async with account_of(Clock()) as account:
        price = (await account.price(unit_amount=unit))["id"]
        form = {"items[0][price]": price, "discounts[0][coupon]": await coupon(account, percent_off=percent)}
        subscription = await account.subscription(form)
        account.clock.at += days * _DAY

        await account.change(subscription, {"items[0][quantity]": quantity})
        await account.change(subscription, {"items[0][quantity]": 1})

        assert sum(await account.pending_amounts()) == 0
