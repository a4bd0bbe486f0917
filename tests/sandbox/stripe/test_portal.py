"""What a customer does in the billing portal, and what is told of it."""

import pytest
from sandbox.checkout import open_session, submit, types_since
from sandbox.portal import CANCEL, UPDATE, configuration, offering, open_portal, portal_of
from sandbox.stripe_account import Account

_DAY = 86_400
_MONTH = 32 * _DAY


async def test_a_subscription_is_canceled_at_its_period_s_end_and_kept_after_all(account: Account) -> None:
    portal = await open_portal(account)
    before = await account.event_types()

    await portal.send(*portal.of_subscription("cancel"), reason="too_expensive")
    canceled = await portal.subscription()
    await portal.send(*portal.of_subscription("keep"))
    kept = await portal.subscription()

    assert (canceled["status"], canceled["cancel_at_period_end"]) == ("active", True)
    assert canceled["cancellation_details"]["feedback"] == "too_expensive"
    assert canceled["cancellation_details"]["reason"] == "cancellation_requested"
    assert (kept["cancel_at_period_end"], kept["cancel_at"]) == (False, None)
    assert await types_since(account, before) == ["customer.subscription.updated"] * 2


@pytest.mark.parametrize(
    ("proration", "told"),
    [
        pytest.param("none", [], id="nothing"),
        pytest.param("create_prorations", ["invoiceitem.created"], id="credit"),
    ],
)
async def test_a_subscription_is_canceled_now(account: Account, proration: str, told: list[str]) -> None:
    form = {f"{CANCEL}[enabled]": "true", f"{CANCEL}[mode]": "immediately", f"{CANCEL}[proration_behavior]": proration}
    portal = await open_portal(account, {"configuration": await configuration(account, form)})
    account.clock.at += _DAY
    before = await account.event_types()

    await portal.send(*portal.of_subscription("cancel"))

    assert (await portal.subscription())["status"] == "canceled"
    assert await types_since(account, before) == ["customer.subscription.deleted", *told]


async def test_a_new_card_pays_what_is_open_and_what_comes(account: Account) -> None:
    portal = await open_portal(account)
    customer = portal.session["customer"]
    await account.fail_card_of(customer)
    await account.control("clock", {"by": _MONTH})
    behind = await portal.subscription()
    before = await account.event_types()

    await portal.send("payment_method", means="mastercard")
    at_change = await types_since(account, before)
    await portal.send("invoices", behind["latest_invoice"], "pay")

    assert behind["status"] == "past_due"
    assert at_change == ["payment_method.attached", "customer.updated"]
    assert (await portal.subscription())["status"] == "active"
    settings = (await account.get(f"/v1/customers/{customer}"))["invoice_settings"]
    method = await account.get(f"/v1/payment_methods/{settings['default_payment_method']}")
    assert method["card"]["last4"] == "4444"
    assert (await types_since(account, before))[-1] == "customer.subscription.updated"


async def test_a_subscription_from_checkout_takes_the_new_card_too(account: Account) -> None:
    await submit(account, await open_session(account, mode="subscription"))
    subscription = (await account.get("/v1/subscriptions"))["data"][0]
    portal = await portal_of(account, subscription)

    await portal.send("payment_method", means="mastercard")

    after = await portal.subscription()
    assert after["default_payment_method"] != subscription["default_payment_method"]
    assert (await account.event_types())[-1] == "customer.subscription.updated"


async def test_a_card_that_is_declined_changes_nothing(account: Account) -> None:
    portal = await open_portal(account)
    before = await account.event_types()

    answer = await portal.send("payment_method", means="chargeDeclined")

    assert "Your card was declined." in answer.text
    assert await types_since(account, before) == []


async def test_a_payment_that_fails_is_told(account: Account) -> None:
    portal = await open_portal(account)
    await account.fail_card_of(portal.session["customer"])
    await account.control("clock", {"by": _MONTH})
    invoice = (await portal.subscription())["latest_invoice"]

    answer = await portal.send("invoices", invoice, "pay")

    assert answer.status_code == 402
    assert "Your card was declined." in answer.text
    assert (await account.get(f"/v1/invoices/{invoice}"))["status"] == "open"


@pytest.mark.parametrize(
    ("do", "status"), [pytest.param("complete", "paid", id="allowed"), pytest.param("fail", "open", id="not allowed")]
)
async def test_a_payment_may_need_authentication(account: Account, do: str, status: str) -> None:
    customer = await account.customer_with("pm_card_authenticationRequired")
    portal = await portal_of(account, await account.subscription({"customer": customer}))
    invoice = (await portal.subscription())["latest_invoice"]

    asked = await portal.send("invoices", invoice, "pay")
    await portal.send("invoices", invoice, "authenticate", do=do)

    assert asked.headers["location"].endswith("/authenticate")
    assert (await account.get(f"/v1/invoices/{invoice}"))["status"] == status
    assert (await portal.subscription())["status"] == {"paid": "active", "open": "incomplete"}[status]


async def test_an_invoice_is_paid_once(account: Account) -> None:
    portal = await open_portal(account)
    invoice = (await portal.subscription())["latest_invoice"]
    before = await account.event_types()

    again = await portal.send("invoices", invoice, "pay")
    await portal.send("invoices", invoice, "authenticate", do="complete")

    assert "already paid" in again.text
    assert await types_since(account, before) == []


