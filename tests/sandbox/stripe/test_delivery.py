import asyncio
from collections.abc import Iterator

import pytest
import stripe
from sandbox.delivering import AT, data_in, event, running, until_over
from sandbox.webhook_receiver import SECRET, Receiver, receive

from app.sandbox.stripe.delivery import Deliveries, Endpoint, sign


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receive() as started:
        yield started


async def test_an_event_is_signed_as_the_sdk_checks_it(receiver: Receiver) -> None:
    async with running(receiver.url) as deliveries:
        deliveries.send(event())
        await until_over(deliveries)

    stripe.WebhookSignature.verify_header(receiver.bodies[0].decode(), receiver.signatures[0], SECRET)
    assert receiver.signatures[0].startswith("t=1800000000,v1=")
    assert receiver.events == [{**event(), "pending_webhooks": 1}]


async def test_a_refused_event_is_sent_again_the_same_until_taken(receiver: Receiver) -> None:
    receiver.statuses = [500, 302]

    async with running(receiver.url) as deliveries:
        deliveries.send(event())
        await until_over(deliveries)

    assert [(attempt.attempt, attempt.status) for attempt in deliveries.attempts] == [(1, 500), (2, 302), (3, 200)]
    assert len(set(receiver.bodies)) == 1


async def test_it_gives_up_after_the_last_delay(receiver: Receiver) -> None:
    receiver.statuses = [500] * 9

    async with running(receiver.url) as deliveries:
        deliveries.send(event())
        await until_over(deliveries)

    assert len(receiver.bodies) == 3


async def test_an_endpoint_that_does_not_answer_is_an_attempt_with_an_error() -> None:
    async with running("http://127.0.0.1:9/nobody", retry_delays_s=()) as deliveries:
        deliveries.send(event())
        await until_over(deliveries)

    assert [(attempt.status, attempt.error is None) for attempt in deliveries.attempts] == [(None, False)]


async def test_a_moved_endpoint_gets_what_the_old_one_did_not_take(receiver: Receiver) -> None:
    async with running("http://127.0.0.1:9/nobody", retry_delays_s=(0.05,)) as deliveries:
        deliveries.send(event())
        deliveries.endpoint = Endpoint(receiver.url, SECRET)
        await until_over(deliveries)

    assert len(receiver.bodies) == 1


async def test_every_event_arrives_once_when_many_are_sent(receiver: Receiver) -> None:
    async with running(receiver.url, concurrency=8) as deliveries:
        for number in range(300):
            deliveries.send(event(number))
        await until_over(deliveries)

    assert sorted(each["id"] for each in receiver.events) == sorted(f"evt_{number}" for number in range(300))


async def test_nothing_is_queued_without_an_endpoint() -> None:
    deliveries = Deliveries(None, retry_delays_s=(), concurrency=1, timeout_s=1, now=lambda: 0)

    deliveries.send(event())

    assert deliveries.unfinished == {}


def test_another_secret_gives_another_signature() -> None:
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.WebhookSignature.verify_header("{}", sign(b"{}", "whsec_other", 1_800_000_000), SECRET)


async def test_each_endpoint_gets_what_it_wants_in_its_shape_and_signed_with_its_secret(receiver: Receiver) -> None:
    with receive() as other:
        async with running(receiver.url, concurrency=1) as deliveries:
            deliveries.endpoints["we_1"] = Endpoint(other.url, "whsec_1", ("price.created",), "2025-02-24.acacia")
            deliveries.send(event(1), data_in)
            deliveries.send(event(2, "price.created"), data_in)
            await until_over(deliveries)

        assert [each["id"] for each in receiver.events] == ["evt_1", "evt_2"]
        assert [each["pending_webhooks"] for each in receiver.events] == [1, 2]
        assert [(each["id"], each["api_version"], each["data"]) for each in other.events] == [
            ("evt_2", "2025-02-24.acacia", data_in("2025-02-24.acacia"))
        ]
        stripe.WebhookSignature.verify_header(other.bodies[0].decode(), other.signatures[0], "whsec_1")


async def test_an_event_is_pending_at_the_endpoints_that_have_not_taken_it(receiver: Receiver) -> None:
    async with running(receiver.url) as deliveries:
        deliveries.endpoints["we_1"] = Endpoint("http://127.0.0.1:9/nobody", SECRET)
        deliveries.send(event())
        before = deliveries.pending("evt_0")
        await until_over(deliveries)

    assert (before, deliveries.pending("evt_0")) == (2, 1)


async def test_an_endpoint_that_is_gone_is_not_tried_again(receiver: Receiver) -> None:
    async with running(receiver.url) as deliveries:
        deliveries.endpoints["we_1"] = Endpoint(receiver.url, SECRET)
        deliveries.send(event())
        del deliveries.endpoints["we_1"]
        await until_over(deliveries)

    assert len(receiver.bodies) == 1
    assert deliveries.pending("evt_0") == 0


async def test_a_resent_event_has_the_endpoint_s_shape_again(receiver: Receiver) -> None:
    async with running(receiver.url) as deliveries:
        deliveries.endpoint = Endpoint(receiver.url, SECRET, api_version="2025-02-24.acacia")
        deliveries.send(event(), data_in)
        deliveries.send_again(event())
        await until_over(deliveries)

    assert [each["data"] for each in receiver.events] == [data_in("2025-02-24.acacia")] * 2


async def test_a_retry_is_due_when_the_clock_that_was_moved_says_so(receiver: Receiver) -> None:
    receiver.statuses = [500]
    moved = [AT]

    async with running(
        receiver.url, retry_delays_s=(3600,), now=lambda: moved[0], time_of_day=lambda: AT
    ) as deliveries:
        deliveries.send(event())
        async with asyncio.timeout(10):
            while not deliveries.attempts:
                await asyncio.sleep(0.005)
        moved[0] += 3599
        deliveries.follow_clock()
        early = len(receiver.bodies)
        moved[0] += 1
        deliveries.follow_clock()
        await until_over(deliveries)

    assert (early, len(receiver.bodies)) == (1, 2)
    assert all(signature.startswith(f"t={AT},") for signature in receiver.signatures)
