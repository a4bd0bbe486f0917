"""What comes of payments that fail."""

import pytest
from sandbox.stripe_account import Account

_HOUR = 3_600
_DAY = 24 * _HOUR
_JANUARY = 31 * _DAY  # the first period: the clock starts on the 15th of January 2027


async def test_a_first_payment_that_fails_leaves_the_subscription_incomplete(account: Account) -> None:
    customer = await account.customer_with("pm_card_chargeCustomerFail")

    subscription = await account.subscription({"customer": customer})

    invoice = (await account.current(subscription))["latest_invoice"]
    assert (subscription["status"], invoice["status"]) == ("incomplete", "open")
    assert (invoice["attempt_count"], invoice["next_payment_attempt"]) == (1, None)
    assert {"charge.failed", "payment_intent.payment_failed", "invoice.payment_failed"} <= set(
        await account.event_types()
    )
    made = (await account.get("/v1/charges"))["data"][0]
    assert (made["status"], made["failure_code"]) == ("failed", "card_declined")


async def test_a_payment_that_needs_action_says_so(account: Account) -> None:
    subscription = await account.subscription(
        {"customer": await account.customer_with("pm_card_authenticationRequired")}
    )

    intent = (await account.get("/v1/payment_intents"))["data"][0]

    assert (subscription["status"], intent["status"]) == ("incomplete", "requires_action")
    assert intent["next_action"]["type"] == "use_stripe_sdk"
    assert {"payment_intent.requires_action", "invoice.payment_action_required"} <= set(await account.event_types())
    assert (await account.get("/v1/charges"))["data"] == []


@pytest.mark.parametrize(
    ("rules", "status"),
    [
        pytest.param({}, "canceled", id="canceled"),
        pytest.param({"afterLastRetry": "unpaid"}, "unpaid", id="unpaid"),
        pytest.param({"afterLastRetry": "past_due"}, "past_due", id="left past due"),
    ],
)
async def test_a_failed_renewal_is_tried_again_and_then_given_up(
    account: Account, rules: dict[str, str], status: str
) -> None:
    await account.control("collection", rules)
    customer = await account.customer_with("pm_card_visa")
    subscription = await account.subscription({"customer": customer})
    await account.fail_card_of(customer)
    first = account.clock.at + _JANUARY + _HOUR

    await account.control("clock", {"to": first})
    failed = await account.current(subscription)
    await account.control("clock", {"by": 15 * _DAY})

    after = await account.current(subscription)
    assert (failed["status"], failed["latest_invoice"]["next_payment_attempt"]) == ("past_due", first + 3 * _DAY)
    assert (await account.get(f"/v1/customers/{customer}"))["delinquent"]
    tries = (await account.get("/v1/events", {"type": "invoice.payment_failed"}))["data"][::-1]
    assert [event["created"] - first for event in tries] == [0, 3 * _DAY, 8 * _DAY, 15 * _DAY]
    assert [event["data"]["object"]["attempt_count"] for event in tries] == [1, 2, 3, 4]
    assert (after["status"], after["latest_invoice"]["status"]) == (status, "open")
    assert after["latest_invoice"]["next_payment_attempt"] is None
    if status == "canceled":
        assert after["cancellation_details"]["reason"] == "payment_failed"
        assert after["ended_at"] == first + 15 * _DAY


async def test_a_retry_that_succeeds_makes_it_active_again(account: Account) -> None:
    customer = await account.customer_with("pm_card_visa")
    subscription = await account.subscription({"customer": customer})
    await account.fail_card_of(customer)
    await account.control("clock", {"by": _JANUARY + _HOUR})
    card = await account.post("/v1/payment_methods/pm_card_mastercard/attach", {"customer": customer})
    settings = {"invoice_settings[default_payment_method]": card["id"]}
    await account.post(f"/v1/customers/{customer}", settings)

    await account.control("clock", {"by": 3 * _DAY})

    after = await account.current(subscription)
    assert (after["status"], after["latest_invoice"]["status"]) == ("active", "paid")
    assert after["latest_invoice"]["attempt_count"] == 2
    assert not (await account.get(f"/v1/customers/{customer}"))["delinquent"]


async def test_an_unpaid_subscription_goes_on_in_drafts(account: Account) -> None:
    await account.control("collection", {"afterLastRetry": "unpaid", "retryDays": []})
    customer = await account.customer_with("pm_card_visa")
    subscription = await account.subscription({"customer": customer})
    await account.fail_card_of(customer)

    await account.control("clock", {"by": 2 * _JANUARY + _DAY})

    after = await account.current(subscription)
    assert (after["status"], after["latest_invoice"]["status"]) == ("unpaid", "draft")
    assert after["latest_invoice"]["auto_advance"] is False


async def test_giving_up_an_invoice_lets_the_subscription_go_on(account: Account) -> None:
    customer = await account.customer_with("pm_card_visa")
    subscription = await account.subscription({"customer": customer})
    await account.fail_card_of(customer)
    await account.control("clock", {"by": _JANUARY + _HOUR})
    invoice = (await account.current(subscription))["latest_invoice"]

    given_up = await account.post(f"/v1/invoices/{invoice['id']}/mark_uncollectible")

    assert given_up["status"] == "uncollectible"
    assert (await account.current(subscription))["status"] == "active"
