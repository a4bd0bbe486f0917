"""Subscription schedules: subscriptions that start, change and end at instants told before."""

from typing import Any

import pytest
import stripe
from sandbox.stripe_account import Account, line_amounts

_HOUR = 3_600
_DAY = 24 * _HOUR
_JANUARY = 31 * _DAY  # the first month: the clock starts on the 15th of January 2027
_SCHEDULES = "/v1/subscription_schedules"


class Prices:
    """Two monthly prices and a yearly one, in cents 1000, 3000 and 20000."""

    def __init__(self, cheap: str, dear: str, yearly: str) -> None:
        self.cheap = cheap
        self.dear = dear
        self.yearly = yearly


@pytest.fixture
async def prices(account: Account) -> Prices:
    dear = await account.price(unit_amount=3000)
    yearly = await account.price(unit_amount=20_000, **{"recurring[interval]": "year"})
    return Prices((await account.price())["id"], dear["id"], yearly["id"])


async def schedule_of(account: Account, *phases: dict[str, Any], **form: Any) -> Any:
    """Schedule phases (names as in `phases[0]`; `price` is that of their one item) for a customer with a card."""
    customer = await account.customer_with("pm_card_visa")
    return await account.post(_SCHEDULES, {"customer": customer, **laid(*phases), **form})


def laid(*phases: dict[str, Any]) -> dict[str, Any]:
    form: dict[str, Any] = {}
    for index, phase in enumerate(phases):
        for name, value in phase.items():
            first, bracket, rest = ("items[0][price]" if name == "price" else name).partition("[")
            form[f"phases[{index}][{first}]{bracket}{rest}"] = value
    return form


async def subscription_of(account: Account, schedule: Any) -> Any:
    current = await account.get(f"{_SCHEDULES}/{schedule['id']}")
    return await account.get(f"/v1/subscriptions/{current['subscription']}", {"expand[]": "latest_invoice"})


def prices_of(subscription: Any) -> list[str]:
    return [item["price"]["id"] for item in subscription["items"]["data"]]


async def test_the_sdk_schedules_reads_lists_updates_and_releases(
    account: Account, sdk: stripe.StripeClient, prices: Prices
) -> None:
    customer = await account.customer_with("pm_card_visa")
    service = sdk.v1.subscription_schedules
    first = {"items": [{"price": prices.cheap, "quantity": 2}], "duration": {"interval": "month", "interval_count": 2}}

    made = await service.create_async(
        {"customer": customer, "start_date": "now", "phases": [first], "metadata": {"deal": "7"}}
    )
    found = await service.retrieve_async(made.id, {"expand": ["subscription"]})
    listed = await service.list_async({"customer": customer})
    updated = await service.update_async(made.id, {"end_behavior": "cancel"})
    released = await service.release_async(made.id)

    assert made.id.startswith("sub_sched_")
    assert (made.status, made.end_behavior, made.customer) == ("active", "release", customer)
    assert made.current_phase is not None
    assert made.current_phase.end_date - made.current_phase.start_date == 59 * _DAY
    assert isinstance(found.subscription, stripe.Subscription)
    assert (found.subscription.schedule, found.subscription.status) == (made.id, "active")
    assert [one.id for one in listed.data] == [made.id]
    assert updated.end_behavior == "cancel"
    assert (released.status, released.subscription, released.released_subscription) == (
        "released",
        None,
        found.subscription.id,
    )


async def test_a_schedule_starts_its_subscription_at_its_start(account: Account, prices: Prices) -> None:
    start = account.clock.at + 10 * _DAY
    schedule = await schedule_of(account, {"price": prices.cheap, "metadata[deal]": "7"}, start_date=start)
    assert (schedule["status"], schedule["subscription"], schedule["current_phase"]) == ("not_started", None, None)

    await account.control("clock", {"by": 11 * _DAY})

    started = await account.get(f"{_SCHEDULES}/{schedule['id']}")
    subscription = await subscription_of(account, schedule)
    assert (started["status"], started["current_phase"]["start_date"]) == ("active", start)
    assert (subscription["created"], subscription["schedule"]) == (start, schedule["id"])
    assert subscription["metadata"] == {"deal": "7"}
    assert subscription["latest_invoice"]["status"] == "paid"
    types = await account.event_types()
    assert types.index("subscription_schedule.created") < types.index("customer.subscription.created")
    assert "subscription_schedule.updated" in types


