"""What goes wrong where others sync with Stripe, each trap by its name, and that it does not catch us."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest
from starlette.applications import Starlette
from support.records import feature, plan, workspace
from support.runtime import put
from support.stripe import (
    DAY,
    SECRET,
    T0,
    FakeProcessor,
    Json,
    Sync,
    customer,
    event,
    eventually,
    item,
    price,
    sign,
    subscription,
    syncing,
)
from support.stripe_api import Answer, answer, serving
from support.stripe_lists import FakeLists

from app.domain.change import Kind
from app.domain.entitlement import evaluate
from app.domain.plan import FeatureType, PlanFeature
from app.domain.stripe_event import StripeEventStatus
from app.domain.subscription import SubscriptionStatus
from app.gateways.stripe_signatures import StripeSignatures
from app.http.stripe_webhook import PATH, webhook_route
from app.ports.stripe import Listing
from sync.stripe.lists import EVERYTHING, Lists

S = SubscriptionStatus
CREATED, UPDATED, DELETED = (f"customer.subscription.{word}" for word in ("created", "updated", "deleted"))
ENDED_AT = T0 + 40 * DAY
MONTH_AGO = [item(current_period_start=T0 - 40 * DAY, current_period_end=T0 - 10 * DAY)]


@pytest.fixture
async def sync(mongodb_uri: str, database: str) -> AsyncIterator[Sync]:
    """Give a sync with the workspace `ws_1`, and a plan for the price of every subscription here."""
    async with syncing(mongodb_uri, database) as started:
        pro = plan("pro", PlanFeature(feature_key="sso"), published_at=(T0 - DAY) * 1000)
        await put(started.rt, workspace(), feature("sso", FeatureType.BOOLEAN), pro)
        yield started


async def status_of(sync: Sync, id: str = "sub_1") -> SubscriptionStatus | None:
    sub = await sync.subscription(id)
    return sub.status if sub else None


def has_access(sync: Sync) -> bool:
    cache = sync.rt.cache
    return evaluate("sso", cache.state("ws_1"), cache.catalogue(), sync.clock.now_at()).has_access


def canceled(**fields: object) -> Json:
    return subscription(status="canceled", ended_at=ENDED_AT, workspace="ws_1", **fields)


async def overtaken(
    sync: Sync, slow: FakeProcessor, quick: FakeProcessor, meanwhile: Callable[[], Awaitable[object]]
) -> None:
    """Let a worker wait for `slow`'s answer until its lease is over and another has worked with `quick`."""
    started, go_on = asyncio.Event(), asyncio.Event()

    async def hang(_id: str) -> None:
        started.set()
        await go_on.wait()

    slow.before = hang
    await sync.receive(UPDATED, subscription(workspace="ws_1"))
    async with sync.running(slow, concurrency=1) as worker:
        await asyncio.wait_for(started.wait(), 5)
        sync.clock.advance(60_000)
        await meanwhile()
        await sync.settle(quick)
        go_on.set()
        await eventually(lambda: not worker._held)


BURST = [
    (CREATED, subscription(status="incomplete", workspace="ws_1")),
    (UPDATED, subscription(workspace="ws_1")),
    (UPDATED, subscription(status="past_due", items=MONTH_AGO, workspace="ws_1")),
    (UPDATED, subscription(items=[item(quantity=7)], workspace="ws_1")),
]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4)))[::5])
async def test_a_timestamp_guard_drops_the_newer_of_two_events_of_one_second(
    sync: Sync, order: tuple[int, ...]
) -> None:
    processor = FakeProcessor(BURST[-1][1])

    for index in order:  # each worked on by itself, all created in one second
        await sync.receive(*BURST[index])
        await sync.settle(processor)

    sub = await sync.subscription()
    assert sub is not None
    assert (sub.status, sub.items[0].quantity) == (S.ACTIVE, 7)


async def test_a_slow_fetch_overwrites_one_that_started_later(sync: Sync) -> None:
    slow, quick = FakeProcessor(subscription(workspace="ws_1")), FakeProcessor(canceled())

    await overtaken(sync, slow, quick, lambda: sync.receive(DELETED, canceled()))

    assert await status_of(sync) is S.CANCELED


