"""Test clocks, by Stripe's own client: their customers live in a time of their own."""

from typing import Any

import pytest
import stripe
from sandbox.stripe_account import Account

_DAY = 86_400
_MONTH = 31 * _DAY
_LONG_AGO = 1_577_836_800
_CLOCKS = "/v1/test_helpers/test_clocks"


async def new_clock(account: Account, at: int | None = None) -> str:
    return (await account.post(_CLOCKS, {"frozen_time": at or account.clock.at}))["id"]


async def subscription_on(account: Account, clock: str, card: str = "pm_card_visa", **form: Any) -> Any:
    settings = {"payment_method": card, "invoice_settings[default_payment_method]": card}
    customer = (await account.post("/v1/customers", {"test_clock": clock, **settings}))["id"]
    return await account.subscription({"customer": customer, **form})


async def test_a_clock_is_made_advanced_and_deleted_by_the_sdk(account: Account, sdk: stripe.StripeClient) -> None:
    service = sdk.v1.test_helpers.test_clocks

    clock = await service.create_async({"frozen_time": _LONG_AGO, "name": "trial"})
    advancing = await service.advance_async(clock.id, {"frozen_time": _LONG_AGO + _DAY})
    ready = await service.retrieve_async(clock.id)
    listed = await service.list_async({"limit": 5})
    gone = await service.delete_async(clock.id)

    assert (clock.status, clock.frozen_time, clock.name) == ("ready", _LONG_AGO, "trial")
    assert (advancing.status, advancing.frozen_time) == ("advancing", _LONG_AGO)
    assert advancing.status_details.advancing is not None
    assert advancing.status_details.advancing.target_frozen_time == _LONG_AGO + _DAY
    assert (ready.status, ready.frozen_time) == ("ready", _LONG_AGO + _DAY)
    assert [one.id for one in listed.data] == [clock.id]
    assert (gone.id, gone.deleted) == (clock.id, True)
    await account.get(f"{_CLOCKS}/{clock.id}", status=404)
    words = ("created", "advancing", "ready", "deleted")
    assert await account.event_types() == [f"test_helpers.test_clock.{word}" for word in words]


async def test_what_belongs_to_its_customer_lives_by_the_clock(account: Account) -> None:
    clock = await new_clock(account, _LONG_AGO)
    subscription = await subscription_on(account, clock)

    invoice = await account.get(f"/v1/invoices/{subscription['latest_invoice']}")
    customer = await account.get(f"/v1/customers/{subscription['customer']}")

    assert {one["test_clock"] for one in (customer, subscription, invoice)} == {clock}
    assert {one["created"] for one in (customer, subscription, invoice)} == {_LONG_AGO}
    assert subscription["items"]["data"][0]["current_period_start"] == _LONG_AGO


async def test_advancing_renews_that_clocks_subscriptions_only(account: Account) -> None:
    clock = await new_clock(account)
    moved = await subscription_on(account, clock)
    others = [await subscription_on(account, await new_clock(account)), await account.subscription()]

    await account.post(f"{_CLOCKS}/{clock}/advance", {"frozen_time": account.clock.at + _MONTH + _DAY})

    after = await account.current(moved)
    renewal = account.clock.at + _MONTH
    assert after["items"]["data"][0]["current_period_start"] == renewal
    assert (after["latest_invoice"]["status"], after["latest_invoice"]["created"]) == ("paid", renewal)
    assert after["latest_invoice"]["status_transitions"]["paid_at"] == renewal + 3_600
    assert after["latest_invoice"]["test_clock"] == clock
    for other in others:
        assert (await account.get(f"/v1/subscriptions/{other['id']}"))["items"] == other["items"]


async def test_the_sandboxs_own_clock_leaves_test_clocks_alone(account: Account) -> None:
    subscription = await subscription_on(account, await new_clock(account))

    await account.control("clock", {"by": 20 * _DAY})
    changed = await account.change(subscription, {"items[0][quantity]": 2, "proration_behavior": "always_invoice"})

    assert changed["items"]["data"][0]["current_period_start"] == account.clock.at
    assert changed["latest_invoice"]["created"] == account.clock.at  # frozen: nothing of the period is over
    assert changed["latest_invoice"]["total"] == 1000


async def test_a_changed_object_is_due_by_its_clock(account: Account) -> None:
    clock = await new_clock(account, _LONG_AGO)
    subscription = await subscription_on(account, clock)

    await account.control(f"objects/{subscription['id']}", {"set": {"cancel_at": _LONG_AGO + 5 * _DAY}})
    await account.post(f"{_CLOCKS}/{clock}/advance", {"frozen_time": _LONG_AGO + 6 * _DAY})

    after = await account.current(subscription)
    assert (after["status"], after["ended_at"]) == ("canceled", _LONG_AGO + 5 * _DAY)


