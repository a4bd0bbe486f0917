"""What the demo's busy customers do, against a real sandbox."""

from collections.abc import AsyncIterator, Iterator
from itertools import islice
from typing import Any

import httpx
import pytest

from app.sandbox.demo.activity import BUSY, Subscriber, turns
from app.sandbox.demo.connections import Stripe
from app.sandbox.demo.prices import PRICES
from app.sandbox.demo.scenarios import SCENARIOS
from app.sandbox.process import StripeSandboxProcess

_KEY = "sk_test_activity"


class Life:
    """A subscriber, and how its subscriptions stand at Stripe."""

    def __init__(self, http: httpx.AsyncClient, subscriber: Subscriber, customer: str) -> None:
        self.http = http
        self.subscriber = subscriber
        self.customer = customer

    async def subscriptions(self) -> list[Any]:
        """Return them with their prices' lookup keys, newest first."""
        wanted = {"customer": self.customer, "status": "all"}
        return (await self.http.get("/v1/subscriptions", params=wanted)).json()["data"]

    async def state(self) -> tuple[str, str, bool]:
        newest = (await self.subscriptions())[0]
        return newest["status"], newest["items"]["data"][0]["price"]["lookup_key"], newest["cancel_at_period_end"]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[StripeSandboxProcess]:
    started = StripeSandboxProcess.start(webhook_url=None, webhook_secret="whsec_x")
    yield started
    started.stop()


@pytest.fixture
async def life(sandbox: StripeSandboxProcess) -> AsyncIterator[Life]:
    stripe = Stripe(sandbox.url, _KEY)
    headers = {"Authorization": f"Bearer {_KEY}"}
    async with httpx.AsyncClient(base_url=sandbox.url, headers=headers, trust_env=False) as http:
        listed = (await http.get("/v1/prices", params={"limit": 100})).json()["data"]
        prices = {price["lookup_key"]: price["id"] for price in listed}
        for key, (interval, amount) in PRICES.items():
            form = {"currency": "eur", "unit_amount": amount, "lookup_key": key, "recurring[interval]": interval}
            prices.setdefault(key, "")
            if not prices[key]:
                prices[key] = (await stripe.create("prices", **form, **{"product_data[name]": key}))["id"]
        customer = (await stripe.create("customers", name="busy"))["id"]
        yield Life(http, Subscriber(stripe, customer, prices), customer)
    await stripe.close()


async def test_a_busy_customer_goes_through_everything_and_returns(life: Life) -> None:
    twice = [[(await life.subscriber.step(), *await life.state()) for _ in range(11)] for _ in range(2)]

    assert (
        twice
        == [
            [
                ("subscribe", "active", "hobby_monthly", False),
                ("upgrade", "active", "pro_monthly", False),
                ("renew", "active", "pro_monthly", False),
                ("fail_to_pay", "past_due", "team_monthly", False),
                ("pay", "active", "team_monthly", False),
                ("downgrade", "active", "starter_monthly", False),
                ("plan_to_leave", "active", "starter_monthly", True),
                ("stay", "active", "starter_monthly", False),
                ("pause", "paused", "starter_monthly", False),
                ("resume", "active", "starter_monthly", False),
                ("leave", "canceled", "starter_monthly", False),
            ]
        ]
        * 2
    )
    assert [one["status"] for one in await life.subscriptions()] == ["canceled", "canceled"]


async def test_what_somebody_else_ended_begins_again(life: Life) -> None:
    await life.subscriber.step()
    (subscription,) = await life.subscriptions()
    await life.http.delete(f"/v1/subscriptions/{subscription['id']}")

    assert await life.subscriber.step() is None
    assert await life.subscriber.step() == "subscribe"

    assert [one["status"] for one in await life.subscriptions()] == ["active", "canceled"]


async def test_when_it_begins_again_there_is_one_subscription(life: Life) -> None:
    await life.subscriber.step()
    fault = {"kind": "status", "status": 500}
    (await life.http.post("/_sandbox/faults", json=fault)).raise_for_status()

    assert await life.subscriber.step() is None
    assert await life.subscriber.step() == "subscribe"

    assert [one["status"] for one in await life.subscriptions()] == ["active", "canceled"]


def test_each_begins_a_round_later_than_the_one_before() -> None:
    assert list(islice(turns(3), 12)) == [0, 1, 0, 2, 1, 0, 2, 1, 0, 2, 1, 0]


def test_the_busy_are_none_of_whom_the_demo_makes_promises() -> None:
    promised = {external_id for scenario in SCENARIOS for external_id in scenario.external_ids()}

    assert promised.isdisjoint(BUSY)
