"""Lives of subscriptions, by the clock alone."""

from itertools import pairwise
from typing import Any

import pytest
from sandbox.stripe_account import Account

_HOUR = 3_600
_DAY = 24 * _HOUR
_JANUARY = 31 * _DAY  # the first period: the clock starts on the 15th of January 2027
_FEBRUARY = 28 * _DAY


async def customer_with(account: Account, card: str) -> str:
    form = {"payment_method": card, "invoice_settings[default_payment_method]": card}
    return (await account.post("/v1/customers", form))["id"]


async def fail_from_now_on(account: Account, customer: str) -> None:
    """Make the customer's card one that fails when it is charged."""
    method = (await account.get("/v1/payment_methods", {"customer": customer}))["data"][0]["id"]
    await account.control(f"objects/{method}", {"set": {"card.last4": "0341"}})


async def current(account: Account, subscription: dict[str, Any]) -> Any:
    return await account.get(f"/v1/subscriptions/{subscription['id']}", {"expand[]": "latest_invoice"})


async def events_since(account: Account, at: int) -> list[tuple[str, int]]:
    """Return the types of events since an instant and how long after it they were created, oldest first."""
    page = await account.get("/v1/events", {"created[gte]": at, "limit": 100})
    return [(event["type"], event["created"] - at) for event in page["data"]][::-1]


async def test_a_renewal_rolls_the_period_and_is_charged_an_hour_later(account: Account) -> None:
    subscription = await account.subscription({"items[0][quantity]": 2})
    renewal = account.clock.at + _JANUARY

    await account.control("clock", {"to": renewal})
    drafted = await current(account, subscription)
    await account.control("clock", {"by": _HOUR})
    paid = await current(account, subscription)

    item, invoice = drafted["items"]["data"][0], drafted["latest_invoice"]
    assert (item["current_period_start"], item["current_period_end"]) == (renewal, renewal + _FEBRUARY)
    assert (invoice["status"], invoice["billing_reason"], invoice["total"]) == ("draft", "subscription_cycle", 2000)
    assert (invoice["period_start"], invoice["period_end"]) == (renewal - _JANUARY, renewal)
    assert invoice["automatically_finalizes_at"] == renewal + _HOUR
    assert (paid["status"], paid["latest_invoice"]["status"], paid["latest_invoice"]["number"][-5:]) == (
        "active",
        "paid",
        "-0002",
    )
    assert await events_since(account, renewal) == [
        ("customer.subscription.updated", 0),
        ("invoice.created", 0),
        *(
            (name, _HOUR)
            for name in (
                "invoice.finalized",
                "payment_intent.created",
                "charge.succeeded",
                "payment_intent.succeeded",
                "invoice_payment.paid",
                "invoice.updated",
                "invoice.paid",
                "invoice.payment_succeeded",
            )
        ),
    ]


async def test_a_year_in_one_step_is_twelve_renewals(account: Account) -> None:
    subscription = await account.subscription()

    await account.control("clock", {"by": 365 * _DAY + 2 * _HOUR})

    invoices = (await account.get("/v1/invoices", {"subscription": subscription["id"], "limit": 100}))["data"]
    assert [invoice["status"] for invoice in invoices] == ["paid"] * 13
    ends = [invoice["lines"]["data"][0]["period"] for invoice in invoices][::-1]
    assert all(before["end"] == after["start"] for before, after in pairwise(ends))
    assert ends[-1]["start"] == account.clock.at + 365 * _DAY


async def test_a_renewal_is_announced_a_week_before(account: Account) -> None:
    await account.subscription()

    await account.control("clock", {"by": _JANUARY - 7 * _DAY})

    event = (await account.get("/v1/events", {"type": "invoice.upcoming"}))["data"][0]
    assert event["created"] == account.clock.at + _JANUARY - 7 * _DAY
    preview = event["data"]["object"]
    assert (preview["total"], "id" in preview) == (1000, False)
    assert preview["lines"]["data"][0]["period"]["start"] == account.clock.at + _JANUARY
    assert len((await account.get("/v1/invoices"))["data"]) == 1