async def test_events_keep_the_order_in_which_they_were_made(account: Account) -> None:
    clock = await new_clock(account, _LONG_AGO)
    await subscription_on(account, clock)
    await account.post(f"{_CLOCKS}/{clock}/advance", {"frozen_time": _LONG_AGO + _MONTH + _DAY})

    events = (await account.get("/v1/events", {"limit": 100}))["data"]

    assert {event["created"] for event in events} == {account.clock.at}
    assert events[0]["type"] == "test_helpers.test_clock.ready"
    assert "invoice.upcoming" in {event["type"] for event in events}


@pytest.mark.parametrize(("interval", "limit"), [("month", 59), ("week", 14), ("year", 731)])
async def test_it_advances_two_intervals_at_most(account: Account, interval: str, limit: int) -> None:
    clock = await new_clock(account)
    price = (await account.price(**{"recurring[interval]": interval}))["id"]
    await subscription_on(account, clock, **{"items[0][price]": price})
    furthest = account.clock.at + limit * _DAY

    refused = await account.post(f"{_CLOCKS}/{clock}/advance", {"frozen_time": furthest + 1}, status=400)
    await account.post(f"{_CLOCKS}/{clock}/advance", {"frozen_time": furthest})

    assert refused["error"]["param"] == "frozen_time"


@pytest.mark.parametrize("by", [pytest.param(-1, id="back"), pytest.param(0, id="nowhere"), pytest.param(800 * _DAY)])
async def test_it_goes_neither_back_nor_too_far(account: Account, by: int) -> None:
    clock = await new_clock(account)

    await account.post(f"{_CLOCKS}/{clock}/advance", {"frozen_time": account.clock.at + by}, status=400)

    assert (await account.get(f"{_CLOCKS}/{clock}"))["frozen_time"] == account.clock.at


async def test_lists_leave_out_what_is_on_a_clock_unless_it_is_named(account: Account) -> None:
    clock = await new_clock(account)
    inside, outside = await subscription_on(account, clock), await account.subscription()

    async def ids(path: str, **params: str) -> list[str]:
        return [found["id"] for found in (await account.get(path, params))["data"]]

    assert set(await ids("/v1/customers")) & {inside["customer"], outside["customer"]} == {outside["customer"]}
    assert await ids("/v1/customers", test_clock=clock) == [inside["customer"]]
    assert await ids("/v1/subscriptions", status="all") == [outside["id"]]
    assert await ids("/v1/subscriptions", test_clock=clock) == [inside["id"]]
    assert await ids("/v1/subscriptions", customer=inside["customer"]) == [inside["id"]]


async def test_deleting_a_clock_deletes_its_customers(account: Account) -> None:
    clock = await new_clock(account)
    inside, outside = await subscription_on(account, clock), await account.subscription()

    await account.delete(f"{_CLOCKS}/{clock}")

    assert (await account.get(f"/v1/customers/{inside['customer']}"))["deleted"] is True
    assert (await account.get(f"/v1/subscriptions/{inside['id']}"))["status"] == "canceled"
    assert (await account.get(f"/v1/subscriptions/{outside['id']}"))["status"] == "active"
    assert (await account.event_types())[-3:] == [
        "customer.subscription.deleted",
        "customer.deleted",
        "test_helpers.test_clock.deleted",
    ]


async def test_a_clock_ends_by_itself_after_thirty_days(account: Account) -> None:
    clock = await new_clock(account, _LONG_AGO)
    subscription = await subscription_on(account, clock)

    await account.control("clock", {"by": 30 * _DAY})

    await account.get(f"{_CLOCKS}/{clock}", status=404)
    assert (await account.get(f"/v1/customers/{subscription['customer']}"))["deleted"] is True


async def test_usage_is_of_the_customers_time(account: Account) -> None:
    clock = await new_clock(account, _LONG_AGO)
    meter = {"display_name": "Calls", "event_name": "calls", "default_aggregation[formula]": "sum"}
    await account.post("/v1/billing/meters", meter)
    customer = (await account.post("/v1/customers", {"test_clock": clock}))["id"]
    event = {"event_name": "calls", "payload[stripe_customer_id]": customer, "payload[value]": 1}

    assert (await account.post("/v1/billing/meter_events", event))["timestamp"] == _LONG_AGO


async def test_only_a_known_clock_is_taken(account: Account) -> None:
    refused = await account.post("/v1/customers", {"test_clock": "clock_none"}, status=400)

    assert refused["error"]["param"] == "test_clock"
    await account.post(_CLOCKS, {"frozen_time": 5, "pace": 2}, status=400)
