"""Reconciling with Stripe over a real database: lost events, drift, what is gone, and several replicas."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

import pytest
from support.records import workspace
from support.runtime import ADMIN, FakeStripe
from support.stripe import T0, Sync, customer, event, eventually, price, product, stored_event, subscription, syncing
from support.stripe_lists import FakeLists
from support.stripe_shapes import invoice
from support.sync import at_work

from app.domain.stripe_event import StripeEvent
from app.domain.stripe_facts import InvoiceFacts
from app.domain.stripe_reconcile import StripeReconcile, is_relist_due
from app.domain.subscription import SubscriptionStatus
from app.http.stripe_webhook import read_event
from app.ports.stripe import Listing, ProcessorRefusedError, ProcessorUnavailableError
from app.services.stripe_reconcile import JOB, ReconcileStripeInput, ask_reconcile, current_reconcile
from sync.jobs.stripe_reconcile import ReconcileWorker
from sync.stripe.lists import EVERYTHING, Lists

HOUR = 3_600_000
DAY = 24 * HOUR


@pytest.fixture
async def sync(mongodb_uri: str, database: str) -> AsyncIterator[Sync]:
    async with syncing(mongodb_uri, database) as started:
        await started.put(workspace())
        yield started


def account(**fields: Any) -> FakeLists:
    return FakeLists(
        product(active=True),
        price(active=True),
        customer(workspace="ws_1"),
        subscription(start_date=T0, **fields),
    )


def read(body: bytes, received_at: int) -> StripeEvent:
    return read_event(body, received_at=received_at, livemode=False)


def worker(sync: Sync, stripe: FakeLists, **settings: Any) -> ReconcileWorker:
    return ReconcileWorker(sync.rt, Lists(sync.rt, sync.inbox, stripe), read, poll_s=0.01, **settings)


def working(sync: Sync, stripe: FakeLists, **settings: Any) -> AbstractAsyncContextManager[object]:
    return at_work(worker(sync, stripe, **settings).run)


async def state_of(sync: Sync) -> StripeReconcile:
    state = await current_reconcile(sync.rt)
    assert state is not None
    return state


async def reconcile(sync: Sync, stripe: FakeLists, **settings: Any) -> StripeReconcile:
    """Let it run once, now, and what it found be worked on."""
    before = await current_reconcile(sync.rt)

    async def has_run() -> bool:
        now = await current_reconcile(sync.rt)
        is_newer = now is not None and now.last_reconcile_at not in (None, before and before.last_reconcile_at)
        is_relisted = bool(now) and not is_relist_due(now, sync.clock.now_at(), hour=3)
        return bool(is_newer and is_relisted and now and not now.suspects)

    async with working(sync, stripe, **settings):
        await eventually(has_run, within_s=15)
    await sync.settle(stripe)
    return await state_of(sync)


async def night(sync: Sync, stripe: FakeLists) -> StripeReconcile:
    sync.clock.advance(DAY)
    return await reconcile(sync, stripe)


async def begun(sync: Sync, stripe: FakeLists) -> None:
    """Begin to watch, with all that there is mirrored."""
    await reconcile(sync, stripe)
    for found in list(stripe.objects.values()):
        if found["object"] != "event":
            await sync.inbox.mark(found["object"], found["id"])
    await sync.settle(stripe)
    sync.clock.advance(10_000)


async def status(sync: Sync) -> SubscriptionStatus:
    found = await sync.subscription()
    assert found is not None
    return found.status


def ended() -> dict[str, Any]:
    return subscription(status="canceled", ended_at=T0 + 60, start_date=T0)


async def test_an_event_that_never_came_is_brought_and_its_object_learned(sync: Sync) -> None:
    stripe = account()
    await begun(sync, stripe)
    stripe.put(ended(), event("evt_lost", "customer.subscription.deleted", ended(), created=T0 + 3605))
    sync.clock.advance(300_000)

    state = await reconcile(sync, stripe)

    assert await status(sync) is SubscriptionStatus.CANCELED
    assert await sync.inbox.event("evt_lost") is not None
    assert (state.listed, state.recovered, state.drift) == (1, 1, 0)
    assert state.seen_at == (T0 + 3605) * 1000
    assert sync.rt.metrics.value("stripe_events", "recovered") == 1


async def test_events_are_asked_for_from_the_last_seen_minus_a_quarter_of_an_hour_page_by_page(sync: Sync) -> None:
    stripe = account()
    await begun(sync, stripe)
    stripe.put(*(event(f"evt_{n}", "customer.updated", customer(), created=T0 + 3600 + n) for n in range(8)))
    sync.clock.advance(300_000)
    await reconcile(sync, stripe)
    stripe.pages.clear()
    sync.clock.advance(300_000)

    state = await reconcile(sync, stripe)

    since = str(T0 + 3607 - 900)
    assert stripe.pages[0] == (Listing("event", (("created[gte]", since),)), None)
    assert [after for _, after in stripe.pages] == [None, "evt_5", "evt_2"]
    assert (state.listed, state.recovered) == (8, 8)


async def test_what_came_by_itself_is_a_duplicate_and_changes_nothing(sync: Sync) -> None:
    stripe = account()
    await begun(sync, stripe)
    known = event("evt_1", "customer.subscription.updated", subscription(), created=T0 + 3602)
    await sync.inbox.accept(stored_event("evt_1", known["type"], subscription(), created=T0 + 3602))
    await sync.settle(stripe)
    stripe.put(known)
    sync.clock.advance(300_000)

    state = await reconcile(sync, stripe)

    assert (state.listed, state.recovered) == (1, 0)
    assert (await sync.inbox.backlog()).pending == 0


async def test_nothing_is_asked_before_it_is_time(sync: Sync) -> None:
    stripe = account()
    await begun(sync, stripe)
    asked = len(stripe.pages)
    looks = asyncio.Event()
    counted: list[int] = []

    def well() -> None:
        counted.append(1)
        if len(counted) == 10:
            looks.set()

    task = asyncio.create_task(worker(sync, stripe).run(well))
    await asyncio.wait_for(looks.wait(), 10)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert len(stripe.pages) == asked


async def test_a_change_without_an_event_is_repaired_at_night_counted_and_named(sync: Sync) -> None:
    stripe = account()
    await begun(sync, stripe)
    stripe.put(subscription(status="past_due", start_date=T0), price(active=True, nickname="Pro"))

    state = await night(sync, stripe)

    assert await status(sync) is SubscriptionStatus.PAST_DUE
    assert state.drift == 2
    assert {(found.type, found.id) for found in state.drifted} == {("subscription", "sub_1"), ("price", "price_pro")}
    assert sync.rt.metrics.value("stripe_drift") == 2
    assert (await night(sync, stripe)).drift == 2


async def test_a_change_that_an_event_tells_of_is_no_drift(sync: Sync) -> None:
    stripe = account()
    await begun(sync, stripe)
    changed = subscription(status="past_due", start_date=T0)
    stripe.put(changed, event("evt_1", "customer.subscription.updated", changed, created=T0 + 3700))

    state = await night(sync, stripe)

    assert await status(sync) is SubscriptionStatus.PAST_DUE
    assert (state.drift, state.recovered) == (0, 1)


async def test_a_cancellation_that_nobody_told_is_found_because_the_lists_lack_it(sync: Sync) -> None:
    stripe = account()
    await begun(sync, stripe)
    stripe.put(ended())

    state = await night(sync, stripe)

    assert await status(sync) is SubscriptionStatus.CANCELED
    assert [found.id for found in state.drifted] == ["sub_1"]
    assert (await night(sync, stripe)).drift == 1


async def test_what_was_deleted_at_stripe_becomes_a_tombstone(sync: Sync) -> None:
    stripe = account()
    await begun(sync, stripe)
    stripe.objects["prod_pro"] = {"id": "prod_pro", "object": "product", "deleted": True}
    stripe.objects["prod_pro"]["created"] = T0

    await night(sync, stripe)

    mirror = await sync.mirror("prod_pro")
    assert mirror is not None
    assert mirror.gone


async def test_more_changes_than_are_remembered_are_judged_on_the_way(sync: Sync) -> None:
    stripe = account()
    stripe.put(*(price(f"price_{n}", f"key_{n}", active=True, created=T0 + n) for n in range(9)))
    await begun(sync, stripe)
    stripe.put(*(price(f"price_{n}", f"key_{n}", active=True, created=T0 + n, nickname="x") for n in range(9)))
    told = event("evt_1", "price.updated", stripe.objects["price_4"], created=T0 + 3700)
    stripe.put(told)
    sync.clock.advance(DAY)

    state = await reconcile(sync, stripe, most_suspects=4)

    assert {found.id for found in state.drifted} == {f"price_{n}" for n in range(9)} - {"price_4"}


async def test_a_new_object_whose_event_is_found_is_no_drift(sync: Sync) -> None:
    stripe = account()
    await begun(sync, stripe)
    new = subscription("sub_new", created=T0 + 3700, start_date=T0)
    stripe.put(new, event("evt_new", "customer.subscription.created", new, created=T0 + 3700))

    assert (await night(sync, stripe)).drift == 0


async def test_a_subscription_that_came_without_an_event_is_drift_and_one_of_before_is_not(sync: Sync) -> None:
    stripe = account()
    await reconcile(sync, stripe)
    stripe.put(subscription("sub_new", created=T0 + 3700, start_date=T0))

    state = await night(sync, stripe)

    assert await sync.subscription("sub_1") is not None
    assert [found.id for found in state.drifted] == ["sub_new"]


PAGES = 8 + 1
"""The lists of a night, and the events."""


async def test_two_replicas_do_it_once(sync: Sync) -> None:
    stripe = account()
    await begun(sync, stripe)
    stripe.put(subscription(status="past_due", start_date=T0))
    stripe.pages.clear()
    sync.clock.advance(DAY)

    async with working(sync, stripe), working(sync, stripe):
        await reconcile(sync, stripe)

    assert len(stripe.pages) == PAGES
    assert (await state_of(sync)).drift == 1


@pytest.mark.parametrize("dies_at", range(PAGES))
async def test_a_process_that_dies_at_any_page_is_followed_by_one_that_finds_the_rest(sync: Sync, dies_at: int) -> None:
    stripe = account()
    await begun(sync, stripe)
    stripe.put(subscription(status="past_due", start_date=T0))
    stripe.pages.clear()
    sync.clock.advance(DAY)
    reached = asyncio.Event()

    async def die(_listing: Listing, _after: str | None) -> None:
        if len(stripe.pages) == dies_at + 1:
            reached.set()
            await asyncio.Event().wait()

    stripe.before_page = die
    async with working(sync, stripe):
        await asyncio.wait_for(reached.wait(), 10)
    stripe.before_page = None

    state = await reconcile(sync, stripe)

    assert await status(sync) is SubscriptionStatus.PAST_DUE
    assert (state.drift, state.last_relist_at) == (1, sync.clock.now_at())


async def test_an_invoice_that_was_paid_without_a_word_is_found_in_the_night(sync: Sync) -> None:
    stripe = account()
    stripe.put(invoice("in_1", "open"), invoice("in_2", "open"), invoice("in_3"))
    await begun(sync, stripe)
    for listing in EVERYTHING:
        _ = [page async for page in Lists(sync.rt, sync.inbox, stripe).every_page(listing)]
    stripe.put(invoice("in_1"))
    stripe.asked.clear()
    sync.clock.advance(DAY)

    await reconcile(sync, stripe)
    await sync.settle(stripe)

    found = await sync.mirror("in_1")
    assert found is not None
    assert isinstance(found.facts, InvoiceFacts)
    assert found.facts.is_paid
    assert "in_2" not in stripe.asked  # it is open, and in the list
    assert "in_3" not in stripe.asked  # it was paid before


async def test_while_stripe_is_away_nothing_is_lost_and_it_is_asked_again_a_minute_later(sync: Sync) -> None:
    stripe = account()
    await begun(sync, stripe)
    stripe.put(ended(), event("evt_lost", "customer.subscription.deleted", ended(), created=T0 + 3605))
    sync.clock.advance(300_000)
    failed = 0

    def away(_listing: Listing, _after: str | None) -> None:
        nonlocal failed
        failed += 1
        raise ProcessorUnavailableError("Stripe did not answer within 15 s")

    stripe.before_page = away
    async with working(sync, stripe):
        await eventually(lambda: failed == 1)
        stripe.before_page = None
        sync.clock.advance(60_000)
        await eventually(lambda: has_event(sync, "evt_lost"))

    assert failed == 1


async def test_what_stripe_refuses_is_remembered_until_it_is_answered(sync: Sync) -> None:
    stripe = account()
    await begun(sync, stripe)
    sync.clock.advance(300_000)

    def refuse(_listing: Listing, _after: str | None) -> None:
        raise ProcessorRefusedError("the key may not list events")

    async def is_told(trouble: str | None) -> bool:
        return (await state_of(sync)).trouble == trouble

    stripe.before_page = refuse
    async with working(sync, stripe):
        await eventually(lambda: is_told("the key may not list events"))
        stripe.before_page = None
        sync.clock.advance(60_000)
        await eventually(lambda: is_told(None))


async def has_event(sync: Sync, id: str) -> bool:
    return await sync.inbox.event(id) is not None


async def test_events_since_a_time_are_brought_when_somebody_asks(sync: Sync) -> None:
    stripe = account()
    await begun(sync, stripe)
    stripe.put(event("evt_old", "customer.updated", customer(), created=T0 - 20 * 86_400))
    asking = replace(sync.rt, stripe=FakeStripe())
    since_at = sync.clock.now_at() - 25 * DAY

    await ask_reconcile(asking, ADMIN, ReconcileStripeInput(idempotency_key="k", since_at=since_at))
    sync.clock.advance(1)
    state = await reconcile(sync, stripe)

    assert await has_event(sync, "evt_old")
    assert state.asked is None
    assert state.seen_at > (T0 - 86_400) * 1000


async def test_the_lease_of_another_replica_is_respected_until_it_ends(sync: Sync) -> None:
    stripe = account()
    assert await sync.rt.jobs.lease(JOB, "other", until_at=sync.clock.now_at() + 20_000)

    async with working(sync, stripe):
        for _ in range(20):
            await asyncio.sleep(0.01)
        assert stripe.pages == []
        sync.clock.advance(20_000)
        await eventually(lambda: len(stripe.pages) == 1)


async def test_an_event_that_may_be_on_its_way_is_taken_and_not_called_lost(sync: Sync) -> None:
    stripe = account()
    await begun(sync, stripe)
    sync.clock.advance(300_000)
    young = sync.clock.now_at() // 1000 - 59
    stripe.put(ended(), event("evt_young", "customer.subscription.deleted", ended(), created=young))

    state = await reconcile(sync, stripe)

    assert await status(sync) is SubscriptionStatus.CANCELED
    assert (state.listed, state.recovered) == (1, 0)
