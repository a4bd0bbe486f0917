"""The worker over a real database, with a fake of Stripe's API."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Collection
from typing import Any

import pytest
from support.records import workspace
from support.stripe import (
    DAY,
    T0,
    FakeProcessor,
    Json,
    Sync,
    customer,
    eventually,
    item,
    price,
    product,
    stored_event,
    subscription,
    syncing,
)

from app.domain.change import Kind
from app.domain.errors import UnavailableError
from app.domain.stripe_backoff import ApiStates
from app.domain.stripe_event import StripeEventStatus
from app.domain.stripe_object import StripeSource
from app.domain.subscription import SubscriptionStatus
from app.domain.sync_status import StripeSyncMode
from app.ports.stripe import Lease, ProcessorRefusedError, ProcessorUnavailableError
from app.store.inbox import MongoInbox
from sync.stripe.events import StripeWorker

S = SubscriptionStatus
E = StripeEventStatus
UPDATED = "customer.subscription.updated"


@pytest.fixture
async def sync(mongodb_uri: str, database: str) -> AsyncIterator[Sync]:
    async with syncing(mongodb_uri, database) as sync:
        yield sync


async def linked(sync: Sync, *objects: Json) -> FakeProcessor:
    """Give a workspace whose customer names it by the external id, and Stripe with these objects."""
    await sync.put(workspace(external_id="acme"))
    processor = FakeProcessor(customer(workspace="acme"), *objects)
    await sync.inbox.mark("customer", "cus_1")
    await sync.settle(processor)
    return processor


async def status_of(sync: Sync, id: str = "sub_1") -> SubscriptionStatus | None:
    sub = await sync.subscription(id)
    return sub.status if sub else None


async def test_a_customer_is_linked_by_the_external_id(sync: Sync) -> None:
    await linked(sync)

    assert (await sync.workspace()).stripe_customer_id == "cus_1"
    assert sync.rt.cache.workspace_of_customer("cus_1") == "ws_1"


async def test_a_subscription_follows_its_customer_into_ram(sync: Sync) -> None:
    processor = await linked(sync, subscription())

    event_id = await sync.receive("customer.subscription.created", subscription())
    await sync.settle(processor)

    held = sync.rt.cache.subscription("sub_1")
    assert held is not None
    assert (held.workspace_id, held.status, held.provisional) == ("ws_1", S.ACTIVE, False)
    assert await sync.status(event_id) is E.PROCESSED


async def test_a_subscription_is_linked_by_its_own_metadata_first(sync: Sync) -> None:
    processor = await linked(sync, subscription(workspace="ws_2"))
    await sync.put(workspace("ws_2"))

    await sync.receive(UPDATED, subscription())
    await sync.settle(processor)

    sub = await sync.subscription()
    assert sub is not None
    assert sub.workspace_id == "ws_2"


async def test_a_subscription_moves_with_its_metadata(sync: Sync) -> None:
    processor = await linked(sync, subscription())
    await sync.put(workspace("ws_2"))
    await sync.receive(UPDATED, subscription())
    await sync.settle(processor)

    processor.put(subscription(workspace="ws_2"))
    await sync.receive(UPDATED, subscription())
    await sync.settle(processor)

    left, sub = sync.rt.cache.state("ws_1"), await sync.subscription()
    assert left is not None
    assert sub is not None
    assert (left.subscriptions, sub.workspace_id) == ((), "ws_2")


async def test_subscriptions_follow_a_customer_that_moves(sync: Sync) -> None:
    processor = await linked(sync, subscription())
    await sync.put(workspace("ws_2"))
    await sync.receive(UPDATED, subscription())
    await sync.settle(processor)

    processor.put(customer(workspace="ws_2"))
    await sync.receive("customer.updated", customer())
    await sync.settle(processor)

    sub = await sync.subscription()
    assert sub is not None
    assert sub.workspace_id == "ws_2"
    assert (await sync.workspace()).stripe_customer_id is None
    assert (await sync.workspace("ws_2")).stripe_customer_id == "cus_1"


@pytest.mark.parametrize("order", list(itertools.permutations(range(2))))
async def test_of_two_customers_the_younger_is_the_workspaces_own(sync: Sync, order: tuple[int, ...]) -> None:
    await sync.put(workspace())
    both = [customer("cus_old", workspace="ws_1"), customer("cus_young", workspace="ws_1", created=T0 + 1)]
    processor = FakeProcessor(*both, subscription(customer="cus_old"))

    for index in order:
        await sync.receive("customer.created", both[index])
        await sync.settle(processor)
    await sync.receive(UPDATED, subscription(customer="cus_old"))
    await sync.settle(processor)

    assert (await sync.workspace()).stripe_customer_id == "cus_young"
    assert await status_of(sync) is S.ACTIVE


async def test_a_deleted_customer_is_unlinked_and_its_subscription_ends_where_it_was(sync: Sync) -> None:
    processor = await linked(sync, subscription())
    await sync.receive(UPDATED, subscription())
    await sync.settle(processor)

    processor.put({"id": "cus_1", "object": "customer", "deleted": True})
    processor.put(subscription(status="canceled", ended_at=T0 + 5))
    await sync.receive("customer.deleted", customer())
    await sync.receive("customer.subscription.deleted", subscription())
    await sync.settle(processor)

    mirror = await sync.mirror("cus_1")
    assert mirror is not None
    assert mirror.gone
    assert (await sync.workspace()).stripe_customer_id is None
    assert await status_of(sync) is S.CANCELED


async def test_a_subscription_that_stripe_no_longer_knows_is_canceled(sync: Sync) -> None:
    processor = await linked(sync, subscription())
    await sync.receive(UPDATED, subscription())
    await sync.settle(processor)

    del processor.objects["sub_1"]
    await sync.inbox.mark("subscription", "sub_1")
    await sync.settle(processor)

    sub = await sync.subscription()
    assert sub is not None
    assert sub.status is S.CANCELED
    assert sub.ended_at == sync.clock.now_at()


async def test_products_and_prices_are_mirrored_and_survive_their_deletion(sync: Sync) -> None:
    processor = FakeProcessor(product(), price())
    await sync.receive("product.created", product())
    await sync.receive("price.created", price())
    await sync.settle(processor)

    del processor.objects["price_pro"]
    await sync.receive("price.deleted", price())
    await sync.settle(processor)

    kept = await sync.mirror("price_pro")
    assert kept is not None
    assert (kept.gone, json.loads(kept.raw)["unit_amount"]) == (True, 1000)
    assert (await sync.mirror("prod_pro")) is not None


HISTORY = [
    subscription(status="incomplete"),
    subscription(),
    subscription(status="past_due", items=[item(current_period_start=T0 + 30 * DAY, current_period_end=T0 + 60 * DAY)]),
    subscription(status="canceled", ended_at=T0 + 40 * DAY),
]
TYPES = ["customer.subscription.created", UPDATED, UPDATED, "customer.subscription.deleted"]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4)))[::5])
async def test_every_order_of_events_ends_in_stripes_state(sync: Sync, order: tuple[int, ...]) -> None:
    processor = await linked(sync, HISTORY[-1])

    for index in order:  # all created in one second, each worked on by itself
        await sync.receive(TYPES[index], HISTORY[index])
        await sync.settle(processor)

    sub = await sync.subscription()
    assert sub is not None
    assert (sub.status, sub.ended_at) == (S.CANCELED, (T0 + 40 * DAY) * 1000)


async def test_a_duplicate_and_a_replay_change_nothing(sync: Sync) -> None:
    processor = await linked(sync, subscription())
    event_id = await sync.receive(UPDATED, subscription())
    await sync.settle(processor)
    before = await sync.subscription()

    assert not await sync.inbox.accept(stored_event(event_id, UPDATED, subscription()))
    await sync.inbox.mark("subscription", "sub_1")
    await sync.receive(UPDATED, subscription(status="incomplete"))
    await sync.settle(processor)

    assert await sync.subscription() == before


async def test_a_burst_is_fetched_once(sync: Sync) -> None:
    processor = await linked(sync, subscription())
    ids = [await sync.receive(UPDATED, subscription()) for _ in range(10)]

    await sync.settle(processor)

    assert processor.asked.count("sub_1") == 1
    assert {await sync.status(name) for name in ids} == {E.PROCESSED}


async def _is(sync: Sync, status: SubscriptionStatus) -> bool:
    return await status_of(sync) is status


async def test_a_mark_during_the_fetch_is_not_lost(sync: Sync) -> None:
    processor = await linked(sync, subscription())
    news = iter([subscription(status="past_due")])

    async def change(id: str) -> None:
        if id == "sub_1" and (newer := next(news, None)):
            processor.put(newer)
            await sync.receive(UPDATED, newer)

    processor.before = change
    await sync.receive(UPDATED, subscription())
    await sync.settle(processor)

    assert await status_of(sync) is S.PAST_DUE


async def test_a_killed_workers_object_is_taken_over_after_its_lease(sync: Sync) -> None:
    processor = await linked(sync, subscription(), subscription("sub_2"))
    event_id = await sync.receive(UPDATED, subscription())
    now_at = sync.clock.now_at()
    assert len(await sync.inbox.lease(limit=8, until_at=now_at + 15_000)) == 1  # and then it dies
    await sync.receive(UPDATED, subscription("sub_2"))

    async with sync.running(processor):
        await eventually(lambda: _is_active(sync, "sub_2"))
        assert "sub_1" not in processor.asked
        sync.clock.advance(15_001)
        await eventually(lambda: _is(sync, S.ACTIVE))
        await eventually(sync.is_settled)

    assert await sync.status(event_id) is E.PROCESSED


async def test_an_event_stored_without_its_mark_is_found(sync: Sync) -> None:
    processor = await linked(sync, subscription())
    event_id = await sync.receive(UPDATED, subscription())
    await sync.mongo.db["stripe_dirty"].delete_many({})  # as if the process had died between the two writes
    sync.clock.advance(60_000)

    async with sync.running(processor):
        await eventually(lambda: _is(sync, S.ACTIVE))
        await eventually(sync.is_settled)

    assert await sync.status(event_id) is E.PROCESSED


async def test_an_unlinked_subscription_waits_and_comes_with_its_customer(sync: Sync) -> None:
    processor = FakeProcessor(customer(), subscription())
    event_id = await sync.receive("customer.subscription.created", subscription())
    await sync.settle(processor)

    assert await sync.status(event_id) is E.PARKED
    assert (await sync.inbox.backlog()).parked == 1
    mirror = await sync.mirror("sub_1")
    assert mirror is not None
    assert mirror.parked_under == ("cus_1",)
    assert processor.asked.count("cus_1") == 1  # the parent is fetched once, by itself

    await sync.put(workspace())
    processor.put(customer(workspace="ws_1"))
    await sync.receive("customer.updated", customer(workspace="ws_1"))
    await sync.settle(processor)

    assert await status_of(sync) is S.ACTIVE
    assert await sync.status(event_id) is E.PROCESSED
    assert (await sync.inbox.backlog()).parked == 0


async def test_a_new_workspace_releases_what_names_it(sync: Sync) -> None:
    processor = FakeProcessor(customer(workspace="acme"), subscription())
    await sync.receive("customer.subscription.created", subscription())
    await sync.settle(processor)
    assert (await sync.inbox.backlog()).parked == 2

    await sync.put(workspace(external_id="acme"))
    await sync.inbox.release(["ws_1", "acme"])
    await sync.settle(processor)

    assert await status_of(sync) is S.ACTIVE


async def test_a_workspace_that_comes_just_before_the_parking_is_noticed(sync: Sync) -> None:
    class LateWorkspace(MongoInbox):
        async def park(self, lease: Lease, parents: Collection[str]) -> None:
            await sync.put(workspace(external_id="acme"))
            await self.release(["ws_1", "acme"])  # too early: nothing is parked yet
            await super().park(lease, parents)

    sync.inbox = LateWorkspace(sync.mongo, sync.clock)
    await sync.receive("customer.subscription.created", subscription())

    async with sync.running(FakeProcessor(subscription(workspace="acme")), sweep_s=30):
        await eventually(lambda: _is(sync, S.ACTIVE))


async def test_the_sweep_releases_what_nobody_released(sync: Sync) -> None:
    processor = FakeProcessor(subscription(workspace="acme"))
    await sync.receive("customer.subscription.created", subscription())
    await sync.settle(processor)

    await sync.put(workspace(external_id="acme"))
    async with sync.running(processor):
        await eventually(lambda: _is(sync, S.ACTIVE))


async def test_a_subscription_that_names_an_unknown_workspace_is_kept_up_to_date_where_it_is(sync: Sync) -> None:
    processor = await linked(sync, subscription())
    await sync.receive(UPDATED, subscription())
    await sync.settle(processor)

    processor.put(subscription(status="past_due", workspace="not yet"))
    event_id = await sync.receive(UPDATED, subscription())
    await sync.settle(processor)

    sub = await sync.subscription()
    assert sub is not None
    assert (sub.workspace_id, sub.status) == ("ws_1", S.PAST_DUE)
    assert await sync.status(event_id) is E.PARKED


async def test_an_unknown_status_is_a_dead_letter_and_the_last_state_stays(sync: Sync) -> None:
    processor = await linked(sync, subscription())
    await sync.receive(UPDATED, subscription())
    await sync.settle(processor)

    processor.put(subscription(status="hibernating"))
    event_id = await sync.receive(UPDATED, subscription())
    await sync.settle(processor)

    dead = await sync.inbox.event(event_id)
    mirror = await sync.mirror("sub_1")
    assert dead is not None
    assert mirror is not None
    assert (dead.status, await status_of(sync)) == (E.DEAD, S.ACTIVE)
    assert "unknown subscription status 'hibernating'" in (dead.reason or "")
    assert json.loads(mirror.raw)["status"] == "hibernating"
    assert (await sync.inbox.backlog()).dead == 1


async def test_a_dead_letter_lives_again_when_marked(sync: Sync) -> None:
    processor = await linked(sync, subscription(status="hibernating"))
    event_id = await sync.receive(UPDATED, subscription())
    await sync.settle(processor)

    processor.put(subscription())
    await sync.inbox.mark("subscription", "sub_1")
    await sync.settle(processor)

    assert await status_of(sync) is S.ACTIVE
    assert await sync.status(event_id) is E.PROCESSED
    assert (await sync.inbox.backlog()).dead == 0


async def test_one_object_that_always_fails_is_buried_and_the_others_go_on(sync: Sync) -> None:
    processor = await linked(sync, subscription(), subscription("sub_2"))

    def fail(id: str) -> None:
        if id == "sub_1":
            raise ProcessorUnavailableError("status 500")

    processor.before = fail
    event_id = await sync.receive(UPDATED, subscription())
    async with sync.running(processor):
        for _ in range(100):
            asked = processor.asked.count("sub_2")
            await sync.inbox.mark("subscription", "sub_2")  # Stripe answers in between
            await eventually(lambda asked=asked: processor.asked.count("sub_2") > asked)
            await eventually(lambda: _is_waiting(sync, "sub_1"))
            sync.clock.advance(3_600_000)
            if await sync.status(event_id) is E.DEAD:
                break

    dead = await sync.inbox.event(event_id)
    assert dead is not None
    assert dead.reason == "status 500"
    assert await status_of(sync, "sub_2") is S.ACTIVE


async def _is_waiting(sync: Sync, id: str) -> bool:
    dirty = await sync.mongo.db["stripe_dirty"].find_one({"_id": id})
    return dirty is None or dirty.get("leaseToken") is None


async def _has_status(sync: Sync, event_id: str, status: StripeEventStatus) -> bool:
    return await sync.status(event_id) is status


async def test_while_the_api_is_down_nothing_is_buried_and_all_comes_in_afterwards(sync: Sync) -> None:
    processor = await linked(sync, *[subscription(f"sub_{n}") for n in range(5)])
    is_down = True

    def fail(_id: str) -> None:
        if is_down:
            raise ProcessorUnavailableError("connection refused", retry_after_s=1)

    processor.before = fail
    for n in range(5):
        await sync.receive(UPDATED, subscription(f"sub_{n}"))
    async with sync.running(processor) as worker:
        for _ in range(20):
            asked = len(processor.asked)
            await eventually(lambda asked=asked: later(sync, worker) and len(processor.asked) > asked)
        await eventually(lambda: is_left_alone(sync, worker))
        asked, looks = len(processor.asked), sync.looks
        await eventually(lambda: sync.looks >= looks + 3)  # by sweeps, each of which wakes it
        assert len(processor.asked) == asked  # one backoff for all: nobody hammers
        is_down = False
        await eventually(lambda: later(sync, worker) and sync.is_settled())
        assert (await sync.backoff().look()) == ApiStates()

    assert {await status_of(sync, f"sub_{n}") for n in range(5)} == {S.ACTIVE}


async def is_left_alone(sync: Sync, worker: StripeWorker) -> bool:
    backoff = (await sync.backoff().look()).backoff(sync.clock.now_at())
    return backoff is not None and backoff.reason == "subscription: connection refused" and not worker._held


def later(sync: Sync, worker: StripeWorker) -> bool:
    if not worker._held:  # or its leases would end under its hands
        sync.clock.advance(600_000)
    return True


async def test_a_refused_fetch_is_tried_again_and_then_buried(sync: Sync) -> None:
    processor = await linked(sync, subscription())

    def refuse(_id: str) -> None:
        raise ProcessorRefusedError("invalid API key")

    processor.before = refuse
    event_id = await sync.receive(UPDATED, subscription())
    async with sync.running(processor):
        for attempt in range(1, 14):
            await eventually(lambda attempt=attempt: processor.asked.count("sub_1") >= attempt)
            await eventually(lambda: _is_waiting(sync, "sub_1"))
            sync.clock.advance(3_600_000)
        await eventually(lambda: _has_status(sync, event_id, E.DEAD))

    assert processor.asked.count("sub_1") == 13


async def test_a_fault_of_ours_with_one_object_leaves_the_others_alone(sync: Sync) -> None:
    processor = await linked(sync, subscription(), subscription("sub_2"))

    def fail(id: str) -> None:
        if id == "sub_1":
            raise RuntimeError("a bug")

    processor.before = fail
    await sync.receive(UPDATED, subscription())
    await sync.receive(UPDATED, subscription("sub_2"))
    async with sync.running(processor):
        await eventually(lambda: _is_active(sync, "sub_2"))
        await eventually(lambda: _has_pending(sync, 1))


async def test_an_event_that_cannot_be_read_leaves_the_others_alone(sync: Sync) -> None:
    processor = await linked(sync, subscription(), subscription("sub_2"))
    garbled = await sync.receive(UPDATED, subscription())
    await sync.mongo.db["stripe_events"].update_one({"_id": garbled}, {"$set": {"attempts": "many"}})
    await sync.receive(UPDATED, subscription("sub_2"))

    async with sync.running(processor):
        await eventually(lambda: _is_active(sync, "sub_2"))
        await eventually(lambda: _is_active(sync, "sub_1"))  # what Stripe's API says needs no event
        await eventually(lambda: _has_pending(sync, 0))

    noted = await sync.mongo.db["stripe_events"].find_one({"_id": garbled})
    assert noted is not None
    assert noted["status"] == E.DEAD.value


async def _has_pending(sync: Sync, count: int) -> bool:
    return (await sync.inbox.backlog()).pending == count


async def _is_active(sync: Sync, id: str) -> bool:
    return await status_of(sync, id) is S.ACTIVE


async def test_another_writer_of_the_workspace_does_not_undo_the_link(sync: Sync) -> None:
    await sync.put(workspace())
    processor = FakeProcessor(customer(workspace="ws_1"))

    async def rename(_id: str) -> None:
        await sync.mongo.db["workspaces"].update_one({"_id": "ws_1"}, {"$set": {"name": "New"}, "$inc": {"version": 1}})

    processor.before = rename
    await sync.receive("customer.updated", customer())
    await sync.settle(processor)

    found = await sync.workspace()
    assert (found.name, found.stripe_customer_id) == ("New", "cus_1")


async def test_an_edge_that_our_table_lacks_is_taken_and_counted(sync: Sync) -> None:
    processor = await linked(sync, subscription(status="incomplete"))
    await sync.receive(UPDATED, subscription())
    await sync.settle(processor)

    processor.put(subscription(status="unpaid"))
    await sync.receive(UPDATED, subscription())
    await sync.settle(processor)

    assert await status_of(sync) is S.UNPAID
    assert sync.rt.metrics.value("stripe_unknown_transitions") == 1


async def test_many_objects_share_few_commits(sync: Sync) -> None:
    ids = [f"sub_{n}" for n in range(40)]
    processor = await linked(sync, *[subscription(name) for name in ids])
    for name in ids:
        await sync.receive(UPDATED, subscription(name))

    await sync.settle(processor)

    state = sync.rt.cache.state("ws_1")
    assert len(await sync.rt.store.read(Kind.SUBSCRIPTION, ids)) == 40
    assert state is None or len(state.subscriptions) == 40
    actors = await sync.mongo.db["audit"].distinct("actor.id", {"kind": "subscriptions"})
    assert len(actors) < 40


async def test_two_workers_share_the_work_and_agree(sync: Sync) -> None:
    ids = [f"sub_{n}" for n in range(30)]
    one = await linked(sync, *[subscription(name) for name in ids])
    two = FakeProcessor(*one.objects.values())
    for name in ids:
        await sync.receive(UPDATED, subscription(name))

    async with sync.running(one), sync.running(two):
        await eventually(sync.is_settled)

    assert sorted(name for name in one.asked + two.asked if name != "cus_1") == sorted(ids)
    assert len(await sync.rt.store.read(Kind.SUBSCRIPTION, ids)) == 30


async def test_an_object_type_that_is_not_used_is_let_go(sync: Sync) -> None:
    await sync.inbox.mark("invoice", "in_1")

    await sync.settle(FakeProcessor())

    assert (await sync.inbox.backlog()).pending == 0


async def test_a_waking_is_enough(sync: Sync) -> None:
    processor = await linked(sync, subscription())
    async with sync.running(processor, poll_s=30, sweep_s=30) as worker:
        looks = sync.looks
        await eventually(lambda: sync.looks >= looks + 3)  # at first, by the sweep, and because that woke it
        await sync.receive(UPDATED, subscription())
        worker.wake()
        await eventually(lambda: _is(sync, S.ACTIVE))


async def test_all_is_well_only_while_the_inbox_answers(sync: Sync) -> None:
    class Frozen(MongoInbox):
        async def lease(self, **_: object) -> list[Lease]:
            raise UnavailableError

        async def mark_forgotten(self, **_: object) -> int:
            raise UnavailableError

    answering, told = sync.inbox, asyncio.Event()
    sync.inbox = Frozen(sync.mongo, sync.clock)
    with pytest.raises(ExceptionGroup):
        await sync.worker(FakeProcessor()).run(told.set)
    assert not told.is_set()

    sync.inbox = answering
    async with sync.running(FakeProcessor()):
        await eventually(lambda: sync.looks > 0)


async def test_a_key_confirms_what_payloads_told(sync: Sync) -> None:
    processor = await linked(sync, subscription(status="past_due"))
    await sync.receive(UPDATED, subscription())
    await sync.settle(None)
    told = await sync.subscription()

    async with sync.running(processor):
        await eventually(lambda: _is(sync, S.PAST_DUE))

    confirmed, mirror = await sync.subscription(), await sync.mirror("sub_1")
    assert told is not None
    assert confirmed is not None
    assert mirror is not None
    assert (told.status, told.provisional, confirmed.provisional) == (S.ACTIVE, True, False)
    assert mirror.source is StripeSource.FETCH


@pytest.mark.parametrize(
    ("processor", "settings", "mode"),
    [
        pytest.param(FakeProcessor(), {}, StripeSyncMode.FETCH, id="key"),
        pytest.param(None, {}, StripeSyncMode.PROVISIONAL, id="secret alone"),
        pytest.param(None, {"accepts_payloads": False}, StripeSyncMode.OFF, id="neither"),
    ],
)
async def test_the_mode_says_how_objects_are_learned(
    sync: Sync, processor: FakeProcessor | None, settings: dict[str, Any], mode: StripeSyncMode
) -> None:
    assert sync.worker(processor, **settings).mode is mode