async def test_a_trial_is_announced_and_ends_in_an_invoice(account: Account) -> None:
    subscription = await account.subscription({"trial_period_days": 14})
    end = account.clock.at + 14 * _DAY

    await account.control("clock", {"to": end})
    begun = await current(account, subscription)
    await account.control("clock", {"by": _HOUR})

    notice = (await account.get("/v1/events", {"type": "customer.subscription.trial_will_end"}))["data"]
    assert [event["created"] for event in notice] == [end - 3 * _DAY]
    assert (begun["status"], begun["latest_invoice"]["status"]) == ("active", "draft")
    assert begun["items"]["data"][0]["current_period_start"] == end
    after = await current(account, subscription)
    assert (after["latest_invoice"]["status"], after["latest_invoice"]["total"]) == ("paid", 1000)


async def test_a_short_trial_is_announced_at_once(account: Account) -> None:
    await account.subscription({"trial_period_days": 2})

    assert (await account.event_types()).count("customer.subscription.trial_will_end") == 1


async def test_a_trial_whose_payment_fails_is_past_due(account: Account) -> None:
    customer = await customer_with(account, "pm_card_chargeCustomerFail")
    subscription = await account.subscription({"customer": customer, "trial_period_days": 5})

    await account.control("clock", {"by": 5 * _DAY + _HOUR})

    after = await current(account, subscription)
    assert (after["status"], after["latest_invoice"]["status"]) == ("past_due", "open")


@pytest.mark.parametrize(
    ("behavior", "card", "status"),
    [
        pytest.param("pause", None, "paused", id="paused"),
        pytest.param("cancel", None, "canceled", id="canceled"),
        pytest.param("create_invoice", None, "active", id="invoiced"),
        pytest.param("pause", "pm_card_visa", "active", id="there is a card"),
    ],
)
async def test_a_trial_without_a_card_ends_as_its_settings_say(
    account: Account, behavior: str, card: str | None, status: str
) -> None:
    customer = await customer_with(account, card) if card else (await account.post("/v1/customers"))["id"]
    setting = {"trial_settings[end_behavior][missing_payment_method]": behavior}
    subscription = await account.subscription({"customer": customer, "trial_period_days": 5, **setting})

    await account.control("clock", {"by": 5 * _DAY})

    assert (await current(account, subscription))["status"] == status


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
    customer = await customer_with(account, "pm_card_visa")
    subscription = await account.subscription({"customer": customer})
    await fail_from_now_on(account, customer)
    first = account.clock.at + _JANUARY + _HOUR

    await account.control("clock", {"to": first})
    failed = await current(account, subscription)
    await account.control("clock", {"by": 15 * _DAY})

    after = await current(account, subscription)
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
    customer = await customer_with(account, "pm_card_visa")
    subscription = await account.subscription({"customer": customer})
    await fail_from_now_on(account, customer)
    await account.control("clock", {"by": _JANUARY + _HOUR})
    card = await account.post("/v1/payment_methods/pm_card_mastercard/attach", {"customer": customer})
    settings = {"invoice_settings[default_payment_method]": card["id"]}
    await account.post(f"/v1/customers/{customer}", settings)

    await account.control("clock", {"by": 3 * _DAY})

    after = await current(account, subscription)
    assert (after["status"], after["latest_invoice"]["status"]) == ("active", "paid")
    assert after["latest_invoice"]["attempt_count"] == 2
    assert not (await account.get(f"/v1/customers/{customer}"))["delinquent"]


async def test_an_unpaid_subscription_goes_on_in_drafts(account: Account) -> None:
    await account.control("collection", {"afterLastRetry": "unpaid", "retryDays": []})
    customer = await customer_with(account, "pm_card_visa")
    subscription = await account.subscription({"customer": customer})
    await fail_from_now_on(account, customer)

    await account.control("clock", {"by": 2 * _JANUARY + _DAY})

    after = await current(account, subscription)
    assert (after["status"], after["latest_invoice"]["status"]) == ("unpaid", "draft")
    assert after["latest_invoice"]["auto_advance"] is False