async def test_at_the_periods_end_the_next_phase_is_what_is_renewed(account: Account, prices: Prices) -> None:
    schedule = await schedule_of(account, {"price": prices.cheap}, {"price": prices.dear})

    await account.control("clock", {"by": _JANUARY + 2 * _HOUR})

    subscription = await subscription_of(account, schedule)
    assert prices_of(subscription) == [prices.dear]
    assert line_amounts(subscription["latest_invoice"]) == [3000]
    assert subscription["latest_invoice"]["billing_reason"] == "subscription_cycle"
    assert await account.pending_amounts() == []


@pytest.mark.parametrize(
    ("behavior", "pending", "invoiced"),
    [
        pytest.param("create_prorations", [-500, 1500], [1000], id="on the next invoice"),
        pytest.param("always_invoice", [], [-500, 1500], id="invoiced now"),
        pytest.param("none", [], [1000], id="not at all"),
    ],
)
async def test_within_a_period_the_change_is_prorated_as_told(
    account: Account, prices: Prices, behavior: str, pending: list[int], invoiced: list[int]
) -> None:
    middle = account.clock.at + _JANUARY // 2
    schedule = await schedule_of(
        account,
        {"price": prices.cheap, "end_date": middle},
        {"price": prices.dear, "proration_behavior": behavior},
    )

    await account.control("clock", {"to": middle})

    subscription = await subscription_of(account, schedule)
    assert prices_of(subscription) == [prices.dear]
    assert await account.pending_amounts() == pending
    assert line_amounts(subscription["latest_invoice"]) == invoiced


async def test_another_interval_begins_a_new_period(account: Account, prices: Prices) -> None:
    schedule = await schedule_of(account, {"price": prices.cheap}, {"price": prices.yearly})

    await account.control("clock", {"by": _JANUARY + 2 * _HOUR})

    subscription = await subscription_of(account, schedule)
    item = subscription["items"]["data"][0]
    assert item["current_period_end"] - item["current_period_start"] == 365 * _DAY
    assert line_amounts(subscription["latest_invoice"]) == [20_000]
    assert subscription["latest_invoice"]["status"] == "paid"


async def test_items_come_and_go_with_the_phases(account: Account, prices: Prices) -> None:
    both = {"price": prices.cheap, "items[1][price]": prices.dear, "items[1][quantity]": 2}
    schedule = await schedule_of(account, both, {"price": prices.dear}, both)
    first = await subscription_of(account, schedule)

    await account.control("clock", {"by": _JANUARY + _DAY})
    second = await subscription_of(account, schedule)
    await account.control("clock", {"by": 28 * _DAY})
    third = await subscription_of(account, schedule)

    assert prices_of(first) == [prices.cheap, prices.dear]
    assert [(item["price"]["id"], item["quantity"]) for item in second["items"]["data"]] == [(prices.dear, 1)]
    assert second["items"]["data"][0]["id"] == first["items"]["data"][1]["id"]
    assert set(prices_of(third)) == {prices.cheap, prices.dear}


