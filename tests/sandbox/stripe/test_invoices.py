"""Invoices and what is paid for them, as the API tells of them."""

from typing import Any

import pytest
from sandbox.stripe_account import Account

_DAY = 86_400
_OLD = {"Stripe-Version": "2025-02-24.acacia"}


async def customer_with(account: Account, card: str) -> str:
    form = {"payment_method": card, "invoice_settings[default_payment_method]": card}
    return (await account.post("/v1/customers", form))["id"]


async def latest_invoice(account: Account, subscription: dict[str, Any]) -> Any:
    current = await account.get(f"/v1/subscriptions/{subscription['id']}", {"expand[]": "latest_invoice"})
    return current["latest_invoice"]


async def test_the_first_invoice_is_paid_at_once_in_one_second(account: Account) -> None:
    subscription = await account.subscription({"items[0][quantity]": 3})

    invoice = await latest_invoice(account, subscription)
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


async def test_the_payment_is_found_from_the_invoice_and_back(account: Account) -> None:
    customer = await customer_with(account, "pm_card_visa")
    invoice = await latest_invoice(account, await account.subscription({"customer": customer}))

    links = (await account.get("/v1/invoice_payments", {"invoice": invoice["id"]}))["data"]
    intent = await account.get(f"/v1/payment_intents/{links[0]['payment']['payment_intent']}")
    back = await account.get("/v1/invoice_payments", {"payment[payment_intent]": intent["id"]})
    made = await account.get(f"/v1/charges/{intent['latest_charge']}")
    whole = await account.get(f"/v1/invoices/{invoice['id']}", {"expand[]": "payments"})

    assert (links[0]["status"], links[0]["amount_paid"]) == ("paid", 1000)
    assert (intent["status"], intent["amount_received"], intent["customer"]) == ("succeeded", 1000, customer)
    assert (made["paid"], made["payment_method_details"]["card"]["last4"]) == (True, "4242")
    assert back["data"] == links == whole["payments"]["data"]
    assert (await account.get("/v1/payment_intents", {"customer": customer}))["data"] == [intent]
    assert (await account.get("/v1/charges", {"payment_intent": intent["id"]}))["data"] == [made]
    assert (await account.get(f"/v1/invoice_payments/{links[0]['id']}")) == links[0]


async def test_before_basil_an_invoice_names_its_subscription_and_payment_itself(account: Account) -> None:
    subscription = await account.subscription()
    path = f"/v1/invoices/{(await latest_invoice(account, subscription))['id']}"

    new, old = await account.get(path), await account.get(path, **_OLD)
    intent = await account.get(f"/v1/payment_intents/{old['payment_intent']}", **_OLD)
    made = await account.get(f"/v1/charges/{old['charge']}", **_OLD)

    assert new["parent"]["subscription_details"]["subscription"] == subscription["id"] == old["subscription"]
    assert not {"parent", "total_taxes"} & old.keys()
    assert not {"subscription", "paid", "charge", "payment_intent"} & new.keys()
    assert (old["paid"], intent["invoice"], made["invoice"]) == (True, old["id"], old["id"])
    old_line, new_line = old["lines"]["data"][0], new["lines"]["data"][0]
    assert (old_line["type"], old_line["proration"]) == ("subscription", False)
    assert old_line["price"]["id"] == new_line["pricing"]["price_details"]["price"]
    assert not {"parent", "pricing"} & old_line.keys()
    assert "subscription_item" not in new_line


async def test_invoices_are_listed_by_what_they_belong_to(account: Account) -> None:
    first, second = await account.subscription(), await account.subscription({"trial_period_days": 5})
    ids = [(await latest_invoice(account, each))["id"] for each in (first, second)]

    async def listed(**params: str) -> list[str]:
        return [invoice["id"] for invoice in (await account.get("/v1/invoices", params))["data"]]

    assert await listed() == ids[::-1]
    assert await listed(subscription=first["id"]) == await listed(customer=first["customer"]) == ids[:1]
    assert await listed(status="draft") == []
    assert await listed(status="paid") == ids[::-1]


async def test_many_lines_come_in_pages(account: Account) -> None:
    prices = {f"items[{index}][price]": (await account.price())["id"] for index in range(12)}
    invoice = await latest_invoice(account, await account.subscription(prices))

    rest = await account.get(
        f"/v1/invoices/{invoice['id']}/lines", {"starting_after": invoice["lines"]["data"][-1]["id"]}
    )

    assert (len(invoice["lines"]["data"]), invoice["lines"]["has_more"]) == (10, True)
    assert (len(rest["data"]), rest["has_more"], rest["url"]) == (2, False, f"/v1/invoices/{invoice['id']}/lines")


async def test_a_trial_s_first_invoice_is_over_nothing(account: Account) -> None:
    invoice = await latest_invoice(account, await account.subscription({"trial_period_days": 5}))

    assert (invoice["status"], invoice["total"], invoice["attempt_count"]) == ("paid", 0, 0)
    assert invoice["lines"]["data"][0]["description"] == "Trial period for Pro"
    assert (await account.get("/v1/charges"))["data"] == []


async def test_a_first_payment_that_fails_leaves_the_subscription_incomplete(account: Account) -> None:
    customer = await customer_with(account, "pm_card_chargeCustomerFail")

    subscription = await account.subscription({"customer": customer})

    invoice = await latest_invoice(account, subscription)
    assert (subscription["status"], invoice["status"]) == ("incomplete", "open")
    assert (invoice["attempt_count"], invoice["next_payment_attempt"]) == (1, None)
    assert {"charge.failed", "payment_intent.payment_failed", "invoice.payment_failed"} <= set(
        await account.event_types()
    )
    made = (await account.get("/v1/charges"))["data"][0]
    assert (made["status"], made["failure_code"]) == ("failed", "card_declined")


