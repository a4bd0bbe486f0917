from typing import Any

import pytest
from sandbox.stripe_account import Account

_DAY = 86_400
_MONTH = 31 * _DAY  # the one that begins at the clock's start


def _path(subscription: dict[str, Any]) -> str:
    return f"/v1/subscriptions/{subscription['id']}"


def _periods(subscription: dict[str, Any]) -> list[tuple[int, int]]:
    return [(item["current_period_start"], item["current_period_end"]) for item in subscription["items"]["data"]]


async def test_a_new_subscription_is_active_for_its_price_s_interval(account: Account) -> None:
    subscription = await account.subscription({"metadata[workspace_id]": "ws_1", "items[0][quantity]": 3})

    item = subscription["items"]["data"][0]
    assert subscription["id"].startswith("sub_")
    assert item["id"].startswith("si_")
    assert (subscription["status"], item["quantity"]) == ("active", 3)
    assert (subscription["metadata"], subscription["currency"]) == ({"workspace_id": "ws_1"}, "usd")
    assert _periods(subscription) == [(account.clock.at, account.clock.at + _MONTH)]
    assert (await account.event_types()).count("customer.subscription.created") == 1


async def test_a_subscription_that_must_be_paid_first_is_incomplete(account: Account) -> None:
    unpaid = await account.subscription({"payment_behavior": "default_incomplete"})
    free = (await account.price(unit_amount=0))["id"]
    nothing_due = await account.subscription({"payment_behavior": "default_incomplete", "items[0][price]": free})

    assert unpaid["status"] == "incomplete"
    assert nothing_due["status"] == "active"


async def test_a_trial_is_the_first_period(account: Account) -> None:
    in_days = await account.subscription({"trial_period_days": 14})
    until = await account.subscription({"trial_end": account.clock.at + 5 * _DAY})

    end = account.clock.at + 14 * _DAY
    assert (in_days["status"], in_days["trial_start"], in_days["trial_end"]) == ("trialing", account.clock.at, end)
    assert (_periods(in_days), in_days["billing_cycle_anchor"]) == ([(account.clock.at, end)], end)
    assert until["trial_end"] == account.clock.at + 5 * _DAY


async def test_a_trial_can_be_ended_now(account: Account) -> None:
    subscription = await account.subscription({"trial_period_days": 14})
    account.clock.at += _DAY

    ended = await account.post(_path(subscription), {"trial_end": "now"})

    assert (ended["status"], ended["trial_end"]) == ("active", account.clock.at)
    assert _periods(ended)[0][0] == account.clock.at
    updates = await account.get("/v1/events", {"type": "customer.subscription.updated"})
    previous = updates["data"][0]["data"]["previous_attributes"]
    assert previous["status"] == "trialing"
    assert "customer" not in previous


@pytest.mark.parametrize(
    ("form", "code", "param"),
    [
        pytest.param({"customer": ""}, "parameter_missing", "customer", id="customer"),
        pytest.param({"customer": "cus_none"}, "resource_missing", "customer", id="unknown customer"),
        pytest.param({"items[0][price]": "price_none"}, "resource_missing", "items[0][price]", id="unknown price"),
        pytest.param({"items[1][quantity]": 1}, "parameter_missing", "items[1][price]", id="no price"),
        pytest.param({"trial_end": 1}, None, "trial_end", id="past trial"),
        pytest.param({"cancel_at": 1}, None, "cancel_at", id="past cancellation"),
        pytest.param({"trial_end": "now", "trial_period_days": 1}, None, "trial_period_days", id="two trials"),
        pytest.param({"unicorn": 1}, "parameter_unknown", "unicorn", id="unknown parameter"),
    ],
)
async def test_a_wrong_subscription_is_refused(
    account: Account, form: dict[str, Any], code: str | None, param: str
) -> None:
    customer = await account.post("/v1/customers")
    right = {"customer": customer["id"], "items[0][price]": (await account.price())["id"]}

    body = await account.post("/v1/subscriptions", {**right, **form}, status=400)

    assert (body["error"].get("code"), body["error"]["param"]) == (code, param)
    assert (await account.get("/v1/subscriptions"))["data"] == []


async def test_archived_one_time_and_mixed_prices_are_refused(account: Account) -> None:
    customer, monthly, euro = (
        (await account.post("/v1/customers"))["id"],
        await account.price(),
        await account.price(currency="eur"),
    )
    archived = await account.price()
    await account.post(f"/v1/prices/{archived['id']}", {"active": "false"})
    once = await account.post("/v1/prices", {"currency": "usd", "unit_amount": 1, "product": monthly["product"]})

    for prices in ([archived], [once], [monthly, euro]):
        form = {f"items[{index}][price]": price["id"] for index, price in enumerate(prices)}
        await account.post("/v1/subscriptions", {"customer": customer, **form}, status=400)

    assert (await account.get("/v1/subscriptions", {"status": "all"}))["data"] == []


async def test_quantity_and_price_change_within_the_period(account: Account) -> None:
    subscription = await account.subscription()
    bigger = await account.price(unit_amount=3000)
    account.clock.at += _DAY

    item = {"items[0][id]": subscription["items"]["data"][0]["id"]}
    changed = await account.post(
        _path(subscription),
        {**item, "items[0][price]": bigger["id"], "items[0][quantity]": 5, "proration_behavior": "none"},
    )

    assert [(item["price"]["id"], item["quantity"]) for item in changed["items"]["data"]] == [(bigger["id"], 5)]
    assert _periods(changed) == _periods(subscription)


