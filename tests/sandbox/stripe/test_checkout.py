"""What becomes of checkout sessions: what is made, told and in which order."""

import pytest
import stripe
from sandbox.checkout import EMAIL, answer_bank, current, open_session, submit, types_since
from sandbox.stripe_account import Account

_DAY = 86_400


async def test_a_subscription_begins_when_its_session_is_paid(account: Account) -> None:
    session = await open_session(
        account,
        {"client_reference_id": "ws_1", "metadata[a]": "1", "subscription_data[metadata][workspace_id]": "ws_1"},
        mode="subscription",
    )
    before = await account.event_types()

    answer = await submit(account, session)

    assert answer.headers["location"] == f"https://shop.test/done?session={session['id']}"
    assert await types_since(account, before) == [
        "customer.created",
        "payment_method.attached",
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
        "customer.subscription.updated",
        "checkout.session.completed",
    ]
    paid = await current(account, session)
    assert (paid["status"], paid["payment_status"], paid["url"]) == ("complete", "paid", None)
    assert (paid["client_reference_id"], paid["metadata"], paid["amount_total"]) == ("ws_1", {"a": "1"}, 1000)
    assert paid["customer_details"]["email"] == EMAIL
    subscription = await account.get(f"/v1/subscriptions/{paid['subscription']}")
    assert (subscription["status"], subscription["metadata"]) == ("active", {"workspace_id": "ws_1"})
    assert subscription["latest_invoice"] == paid["invoice"]
    assert subscription["default_payment_method"] is not None
    assert (await account.get(f"/v1/customers/{paid['customer']}"))["email"] == EMAIL


async def test_all_that_a_payment_makes_happens_in_one_second(account: Account) -> None:
    session = await open_session(account, mode="subscription")
    account.clock.at += 60

    await submit(account, session)

    events = (await account.get("/v1/events", {"limit": 12}))["data"]
    assert {event["created"] for event in events} == {account.clock.at}


async def test_there_is_no_subscription_before_payment(account: Account) -> None:
    session = await open_session(account, mode="subscription")

    await submit(account, session, "chargeDeclined")

    after = await account.get(f"/v1/checkout/sessions/{session['id']}", **{"Stripe-Version": "2024-06-20"})
    assert (after["status"], after["subscription"], after["customer"]) == ("open", None, None)
    assert (await account.get("/v1/subscriptions", {"status": "all"}))["data"] == []


async def test_credits_are_paid_once_without_a_customer(account: Account) -> None:
    session = await open_session(account, {"payment_intent_data[metadata][credits]": "500"})
    before = await account.event_types()

    await submit(account, session)

    assert await types_since(account, before) == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "checkout.session.completed",
    ]
    paid = await current(account, session)
    intent = await account.get(f"/v1/payment_intents/{paid['payment_intent']}")
    assert (paid["payment_status"], paid["customer"]) == ("paid", None)
    assert (intent["status"], intent["amount_received"], intent["metadata"]) == ("succeeded", 5000, {"credits": "500"})
    charge = await account.get(f"/v1/charges/{intent['latest_charge']}")
    assert charge["billing_details"]["email"] == EMAIL


async def test_a_customer_is_made_or_taken_as_the_session_says(account: Account) -> None:
    known = (await account.post("/v1/customers", {"email": "bob@example.com"}))["id"]
    made = await open_session(account, {"customer_creation": "always"})
    given = await open_session(account, {"customer": known, "payment_intent_data[setup_future_usage]": "off_session"})

    for session in (made, given):
        await submit(account, session)

    new, same = [await current(account, session) for session in (made, given)]
    assert (await account.get(f"/v1/customers/{new['customer']}"))["email"] == EMAIL
    assert (same["customer"], same["customer_details"]["email"]) == (known, "bob@example.com")
    assert len((await account.get("/v1/payment_methods", {"customer": known}))["data"]) == 1


async def test_a_customer_without_an_address_gets_the_one_that_was_typed(account: Account) -> None:
    customer = (await account.post("/v1/customers"))["id"]

    await submit(account, await open_session(account, {"customer": customer}))

    assert (await account.get(f"/v1/customers/{customer}"))["email"] == EMAIL


async def test_a_card_is_saved_without_a_payment(account: Account) -> None:
    customer = (await account.post("/v1/customers", {"email": EMAIL}))["id"]
    session = await open_session(account, {"customer": customer, "setup_intent_data[metadata][a]": "1"}, mode="setup")
    before = await account.event_types()

    failed = await submit(account, session, "chargeDeclined")
    await submit(account, session)

    assert "Your card was declined." in failed.text
    assert before[-1] == "setup_intent.created"
    assert await types_since(account, before) == [
        "setup_intent.setup_failed",
        "payment_method.attached",
        "setup_intent.succeeded",
        "checkout.session.completed",
    ]
    saved = await current(account, session)
    intent = await account.get(f"/v1/setup_intents/{saved['setup_intent']}")
    assert (saved["payment_status"], saved["amount_total"]) == ("no_payment_required", None)
    assert (intent["status"], intent["metadata"]) == ("succeeded", {"a": "1"})
    method = await account.get(f"/v1/payment_methods/{intent['payment_method']}")
    assert method["customer"] == customer
    assert [one["id"] for one in (await account.get("/v1/setup_intents", {"customer": customer}))["data"]] == [
        intent["id"]
    ]


