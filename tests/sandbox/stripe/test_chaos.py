"""The dial decides by chance, but the same seed and events meet the same."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import stripe
from sandbox.delivering import at_work, data_in, event, running, until_over
from sandbox.stripe_account import Account
from sandbox.webhook_receiver import SECRET, Receiver, receive

from app.sandbox.stripe.chaos import Chaos, Dial, Fate
from app.sandbox.stripe.delivery import Endpoint

ALL = Chaos(seed=7, duplicate_rate=0.3, delay_seconds=(1, 2), drop_rate=0.2, old_shape_rate=0.5, old_secret_rate=0.1)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receive() as started:
        yield started


def fates(chaos: Chaos, events: int = 1000) -> list[list[Fate]]:
    """Return what becomes of so many events at one endpoint."""
    dial = Dial(chaos)
    return [dial.decide(1)[0] for _ in range(events)]


def test_the_same_seed_repeats_and_another_does_not() -> None:
    assert fates(ALL) == fates(ALL)
    assert fates(ALL) != fates(Chaos(seed=8, drop_rate=0.2))


def test_a_rate_is_about_what_happens() -> None:
    drawn = fates(ALL)
    copies = [fate for each in drawn for fate in each]

    assert 150 < drawn.count([]) < 250
    assert 0.25 < sum(len(each) == 2 for each in drawn) / sum(bool(each) for each in drawn) < 0.35
    assert 0.44 < sum(fate.is_old_shape for fate in copies) / len(copies) < 0.56
    assert 0.06 < sum(fate.is_old_secret for fate in copies) / len(copies) < 0.14
    assert all(1 <= fate.delay_s < 2 for fate in copies)


def test_a_turn_of_one_knob_moves_no_other_s_luck() -> None:
    few = [not each for each in fates(Chaos(seed=1, drop_rate=0.3))]
    with_more = [not each for each in fates(Chaos(seed=1, drop_rate=0.3, duplicate_rate=0.5, old_shape_rate=1))]

    assert few == with_more


def test_endpoints_meet_chances_of_their_own() -> None:
    dial = Dial(Chaos(drop_rate=0.5))

    drawn = [tuple(bool(each) for each in dial.decide(2)) for _ in range(100)]

    assert set(drawn) == {(False, False), (False, True), (True, False), (True, True)}


def test_a_dial_at_rest_harms_nothing() -> None:
    dial = Dial(Chaos())

    assert dial.decide(2) == [[Fate()], [Fate()]]
    assert set(dial.done.values()) == {0}


async def test_what_is_shuffled_arrives_whole_in_another_order(receiver: Receiver) -> None:
    async with running(receiver.url, concurrency=1) as deliveries:
        deliveries.turn(Chaos(shuffle_seconds=0.05))
        for number in range(20):
            deliveries.send(event(number))
        await until_over(deliveries)

    sent, arrived = [f"evt_{number}" for number in range(20)], [each["id"] for each in receiver.events]
    assert arrived != sent
    assert sorted(arrived) == sorted(sent)


async def test_a_dropped_event_stays_pending_and_never_arrives(receiver: Receiver) -> None:
    async with running(receiver.url) as deliveries:
        deliveries.turn(Chaos(drop_rate=1))
        deliveries.send(event(1))
        deliveries.turn(Chaos())
        deliveries.send(event(2))
        await until_over(deliveries)

    assert [each["id"] for each in receiver.events] == ["evt_2"]
    assert (deliveries.pending("evt_1"), deliveries.pending("evt_2")) == (1, 0)


async def test_a_dropped_event_can_be_sent_by_hand(receiver: Receiver) -> None:
    async with running(receiver.url) as deliveries:
        deliveries.turn(Chaos(drop_rate=1))
        deliveries.send(event())
        deliveries.send_again(event())
        await until_over(deliveries)

    assert [each["id"] for each in receiver.events] == ["evt_0"]
    assert deliveries.pending("evt_0") == 0


async def test_a_doubled_event_arrives_twice_the_same(receiver: Receiver) -> None:
    async with running(receiver.url) as deliveries:
        deliveries.turn(Chaos(duplicate_rate=1))
        deliveries.send(event())
        await until_over(deliveries)

    assert len(receiver.bodies) == 2
    assert len(set(receiver.bodies)) == 1


async def test_a_delayed_event_comes_when_the_clock_is_moved_over_it(receiver: Receiver) -> None:
    at = [0]
    async with running(receiver.url, now=lambda: at[0]) as deliveries:
        deliveries.turn(Chaos(delay_seconds=(600, 600)))
        deliveries.send(event(1))
        deliveries.turn(Chaos())
        deliveries.send(event(2))
        await asyncio.to_thread(receiver.wait_for, 1)
        at[0] = 600
        deliveries.follow_clock()
        await until_over(deliveries)

    assert [each["id"] for each in receiver.events] == ["evt_2", "evt_1"]


async def test_the_old_shape_and_the_old_secret_are_those_of_the_dial(receiver: Receiver) -> None:
    async with running(receiver.url) as deliveries:
        deliveries.turn(
            Chaos(old_shape_rate=1, old_secret_rate=1, old_api_version="2022-11-15", old_secret="whsec_was")
        )
        deliveries.send(event(), data_in)
        await until_over(deliveries)

    body, signature = receiver.bodies[0].decode(), receiver.signatures[0]
    stripe.WebhookSignature.verify_header(body, signature, "whsec_was")
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.WebhookSignature.verify_header(body, signature, SECRET)
    assert (receiver.events[0]["api_version"], receiver.events[0]["data"]) == ("2022-11-15", data_in("2022-11-15"))


async def test_what_is_stopped_leaves_when_it_may_again(receiver: Receiver) -> None:
    async with running(receiver.url, concurrency=1) as deliveries:
        deliveries.turn(Chaos(stopped=True))
        for number in range(3):
            deliveries.send(event(number))
        deliveries.turn(Chaos(stopped=True, seed=2))
        held = (len(receiver.bodies), len(deliveries.unfinished))
        deliveries.turn(Chaos())
        await until_over(deliveries)

    assert held == (0, 3)
    assert [each["id"] for each in receiver.events] == ["evt_0", "evt_1", "evt_2"]


async def test_the_dial_is_turned_read_and_reset_by_the_control(account: Account) -> None:
    turned = await account.control("chaos", {"seed": 5, "dropRate": 1})
    account.sandbox.deliveries.endpoint = Endpoint("http://127.0.0.1:9/nobody", SECRET)
    await account.post("/v1/customers")
    read = await account.get("/_sandbox/chaos")
    reset = await account.delete("/_sandbox/chaos")

    assert (turned["seed"], turned["dropRate"], turned["done"]["dropped"]) == (5, 1, 0)
    assert read["done"]["dropped"] == 1
    assert (reset["seed"], reset["dropRate"], reset["done"]["dropped"]) == (5, 0, 0)
    event = (await account.get("/v1/events"))["data"][0]
    assert (event["type"], event["pending_webhooks"]) == ("customer.created", 1)
    assert account.sandbox.deliveries.unfinished == {}


async def test_a_subscription_s_event_goes_out_in_the_old_shape_whole(account: Account, receiver: Receiver) -> None:
    subscription = await account.subscription()
    deliveries = account.sandbox.deliveries
    deliveries.endpoint = Endpoint(receiver.url, SECRET)
    await account.control("chaos", {"oldShapeRate": 1})

    async with at_work(deliveries):
        change = {"set": {"current_period_end": account.clock.at + 9}}
        await account.control(f"objects/{subscription['id']}", change)
        await until_over(deliveries)

    sent, listed = receiver.events[0], (await account.get("/v1/events"))["data"][0]
    assert (sent["id"], sent["api_version"]) == (listed["id"], "2025-02-24.acacia")
    assert sent["data"]["object"]["current_period_end"] == account.clock.at + 9
    assert "current_period_end" in sent["data"]["previous_attributes"]
    assert "current_period_end" not in listed["data"]["object"]


async def test_an_advanced_clock_brings_what_was_delayed_signed_with_the_time_of_day(
    account: Account, receiver: Receiver
) -> None:
    deliveries = account.sandbox.deliveries
    deliveries.endpoint = Endpoint(receiver.url, SECRET)
    await account.control("chaos", {"delaySeconds": [3000, 3600]})

    async with at_work(deliveries):
        await account.post("/v1/customers")
        await account.control("clock", {"by": 3600})
        await until_over(deliveries)

    assert [each["type"] for each in receiver.events] == ["customer.created"]
    assert receiver.signatures[0].startswith(f"t={account.clock.at},")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"dropRate": 1.1}, id="rate over 1"),
        pytest.param({"duplicateRate": -0.1}, id="rate under 0"),
        pytest.param({"delaySeconds": [2, 1]}, id="range backwards"),
        pytest.param({"oldApiVersion": "2025-03-31.basil"}, id="version that is not old"),
        pytest.param({"oldApiVersion": "1"}, id="no version"),
        pytest.param({"drop_rate": 1}, id="unknown knob"),
    ],
)
async def test_a_dial_that_cannot_be_is_refused(account: Account, body: dict[str, Any]) -> None:
    await account.control("chaos", body, status=400)

    assert (await account.get("/_sandbox/chaos"))["dropRate"] == 0
