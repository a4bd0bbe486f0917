"""A backfill over a real database: order, resuming, what comes meanwhile, and what does not stop it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace as replace_in
from typing import Any

import pytest
from support.records import workspace
from support.runtime import ADMIN, FakeStripe
from support.stripe import T0, FakeProcessor, Json, Sync, customer, eventually, price, product, subscription, syncing
from support.stripe_lists import FakeLists
from support.sync import at_work

from app.domain.errors import UnavailableError
from app.domain.stripe_backfill import Backfill, BackfillStatus
from app.domain.stripe_event import ObjectName, StripeObjectState
from app.domain.stripe_object import StripeSource
from app.domain.subscription import SubscriptionStatus
from app.ports.stripe import Listing, ProcessorRefusedError, ProcessorUnavailableError
from app.services.stripe_backfill import BackfillStripeInput, current_backfill, start_backfill
from sync.jobs.stripe_backfill import BackfillWorker
from sync.stripe.lists import EVERYTHING, Lists

FINISHED, RUNNING, FAILED = BackfillStatus.FINISHED, BackfillStatus.RUNNING, BackfillStatus.FAILED
NEVER_S = 3600


@pytest.fixture
async def sync(mongodb_uri: str, database: str) -> AsyncIterator[Sync]:
    async with syncing(mongodb_uri, database) as started:
        started.rt = replace_in(started.rt, stripe=FakeStripe())
        yield started


def account(size: int = 8) -> FakeLists:
    """Give an account with two products, two prices, and so many customers with a subscription each."""
    return FakeLists(
        product(active=True),
        product("prod_old", active=False, created=T0 - 10),
        price(active=True),
        price("price_old", "old", active=False),
        *(customer(f"cus_{n}", workspace="ws_1" if n == 0 else None, created=T0 + n) for n in range(size)),
        *(subscription(f"sub_{n}", customer=f"cus_{n}", created=T0 + n, start_date=T0) for n in range(size)),
    )


async def start(sync: Sync, *, dry_run: bool = False, key: str = "k") -> Backfill:
    return (await start_backfill(sync.rt, ADMIN, BackfillStripeInput(idempotency_key=key, dry_run=dry_run))).backfill


def working(sync: Sync, stripe: FakeLists, **settings: Any) -> AbstractAsyncContextManager[object]:
    lists = Lists(sync.rt, sync.inbox, stripe)
    quick = {"jitter": lambda: 0.5, "poll_s": 0.02, "pause_s": 0.01}
    return at_work(BackfillWorker(sync.rt, lists, **{**quick, **settings}).run)


async def now(sync: Sync) -> Backfill:
    run = await current_backfill(sync.rt)
    assert run is not None
    return run


def becomes(sync: Sync, status: BackfillStatus) -> Callable[[], Any]:
    async def is_so() -> bool:
        return (await now(sync)).status is status

    return is_so


async def finish(sync: Sync, stripe: FakeLists) -> Backfill:
    async with working(sync, stripe):
        await eventually(becomes(sync, FINISHED), within_s=15)
    return await now(sync)


PAGES = 2 + 2 + 3 + 3 + (len(EVERYTHING) - 6)
"""Of what `account` has, in its six lists; each of the others has an empty one."""


def counted(run: Backfill) -> dict[str, tuple[int, int]]:
    return {count.type: (count.listed, count.changed) for count in run.counts if count.listed}


async def test_everything_is_read_in_order_and_what_refers_to_a_workspace_reaches_it(sync: Sync) -> None:
    await sync.put(workspace())
    stripe = account()
    await start(sync)

    run = await finish(sync, stripe)

    assert counted(run) == {"product": (2, 2), "price": (2, 2), "customer": (8, 8), "subscription": (8, 8)}
    assert list(dict.fromkeys(listing for listing, _ in stripe.pages)) == list(EVERYTHING)
    assert len(stripe.pages) == PAGES
    for id in ("prod_old", "price_old", "cus_7", "sub_7"):  # noqa: A001 - the API's word
        mirror = await sync.mirror(id)
        assert mirror is not None
        assert mirror.source is StripeSource.FETCH
    assert (await sync.workspace()).stripe_customer_id == "cus_0"
    found = await sync.subscription("sub_0")
    assert found is not None
    assert (found.workspace_id, found.provisional) == ("ws_1", False)


async def test_what_stripe_has_no_more_is_gone_although_no_event_told(sync: Sync) -> None:
    await sync.put(workspace())
    stripe = account()
    await start(sync)
    await finish(sync, stripe)

    stripe.objects["cus_0"]["deleted"] = True
    del stripe.objects["price_old"]
    await start(sync, key="again")
    await finish(sync, stripe)
    await sync.settle(stripe)

    for id in ("cus_0", "price_old"):  # noqa: A001 - the API's word
        mirror = await sync.mirror(id)
        assert mirror is not None
        assert mirror.gone
    assert (await sync.workspace()).stripe_customer_id is None


async def test_a_dry_run_has_nothing_looked_at(sync: Sync) -> None:
    stripe = account()
    await start(sync)
    await finish(sync, stripe)
    await sync.settle(stripe)
    del stripe.objects["price_old"]

    await start(sync, dry_run=True, key="dry")
    await finish(sync, stripe)

    assert (await sync.inbox.backlog()).pending == 0


async def test_a_second_backfill_changes_nothing(sync: Sync) -> None:
    await sync.put(workspace())
    stripe = account()
    await start(sync)
    await finish(sync, stripe)
    before = await sync.subscription("sub_0")

    await start(sync, key="again")
    run = await finish(sync, stripe)

    assert [changed for _, changed in counted(run).values()] == [0, 0, 0, 0]
    assert await sync.subscription("sub_0") == before


async def test_a_cancellation_that_nobody_told_is_repaired(sync: Sync) -> None:
    await sync.put(workspace())
    stripe = account(1)
    await start(sync)
    await finish(sync, stripe)
    stripe.put(subscription("sub_0", "canceled", customer="cus_0", ended_at=T0 + 60, start_date=T0))

    await start(sync, key="again")
    run = await finish(sync, stripe)

    found = await sync.subscription("sub_0")
    assert found is not None
    assert found.status is SubscriptionStatus.CANCELED
    assert run.changed == (ObjectName("subscription", "sub_0"),)


@pytest.mark.parametrize("dies", ["before a page", "after a page"])
async def test_a_process_that_dies_at_any_page_is_followed_by_one_that_goes_on_there(sync: Sync, dies: str) -> None:
    """Every page of the run is the last one of some process."""
    await sync.put(workspace())
    stripe = account()
    await start(sync)
    for number in range(PAGES):
        reached = asyncio.Event()

        async def stop(_listing: Listing, _after: str | None, *, reached: asyncio.Event = reached) -> None:
            reached.set()
            await asyncio.Event().wait()

        stripe.before_page, stripe.after_page = (stop, None) if dies == "before a page" else (None, stop)
        async with working(sync, stripe):
            await asyncio.wait_for(reached.wait(), 10)
        stripe.before_page = stripe.after_page = None
        run = await now(sync)
        stripe.pages.clear()

        async with working(sync, stripe):
            await eventually(lambda run=run: moved_on(sync, run), within_s=10)
        assert stripe.pages[0] == (EVERYTHING[run.list_number], run.after)
        if (await now(sync)).status is FINISHED:
            break
        assert number < PAGES

    assert counted(await now(sync)).keys() == {"product", "price", "customer", "subscription"}
    listed = {name: listed for name, (listed, _) in counted(await now(sync)).items()}
    assert listed == {"product": 2, "price": 2, "customer": 8, "subscription": 8}
    for n in range(8):
        assert await sync.mirror(f"sub_{n}") is not None


async def moved_on(sync: Sync, before: Backfill) -> bool:
    run = await now(sync)
    return (run.list_number, run.after, run.status) != (before.list_number, before.after, before.status)


async def test_a_webhook_during_the_page_is_not_overwritten_by_it(sync: Sync) -> None:
    """The page was read, then the subscription ended and its event was worked on, then the page is written."""
    await sync.put(workspace())
    stripe = account(1)
    await start(sync)
    ended: Json = subscription("sub_0", "canceled", customer="cus_0", workspace="ws_1", ended_at=T0 + 60)

    async def told(listing: Listing, _after: str | None) -> None:
        if listing.type == "subscription":
            newer = FakeProcessor(*stripe.objects.values(), ended)
            await sync.receive("customer.subscription.deleted", ended, created=T0 + 60)
            await sync.settle(newer)

    stripe.after_page = told
    run = await finish(sync, stripe)

    found = await sync.subscription("sub_0")
    assert found is not None
    assert found.status is SubscriptionStatus.CANCELED
    assert counted(run)["subscription"] == (1, 0)


async def test_two_replicas_share_one_backfill(sync: Sync) -> None:
    await sync.put(workspace())
    stripe = account()
    await start(sync)

    async with working(sync, stripe), working(sync, stripe), working(sync, stripe):
        await eventually(becomes(sync, FINISHED), within_s=15)

    assert len(stripe.pages) == PAGES
    assert counted(await now(sync))["customer"] == (8, 8)


async def test_the_lease_of_a_process_that_was_killed_ends_by_itself(sync: Sync) -> None:
    stripe = account(1)
    await start(sync)
    assert await sync.rt.jobs.lease("stripe_backfill", "killed", until_at=sync.clock.now_at() + 30_000)

    async with working(sync, stripe, poll_s=0.01):
        for _ in range(20):
            await asyncio.sleep(0.01)
        assert stripe.pages == []
        sync.clock.advance(30_000)
        await eventually(becomes(sync, FINISHED), within_s=15)


async def test_a_replica_that_was_thought_dead_leaves_the_run_to_the_other(sync: Sync) -> None:
    await sync.put(workspace())
    slow, quick = account(), account()
    await start(sync)
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def freeze(_listing: Listing, _after: str | None) -> None:
        reached.set()
        await go_on.wait()

    slow.after_page = freeze
    async with working(sync, slow):
        await reached.wait()
        sync.clock.advance(60_000)
        run = await finish(sync, quick)
        slow.after_page = None
        go_on.set()
        await eventually(lambda: len(slow.pages) == 1)

    assert await now(sync) == run


async def test_a_dry_run_names_what_would_change_and_changes_nothing(sync: Sync) -> None:
    await sync.put(workspace())
    stripe = account(40)
    await start(sync)
    await finish(sync, stripe)
    stripe.put(*(customer(f"cus_{n}", name="new", created=T0 + n) for n in range(40)))
    before, waiting = await sync.mirror("cus_3"), await sync.inbox.backlog()

    await start(sync, dry_run=True, key="dry")
    run = await finish(sync, stripe)

    assert counted(run) == {"product": (2, 0), "price": (2, 0), "customer": (40, 40), "subscription": (40, 0)}
    assert len(run.changed) == 40
    assert await sync.mirror("cus_3") == before
    assert await sync.inbox.backlog() == waiting


async def test_what_belongs_to_nobody_is_parked_and_fetched_by_nobody(sync: Sync) -> None:
    stripe = account(40)
    stripe.put(customer("cus_0", created=T0))
    await start(sync)
    await finish(sync, stripe)
    parked = (await sync.inbox.queued(["sub_7"]))["sub_7"]
    await sync.settle(stripe)

    assert (await sync.inbox.backlog()).parked == 40
    assert (parked.state, parked.parked_under) == (StripeObjectState.PARKED, ("cus_7",))
    assert stripe.asked == []

    await sync.put(workspace())
    stripe.put(customer("cus_7", workspace="ws_1", created=T0 + 7))
    await sync.receive("customer.updated", customer("cus_7"))
    await sync.settle(stripe)

    assert await belongs(sync, "sub_7")
    assert stripe.asked == ["cus_7"]  # what waited was read before
    assert (await sync.inbox.backlog()).parked == 39


async def test_what_waits_for_a_workspace_is_parked_and_comes_with_it(sync: Sync) -> None:
    stripe = account(1)
    stripe.put(customer("cus_0", workspace="acme"), subscription("sub_0", customer="cus_0", start_date=T0))
    await start(sync)
    run = await finish(sync, stripe)
    await sync.settle(stripe)
    assert {count.type: count.parked for count in run.counts}["customer"] == 1
    assert (await sync.inbox.backlog()).parked >= 1

    await sync.put(workspace(external_id="acme"))
    async with sync.running(stripe):
        await eventually(lambda: belongs(sync, "sub_0"))


async def belongs(sync: Sync, id: str) -> bool:
    found = await sync.subscription(id)
    return found is not None and found.workspace_id == "ws_1"


async def test_an_object_that_cannot_be_read_is_left_to_the_worker_and_stops_nobody(sync: Sync) -> None:
    await sync.put(workspace())
    stripe = account(3)
    stripe.put(subscription("sub_1", "unheard_of", customer="cus_1", created=T0 + 1))
    await start(sync)

    run = await finish(sync, stripe)
    await sync.settle(stripe)

    assert {count.type: count.failed for count in run.counts}["subscription"] == 1
    assert (await sync.inbox.backlog()).dead == 1
    assert await sync.mirror("sub_0") is not None


async def test_a_cursor_that_left_its_list_begins_the_list_again(sync: Sync) -> None:
    stripe = account()
    await start(sync)

    def delete(listing: Listing, after: str | None) -> None:
        if listing.type == "customer" and after == "cus_5":
            stripe.objects["cus_5"]["deleted"] = True

    stripe.before_page = delete
    run = await finish(sync, stripe)

    assert (run.restarts, counted(run)["customer"][0]) == (1, 3 + 7)
    assert await sync.mirror("cus_0") is not None


async def test_while_stripe_is_away_the_run_says_so_and_then_goes_on(sync: Sync) -> None:
    stripe = account(1)
    await start(sync)
    down = True

    def answers(_listing: Listing, _after: str | None) -> None:
        if down:
            raise ProcessorUnavailableError("Stripe did not answer within 15 s")

    async def in_trouble() -> bool:
        return (await now(sync)).trouble is not None

    stripe.before_page = answers
    async with working(sync, stripe):
        await eventually(in_trouble)
        assert (await now(sync)).status is RUNNING
        down = False
        await eventually(becomes(sync, FINISHED), within_s=15)

    assert (await now(sync)).trouble is None


async def test_a_key_that_stripe_refuses_ends_the_run_with_the_reason(sync: Sync) -> None:
    stripe = account(1)
    await start(sync)

    def refuse(_listing: Listing, _after: str | None) -> None:
        raise ProcessorRefusedError("AuthenticationError 401: Invalid API Key")

    stripe.before_page = refuse
    async with working(sync, stripe):
        await eventually(becomes(sync, FAILED))

    assert (await now(sync)).failure == "Stripe refuses: AuthenticationError 401: Invalid API Key"


async def test_a_database_that_is_away_ends_the_turn_and_the_next_one_goes_on(sync: Sync) -> None:
    stripe = account(1)
    await start(sync)

    def away(listing: Listing, _after: str | None) -> None:
        if listing.type == "customer":
            raise UnavailableError

    stripe.before_page = away
    with pytest.raises(UnavailableError):
        await BackfillWorker(sync.rt, Lists(sync.rt, sync.inbox, stripe), jitter=lambda: 0.5).run(lambda: None)
    stripe.before_page = None
    stripe.pages.clear()

    run = await finish(sync, stripe)

    assert stripe.pages[0][0].type == "customer"
    assert counted(run)["product"] == (2, 2)


async def test_a_woken_worker_looks_at_once_and_without_a_key_nothing_is_done(sync: Sync) -> None:
    stripe = account(1)
    worker = BackfillWorker(sync.rt, Lists(sync.rt, sync.inbox, stripe), jitter=lambda: 0.5, poll_s=NEVER_S)
    looked = asyncio.Event()
    task = asyncio.create_task(worker.run(looked.set))
    await asyncio.wait_for(looked.wait(), 10)
    await start(sync)

    worker.wake()

    await eventually(becomes(sync, FINISHED), within_s=15)
    task.cancel()
    told = asyncio.Event()
    off = asyncio.create_task(BackfillWorker(sync.rt, None, jitter=lambda: 0.5).run(told.set))
    await asyncio.wait_for(told.wait(), 10)
    off.cancel()
    await asyncio.gather(task, off, return_exceptions=True)
