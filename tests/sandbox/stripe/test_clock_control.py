import asyncio
from typing import Any

import pytest
from sandbox.stripe_account import Account

from app.sandbox.stripe.clock_control import follow

_HOUR = 3_600
_DAY = 24 * _HOUR


async def test_the_clock_is_advanced_by_seconds_or_to_an_instant(account: Account) -> None:
    start = account.clock.at

    by = await account.control("clock", {"by": _DAY})
    to = await account.control("clock", {"to": start + 3 * _DAY})
    account.clock.at += 5

    assert (by["now"], to["now"], to["offset"]) == (start + _DAY, start + 3 * _DAY, 3 * _DAY)
    assert (await account.get("/_sandbox/clock"))["now"] == start + 3 * _DAY + 5
    assert (await account.post("/v1/customers"))["created"] == start + 3 * _DAY + 5


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({}, id="nowhere"),
        pytest.param({"by": 1, "to": 2_000_000_000}, id="two ways"),
        pytest.param({"by": -1}, id="back"),
        pytest.param({"to": 1_700_000_000}, id="to the past"),
        pytest.param({"by": 6 * 366 * _DAY}, id="too far"),
        pytest.param({"by": "a day"}, id="no number"),
        pytest.param({"days": 1}, id="unknown option"),
    ],
)
async def test_a_wrong_advance_is_refused_and_moves_nothing(account: Account, body: dict[str, Any]) -> None:
    await account.control("clock", body, status=400)

    assert (await account.get("/_sandbox/clock"))["offset"] == 0


async def test_each_event_carries_the_instant_at_which_it_was_due(account: Account) -> None:
    first = await account.subscription({"cancel_at": account.clock.at + 2 * _DAY})
    second = await account.subscription({"cancel_at": account.clock.at + _DAY})

    answer = await account.control("clock", {"by": 3 * _DAY})

    events = (await account.get("/v1/events", {"type": "customer.subscription.deleted"}))["data"]
    assert [(event["data"]["object"]["id"], event["created"]) for event in events] == [
        (first["id"], account.clock.at + 2 * _DAY),
        (second["id"], account.clock.at + _DAY),
    ]
    assert events[0]["data"]["object"]["ended_at"] == account.clock.at + 2 * _DAY
    assert answer["happened"] >= 2


async def test_it_happens_as_time_passes_too(account: Account) -> None:
    subscription = await account.subscription({"cancel_at": account.clock.at + _DAY})
    account.clock.at += _DAY

    assert (await account.get(f"/v1/subscriptions/{subscription['id']}"))["status"] == "canceled"


async def test_it_happens_while_nobody_asks(account: Account) -> None:
    subscription = await account.subscription({"cancel_at": account.clock.at + _DAY})
    account.clock.at += _DAY

    following = asyncio.create_task(follow(account.sandbox))
    async with asyncio.timeout(5):
        while account.sandbox.store.get("subscription", subscription["id"])["status"] != "canceled":
            await asyncio.sleep(0)
    following.cancel()


async def test_what_cannot_be_billed_does_not_stop_time(account: Account, caplog: pytest.LogCaptureFixture) -> None:
    odd = await account.subscription({"trial_period_days": 1})
    other = await account.subscription({"cancel_at": account.clock.at + _DAY + 1})
    await account.control(f"objects/{odd['id']}", {"set": {"trial_settings": None}})
    account.clock.at += 2 * _DAY

    following = asyncio.create_task(follow(account.sandbox))
    async with asyncio.timeout(5):
        while account.sandbox.store.get("subscription", other["id"])["status"] != "canceled":
            await asyncio.sleep(0.01)
    following.cancel()

    assert "what was due could not happen" in caplog.text


async def test_what_was_due_before_a_change_does_not_happen(account: Account) -> None:
    subscription = await account.subscription({"cancel_at": account.clock.at + _DAY})
    await account.post(f"/v1/subscriptions/{subscription['id']}", {"cancel_at": ""})

    await account.control("clock", {"by": 2 * _DAY})

    assert (await account.get(f"/v1/subscriptions/{subscription['id']}"))["status"] == "active"


async def test_what_is_set_into_the_past_stays_as_it_was_set(account: Account) -> None:
    subscription = await account.subscription()
    await account.control(f"objects/{subscription['id']}", {"set": {"current_period_end": 9, "cancel_at": 9}})

    await account.control("clock", {"by": 40 * _DAY})

    after = await account.get(f"/v1/subscriptions/{subscription['id']}")
    assert (after["status"], after["items"]["data"][0]["current_period_end"]) == ("active", 9)
