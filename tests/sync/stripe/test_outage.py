"""Stripe's API is away for an hour of the virtual clock, and webhooks keep coming."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest
from support.control import control_of
from support.records import workspace
from support.stripe import Json, Sync, customer, eventually, subscription, syncing

from app.domain.stripe_event import StripeEventStatus
from app.domain.subscription import SubscriptionStatus
from app.domain.sync_status import StripeSyncStatus
from app.gateways.stripe import StripeProcessor
from app.store.rates import MongoRates
from sync.control import SyncControl
from sync.stripe.events import StripeWorker

MINUTES = 60
MINUTE_MS = 60_000
RATE = 10
UPDATED = "customer.subscription.updated"


@pytest.fixture
async def sync(mongodb_uri: str, database: str) -> AsyncIterator[Sync]:
    async with syncing(mongodb_uri, database) as sync:
        yield sync


class Stripe:
    """Stripe's API over no network: 503 to everything while it `is_down`."""

    def __init__(self, *objects: Json) -> None:
        self.objects = {found["id"]: found for found in objects}
        self.is_down = False
        self.asked: list[tuple[str, float]] = []

    async def answer(self, request: httpx.Request) -> httpx.Response:
        asked_for = request.url.path.rpartition("/")[2]
        self.asked.append((asked_for, asyncio.get_running_loop().time()))
        if self.is_down:
            return httpx.Response(503, json={"error": {"type": "api_error", "message": "away"}})
        return httpx.Response(200, content=json.dumps(self.objects[asked_for]))


@pytest.fixture
def stripe() -> Stripe:
    changed = [subscription(f"sub_{minute}", workspace="acme") for minute in range(MINUTES)]
    return Stripe(customer(workspace="acme"), subscription("sub_old", workspace="acme"), *changed)


@pytest.fixture
async def processor(sync: Sync, stripe: Stripe) -> AsyncIterator[StripeProcessor]:
    transport, rates = httpx.MockTransport(stripe.answer), MongoRates(sync.mongo)
    processor = StripeProcessor(
        "sk_test_1", rate_per_s=RATE, endpoint_rate_per_s=RATE, rates=rates, transport=transport
    )
    yield processor
    await processor.close()


@pytest.fixture
def elsewhere(sync: Sync, processor: StripeProcessor) -> SyncControl:
    """Give what a process says that does none of the work."""
    return control_of(sync, processor, works=False)


async def told(control: SyncControl) -> StripeSyncStatus:
    return (await control.status()).stripe


async def is_at_rest(sync: Sync, worker: StripeWorker) -> bool:
    """Tell whether the worker knows that Stripe is away, and has nothing in hand."""
    backoff = (await sync.backoff().look()).backoff(sync.clock.now_at())
    return backoff is not None and not worker._held


async def second_by_second(sync: Sync, worker: StripeWorker) -> bool:
    """Let time pass until it is; a lease must not end under its holder's hands."""
    if await is_at_rest(sync, worker):
        return True
    if not worker._held:
        sync.clock.advance(1000)
    return False


@pytest.mark.timeout(180)
async def test_an_hour_without_the_api(
    sync: Sync, stripe: Stripe, processor: StripeProcessor, elsewhere: SyncControl
) -> None:
    await sync.put(workspace(external_id="acme"))
    await sync.inbox.mark("customer", "cus_1")
    await sync.inbox.mark("subscription", "sub_old")
    await sync.settle(processor)
    well = await told(elsewhere)
    assert (well.trouble, well.backoff) == (None, None)

    stripe.is_down = True
    stripe.asked.clear()
    began_at = sync.clock.now_at()
    async with sync.running(processor, concurrency=1) as worker:
        for minute in range(MINUTES):
            await sync.receive(UPDATED, subscription(f"sub_{minute}"))
            await eventually(lambda: second_by_second(sync, worker))
            await check_truth(sync, await told(elsewhere), waiting=minute + 1, since_at=began_at)
            check_reads(sync)
            sync.clock.advance(MINUTE_MS)
        assert MINUTES - 1 <= len(stripe.asked) <= MINUTES + 3  # three until it is known, and then once each time

        await eventually(lambda: is_at_rest(sync, worker))
        stripe.is_down = False
        stripe.asked.clear()
        sync.clock.advance(MINUTE_MS)
        await eventually(sync.is_settled)

    check_drained(stripe)
    well = await told(elsewhere)
    assert (well.trouble, well.backoff) == (None, None)
    assert well.backlog is not None
    assert (well.backlog.pending, well.backlog.dead, well.backlog.oldest_pending_at) == (0, 0, None)
    assert {await sync.status(f"evt_{n}") for n in range(1, MINUTES + 1)} == {StripeEventStatus.PROCESSED}


async def check_truth(sync: Sync, found: StripeSyncStatus, *, waiting: int, since_at: int) -> None:
    now_at, backlog = sync.clock.now_at(), found.backlog
    assert backlog is not None
    assert (backlog.pending, backlog.dead, backlog.oldest_pending_at) == (waiting, 0, since_at)
    assert found.trouble is not None
    assert "503: away" in found.trouble
    assert found.backoff is not None
    assert found.backoff.reason == found.trouble
    assert now_at < found.backoff.until_at <= now_at + MINUTE_MS


def check_reads(sync: Sync) -> None:
    state = sync.rt.cache.state("ws_1")
    assert state is not None
    assert [(sub.id, sub.status) for sub in state.subscriptions] == [("sub_old", SubscriptionStatus.ACTIVE)]


def check_drained(stripe: Stripe) -> None:
    """Check that all were asked for once: at first one, to see, then the oldest first, within the limit."""
    first, *others = [asked_for for asked_for, _ in stripe.asked]
    assert others == [f"sub_{minute}" for minute in range(MINUTES) if f"sub_{minute}" != first]
    took_s = stripe.asked[-1][1] - stripe.asked[0][1]
    assert took_s >= (len(stripe.asked) - 1 - RATE) / RATE - 0.1