async def test_another_price_is_taken_and_prorated(account: Account) -> None:
    subscription = await account.subscription({"customer": await account.customer_with("pm_card_visa")})
    named, price = await offering(account, subscription, {f"{UPDATE}[proration_behavior]": "always_invoice"})
    portal = await portal_of(account, subscription, {"configuration": named})
    account.clock.at += _DAY

    await portal.send(*portal.of_subscription("update"), price=price)

    changed = await portal.subscription()
    assert changed["items"]["data"][0]["price"]["id"] == price
    invoice = await account.get(f"/v1/invoices/{changed['latest_invoice']}")
    assert (invoice["status"], invoice["billing_reason"]) == ("paid", "subscription_update")


async def test_a_change_that_cannot_be_paid_is_not_made(account: Account) -> None:
    subscription = await account.subscription({"customer": await account.customer_with("pm_card_visa")})
    named, price = await offering(account, subscription, {f"{UPDATE}[proration_behavior]": "always_invoice"})
    portal = await portal_of(account, subscription, {"configuration": named})
    await account.fail_card_of(subscription["customer"])
    account.clock.at += _DAY

    answer = await portal.send(*portal.of_subscription("update"), price=price)

    assert "Your card was declined." in answer.text
    assert (await portal.subscription())["items"] == subscription["items"]


async def test_the_quantity_keeps_its_limits(account: Account) -> None:
    subscription = await account.subscription({"customer": await account.customer_with("pm_card_visa")})
    limits = f"{UPDATE}[products][0][adjustable_quantity]"
    form = {
        f"{UPDATE}[default_allowed_updates][1]": "quantity",
        f"{limits}[enabled]": "true",
        f"{limits}[minimum]": 2,
        f"{limits}[maximum]": 5,
    }
    named, _ = await offering(account, subscription, form)
    portal = await portal_of(account, subscription, {"configuration": named})

    refused = [
        await portal.send(*portal.of_subscription("update"), quantity=wanted) for wanted in ("0", "6", "x", "-1")
    ]
    await portal.send(*portal.of_subscription("update"), quantity="4")

    assert [answer.status_code for answer in refused] == [400] * 4
    assert (await portal.subscription())["items"]["data"][0]["quantity"] == 4


async def test_a_trial_ends_with_another_price(account: Account) -> None:
    customer = await account.customer_with("pm_card_visa")
    subscription = await account.subscription({"customer": customer, "trial_period_days": 14})
    named, price = await offering(account, subscription, {})
    portal = await portal_of(account, subscription, {"configuration": named})

    await portal.send(*portal.of_subscription("update"), price=price)

    changed = await portal.subscription()
    assert (changed["status"], changed["items"]["data"][0]["price"]["id"]) == ("active", price)


async def test_only_what_is_offered_can_be_taken(account: Account) -> None:
    subscription = await account.subscription({"customer": await account.customer_with("pm_card_visa")})
    named, _ = await offering(account, subscription, {})
    portal = await portal_of(account, subscription, {"configuration": named})
    foreign = (await account.price())["id"]
    before = await account.event_types()

    answers = [
        await portal.send(*portal.of_subscription("update"), price=foreign),
        await portal.send(*portal.of_subscription("update"), quantity="7"),
        await portal.send(*portal.of_subscription("cancel")),
        await portal.send(*portal.of_subscription("keep")),
        await portal.send("payment_method", means="visa"),
        await portal.send("details", email="x@example.com"),
        await portal.send("invoices", subscription["latest_invoice"], "pay"),
    ]

    assert [answer.status_code for answer in answers] == [403] * 7
    assert await types_since(account, before) == []


async def test_what_is_another_customer_s_is_not_there(account: Account) -> None:
    portal, other = await open_portal(account), await open_portal(account)
    invoice = (await other.subscription())["latest_invoice"]

    answers = [
        await portal.send("subscriptions", other.id, "cancel"),
        await portal.send("subscriptions", other.id, "keep"),
        await portal.look("subscriptions", other.id, "cancel"),
        await portal.send("invoices", invoice, "pay"),
        await portal.send("invoices", invoice, "authenticate", do="complete"),
    ]

    assert [answer.status_code for answer in answers] == [404] * 5
    assert (await other.subscription())["cancel_at_period_end"] is False


async def test_details_change_as_far_as_allowed(account: Account) -> None:
    form = {"features[customer_update][enabled]": "true", "features[customer_update][allowed_updates][0]": "email"}
    portal = await open_portal(account, {"configuration": await configuration(account, form)})

    await portal.send("details", email="new@example.com", name="Mallory")

    customer = await account.get(f"/v1/customers/{portal.session['customer']}")
    assert (customer["email"], customer["name"]) == ("new@example.com", None)
    assert (await account.event_types())[-1] == "customer.updated"


async def test_events_name_the_request_that_caused_them(account: Account) -> None:
    portal = await open_portal(account)

    await portal.send(*portal.of_subscription("cancel"))

    event = (await account.get("/v1/events", {"limit": 1}))["data"][0]
    assert event["request"]["id"].startswith("req_")
