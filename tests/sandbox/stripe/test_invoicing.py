"""Invoices from draft to paid."""

import pytest
from sandbox.stripe_account import Account

_HOUR = 3_600
_DAY = 24 * _HOUR
_JANUARY = 31 * _DAY  # the first period: the clock starts on the 15th of January 2027


async def test_the_first_invoice_is_paid_at_once_in_one_second(account: Account) -> None:
    subscription = await account.subscription({"items[0][quantity]": 3})

    invoice = (await account.current(subscription))["latest_invoice"]
    line = invoice["lines"]["data"][0]
    assert (invoice["status"], invoice["billing_reason"]) == ("paid", "subscription_create")
    assert (invoice["total"], invoice["amount_due"], invoice["amount_paid"]) == (3000, 3000, 3000)
    assert (invoice["attempt_count"], invoice["number"][-5:]) == (1, "-0001")
    assert invoice["status_transitions"]["paid_at"] == account.clock.at
    assert (line["amount"], line["quantity"], line["description"]) == (3000, 3, "3 × Pro")  # noqa: RUF001
    assert line["period"] == {"start": account.clock.at, "end": account.clock.at + 31 * _DAY}
    events = (await account.get("/v1/events", {"limit": 10}))["data"][::-1]
    assert [event["type"] for event in events] == [
        "customer.subscription.created",
        "invoice.created",
        "invoice.finalized",
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "invoice_payment.paid",
        "invoice.updated",
        "invoice.paid",
        "invoice.payment_succeeded",
    ]
    assert {event["created"] for event in events} == {account.clock.at}
    assert len({event["request"]["id"] for event in events}) == 1
    assert [event["data"]["object"].get("status") for event in events[:3]] == ["active", "draft", "open"]


async def test_a_trial_s_first_invoice_is_over_nothing(account: Account) -> None:
    invoice = (await account.current(await account.subscription({"trial_period_days": 5})))["latest_invoice"]

    assert (invoice["status"], invoice["total"], invoice["attempt_count"]) == ("paid", 0, 0)
    assert invoice["lines"]["data"][0]["description"] == "Trial period for Pro"
    assert (await account.get("/v1/charges"))["data"] == []


@pytest.mark.parametrize(
    ("balance", "due", "left"),
    [
        pytest.param(-300, 700, 0, id="part of it"),
        pytest.param(-1300, 0, -300, id="all of it"),
        pytest.param(200, 1200, 0, id="a debt"),
    ],
)
async def test_the_customer_s_balance_is_settled_first(account: Account, balance: int, due: int, left: int) -> None:
    customer = (await account.post("/v1/customers", {"balance": balance}))["id"]

    invoice = (await account.current(await account.subscription({"customer": customer})))["latest_invoice"]

    assert (invoice["status"], invoice["total"], invoice["amount_due"]) == ("paid", 1000, due)
    assert (invoice["starting_balance"], invoice["ending_balance"]) == (balance, left)
    assert (await account.get(f"/v1/customers/{customer}"))["balance"] == left


async def test_an_invoice_that_is_sent_waits_for_its_due_date(account: Account) -> None:
    subscription = await account.subscription({"collection_method": "send_invoice", "days_until_due": 7})
    invoice = (await account.current(subscription))["latest_invoice"]

    await account.control("clock", {"by": 8 * _DAY})

    assert (subscription["status"], invoice["status"]) == ("active", "open")
    assert invoice["due_date"] == account.clock.at + 7 * _DAY
    assert {"invoice.sent", "invoice.overdue"} <= set(await account.event_types())
    assert (await account.get(f"/v1/subscriptions/{subscription['id']}"))["status"] == "past_due"
    await account.post(f"/v1/invoices/{invoice['id']}/pay", {"paid_out_of_band": "true"})
    assert (await account.get(f"/v1/subscriptions/{subscription['id']}"))["status"] == "active"


async def test_a_draft_can_be_finalized_before_its_hour(account: Account) -> None:
    subscription = await account.subscription()
    await account.control("clock", {"by": _JANUARY})
    invoice = (await account.current(subscription))["latest_invoice"]

    finalized = await account.post(f"/v1/invoices/{invoice['id']}/finalize")
    await account.control("clock", {"by": _HOUR})

    assert (finalized["status"], finalized["next_payment_attempt"]) == ("open", account.clock.at + _JANUARY + _HOUR)
    assert (await account.current(subscription))["latest_invoice"]["status"] == "paid"
    await account.post(f"/v1/invoices/{invoice['id']}/finalize", status=400)
