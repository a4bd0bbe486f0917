"""What the worker notes of an event's way, and what it says of a pause, over a real database."""

import json
from collections.abc import AsyncIterator

import pytest
from support.records import workspace
from support.stripe import FakeProcessor, Sync, customer, eventually, subscription, syncing

from app.domain.stripe_event import Discard, StripeEvent, StripeEventStatus, StripeObjectState
from app.ports.stripe import ProcessorUnavailableError

E = StripeEventStatus
UPDATED = "customer.subscription.updated"


@pytest.fixture
async def sync(mongodb_uri: str, database: str) -> AsyncIterator[Sync]:
    async with syncing(mongodb_uri, database) as sync:
        yield sync


async def event(sync: Sync, id: str) -> StripeEvent:
    found = await sync.inbox.event(id)
    assert found is not None
    return found


def slow(sync: Sync, processor: FakeProcessor, by_ms: int) -> None:
    """Let Stripe's answers take time."""
    processor.before = lambda _: sync.clock.advance(by_ms)


async def test_a_fetched_event_tells_when_it_was_asked_written_and_applied(sync: Sync) -> None:
    await sync.put(workspace(external_id="acme"))
    processor = FakeProcessor(subscription(workspace="acme"))
    slow(sync, processor, 40)
    asked_at = sync.clock.now_at()

    event_id = await sync.receive(UPDATED, subscription())
    await sync.settle(processor)

    found = await event(sync, event_id)
    mirror = await sync.mirror("sub_1")
    assert mirror is not None
    assert found.status is E.PROCESSED
    assert (found.first_fetched_at, found.written_at, found.applied_at) == (asked_at, asked_at + 40, asked_at + 40)
    assert found.written_at == mirror.updated_at


async def test_what_is_parked_was_fetched_and_written_but_is_not_in_ram(sync: Sync) -> None:
    processor = FakeProcessor(customer(), subscription())
    asked_at = sync.clock.now_at()
    event_id = await sync.receive(UPDATED, subscription())
    await sync.settle(processor)
    parked = await event(sync, event_id)
    assert (parked.status, parked.first_fetched_at, parked.applied_at) == (E.PARKED, asked_at, None)
    assert parked.written_at == asked_at
    queued = (await sync.inbox.queued(["sub_1"]))["sub_1"]
    assert (queued.state, queued.parked_under) == (StripeObjectState.PARKED, ("cus_1",))

    sync.clock.advance(1000)
    await sync.put(workspace(external_id="acme"))
    processor.put(customer(workspace="acme"))
    await sync.receive("customer.updated", customer())
    await sync.settle(processor)

    found = await event(sync, event_id)
    assert (found.status, found.first_fetched_at, found.applied_at) == (E.PROCESSED, asked_at, asked_at + 1000)


async def test_what_newer_word_had_covered_was_not_written(sync: Sync) -> None:
    await sync.put(workspace(external_id="acme"))
    await sync.receive(UPDATED, subscription(workspace="acme"), created=2_000_000_000)
    await sync.settle(None)

    late = await sync.receive(UPDATED, subscription(workspace="acme"), created=1_900_000_000)
    await sync.settle(None)

    found = await event(sync, late)
    assert (found.status, found.first_fetched_at, found.written_at, found.applied_at) == (E.PROCESSED, None, None, None)


async def test_what_cannot_be_decoded_is_dead_and_was_only_fetched(sync: Sync) -> None:
    processor = FakeProcessor({**subscription(), "status": "dormant"})

    event_id = await sync.receive(UPDATED, subscription())
    await sync.settle(processor)

    found = await event(sync, event_id)
    queued = (await sync.inbox.queued(["sub_1"]))["sub_1"]
    assert (found.status, found.written_at, found.applied_at) == (E.DEAD, None, None)
    assert found.first_fetched_at is not None
    assert (queued.state, queued.last_error) == (StripeObjectState.DEAD, found.reason)


async def test_while_stripe_is_silent_nothing_was_fetched_and_the_status_says_until_when(sync: Sync) -> None:
    processor = FakeProcessor(subscription())

    def refuse(_: str) -> None:
        raise ProcessorUnavailableError("status 429", retry_after_s=30)

    processor.before = refuse
    event_id = await sync.receive(UPDATED, subscription())

    async with sync.running(processor):

        async def has_failed() -> bool:
            return (await event(sync, event_id)).reason is not None

        await eventually(has_failed)
        state = await sync.backoff().look()  # as any process sees it
        backoff = state.backoff(sync.clock.now_at())
        found = await event(sync, event_id)
        assert backoff is not None
        assert (backoff.until_at, backoff.reason) == (sync.clock.now_at() + 30_000, "subscription: status 429")
        assert (found.status, found.attempts, found.first_fetched_at) == (E.RECEIVED, 1, None)

        assert state.backoff(sync.clock.now_at() + 30_000) is None


async def test_a_replay_of_an_old_event_asks_stripe_and_leaves_the_event_as_it_was(sync: Sync) -> None:
    await sync.put(workspace(external_id="acme"))
    processor = FakeProcessor(subscription(workspace="acme"))
    event_id = await sync.receive(UPDATED, subscription())
    await sync.settle(processor)
    before = await event(sync, event_id)
    processor.put(subscription(workspace="acme", status="past_due"))

    sync.clock.advance(1000)
    found = await sync.inbox.received(from_at=0, to_at=sync.clock.now_at(), after=None, most=10)
    await sync.inbox.mark_all(found.objects)
    await sync.settle(processor)

    sub = await sync.subscription()
    assert sub is not None
    assert sub.status == "past_due"
    assert json.loads(before.payload)["data"]["object"]["status"] == "active"
    assert await event(sync, event_id) == before


async def test_what_failed_is_learned_once_the_cause_is_gone(sync: Sync) -> None:
    await sync.put(workspace(external_id="acme"))
    processor = FakeProcessor({**subscription(workspace="acme"), "status": "dormant"})
    event_id = await sync.receive(UPDATED, subscription())
    await sync.settle(processor)
    since_at = sync.clock.now_at()
    assert (await sync.inbox.backlog()).dead == 1

    processor.put(subscription(workspace="acme"))
    await sync.inbox.mark_all(await sync.inbox.failed(since_at=since_at, after=None, most=10))
    await sync.settle(processor)

    assert await sync.status(event_id) is E.PROCESSED
    assert await sync.subscription() is not None
    assert (await sync.inbox.backlog()).dead == 0
    assert await sync.inbox.failed(since_at=0, after=None, most=10) == ()


async def test_a_discarded_letter_is_not_taken_up_by_the_events_after_it(sync: Sync) -> None:
    await sync.put(workspace(external_id="acme"))
    processor = FakeProcessor({**subscription(workspace="acme"), "status": "dormant"})
    dead = await sync.receive(UPDATED, subscription())
    await sync.settle(processor)
    await sync.inbox.discard(Discard(by="key_1", reason="gone", event_ids=(dead,)))

    processor.put(subscription(workspace="acme"))
    fresh = await sync.receive(UPDATED, subscription())
    await sync.settle(processor)

    assert (await sync.status(dead), await sync.status(fresh)) == (E.DISCARDED, E.PROCESSED)