async def test_another_interval_begins_a_new_period(account: Account) -> None:
    subscription = await account.subscription()
    yearly = await account.price(**{"recurring[interval]": "year"})
    account.clock.at += _DAY

    changed = await account.post(
        _path(subscription),
        {"items[0][id]": subscription["items"]["data"][0]["id"], "items[0][price]": yearly["id"]},
    )

    assert _periods(changed) == [(account.clock.at, account.clock.at + 365 * _DAY)]
    assert changed["billing_cycle_anchor"] == account.clock.at


async def test_items_are_added_and_removed_but_not_the_last(account: Account) -> None:
    subscription = await account.subscription()
    first = subscription["items"]["data"][0]["id"]
    extra = await account.price()

    both = await account.post(_path(subscription), {"items[0][price]": extra["id"]})
    one = await account.post(_path(subscription), {"items[0][id]": first, "items[0][deleted]": "true"})
    last = one["items"]["data"][0]["id"]
    await account.post(_path(subscription), {"items[0][id]": last, "items[0][deleted]": "true"}, status=400)

    assert len(both["items"]["data"]) == 2
    assert [item["price"]["id"] for item in one["items"]["data"]] == [extra["id"]]


async def test_more_than_ten_items_come_in_pages(account: Account) -> None:
    prices = {f"items[{index}][price]": (await account.price())["id"] for index in range(12)}
    subscription = await account.subscription(prices)
    embedded = subscription["items"]

    params = {"subscription": subscription["id"], "starting_after": embedded["data"][-1]["id"]}
    rest = await account.get("/v1/subscription_items", params)

    assert (len(embedded["data"]), embedded["has_more"]) == (10, True)
    assert (len(rest["data"]), rest["has_more"]) == (2, False)
    assert rest["data"][0]["price"]["object"] == "price"


async def test_cancellation_at_the_period_s_end_can_be_taken_back(account: Account) -> None:
    subscription = await account.subscription()

    scheduled = await account.post(_path(subscription), {"cancel_at_period_end": "true"})
    kept = await account.post(_path(subscription), {"cancel_at_period_end": "false"})

    assert (scheduled["status"], scheduled["cancel_at_period_end"]) == ("active", True)
    assert scheduled["cancel_at"] == _periods(subscription)[0][1]
    assert (scheduled["canceled_at"], scheduled["ended_at"]) == (account.clock.at, None)
    assert scheduled["cancellation_details"]["reason"] == "cancellation_requested"
    assert kept == subscription


async def test_cancellation_at_an_instant(account: Account) -> None:
    subscription = await account.subscription()

    scheduled = await account.post(_path(subscription), {"cancel_at": account.clock.at + _DAY})

    assert (scheduled["cancel_at"], scheduled["cancel_at_period_end"]) == (account.clock.at + _DAY, False)


async def test_a_canceled_subscription_is_terminal(account: Account) -> None:
    subscription = await account.subscription()

    canceled = await account.delete(_path(subscription), {"cancellation_details[comment]": "too dear"})

    assert (canceled["status"], canceled["ended_at"]) == ("canceled", account.clock.at)
    assert canceled["cancellation_details"]["comment"] == "too dear"
    assert (await account.event_types())[-1] == "customer.subscription.deleted"
    await account.delete(_path(subscription), status=404)
    await account.post(_path(subscription), {"cancel_at_period_end": "true"}, status=400)
    await account.post(_path(subscription), {"metadata[why]": "known"})


async def test_collection_is_paused_without_a_change_of_status(account: Account) -> None:
    subscription = await account.subscription()

    paused = await account.post(_path(subscription), {"pause_collection[behavior]": "void"})
    resumed = await account.post(_path(subscription), {"pause_collection": ""})

    assert (paused["status"], paused["pause_collection"]) == ("active", {"behavior": "void", "resumes_at": None})
    assert resumed["pause_collection"] is None


async def test_a_paused_subscription_resumes_in_a_new_period(account: Account) -> None:
    subscription = await account.subscription()
    await account.post(f"{_path(subscription)}/resume", status=400)

    paused = await account.post(f"{_path(subscription)}/pause")
    account.clock.at += _DAY
    resumed = await account.post(f"{_path(subscription)}/resume")

    assert (paused["status"], resumed["status"]) == ("paused", "active")
    assert _periods(resumed)[0][0] == account.clock.at
    told = [name for name in await account.event_types() if name.startswith("customer.subscription.")]
    assert told[-2:] == ["customer.subscription.paused", "customer.subscription.resumed"]


async def test_lists_hide_canceled_subscriptions_unless_asked(account: Account) -> None:
    active = await account.subscription()
    gone = await account.subscription()
    await account.delete(_path(gone))

    async def ids(**params: str) -> list[str]:
        return [sub["id"] for sub in (await account.get("/v1/subscriptions", params))["data"]]

    assert await ids() == [active["id"]]
    assert await ids(status="all") == [gone["id"], active["id"]]
    assert await ids(status="canceled") == await ids(status="ended") == [gone["id"]]
    assert await ids(status="all", customer=gone["customer"]) == [gone["id"]]
    assert await ids(price=active["items"]["data"][0]["price"]["id"]) == [active["id"]]
    await account.get("/v1/subscriptions", {"customer": "cus_none"}, status=400)


async def test_a_change_of_a_price_shows_in_subscriptions(account: Account) -> None:
    subscription = await account.subscription()
    price = subscription["items"]["data"][0]["price"]["id"]

    await account.post(f"/v1/prices/{price}", {"nickname": "Legacy"})

    after = await account.get(_path(subscription))
    assert after["items"]["data"][0]["price"]["nickname"] == "Legacy"
