"""How subscriptions end, and what becomes of what is left."""

import pytest
from sandbox.stripe_account import Account, line_amounts

_HOUR = 3_600
_DAY = 24 * _HOUR
_JANUARY = 31 * _DAY  # the first period: the clock starts on the 15th of January 2027


async def test_what_is_not_paid_in_23_hours_expires(account: Account) -> None:
    subscription = await account.subscription({"payment_behavior": "default_incomplete"})
    await account.control("clock", {"by": 23 * _HOUR - 1})
    waiting = await account.current(subscription)

    await account.control("clock", {"by": 1})

    after = await account.current(subscription)
    assert waiting["status"] == "incomplete"
    assert (after["status"], after["latest_invoice"]["status"]) == ("incomplete_expired", "void")
    assert after["ended_at"] == account.clock.at + 23 * _HOUR
    assert (await account.get("/v1/payment_intents"))["data"][0]["status"] == "canceled"


async def test_cancellation_at_the_period_s_end_comes_before_the_renewal(account: Account) -> None:
    subscription = await account.subscription()
    await account.post(f"/v1/subscriptions/{subscription['id']}", {"cancel_at_period_end": "true"})

    await account.control("clock", {"by": 2 * _JANUARY})

    after = await account.current(subscription)
    assert (after["status"], after["ended_at"]) == ("canceled", account.clock.at + _JANUARY)
    assert len((await account.get("/v1/invoices"))["data"]) == 1
    assert "invoice.upcoming" not in await account.event_types()


async def test_what_is_owed_at_the_end_is_no_longer_collected(account: Account) -> None:
    customer = await account.customer_with("pm_card_visa")
    subscription = await account.subscription({"customer": customer})
    await account.fail_card_of(customer)
    await account.control("clock", {"by": _JANUARY + _HOUR})

    await account.delete(f"/v1/subscriptions/{subscription['id']}")
    await account.control("clock", {"by": 60 * _DAY})

    after = await account.current(subscription)
    assert (after["status"], after["latest_invoice"]["status"]) == ("canceled", "open")
    assert after["latest_invoice"]["attempt_count"] == 1


@pytest.mark.parametrize(
    ("form", "left", "balance"),
    [
        pytest.param({}, [], 0, id="nothing"),
        pytest.param({"prorate": "true"}, [-677], 0, id="a credit that waits"),
        pytest.param({"prorate": "true", "invoice_now": "true"}, [], -677, id="a credit at once"),
    ],
)
async def test_time_left_is_credited_at_the_end_where_asked(
    account: Account, form: dict[str, str], left: list[int], balance: int
) -> None:
    subscription = await account.subscription()
    account.clock.at += 10 * _DAY

    canceled = await account.delete(f"/v1/subscriptions/{subscription['id']}", form)

    assert canceled["status"] == "canceled"
    assert await account.pending_amounts() == left
    assert (await account.get(f"/v1/customers/{subscription['customer']}"))["balance"] == balance


async def test_what_waits_is_invoiced_when_the_last_period_ends(account: Account) -> None:
    subscription = await account.subscription({"items[0][quantity]": 2})
    account.clock.at += 10 * _DAY
    await account.change(subscription, {"items[0][quantity]": 3, "cancel_at_period_end": "true"})

    await account.control("clock", {"by": 21 * _DAY})

    last = (await account.get("/v1/invoices", {"limit": 1}))["data"][0]
    assert (last["status"], line_amounts(last)) == ("paid", [-1355, 2032])
    assert (await account.get(f"/v1/subscriptions/{subscription['id']}"))["status"] == "canceled"