async def test_a_phase_has_discounts_of_its_own(account: Account, prices: Prices) -> None:
    coupon = (await account.post("/v1/coupons", {"percent_off": 50, "duration": "forever"}))["id"]
    half = {"price": prices.cheap, "discounts[0][coupon]": coupon}
    schedule = await schedule_of(account, half, {"price": prices.cheap})
    assert schedule["phases"][0]["discounts"] == [{"coupon": coupon, "discount": None, "promotion_code": None}]
    assert (await subscription_of(account, schedule))["latest_invoice"]["total"] == 500

    await account.control("clock", {"by": _JANUARY + 2 * _HOUR})

    subscription = await subscription_of(account, schedule)
    assert (subscription["discounts"], subscription["latest_invoice"]["total"]) == ([], 1000)


async def test_metered_items_have_no_quantity(account: Account, prices: Prices) -> None:
    metered = (await account.price(**{"recurring[usage_type]": "metered"}))["id"]
    three = {"price": prices.cheap, "items[0][quantity]": 3}
    schedule = await schedule_of(account, three, {"price": metered}, three)
    assert schedule["phases"][1]["items"][0]["quantity"] is None

    await account.control("clock", {"by": _JANUARY + _DAY})
    second = await subscription_of(account, schedule)
    await account.control("clock", {"by": 28 * _DAY})
    third = await subscription_of(account, schedule)

    assert "quantity" not in second["items"]["data"][0]
    assert third["items"]["data"][0]["quantity"] == 3


async def test_taken_over_a_subscription_keeps_its_discounts(account: Account) -> None:
    coupon = (await account.post("/v1/coupons", {"percent_off": 50, "duration": "forever"}))["id"]
    subscription = await account.subscription({"discounts[0][coupon]": coupon})

    schedule = await account.post(_SCHEDULES, {"from_subscription": subscription["id"]})

    (held,) = subscription["discounts"]
    assert schedule["phases"][0]["discounts"] == [{"coupon": None, "discount": held, "promotion_code": None}]


async def test_a_phase_may_be_a_trial(account: Account, prices: Prices) -> None:
    week = {"duration[interval]": "week", "trial": "true"}
    schedule = await schedule_of(account, {"price": prices.cheap, **week}, {"price": prices.dear})
    assert (await subscription_of(account, schedule))["status"] == "trialing"

    await account.control("clock", {"by": 7 * _DAY + 2 * _HOUR})

    subscription = await subscription_of(account, schedule)
    assert (subscription["status"], prices_of(subscription)) == ("active", [prices.dear])
    assert line_amounts(subscription["latest_invoice"]) == [3000]


async def test_after_its_last_phase_the_subscription_goes_on_without_the_schedule(
    account: Account, prices: Prices
) -> None:
    schedule = await schedule_of(account, {"price": prices.cheap})
    subscription = await subscription_of(account, schedule)

    await account.control("clock", {"by": _JANUARY + _DAY})

    after = await account.get(f"/v1/subscriptions/{subscription['id']}")
    done = await account.get(f"{_SCHEDULES}/{schedule['id']}")
    assert (after["status"], after["schedule"]) == ("active", None)
    assert (done["status"], done["completed_at"]) == ("completed", account.clock.at + _JANUARY)
    types = await account.event_types()
    assert types.index("subscription_schedule.expiring") < types.index("subscription_schedule.completed")


async def test_it_may_end_its_subscription(account: Account, prices: Prices) -> None:
    schedule = await schedule_of(account, {"price": prices.cheap}, end_behavior="cancel")
    subscription = await subscription_of(account, schedule)
    assert subscription["cancel_at"] == account.clock.at + _JANUARY

    await account.control("clock", {"by": _JANUARY})

    assert (await account.get(f"/v1/subscriptions/{subscription['id']}"))["status"] == "canceled"
    assert (await account.get(f"{_SCHEDULES}/{schedule['id']}"))["status"] == "completed"


