"""Lives of subscriptions, by the clock alone."""

from itertools import pairwise

import pytest
from sandbox.stripe_account import Account

_HOUR = 3_600
_DAY = 24 * _HOUR
_JANUARY = 31 * _DAY  # the first period: the clock starts on the 15th of January 2027
_FEBRUARY = 28 * _DAY


async def events_since(account: Account, at: int) -> list[tuple[str, int]]:
    """Return the types of events since an instant and how long after it they were created, oldest first."""
    page = await account.get("/v1/events", {"created[gte]": at, "limit": 100})
    return [(event["type"], event["created"] - at) for event in page["data"]][::-1]


async def test_a_renewal_rolls_the_period_and_is_charged_an_hour_later(account: Account) -> None:
    subscription = await account.subscription({"items[0][quantity]": 2})
    renewal = account.clock.at + _JANUARY

    await account.control("clock", {"to": renewal})
    drafted = await account.current(subscription)
    await account.control("clock", {"by": _HOUR})
    paid = await account.current(subscription)

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
    begun = await account.current(subscription)
    await account.control("clock", {"by": _HOUR})

    notice = (await account.get("/v1/events", {"type": "customer.subscription.trial_will_end"}))["data"]
    assert [event["created"] for event in notice] == [end - 3 * _DAY]
    assert (begun["status"], begun["latest_invoice"]["status"]) == ("active", "draft")
    assert begun["items"]["data"][0]["current_period_start"] == end
    after = await account.current(subscription)
    assert (after["latest_invoice"]["status"], after["latest_invoice"]["total"]) == ("paid", 1000)


async def test_a_short_trial_is_announced_at_once(account: Account) -> None:
    await account.subscription({"trial_period_days": 2})

    assert (await account.event_types()).count("customer.subscription.trial_will_end") == 1


async def test_a_trial_whose_payment_fails_is_past_due(account: Account) -> None:
    customer = await account.customer_with("pm_card_chargeCustomerFail")
    subscription = await account.subscription({"customer": customer, "trial_period_days": 5})

    await account.control("clock", {"by": 5 * _DAY + _HOUR})

    after = await account.current(subscription)
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
    customer = await account.customer_with(card) if card else (await account.post("/v1/customers"))["id"]
    setting = {"trial_settings[end_behavior][missing_payment_method]": behavior}
    subscription = await account.subscription({"customer": customer, "trial_period_days": 5, **setting})

    await account.control("clock", {"by": 5 * _DAY})

    assert (await account.current(subscription))["status"] == status


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
    paused = await account.current(subscription)
    await account.control("clock", {"by": _DAY})

    assert (paused["status"], paused["latest_invoice"]["status"]) == ("active", status)
    assert len((await account.get("/v1/charges"))["data"]) == 1
    assert (await account.current(subscription))["pause_collection"] is None


async def test_an_object_set_to_what_cannot_be_does_not_stop_the_clock(account: Account) -> None:
    odd, other = await account.subscription(), await account.subscription()
    await account.control(f"objects/{odd['id']}", {"set": {"customer": "cus_none"}})

    await account.control("clock", {"by": _JANUARY + _HOUR})

    assert (await account.current(other))["latest_invoice"]["billing_reason"] == "subscription_cycle"
