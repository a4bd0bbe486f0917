import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import stripe
from sandbox.webhook_receiver import SECRET, Receiver, receive

from app.sandbox.stripe.delivery import Deliveries, Endpoint, sign
from app.sandbox.stripe.wire import JsonObject


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receive() as started:
        yield started


@asynccontextmanager
async def _running(
    url: str, *, retry_delays_s: tuple[float, ...] = (0.01, 0.02), concurrency: int = 4
) -> AsyncIterator[Deliveries]:
    deliveries = Deliveries(
        Endpoint(url, SECRET),
        retry_delays_s=retry_delays_s,
        concurrency=concurrency,
        timeout_s=2,
        now=lambda: 1_800_000_000,
    )
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(deliveries.run())
        yield deliveries
        running.cancel()


async def _until_over(deliveries: Deliveries) -> None:
    async with asyncio.timeout(10):
        while deliveries.unfinished:
            await asyncio.sleep(0.005)


def _event(number: int = 0) -> JsonObject:
    return {"id": f"evt_{number}", "object": "event", "type": "customer.created", "pending_webhooks": 0}


async def test_an_event_is_signed_as_the_sdk_checks_it(receiver: Receiver) -> None:
    async with _running(receiver.url) as deliveries:
        deliveries.send(_event())
        await _until_over(deliveries)

    stripe.WebhookSignature.verify_header(receiver.bodies[0].decode(), receiver.signatures[0], SECRET)
    assert receiver.signatures[0].startswith("t=1800000000,v1=")
    assert receiver.events == [{**_event(), "pending_webhooks": 1}]


async def test_a_refused_event_is_sent_again_the_same_until_taken(receiver: Receiver) -> None:
    receiver.statuses = [500, 302]

    async with _running(receiver.url) as deliveries:
        deliveries.send(_event())
        await _until_over(deliveries)

    assert [(attempt.attempt, attempt.status) for attempt in deliveries.attempts] == [(1, 500), (2, 302), (3, 200)]
    assert len(set(receiver.bodies)) == 1


async def test_it_gives_up_after_the_last_delay(receiver: Receiver) -> None:
    receiver.statuses = [500] * 9

    async with _running(receiver.url) as deliveries:
        deliveries.send(_event())
        await _until_over(deliveries)

    assert len(receiver.bodies) == 3


async def test_an_endpoint_that_does_not_answer_is_an_attempt_with_an_error() -> None:
    async with _running("http://127.0.0.1:9/nobody", retry_delays_s=()) as deliveries:
        deliveries.send(_event())
        await _until_over(deliveries)

    assert [(attempt.status, attempt.error is None) for attempt in deliveries.attempts] == [(None, False)]


async def test_a_moved_endpoint_gets_what_the_old_one_did_not_take(receiver: Receiver) -> None:
    async with _running("http://127.0.0.1:9/nobody", retry_delays_s=(0.05,)) as deliveries:
        deliveries.send(_event())
        deliveries.endpoint = Endpoint(receiver.url, SECRET)
        await _until_over(deliveries)

    assert len(receiver.bodies) == 1


async def test_every_event_arrives_once_when_many_are_sent(receiver: Receiver) -> None:
    async with _running(receiver.url, concurrency=8) as deliveries:
        for number in range(300):
            deliveries.send(_event(number))
        await _until_over(deliveries)

    assert sorted(event["id"] for event in receiver.events) == sorted(f"evt_{number}" for number in range(300))


async def test_nothing_is_queued_without_an_endpoint() -> None:
    deliveries = Deliveries(None, retry_delays_s=(), concurrency=1, timeout_s=1, now=lambda: 0)

    deliveries.send(_event())

    assert deliveries.unfinished == {}


def test_another_secret_gives_another_signature() -> None:
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.WebhookSignature.verify_header("{}", sign(b"{}", "whsec_other", 1_800_000_000), SECRET)
