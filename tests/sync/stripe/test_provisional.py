"""Without an API key: payloads are applied as told, the newest wins, and nothing ended comes back."""

import itertools
import json
from collections.abc import AsyncIterator

import pytest
from support.records import workspace
from support.stripe import DAY, T0, FakeProcessor, Json, Sync, customer, eventually, item, price, subscription, syncing
from support.stripe_shapes import charge, checkout_session, coupon, dispute, invoice, payment_intent, refund

from app.domain.stripe_event import StripeEventStatus
from app.domain.stripe_object import StripeSource
from app.domain.subscription import SubscriptionStatus
from sync.stripe.decode_facts import decode_facts

S = SubscriptionStatus
E = StripeEventStatus
CREATED, UPDATED, DELETED = (f"customer.subscription.{word}" for word in ("created", "updated", "deleted"))


@pytest.fixture
async def sync(mongodb_uri: str, database: str) -> AsyncIterator[Sync]:
    async with syncing(mongodb_uri, database) as sync:
        await sync.put(workspace())
        yield sync


async def status_of(sync: Sync) -> SubscriptionStatus | None:
    sub = await sync.subscription()
    return sub.status if sub else None


async def test_a_payload_is_applied_and_says_that_it_is_provisional(sync: Sync) -> None:
    event_id = await sync.receive(CREATED, subscription(workspace="ws_1"))
    await sync.settle(None)

    sub = await sync.subscription()
    assert sub is not None
    assert (sub.workspace_id, sub.status, sub.provisional) == ("ws_1", S.ACTIVE, True)
    assert await sync.status(event_id) is E.PROCESSED


async def test_the_link_of_the_customer_counts(sync: Sync) -> None:
    await sync.receive(CREATED, subscription())
    await sync.settle(None)
    assert (await sync.inbox.backlog()).parked == 1

    await sync.receive("customer.created", customer(workspace="ws_1"))
    await sync.settle(None)

    assert await status_of(sync) is S.ACTIVE
    assert (await sync.inbox.backlog()).parked == 0


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_events_of_one_second_end_in_the_state_that_is_farthest_along(sync: Sync, order: tuple[int, ...]) -> None:
    told = [
        (CREATED, subscription(status="incomplete", workspace="ws_1")),
        (UPDATED, subscription(workspace="ws_1")),
        (DELETED, subscription(status="canceled", ended_at=T0, workspace="ws_1")),
    ]

    for index in order:
        await sync.receive(*told[index])
        await sync.settle(None)

    assert await status_of(sync) is S.CANCELED


@pytest.mark.parametrize("order", list(itertools.permutations(range(2))))
async def test_of_two_updates_in_one_second_the_status_decides(sync: Sync, order: tuple[int, ...]) -> None:
    told = [subscription(status="trialing", workspace="ws_1"), subscription(workspace="ws_1")]

    for index in order:
        await sync.receive(UPDATED, told[index])
        await sync.settle(None)

    assert await status_of(sync) is S.ACTIVE


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_events_in_any_order_end_in_the_newest(sync: Sync, order: tuple[int, ...]) -> None:
    told = [
        subscription(status="trialing", workspace="ws_1"),
        subscription(status="past_due", workspace="ws_1"),
        subscription(workspace="ws_1"),
    ]

    for index in order:
        await sync.receive(UPDATED, told[index], created=T0 + index)
        await sync.settle(None)

    assert await status_of(sync) is S.ACTIVE


async def test_what_was_fetched_is_never_overwritten_by_an_older_payload(sync: Sync) -> None:
    await sync.receive(UPDATED, subscription(workspace="ws_1"))
    await sync.settle(FakeProcessor(subscription(status="past_due", workspace="ws_1")))

    await sync.receive(UPDATED, subscription(workspace="ws_1"), created=T0 + 1)
    await sync.settle(None)

    assert await status_of(sync) is S.PAST_DUE


async def test_a_newer_payload_follows_what_was_fetched(sync: Sync) -> None:
    await sync.receive(UPDATED, subscription(workspace="ws_1"))
    await sync.settle(FakeProcessor(subscription(workspace="ws_1")))

    later = sync.clock.now_at() // 1000 + 1
    await sync.receive(UPDATED, subscription(status="past_due", workspace="ws_1"), created=later)
    await sync.settle(None)

    assert await status_of(sync) is S.PAST_DUE