@pytest.mark.parametrize(("kept", "ends"), [("true", True), ("false", False)])
async def test_released_the_subscription_loses_the_schedules_end_unless_told(
    account: Account, prices: Prices, kept: str, *, ends: bool
) -> None:
    schedule = await schedule_of(account, {"price": prices.cheap}, end_behavior="cancel")

    await account.post(f"{_SCHEDULES}/{schedule['id']}/release", {"preserve_cancel_date": kept})

    subscription = await account.get(f"/v1/subscriptions/{schedule['subscription']}")
    assert (subscription["schedule"], bool(subscription["cancel_at"])) == (None, ends)
    assert (await account.event_types())[-2:] == ["subscription_schedule.released", "customer.subscription.updated"]


async def test_a_running_subscription_is_taken_over_and_given_a_next_phase(account: Account, prices: Prices) -> None:
    customer = await account.customer_with("pm_card_visa")
    subscription = await account.subscription({"customer": customer, "items[0][price]": prices.cheap})
    schedule = await account.post(_SCHEDULES, {"from_subscription": subscription["id"]})
    (phase,) = schedule["phases"]
    item = subscription["items"]["data"][0]
    assert (phase["start_date"], phase["end_date"]) == (item["current_period_start"], item["current_period_end"])

    current = {"price": prices.cheap, "start_date": phase["start_date"], "end_date": phase["end_date"]}
    changed = await account.post(f"{_SCHEDULES}/{schedule['id']}", laid(current, {"price": prices.dear}))
    await account.control("clock", {"by": _JANUARY + 2 * _HOUR})

    after = await account.current(subscription)
    assert len(changed["phases"]) == 2
    assert after["schedule"] == schedule["id"]
    assert (prices_of(after), line_amounts(after["latest_invoice"])) == ([prices.dear], [3000])


async def test_a_changed_current_phase_changes_the_subscription_at_once(account: Account, prices: Prices) -> None:
    schedule = await schedule_of(account, {"price": prices.cheap})

    form = {**laid({"price": prices.dear}), "proration_behavior": "none"}
    await account.post(f"{_SCHEDULES}/{schedule['id']}", form)

    assert prices_of(await subscription_of(account, schedule)) == [prices.dear]
    assert await account.pending_amounts() == []


async def test_canceled_it_ends_its_subscription_with_a_last_invoice(account: Account, prices: Prices) -> None:
    schedule = await schedule_of(account, {"price": prices.cheap})
    account.clock.at += _JANUARY // 2

    canceled = await account.post(f"{_SCHEDULES}/{schedule['id']}/cancel")

    subscription = await account.get(f"/v1/subscriptions/{schedule['subscription']}", {"expand[]": "latest_invoice"})
    assert (canceled["status"], canceled["canceled_at"]) == ("canceled", account.clock.at)
    assert (subscription["status"], line_amounts(subscription["latest_invoice"])) == ("canceled", [-500])


async def test_before_its_start_it_is_canceled_alone(account: Account, prices: Prices) -> None:
    schedule = await schedule_of(account, {"price": prices.cheap}, start_date=account.clock.at + _DAY)
    listed = await account.get(_SCHEDULES, {"scheduled": "true"})

    await account.post(f"{_SCHEDULES}/{schedule['id']}/cancel", {"invoice_now": "false"})
    await account.control("clock", {"by": 2 * _DAY})

    assert [one["id"] for one in listed["data"]] == [schedule["id"]]
    assert (await account.get(f"{_SCHEDULES}/{schedule['id']}"))["status"] == "canceled"
    assert (await account.get("/v1/subscriptions"))["data"] == []


async def test_a_deleted_customers_schedule_does_not_start(account: Account, prices: Prices) -> None:
    schedule = await schedule_of(account, {"price": prices.cheap}, start_date=account.clock.at + _DAY)
    await account.delete(f"/v1/customers/{schedule['customer']}")

    await account.control("clock", {"by": 2 * _DAY})

    assert (await account.get(f"{_SCHEDULES}/{schedule['id']}"))["status"] == "canceled"