async def test_a_slow_tombstone_ends_what_was_fetched_later(sync: Sync) -> None:
    slow, quick = FakeProcessor(), FakeProcessor(subscription(workspace="ws_1"))

    await overtaken(sync, slow, quick, lambda: sync.inbox.mark("subscription", "sub_1"))

    assert await status_of(sync) is S.ACTIVE


async def test_a_slow_page_of_a_backfill_overwrites_what_was_fetched_meanwhile(sync: Sync) -> None:
    stripe = FakeLists(subscription(workspace="ws_1"))

    async def meanwhile(*_: object) -> None:
        stripe.put(canceled())
        await sync.receive(DELETED, canceled())
        await sync.settle(stripe)

    stripe.after_page = meanwhile
    page = await Lists(sync.rt, sync.inbox, stripe).absorb(Listing("subscription"), after=None)

    assert await status_of(sync) is S.CANCELED
    assert page.findings.count.changed == 0


async def test_a_backfill_without_the_canceled_ones_never_repairs_a_missed_cancellation(sync: Sync) -> None:
    stripe = FakeLists(subscription(workspace="ws_1"))
    await sync.receive(CREATED, subscription(workspace="ws_1"))
    await sync.settle(stripe)
    stripe.put(canceled())  # and no event tells of it

    lists = Lists(sync.rt, sync.inbox, stripe)
    for listing in EVERYTHING:
        _ = [page async for page in lists.every_page(listing)]

    assert await status_of(sync) is S.CANCELED