async def test_who_is_asked_and_goes_away_saves_nothing(account: Account) -> None:
    session = await open_session(account, mode="setup")
    await submit(account, session, "authenticationRequired")
    asked = await account.get(f"/v1/setup_intents/{session['setup_intent']}")

    await account.control("clock", {"by": 2 * _DAY})

    after = await account.get(f"/v1/setup_intents/{session['setup_intent']}")
    assert (asked["status"], after["status"], after["cancellation_reason"]) == (
        "requires_action",
        "canceled",
        "abandoned",
    )


async def test_who_has_been_deleted_buys_nothing(account: Account) -> None:
    customer = (await account.post("/v1/customers"))["id"]
    session = await open_session(account, {"customer": customer}, mode="subscription")
    await account.delete(f"/v1/customers/{customer}")

    answer = await submit(account, session)

    assert "has been deleted" in answer.text
    assert (await account.get("/v1/subscriptions", {"status": "all"}))["data"] == []


async def test_who_submits_twice_pays_once(account: Account) -> None:
    session = await open_session(account, mode="subscription")

    first = await submit(account, session)
    before = await account.event_types()
    second = await submit(account, session, "chargeDeclined")

    assert first.headers["location"] == second.headers["location"]
    assert await types_since(account, before) == []
    assert len((await account.get("/v1/subscriptions"))["data"]) == 1


@pytest.mark.parametrize("mode", ["payment", "subscription"])
async def test_a_decline_leaves_the_session_open_for_another_card(account: Account, mode: str) -> None:
    session = await open_session(account, mode=mode)

    failed = await submit(account, session, "chargeDeclinedInsufficientFunds")
    between = await current(account, session)
    paid = await submit(account, session)

    assert (failed.status_code, between["status"]) == (402, "open")
    assert "Your card has insufficient funds." in failed.text
    assert paid.status_code == 303
    assert len((await account.get("/v1/payment_intents"))["data"]) == 1
    assert (await account.event_types()).count("checkout.session.completed") == 1


async def test_a_failed_payment_is_told_and_its_intent_used_again(account: Account) -> None:
    session = await open_session(account)
    before = await account.event_types()

    await submit(account, session, "chargeDeclined")

    assert await types_since(account, before) == [
        "payment_intent.created",
        "charge.failed",
        "payment_intent.payment_failed",
    ]
    intent = (await current(account, session))["payment_intent"]
    await submit(account, session)
    assert (await current(account, session))["payment_intent"] == intent


@pytest.mark.parametrize("mode", ["payment", "subscription"])
async def test_authentication_completes_the_payment(account: Account, mode: str) -> None:
    session = await open_session(account, mode=mode)

    asked = await submit(account, session, "authenticationRequired")
    waiting = await current(account, session)
    done = await answer_bank(account, session, allow=True)

    assert asked.headers["location"].endswith("/authenticate")
    assert waiting["status"] == "open"
    assert "shop.test/done" in done.headers["location"]
    assert (await current(account, session))["payment_status"] == "paid"


@pytest.mark.parametrize("mode", ["payment", "subscription"])
async def test_failed_authentication_leaves_the_session_open(account: Account, mode: str) -> None:
    session = await open_session(account, mode=mode)
    await submit(account, session, "authenticationRequired")

    failed = await answer_bank(account, session, allow=False)
    again = await answer_bank(account, session, allow=True)

    assert "unable to authenticate" in failed.text
    assert (await account.get("/v1/charges"))["data"] == []
    assert (await current(account, session))["status"] == "open"
    assert again.status_code == 200
    assert "checkout.session.completed" not in await account.event_types()


async def test_a_card_that_fails_later_pays_now(account: Account) -> None:
    session = await open_session(account, mode="subscription")

    await submit(account, session, "chargeCustomerFail")
    subscription = (await current(account, session))["subscription"]
    started = await account.get(f"/v1/subscriptions/{subscription}")
    await account.control("clock", {"by": 32 * _DAY})

    assert started["status"] == "active"
    assert (await account.get(f"/v1/subscriptions/{subscription}"))["status"] == "past_due"