@pytest.mark.parametrize(
    ("how", "told"), [("asked", "subscription_schedule.canceled"), ("unpaid", "subscription_schedule.aborted")]
)
async def test_it_follows_a_subscription_that_ends_before_it(
    account: Account, prices: Prices, how: str, told: str
) -> None:
    year = {"price": prices.cheap, "duration[interval]": "year"}
    schedule = await schedule_of(account, year)
    if how == "asked":
        await account.delete(f"/v1/subscriptions/{schedule['subscription']}")
    else:
        await account.fail_card_of(schedule["customer"])
        await account.control("clock", {"by": _JANUARY + 20 * _DAY})

    assert (await account.get(f"{_SCHEDULES}/{schedule['id']}"))["status"] == "canceled"
    assert told in await account.event_types()


async def test_it_lives_by_its_customers_test_clock(account: Account, prices: Prices) -> None:
    clock = (await account.post("/v1/test_helpers/test_clocks", {"frozen_time": account.clock.at}))["id"]
    customer = (await account.post("/v1/customers", {"test_clock": clock}))["id"]
    schedule = await schedule_of(account, {"price": prices.cheap}, {"price": prices.dear}, customer=customer)

    await account.control("clock", {"by": 5 * _DAY})
    await account.post(
        f"/v1/test_helpers/test_clocks/{clock}/advance", {"frozen_time": account.clock.at + _JANUARY + _DAY}
    )

    assert schedule["test_clock"] == clock
    assert prices_of(await subscription_of(account, schedule)) == [prices.dear]


@pytest.mark.parametrize(
    ("form", "param"),
    [
        pytest.param({"customer": "cus_none"}, "customer", id="no such customer"),
        pytest.param({"phases[0][end_date]": 5}, "phases[0][end_date]", id="ends before it starts"),
        pytest.param(
            {"phases[0][end_date]": 2_000_000_000, "phases[0][duration][interval]": "month"},
            "phases[0][end_date]",
            id="two ends",
        ),
        pytest.param({"phases[0][start_date]": 7}, "phases[0][start_date]", id="starts elsewhere"),
        pytest.param({"phases[1][metadata][a]": 1}, "phases[1][items]", id="without items"),
        pytest.param({"phases[0][items][0][price]": "price_none"}, "phases[0][items][0][price]", id="no such price"),
        pytest.param({"start_date": 1_700_000_000}, "start_date", id="in the past"),
        pytest.param({"from_subscription": "sub_none"}, "from_subscription", id="two ways"),
        pytest.param({"phases[0][iterations]": 2}, "phases[0][iterations]", id="unknown parameter"),
    ],
)
async def test_what_cannot_be_scheduled_is_refused(
    account: Account, prices: Prices, form: dict[str, Any], param: str
) -> None:
    customer = (await account.post("/v1/customers"))["id"]
    wanted = {"customer": customer, **laid({"price": prices.cheap}), **form}

    assert (await account.post(_SCHEDULES, wanted, status=400))["error"]["param"] == param
    assert (await account.get(_SCHEDULES))["data"] == []


async def test_what_has_ended_is_not_changed(account: Account, prices: Prices) -> None:
    schedule = await schedule_of(account, {"price": prices.cheap})
    await account.post(f"{_SCHEDULES}/{schedule['id']}/release")

    for action in ("", "/release", "/cancel"):
        await account.post(f"{_SCHEDULES}/{schedule['id']}{action}", status=400)


async def test_a_subscription_has_one_schedule(account: Account, prices: Prices) -> None:
    schedule = await schedule_of(account, {"price": prices.cheap})

    await account.post(_SCHEDULES, {"from_subscription": schedule["subscription"]}, status=400)


async def test_a_schedule_that_runs_keeps_its_current_phase(account: Account, prices: Prices) -> None:
    schedule = await schedule_of(account, {"price": prices.cheap})
    later = {"price": prices.dear, "start_date": account.clock.at + 5 * _DAY}

    refused = await account.post(f"{_SCHEDULES}/{schedule['id']}", laid(later), status=400)

    assert refused["error"]["param"] == "phases[0][start_date]"
