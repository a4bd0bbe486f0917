"""Effects come from our own changes: once each, whatever is sent twice, in another order, to two workers, or again."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace as replace_in
from typing import Any

import pytest
from support.clock import FrozenClock
from support.records import workspace
from support.stripe import DAY, T0, FakeProcessor, Json, Sync, customer, item, price, product, subscription, syncing
from support.stripe_lists import FakeLists
from support.stripe_shapes import active_entitlements, charge, coupon, invoice, payment_intent, refund

from app.domain.billing_event import BillingEvent, BillingEventFilter, BillingEventType
from app.domain.errors import UnavailableError
from app.domain.stripe_object import ENTITLEMENTS, entitlements_id
from app.ports.stripe import WorkQueue
from sync.stripe.events import StripeWorker
from sync.stripe.lists import EVERYTHING, Lists

T = BillingEventType
CREATED, UPDATED, DELETED = (f"customer.subscription.{word}" for word in ("created", "updated", "deleted"))
WILL_END = "customer.subscription.trial_will_end"


@pytest.fixture
async def sync(mongodb_uri: str, database: str) -> AsyncIterator[Sync]:
    async with syncing(mongodb_uri, database) as sync:
        await sync.put(workspace())
        yield sync


async def told(sync: Sync, prefix: str = "") -> list[BillingEvent]:
    """Return what happened, the oldest first."""
    page = await sync.rt.billing_events.page(BillingEventFilter(), after=None, first=999, newest_first=False)
    return [event for event in page.items if event.type.startswith(prefix)]


async def types(sync: Sync, prefix: str = "") -> list[str]:
    return [event.type.value for event in await told(sync, prefix)]


def life(**fields: Any) -> Json:
    return subscription(**{"workspace": "ws_1", **fields})


LIFE = [
    life(status="incomplete"),
    life(),
    life(cancel_at_period_end=True),
    life(status="past_due", items=[item(current_period_start=T0 + 30 * DAY, current_period_end=T0 + 60 * DAY)]),
    life(status="canceled", ended_at=T0 + 40 * DAY, cancel_at_period_end=True),
]
TYPES = [CREATED, UPDATED, UPDATED, UPDATED, DELETED]
WHOLE = ["created", "activated", "cancel_scheduled", "past_due", "cancel_unscheduled", "canceled"]


async def test_a_life_that_is_followed_step_by_step_is_told_step_by_step(sync: Sync) -> None:
    processor = FakeProcessor()
    for type, state in zip(TYPES, LIFE, strict=True):  # noqa: A001 - Stripe's word
        processor.put(state)
        for _ in range(2):
            await sync.receive(type, state)
        await sync.settle(processor)
        sync.clock.advance(1000)

    assert await types(sync, "subscription.") == [f"subscription.{word}" for word in WHOLE]


@pytest.mark.parametrize("order", list(itertools.permutations(range(5)))[::17])
@pytest.mark.parametrize("with_key", [True, False])
async def test_whatever_the_order_the_story_makes_sense_and_ends_the_same(
    sync: Sync, order: tuple[int, ...], *, with_key: bool
) -> None:
    processor = FakeProcessor()
    for place, index in enumerate(order):
        processor.put(LIFE[place])
        await sync.receive(TYPES[index], LIFE[index], created=T0 + index)
        await sync.receive(TYPES[index], LIFE[index], created=T0 + index)
        await sync.settle(processor if with_key else None)
        sync.clock.advance(1000)

    events = await told(sync, "subscription.")
    seen = [event.type for event in events]
    assert (seen[0], seen[-1]) == (T.SUBSCRIPTION_CREATED, T.SUBSCRIPTION_CANCELED)
    assert Counter(seen)[T.SUBSCRIPTION_CREATED] == Counter(seen)[T.SUBSCRIPTION_CANCELED] == 1
    stories = [(event.data["before"], event.data["after"]) for event in events]
    for earlier, later in itertools.pairwise(stories):
        assert later == earlier or later[0].items() <= earlier[1].items()  # what was is what the one before told
    sub = await sync.subscription()
    assert sub is not None
    assert stories[-1][1]["status"] == sub.status


async def test_replays_and_lists_of_what_is_known_tell_nothing(sync: Sync) -> None:
    processor = FakeProcessor(product(), price(), customer(workspace="ws_1"), life(), invoice())
    everything = list(processor.objects.values())
    for object in everything:  # noqa: A001 - Stripe's word
        await sync.receive(f"{object['object']}.created", object)
    await sync.settle(processor)
    before = await types(sync)

    for object in everything:  # noqa: A001 - Stripe's word
        await sync.inbox.mark(object["object"], object["id"])
        await sync.receive(f"{object['object']}.updated", object)
    await sync.settle(processor)

    assert await types(sync) == before
    assert sorted(before) == [
        "catalog.changed",
        "catalog.changed",
        "customer.created",
        "customer.linked",
        "invoice.created",
        "invoice.finalized",
        "invoice.paid",
        "payment.succeeded",
        "subscription.activated",
        "subscription.created",
    ]


@pytest.mark.parametrize("order", list(itertools.permutations(range(5)))[::23])
async def test_paid_and_payment_succeeded_and_the_payment_itself_are_one(sync: Sync, order: tuple[int, ...]) -> None:
    objects = [invoice(), payment_intent("pi_1", status="succeeded"), charge("ch_1", payment_intent="pi_1")]
    events = [
        ("invoice.paid", objects[0]),
        ("invoice.payment_succeeded", objects[0]),
        ("invoice.finalized", objects[0]),
        ("payment_intent.succeeded", objects[1]),
        ("charge.succeeded", objects[2]),
    ]
    processor = FakeProcessor(*objects, life())
    for index in order:
        await sync.receive(*events[index])
        await sync.settle(processor)

    assert sorted(await types(sync, "invoice.")) == ["invoice.created", "invoice.finalized", "invoice.paid"]
    assert await types(sync, "payment.") == ["payment.succeeded"]


async def test_what_is_given_back_is_told_as_it_grows(sync: Sync) -> None:
    processor = FakeProcessor(charge("ch_1"))
    for total in (0, 300, 300, 1000):
        processor.put(charge("ch_1", amount_refunded=total))
        await sync.receive("charge.refunded", charge("ch_1"))
        await sync.settle(processor)
        sync.clock.advance(1000)
    processor.put(refund("re_1", status="succeeded", charge={"id": "ch_1", "customer": "cus_1"}))
    await sync.receive("refund.created", refund("re_1"))
    await sync.settle(processor)

    totals = [event.data["after"]["amountRefunded"] for event in await told(sync, "payment.refunded")]
    assert totals == [300, 1000]
    refunds = await told(sync, "refund.")
    assert [(event.type.value, event.customer_id) for event in refunds] == [
        ("refund.created", "cus_1"),
        ("refund.succeeded", "cus_1"),
    ]


async def test_of_money_nothing_is_told_until_it_is_fetched_and_then_once(sync: Sync) -> None:
    objects = [invoice(), charge("ch_1", amount_refunded=300), payment_intent("pi_1", status="succeeded")]
    for _ in range(2):
        for object in objects:  # noqa: A001 - Stripe's word
            await sync.receive(f"{object['object']}.updated", object)
        await sync.receive("invoice.payment_failed", invoice())
        await sync.settle(None)
    mirror = await sync.mirror("in_1")
    assert mirror is not None
    assert await told(sync) == []

    for _ in range(2):
        for object in objects:  # noqa: A001 - Stripe's word
            await sync.inbox.mark(object["object"], object["id"])
        await sync.settle(FakeProcessor(*objects, life()))

    money = Counter(name for name in await types(sync) if not name.startswith("subscription."))
    assert money == Counter(
        ["invoice.created", "invoice.finalized", "invoice.paid", "payment.succeeded", "payment.refunded"]
    )


async def test_two_workers_tell_each_once(sync: Sync) -> None:
    subs = [life(id=f"sub_{n}", status="trialing", trial_start=T0, trial_end=T0 + 2 * DAY) for n in range(12)]
    processor = FakeProcessor(*subs)
    async with AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(sync.running(processor))
        for sub in subs:
            for type in (UPDATED, WILL_END, CREATED, WILL_END):  # noqa: A001 - Stripe's word
                await sync.receive(type, sub)
        async with asyncio.timeout(30):
            while not await sync.is_settled():
                await asyncio.sleep(0.01)

    found = Counter((event.type.value, event.object_id) for event in await told(sync))
    assert set(found.values()) == {1}
    assert Counter(name for name, _ in found) == {
        "subscription.created": 12,
        "subscription.trial_started": 12,
        "subscription.trial_ending": 12,
    }


class _Forgetful:
    """A store or a queue that twice does its work and never says so: as if its caller had died, and its lease ended."""

    def __init__(self, inner: Any, name: str, clock: FrozenClock) -> None:
        self._inner = inner
        self._name = name
        self._clock = clock
        self._left = 2

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name != self._name:
            return found

        async def unanswered(*arguments: Any, **named: Any) -> Any:
            answer = await found(*arguments, **named)
            if self._left > 0:
                self._left -= 1
                self._clock.advance(20_000)
                raise UnavailableError
            return answer

        return unanswered


@pytest.mark.parametrize("step", ["write", "tell", "note", "clear"])
async def test_a_worker_that_dies_between_two_steps_tells_nothing_twice_and_nothing_less(sync: Sync, step: str) -> None:
    sub = life(status="trialing", trial_start=T0, trial_end=T0 + 2 * DAY)
    await sync.receive(CREATED, sub)
    await sync.receive(WILL_END, sub)
    rt = sync.rt
    if step == "write":
        rt = replace_in(rt, store=_Forgetful(rt.store, step, sync.clock))
    if step == "tell":
        rt = replace_in(rt, billing_events=_Forgetful(rt.billing_events, step, sync.clock))
    queue: WorkQueue = _Forgetful(sync.inbox, step, sync.clock)  # type: ignore[assignment]
    quick: Any = {"accepts_payloads": True, "jitter": lambda: 0.5, "poll_s": 0.02, "sweep_s": 0.05}
    worker = StripeWorker(rt, queue, FakeProcessor(sub), backoff=sync.backoff(), **quick)
    working = asyncio.create_task(worker.run(lambda: None))
    try:
        async with asyncio.timeout(30):
            while not await sync.is_settled():
                await asyncio.sleep(0.02)
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)

    assert sorted(await types(sync)) == [
        "subscription.created",
        "subscription.trial_ending",
        "subscription.trial_started",
    ]


async def test_what_was_linked_late_tells_of_the_link_and_the_subscription(sync: Sync) -> None:
    processor = FakeProcessor(customer(), subscription())
    await sync.receive(CREATED, subscription())
    await sync.settle(processor)
    assert await types(sync, "subscription.") == []

    processor.put(customer(workspace="ws_1"))
    await sync.receive("customer.updated", customer())
    await sync.settle(processor)

    assert await types(sync, "customer.linked") == ["customer.linked"]
    assert await types(sync, "subscription.") == ["subscription.created", "subscription.activated"]


OLD = T0 - 400 * DAY
YOUNG = T0 - DAY


@pytest.mark.parametrize(("created", "is_told"), [(OLD, False), (YOUNG, True)])
async def test_an_account_that_is_adopted_does_not_repeat_its_history(
    sync: Sync, created: int, *, is_told: bool
) -> None:
    features = {"data": [{"id": "pf_1", "entitlement_feature": {"id": "feat_1", "lookup_key": "sso"}}]}
    stripe = FakeLists(
        product(created=created, entitlement_features=features),
        price(created=created),
        coupon(created=created),
        customer(workspace="ws_1", created=created),
        *(subscription(f"sub_{n}", status, created=created, start_date=OLD) for n, status in enumerate(ALIVE)),
        invoice(created=created, status_transitions={"finalized_at": created, "paid_at": created}),
    )
    stripe.objects[entitlements_id("cus_1")] = active_entitlements("sso")
    lists = Lists(sync.rt, sync.inbox, stripe)
    for listing in EVERYTHING:
        async for _ in lists.every_page(listing):
            pass
    await sync.settle(stripe)

    assert bool(await types(sync)) is is_told
    assert {event.type for event in await told(sync)} >= (ADOPTED if is_told else set())
    assert len(sync.rt.cache.state("ws_1").subscriptions) == len(ALIVE)  # type: ignore[union-attr]

    stripe.put(subscription("sub_0", "canceled", ended_at=T0, created=created, start_date=OLD))
    stripe.objects[entitlements_id("cus_1")] = active_entitlements()
    await sync.receive(DELETED, subscription("sub_0"))
    await sync.inbox.mark(ENTITLEMENTS, entitlements_id("cus_1"))
    sync.clock.advance(1000)
    await sync.settle(stripe)

    assert await types(sync, "subscription.canceled") == ["subscription.canceled"]
    assert (await types(sync, "entitlement."))[-1:] == ["entitlement.changed"]


ALIVE = ("active", "trialing", "past_due")
ADOPTED = {
    T.CATALOG_CHANGED,
    T.CUSTOMER_CREATED,
    T.CUSTOMER_LINKED,
    T.SUBSCRIPTION_CREATED,
    T.SUBSCRIPTION_TRIAL_STARTED,
    T.ENTITLEMENT_CHANGED,
}