@pytest.mark.parametrize(
    ("means", "outcome", "status"),
    [
        pytest.param("debit", "succeeded", "paid", id="paid"),
        pytest.param("debitFail", "failed", "unpaid", id="not paid"),
    ],
)
@pytest.mark.parametrize("currency", ["usd", "eur"])
async def test_a_debit_is_settled_after_three_days(
    account: Account, means: str, outcome: str, status: str, currency: str
) -> None:
    line = {"line_items[0][price_data][currency]": currency, "line_items[0][price_data][unit_amount]": 700}
    session = await open_session(account, {**line, "line_items[0][price_data][product_data][name]": "Credits"})
    before = await account.event_types()

    await submit(account, session, means)
    at_once = await types_since(account, before)
    completed = await current(account, session)
    await account.control("clock", {"by": 3 * _DAY})

    assert at_once == [
        "payment_intent.created",
        "payment_intent.processing",
        "charge.pending",
        "checkout.session.completed",
    ]
    assert (completed["status"], completed["payment_status"]) == ("complete", "unpaid")
    settled = await current(account, session)
    assert (settled["payment_status"], settled["status"]) == (status, "complete")
    told = {"succeeded": "payment_intent.succeeded", "failed": "payment_intent.payment_failed"}
    assert (await types_since(account, before))[len(at_once) :] == [
        f"charge.{outcome}",
        told[outcome],
        f"checkout.session.async_payment_{outcome}",
    ]


async def test_a_trial_needs_no_payment_now(account: Account) -> None:
    session = await open_session(account, {"subscription_data[trial_period_days]": 14}, mode="subscription")

    await submit(account, session)

    paid = await current(account, session)
    subscription = await account.get(f"/v1/subscriptions/{paid['subscription']}")
    assert (paid["amount_total"], paid["payment_status"]) == (0, "no_payment_required")
    assert (subscription["status"], subscription["trial_end"]) == ("trialing", account.clock.at + 14 * _DAY)


async def test_a_trial_may_begin_without_a_card(account: Account) -> None:
    terms = {"subscription_data[trial_period_days]": 14, "payment_method_collection": "if_required"}
    session = await open_session(account, terms, mode="subscription")

    await submit(account, session, "")

    paid = await current(account, session)
    subscription = await account.get(f"/v1/subscriptions/{paid['subscription']}")
    assert (subscription["status"], subscription["default_payment_method"]) == ("trialing", None)


async def test_a_session_expires_when_its_time_is_over(account: Account) -> None:
    session = await open_session(account, {"expires_at": account.clock.at + 3_600})
    paid = await open_session(account)
    await submit(account, paid)
    await submit(account, session, "chargeDeclined")

    await account.control("clock", {"by": 2 * _DAY})

    events = (await account.get("/v1/events", {"type": "checkout.session.expired"}))["data"]
    assert [(event["data"]["object"]["id"], event["created"]) for event in events] == [
        (session["id"], session["created"] + 3_600)
    ]
    after = await current(account, session)
    assert (after["status"], after["url"]) == ("expired", None)
    intent = await account.get(f"/v1/payment_intents/{after['payment_intent']}")
    assert (intent["status"], intent["cancellation_reason"]) == ("canceled", "expired")
    assert (await current(account, paid))["status"] == "complete"


async def test_an_expired_session_cannot_be_paid(account: Account) -> None:
    session = await open_session(account)
    await account.post(f"/v1/checkout/sessions/{session['id']}/expire")

    answer = await submit(account, session)

    assert "has expired" in answer.text
    assert (await account.get("/v1/charges"))["data"] == []


async def test_nothing_due_is_paid_with_nothing(account: Account) -> None:
    coupon = (await account.post("/v1/coupons", {"percent_off": 100}))["id"]
    session = await open_session(account, {"discounts[0][coupon]": coupon})

    await submit(account, session, "")

    paid = await current(account, session)
    assert (paid["status"], paid["payment_status"], paid["payment_intent"]) == (
        "complete",
        "no_payment_required",
        None,
    )
    assert (await account.get(f"/v1/coupons/{coupon}"))["times_redeemed"] == 1


async def test_a_customer_s_discount_is_taken_off_what_it_subscribes_to(account: Account) -> None:
    coupon = (await account.post("/v1/coupons", {"percent_off": 20, "duration": "forever"}))["id"]
    customer = (await account.post("/v1/customers"))["id"]
    await account.post(f"/v1/customers/{customer}", {"coupon": coupon}, **{"Stripe-Version": "2025-02-24.acacia"})
    session = await open_session(account, {"customer": customer}, mode="subscription")

    await submit(account, session)

    invoice = (await account.get("/v1/invoices"))["data"][0]
    assert (session["amount_total"], session["discounts"], invoice["total"]) == (800, [], 800)


async def test_a_subscription_keeps_the_discount_that_it_was_bought_with(account: Account) -> None:
    coupon = (await account.post("/v1/coupons", {"percent_off": 20, "duration": "forever"}))["id"]
    session = await open_session(account, {"discounts[0][coupon]": coupon}, mode="subscription")

    await submit(account, session)

    bought = await current(account, session)
    subscription = await account.sdk.v1.subscriptions.retrieve_async(
        bought["subscription"], {"expand": ["discounts", "latest_invoice"]}
    )
    (discount,) = subscription.discounts
    assert isinstance(discount, stripe.Discount)
    assert isinstance(subscription.latest_invoice, stripe.Invoice)
    assert (discount.checkout_session, discount.source.coupon) == (session["id"], coupon)
    assert subscription.latest_invoice.total == bought["amount_total"] == 800
    assert (await account.get(f"/v1/coupons/{coupon}"))["times_redeemed"] == 1