async def test_what_is_not_paid_in_23_hours_expires(account: Account) -> None:
    subscription = await account.subscription({"payment_behavior": "default_incomplete"})
    await account.control("clock", {"by": 23 * _HOUR - 1})
    waiting = await current(account, subscription)

    await account.control("clock", {"by": 1})

    after = await current(account, subscription)
    assert waiting["status"] == "incomplete"
    assert (after["status"], after["latest_invoice"]["status"]) == ("incomplete_expired", "void")
    assert after["ended_at"] == account.clock.at + 23 * _HOUR
    assert (await account.get("/v1/payment_intents"))["data"][0]["status"] == "canceled"


async def test_cancellation_at_the_period_s_end_comes_before_the_renewal(account: Account) -> None:
    subscription = await account.subscription()
    await account.post(f"/v1/subscriptions/{subscription['id']}", {"cancel_at_period_end": "true"})

    await account.control("clock", {"by": 2 * _JANUARY})

    after = await current(account, subscription)
    assert (after["status"], after["ended_at"]) == ("canceled", account.clock.at + _JANUARY)
    assert len((await account.get("/v1/invoices"))["data"]) == 1
    assert "invoice.upcoming" not in await account.event_types()


async def test_what_is_owed_at_the_end_is_no_longer_collected(account: Account) -> None:
    customer = await customer_with(account, "pm_card_visa")
    subscription = await account.subscription({"customer": customer})
    await fail_from_now_on(account, customer)
    await account.control("clock", {"by": _JANUARY + _HOUR})

    await account.delete(f"/v1/subscriptions/{subscription['id']}")
    await account.control("clock", {"by": 60 * _DAY})

    after = await current(account, subscription)
    assert (after["status"], after["latest_invoice"]["status"]) == ("canceled", "open")
    assert after["latest_invoice"]["attempt_count"] == 1


@pytest.mark.parametrize(
    ("behavior", "status"),
    [("void", "void"), ("mark_uncollectible", "uncollectible"), ("keep_as_draft", "draft")],
)
async def test_paused_collection_does_not_charge(account: Account, behavior: str, status: str) -> None:
    subscription = await account.subscription()
    resumes = account.clock.at + _JANUARY + 2 * _DAY
    pause = {"pause_collection[behavior]": behavior, "pause_collection[resumes_at]": resumes}
    await account.post(f"/v1/subscriptions/{subscription['id']}", pause)

    await account.control("clock", {"by": _JANUARY + _DAY})
    paused = await current(account, subscription)
    await account.control("clock", {"by": _DAY})

    assert (paused["status"], paused["latest_invoice"]["status"]) == ("active", status)
    assert len((await account.get("/v1/charges"))["data"]) == 1
    assert (await current(account, subscription))["pause_collection"] is None


async def test_a_draft_can_be_finalized_before_its_hour(account: Account) -> None:
    subscription = await account.subscription()
    await account.control("clock", {"by": _JANUARY})
    invoice = (await current(account, subscription))["latest_invoice"]

    finalized = await account.post(f"/v1/invoices/{invoice['id']}/finalize")
    await account.control("clock", {"by": _HOUR})

    assert (finalized["status"], finalized["next_payment_attempt"]) == ("open", account.clock.at + _JANUARY + _HOUR)
    assert (await current(account, subscription))["latest_invoice"]["status"] == "paid"
    await account.post(f"/v1/invoices/{invoice['id']}/finalize", status=400)


async def test_giving_up_an_invoice_lets_the_subscription_go_on(account: Account) -> None:
    customer = await customer_with(account, "pm_card_visa")
    subscription = await account.subscription({"customer": customer})
    await fail_from_now_on(account, customer)
    await account.control("clock", {"by": _JANUARY + _HOUR})
    invoice = (await current(account, subscription))["latest_invoice"]

    given_up = await account.post(f"/v1/invoices/{invoice['id']}/mark_uncollectible")

    assert given_up["status"] == "uncollectible"
    assert (await current(account, subscription))["status"] == "active"


async def test_an_object_set_to_what_cannot_be_does_not_stop_the_clock(account: Account) -> None:
    odd, other = await account.subscription(), await account.subscription()
    await account.control(f"objects/{odd['id']}", {"set": {"customer": "cus_none"}})

    await account.control("clock", {"by": _JANUARY + _HOUR})

    assert (await current(account, other))["latest_invoice"]["billing_reason"] == "subscription_cycle"
