"""What metered usage costs: in arrears, once, by every kind of price."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sandbox.stripe_account import Account, Clock, account_of, line_amounts

_HOUR = 3_600
_DAY = 24 * _HOUR
_MONTH = 31 * _DAY  # the first period: the clock starts on the 15th of January 2027
_TIERS = {
    "unit_amount": "",
    "billing_scheme": "tiered",
    "tiers[0][up_to]": 10,
    "tiers[0][unit_amount]": 100,
    "tiers[0][flat_amount]": 50,
    "tiers[1][up_to]": "inf",
    "tiers[1][unit_amount]": 80,
}


async def metered_price(account: Account, formula: str = "sum", **form: Any) -> Any:
    """Return a price of a new meter, which counts events named `calls`."""
    known = (await account.get("/v1/billing/meters", {"status": "active"}))["data"]
    of_meter = {"display_name": "Calls", "event_name": "calls", "default_aggregation[formula]": formula}
    meter = known[0] if known else await account.post("/v1/billing/meters", of_meter)
    recurring = {"recurring[usage_type]": "metered", "recurring[meter]": meter["id"]}
    return await account.price(**{"unit_amount": 7, **recurring, **form})


async def metered(account: Account, formula: str = "sum", *, price: dict[str, Any] | None = None, **form: Any) -> Any:
    """Return a subscription to a metered price."""
    sold = await metered_price(account, formula, **(price or {}))
    return await account.subscription({"items[0][price]": sold["id"], **form})


async def use(account: Account, subscription: Any, value: Any, *, at: int | None = None) -> None:
    payload = {"payload[stripe_customer_id]": subscription["customer"], "payload[value]": value}
    told = {"event_name": "calls", "timestamp": account.clock.at if at is None else at, **payload}
    await account.post("/v1/billing/meter_events", told)


async def advance(account: Account, seconds: int) -> None:
    await account.control("clock", {"by": seconds})


async def latest(account: Account, subscription: Any) -> Any:
    return (await account.current(subscription))["latest_invoice"]


async def test_usage_is_charged_when_its_period_is_over(account: Account) -> None:
    subscription = await metered(account)
    first, start = await latest(account, subscription), account.clock.at
    await use(account, subscription, 30)
    await use(account, subscription, 12)

    await advance(account, _MONTH + _HOUR)

    invoice = await latest(account, subscription)
    (line,) = invoice["lines"]["data"]
    assert (first["status"], first["total"]) == ("paid", 0)
    assert (invoice["status"], invoice["total"], invoice["amount_paid"]) == ("paid", 294, 294)
    assert (line["quantity"], line["quantity_decimal"], line["description"]) == (42, "42", "Usage of Pro")
    assert line["period"] == {"start": start, "end": start + _MONTH}
    assert not any(name.startswith("_") for name in line)


@pytest.mark.parametrize(
    ("formula", "price", "values", "amount", "quantity"),
    [
        pytest.param("sum", {}, ["1.5", "2"], 25, "3.5", id="fraction of a unit"),
        pytest.param("sum", {}, [5, -9], 0, "0", id="less than nothing"),
        pytest.param("count", {}, [40, 40], 14, "2", id="counted"),
        pytest.param("last", {}, [40, 3], 21, "3", id="the last"),
        pytest.param("sum", {"transform_quantity[divide_by]": 5}, [11], 21, "11", id="packages"),
        pytest.param("sum", {**_TIERS, "tiers_mode": "graduated"}, [12], 1210, "12", id="graduated"),
        pytest.param("sum", {**_TIERS, "tiers_mode": "volume"}, [12], 960, "12", id="volume"),
        pytest.param("sum", {"unit_amount": "", "unit_amount_decimal": "0.04"}, [1000], 40, "1000", id="less than one"),
    ],
)
async def test_usage_costs_what_its_price_says(
    account: Account, formula: str, price: dict[str, Any], values: list[Any], amount: int, quantity: str
) -> None:
    subscription = await metered(account, formula, price=price)
    for value in values:
        await use(account, subscription, value)

    await advance(account, _MONTH + _HOUR)

    (line,) = (await latest(account, subscription))["lines"]["data"]
    assert (line["amount"], line["quantity_decimal"]) == (amount, quantity)


async def test_what_is_paid_in_advance_and_what_in_arrears_stand_on_one_invoice(account: Account) -> None:
    both = {"items[1][price]": (await account.price())["id"]}
    subscription = await metered(account, **both)
    await use(account, subscription, 10)

    first = await latest(account, subscription)
    await advance(account, _MONTH + _HOUR)

    renewal = await latest(account, subscription)
    assert line_amounts(first) == [0, 1000]
    assert line_amounts(renewal) == [70, 1000]
    used, paid = [line["period"]["end"] for line in renewal["lines"]["data"]]
    assert used < paid


async def test_events_that_come_late_count_until_the_invoice_is_final(account: Account) -> None:
    subscription = await metered(account)
    await advance(account, _MONTH + 60)
    draft = await latest(account, subscription)

    await use(account, subscription, 10, at=account.sandbox.now() - 120)
    await advance(account, _HOUR)
    final = await latest(account, subscription)
    await use(account, subscription, 10, at=account.sandbox.now() - 2 * _HOUR)

    assert (draft["status"], draft["total"]) == ("draft", 0)
    assert (final["id"], final["status"], final["total"]) == (draft["id"], "paid", 70)
    assert (await latest(account, subscription))["total"] == 70


async def test_a_discount_is_taken_off_usage_told_late_too(account: Account) -> None:
    once = (await account.post("/v1/coupons", {"percent_off": 50}))["id"]
    subscription = await metered(account, **{"discounts[0][coupon]": once})
    await advance(account, _MONTH + 60)

    await use(account, subscription, 10, at=account.sandbox.now() - 120)
    await advance(account, _HOUR)

    final = await account.current(subscription)
    assert (final["latest_invoice"]["subtotal"], final["latest_invoice"]["total"]) == (70, 35)
    assert final["discounts"] == []


async def test_usage_within_a_trial_is_free(account: Account) -> None:
    subscription = await metered(account, trial_period_days=5)
    await use(account, subscription, 10)

    await advance(account, 5 * _DAY + _HOUR)
    after_trial = await latest(account, subscription)
    await use(account, subscription, 3, at=account.sandbox.now())
    await advance(account, _MONTH)

    assert after_trial["total"] == 0
    assert (await latest(account, subscription))["total"] == 21


@pytest.mark.parametrize(
    ("form", "charged"),
    [
        pytest.param({"invoice_now": "true"}, [70], id="an invoice now"),
        pytest.param({}, [], id="none"),
        pytest.param(None, [70], id="at the period's end"),
    ],
)
async def test_the_last_usage_is_charged_at_the_end(
    account: Account, form: dict[str, str] | None, charged: list[int]
) -> None:
    subscription = await metered(account)
    await use(account, subscription, 10)
    path = f"/v1/subscriptions/{subscription['id']}"
    await advance(account, 3 * _DAY)

    if form is None:
        await account.post(path, {"cancel_at_period_end": "true"})
        await advance(account, _MONTH)
    else:
        await account.delete(path, form)

    after = await account.current(subscription)
    assert after["status"] == "canceled"
    invoices = (await account.get("/v1/invoices"))["data"]
    assert [invoice["amount_paid"] for invoice in invoices if invoice["total"]] == charged


async def test_a_preview_tells_what_was_used_so_far(account: Account) -> None:
    subscription = await metered(account)
    await use(account, subscription, 10)

    preview = await account.post("/v1/invoices/create_preview", {"subscription": subscription["id"]})

    assert line_amounts(preview) == [70]
    assert preview["lines"]["data"][0]["period"]["end"] == account.clock.at + _MONTH


async def test_another_price_is_for_what_is_used_from_then_on(account: Account) -> None:
    subscription = await metered(account)
    dearer = (await metered_price(account, unit_amount=100))["id"]
    await use(account, subscription, 10)
    await advance(account, _DAY)

    await account.change(subscription, {"items[0][price]": dearer})
    waiting = (await account.get("/v1/invoiceitems", {"pending": "true"}))["data"]
    await use(account, subscription, 2, at=account.sandbox.now())
    await advance(account, _MONTH)

    assert [(item["amount"], item["quantity"], item["proration"]) for item in waiting] == [(70, 10, False)]
    assert line_amounts(await latest(account, subscription)) == [70, 200]


async def test_a_removed_item_is_charged_for_what_was_used(account: Account) -> None:
    subscription = await metered(account, **{"items[1][price]": (await account.price())["id"]})
    await use(account, subscription, 10)
    await advance(account, 1)

    await account.change(subscription, {"items[0][deleted]": "true", "proration_behavior": "none"})

    assert await account.pending_amounts() == [70]


async def test_a_cycle_that_begins_anew_charges_what_was_used(account: Account) -> None:
    subscription = await metered(account)
    await use(account, subscription, 10)
    await advance(account, _DAY)

    changed = await account.change(subscription, {"billing_cycle_anchor": "now"})

    assert line_amounts(changed["latest_invoice"]) == [70]


async def test_a_price_without_a_meter_costs_nothing(account: Account) -> None:
    price = (await account.price(**{"recurring[usage_type]": "metered"}))["id"]
    subscription = await account.subscription({"items[0][price]": price})

    await advance(account, _MONTH + _HOUR)

    assert (await latest(account, subscription))["total"] == 0


@given(
    uses=st.lists(st.tuples(st.integers(0, 10 * _DAY), st.integers(1, 50)), max_size=8),
    switches=st.booleans(),
    anew=st.booleans(),
)
@settings(max_examples=25, deadline=None)
async def test_all_that_is_used_is_charged_once(uses: list[tuple[int, int]], *, switches: bool, anew: bool) -> None:
    """Whatever happens between: another price for the same, a cycle that begins anew, an end within a period."""
    async with account_of(Clock()) as account:
        subscription = await metered(account)
        same = (await metered_price(account))["id"]
        for index, (pause, value) in enumerate(uses):
            await advance(account, pause)
            await use(account, subscription, value, at=account.sandbox.now())
            if switches and index == 1:
                await account.change(subscription, {"items[0][price]": same})
            if anew and index == 2:
                await account.change(subscription, {"billing_cycle_anchor": "now"})
        await advance(account, 1)  # what is used at the instant of the end is after it
        await account.delete(f"/v1/subscriptions/{subscription['id']}", {"invoice_now": "true"})
        await advance(account, _DAY)

        invoices = (await account.get("/v1/invoices", {"limit": 100}))["data"]
        assert sum(invoice["amount_paid"] for invoice in invoices) == 7 * sum(value for _, value in uses)