async def test_an_invoice_is_paid_with_another_card(account: Account) -> None:
    subscription = await account.subscription({"customer": await customer_with(account, "pm_card_chargeCustomerFail")})
    path = f"/v1/invoices/{subscription['latest_invoice']}/pay"

    refused = await account.post(path, status=402)
    paid = await account.post(path, {"payment_method": "pm_card_visa"})

    assert refused["error"]["code"] == "card_declined"
    assert (paid["status"], paid["attempt_count"]) == ("paid", 1)
    assert (await account.get(f"/v1/subscriptions/{subscription['id']}"))["status"] == "active"
    update = (await account.get("/v1/events", {"type": "customer.subscription.updated"}))["data"][0]
    assert update["data"]["previous_attributes"] == {"status": "incomplete"}
    assert (await account.post(path, status=400))["error"]["code"] == "invoice_already_paid"


async def test_a_payment_that_needs_action_says_so(account: Account) -> None:
    subscription = await account.subscription(
        {"customer": await customer_with(account, "pm_card_authenticationRequired")}
    )

    intent = (await account.get("/v1/payment_intents"))["data"][0]

    assert (subscription["status"], intent["status"]) == ("incomplete", "requires_action")
    assert intent["next_action"]["type"] == "use_stripe_sdk"
    assert {"payment_intent.requires_action", "invoice.payment_action_required"} <= set(await account.event_types())
    assert (await account.get("/v1/charges"))["data"] == []


async def test_default_incomplete_leaves_the_payment_to_the_customer(account: Account) -> None:
    customer = await customer_with(account, "pm_card_visa")
    form = {
        "customer": customer,
        "payment_behavior": "default_incomplete",
        "expand[]": "latest_invoice.confirmation_secret",
    }

    subscription = await account.subscription(form)
    invoice = subscription["latest_invoice"]
    intent = (await account.get("/v1/payment_intents"))["data"][0]
    await account.post(f"/v1/invoices/{invoice['id']}/pay")

    assert (subscription["status"], invoice["status"], invoice["attempt_count"]) == ("incomplete", "open", 0)
    assert invoice["confirmation_secret"]["client_secret"] == intent["client_secret"]
    assert (await account.get(f"/v1/subscriptions/{subscription['id']}"))["status"] == "active"


async def test_error_if_incomplete_makes_nothing(account: Account) -> None:
    customer, price = await customer_with(account, "pm_card_chargeCustomerFail"), (await account.price())["id"]
    form = {"customer": customer, "items[0][price]": price, "payment_behavior": "error_if_incomplete"}

    await account.post("/v1/subscriptions", form, status=402)

    assert (await account.get("/v1/subscriptions", {"status": "all"}))["data"] == []
    assert (await account.get("/v1/invoices"))["data"] == []


async def test_a_void_first_invoice_ends_the_subscription(account: Account) -> None:
    subscription = await account.subscription({"payment_behavior": "default_incomplete"})
    path = f"/v1/invoices/{subscription['latest_invoice']}"

    voided = await account.post(f"{path}/void")

    assert voided["status"] == "void"
    assert (await account.get(f"/v1/subscriptions/{subscription['id']}"))["status"] == "incomplete_expired"
    assert (await account.get("/v1/payment_intents"))["data"][0]["cancellation_reason"] == "void_invoice"
    await account.post(f"{path}/void", status=400)
    await account.post(f"{path}/pay", status=400)
    await account.post(f"{path}/finalize", status=400)


async def test_an_invoice_can_be_paid_elsewhere(account: Account) -> None:
    subscription = await account.subscription({"payment_behavior": "default_incomplete"})
    path = f"/v1/invoices/{subscription['latest_invoice']}"

    paid = await account.post(f"{path}/pay", {"paid_out_of_band": "true"})

    assert (paid["status"], paid["amount_paid_off_stripe"]) == ("paid", 1000)
    assert (await account.get(path, **_OLD))["paid_out_of_band"]
    assert (await account.get("/v1/charges"))["data"] == []
    assert (await account.get(f"/v1/subscriptions/{subscription['id']}"))["status"] == "active"


async def test_an_invoice_that_is_sent_waits_for_its_due_date(account: Account) -> None:
    subscription = await account.subscription({"collection_method": "send_invoice", "days_until_due": 7})
    invoice = await latest_invoice(account, subscription)

    await account.control("clock", {"by": 8 * _DAY})

    assert (subscription["status"], invoice["status"]) == ("active", "open")
    assert invoice["due_date"] == account.clock.at + 7 * _DAY
    assert {"invoice.sent", "invoice.overdue"} <= set(await account.event_types())
    assert (await account.get(f"/v1/subscriptions/{subscription['id']}"))["status"] == "past_due"
    await account.post(f"/v1/invoices/{invoice['id']}/pay", {"paid_out_of_band": "true"})
    assert (await account.get(f"/v1/subscriptions/{subscription['id']}"))["status"] == "active"


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

    invoice = await latest_invoice(account, await account.subscription({"customer": customer}))

    assert (invoice["status"], invoice["total"], invoice["amount_due"]) == ("paid", 1000, due)
    assert (invoice["starting_balance"], invoice["ending_balance"]) == (balance, left)
    assert (await account.get(f"/v1/customers/{customer}"))["balance"] == left