@pytest.mark.parametrize(
    "told",
    [
        pytest.param(("galaxy.formed", {"id": "gx_1", "object": "galaxy"}), id="unknown type"),
        pytest.param((UPDATED, subscription(status="hibernating")), id="unknown status"),
        pytest.param((UPDATED, subscription(customer="cus_nobody")), id="unknown customer"),
        pytest.param((UPDATED, subscription(workspace="nowhere")), id="unknown workspace"),
        pytest.param((UPDATED, {"id": "sub_1", "object": "subscription"}), id="nothing in it"),
        pytest.param(("customer.created", {"id": "cus_1", "object": "customer", "metadata": 7}), id="malformed"),
    ],
)
async def test_an_event_that_cannot_be_used_is_refused_and_so_retried_for_days(
    sync: Sync, told: tuple[str, Json]
) -> None:
    verifier = StripeSignatures((SECRET,), sync.clock)
    route = webhook_route(sync.inbox, verifier, clock=sync.clock, wake=lambda: None, metrics=sync.rt.metrics)
    body = json.dumps(event("evt_1", *told)).encode()
    headers = {"stripe-signature": sign(body, sync.clock.now_at() // 1000)}

    async with httpx.AsyncClient(transport=httpx.ASGITransport(Starlette(routes=[route]))) as client:
        answers = [await client.post(f"http://test{PATH}", content=body, headers=headers) for _ in range(2)]
    await sync.settle(FakeProcessor(told[1]))

    assert [found.status_code for found in answers] == [200, 200]
    assert await sync.status("evt_1") is not StripeEventStatus.RECEIVED


@pytest.mark.parametrize("has_key", [pytest.param(True, id="fetched"), pytest.param(False, id="provisional")])
async def test_a_redelivered_active_revives_what_was_canceled(sync: Sync, has_key: bool) -> None:  # noqa: FBT001
    processor = FakeProcessor(canceled()) if has_key else None
    await sync.receive(DELETED, canceled(), created=T0 + 5)
    await sync.settle(processor)

    await sync.receive(UPDATED, subscription(workspace="ws_1"), created=T0 + 9)
    await sync.settle(processor)

    assert await status_of(sync) is S.CANCELED
    assert not has_access(sync)


@pytest.mark.parametrize("has_key", [pytest.param(True, id="fetched"), pytest.param(False, id="provisional")])
async def test_a_late_created_overwrites_active_with_incomplete(sync: Sync, has_key: bool) -> None:  # noqa: FBT001
    processor = FakeProcessor(subscription(workspace="ws_1")) if has_key else None
    await sync.receive(UPDATED, subscription(workspace="ws_1"))
    await sync.settle(processor)

    await sync.receive(CREATED, subscription(status="incomplete", workspace="ws_1"))
    await sync.settle(processor)

    assert await status_of(sync) is S.ACTIVE
    assert has_access(sync)


async def test_access_is_taken_for_the_end_of_one_subscription_while_another_is_paid(sync: Sync) -> None:
    paid, ending = subscription(workspace="ws_1"), subscription("sub_2", workspace="ws_1")
    processor = FakeProcessor(paid, ending)
    for sub in (paid, ending):
        await sync.receive(CREATED, sub)
    await sync.settle(processor)

    over = {**ending, "status": "canceled", "ended_at": T0}
    processor.put(over)
    await sync.receive(DELETED, over)
    await sync.settle(processor)

    assert await status_of(sync, "sub_2") is S.CANCELED
    assert has_access(sync)


@pytest.mark.parametrize("status", ["past_due", "unpaid", "incomplete", "paused"])
@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["overdue first", "overdue last"])
async def test_a_subscription_that_is_overdue_blocks_one_that_is_paid(
    sync: Sync, status: str, order: tuple[int, int]
) -> None:
    both = subscription(workspace="ws_1"), subscription("sub_2", status, items=MONTH_AGO, workspace="ws_1")

    for index in order:
        await sync.receive(CREATED, both[index])
        await sync.settle(FakeProcessor(*both))

    assert has_access(sync)


async def test_a_replay_writes_and_tells_everything_again(sync: Sync) -> None:
    processor = FakeProcessor(subscription(workspace="ws_1"))
    told = await sync.receive(CREATED, subscription(workspace="ws_1"))
    await sync.settle(processor)
    before, effects = await sync.subscription(), sync.mongo.db["billing_events"]
    told_once = await effects.count_documents({})

    with sync.rt.cache.feed.subscribe("ws_1") as pushes:
        await sync.inbox.mark("subscription", "sub_1")
        await sync.receive(CREATED, subscription(workspace="ws_1"), id=told)
        await sync.receive(CREATED, subscription(workspace="ws_1"), id="evt_again")
        await sync.settle(processor)
        is_pushed = await pushes.wait(0)

    assert (await sync.subscription(), is_pushed) == (before, False)
    assert await sync.mongo.db["audit"].count_documents({"kind": Kind.SUBSCRIPTION.value}) == 1
    assert await effects.count_documents({}) == told_once > 0


async def test_a_user_who_returns_from_checkout_before_the_webhook_is_shown_nothing(sync: Sync) -> None:
    stripe = FakeLists(customer(workspace="ws_1"), subscription(start_date=T0))
    await sync.receive("customer.created", customer(workspace="ws_1"))
    await sync.settle(stripe)
    assert not has_access(sync)

    await Lists(sync.rt, sync.inbox, stripe).sync_customer("cus_1")  # as the page asks on return: `syncCustomer`
    shown, before = has_access(sync), await sync.subscription()
    await sync.receive(CREATED, subscription(start_date=T0))
    await sync.settle(stripe)

    assert shown
    assert await sync.subscription() == before


async def test_only_the_embedded_first_page_of_a_list_is_read(sync: Sync) -> None:
    items = [item(f"si_{n:03}", price("price_other", None)) for n in range(130)] + [item("si_pro")]
    sub = subscription(items=items[:10], workspace="ws_1")
    sub["items"]["has_more"] = True

    def respond(path: str, query: dict[str, list[str]]) -> Answer:
        if path == "/v1/subscriptions/sub_1":
            return answer(sub)
        start = [one["id"] for one in items].index(query["starting_after"][0]) + 1
        page = items[start : start + 100]
        return answer({"object": "list", "data": page, "has_more": start + 100 < len(items)})

    async with serving(respond) as (processor, _):
        await sync.receive(CREATED, sub)
        await sync.settle(processor)

    found = await sync.subscription()
    assert found is not None
    assert len(found.items) == 131
    assert has_access(sync)


async def test_a_customer_that_comes_after_its_subscription_leaves_it_unlinked_for_ever(sync: Sync) -> None:
    processor = FakeProcessor(subscription())
    await sync.receive(CREATED, subscription())
    await sync.settle(processor)
    assert not has_access(sync)

    processor.put(customer(workspace="ws_1"))
    await sync.receive("customer.created", customer(workspace="ws_1"))
    await sync.settle(processor)

    assert has_access(sync)