async def test_the_same_again_writes_nothing(sync: Sync) -> None:
    await sync.receive(UPDATED, subscription(workspace="ws_1"))
    await sync.settle(None)
    before = await sync.subscription()

    await sync.receive(UPDATED, subscription(workspace="ws_1"))
    await sync.inbox.mark("subscription", "sub_1")
    await sync.settle(None)

    assert await sync.subscription() == before


async def test_a_crash_before_the_event_was_noted_changes_nothing(sync: Sync) -> None:
    event_id = await sync.receive(CREATED, subscription(workspace="ws_1"))
    await sync.settle(None)
    before = await sync.subscription()

    await sync.inbox.note([event_id], E.RECEIVED)
    await sync.inbox.mark("subscription", "sub_1")
    await sync.settle(None)

    assert await sync.subscription() == before
    assert await sync.status(event_id) is E.PROCESSED


async def test_every_payload_of_a_burst_counts_for_since_when(sync: Sync) -> None:
    moved = subscription(items=[item(price_=price("price_team"))], workspace="ws_1")
    await sync.receive(UPDATED, moved, created=T0 + 3 * DAY)
    await sync.receive(CREATED, subscription(workspace="ws_1"))
    await sync.receive(UPDATED, {**moved, "cancel_at_period_end": True}, created=T0 + 5 * DAY)
    await sync.settle(None)

    sub = await sync.subscription()
    assert sub is not None
    assert sub.cancel_at_period_end
    assert sub.items[0].price_since_at == (T0 + 3 * DAY) * 1000


async def test_a_payload_that_cannot_be_read_is_dead_and_the_others_count(sync: Sync) -> None:
    good = await sync.receive(CREATED, subscription(workspace="ws_1"))
    bad = await sync.receive(UPDATED, subscription(status="hibernating", workspace="ws_1"), created=T0 + 1)
    await sync.settle(None)

    assert await status_of(sync) is S.ACTIVE
    assert (await sync.status(good), await sync.status(bad)) == (E.PROCESSED, E.DEAD)


async def test_a_deleted_customer_does_not_come_back(sync: Sync) -> None:
    await sync.receive("customer.created", customer(workspace="ws_1"))
    await sync.receive("customer.deleted", customer(workspace="ws_1"), created=T0 + 1)
    await sync.settle(None)

    await sync.receive("customer.updated", customer(workspace="ws_1"), created=T0 + 2)
    await sync.settle(None)

    assert (await sync.workspace()).stripe_customer_id is None


async def test_once_there_is_a_key_all_that_payloads_told_is_asked_for(sync: Sync) -> None:
    await sync.receive("invoice.created", invoice("in_1", "open"))
    await sync.receive("charge.failed", charge("ch_1", "failed"))
    await sync.receive("coupon.deleted", coupon())
    await sync.settle(None)
    stripe = FakeProcessor(invoice(), charge())

    async with sync.running(stripe):
        await eventually(lambda: {"in_1", "ch_1"} <= set(stripe.asked))
        await eventually(sync.is_settled)

    found = [await sync.mirror(id) for id in ("in_1", "ch_1")]  # noqa: A001 - the API's word
    assert [one.source for one in found if one] == [StripeSource.FETCH, StripeSource.FETCH]
    assert "co_1" not in stripe.asked  # what was deleted never comes back


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        pytest.param(invoice("in_1", "draft"), invoice("in_1", "open"), id="invoice finalized"),
        pytest.param(invoice("in_1", "open"), invoice("in_1"), id="invoice paid"),
        pytest.param(
            payment_intent("pi_1", "requires_payment_method"), payment_intent(), id="payment that succeeded at last"
        ),
        pytest.param(
            checkout_session(payment_status="unpaid"), checkout_session(payment_status="paid"), id="checkout paid"
        ),
        pytest.param(charge(), charge(amount_refunded=400), id="charge refunded"),
        pytest.param(refund("re_1", "pending"), refund(), id="refund done"),
        pytest.param(dispute(), dispute("dp_1", "lost"), id="dispute lost"),
    ],
)
@pytest.mark.parametrize("order", [1, -1], ids=["in order", "reversed"])
async def test_of_one_second_the_word_that_is_further_along_holds(
    sync: Sync, earlier: Json, later: Json, order: int
) -> None:
    for told in [earlier, later][::order]:
        await sync.receive(f"{told['object']}.updated", told)
        await sync.settle(None)

    found = await sync.mirror(later["id"])
    assert found is not None
    assert found.facts == decode_facts(later["object"], found.raw)
    assert json.loads(found.raw) == later
