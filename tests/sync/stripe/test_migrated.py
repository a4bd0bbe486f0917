"""What Stripe says after a migration moves no subscriber back to the version before."""

from collections.abc import AsyncIterator

import pytest
from support.records import plan, workspace
from support.runtime import put
from support.stripe import DAY, T0, FakeProcessor, Json, Sync, item, price, subscription, syncing

from app.domain.audit import Actor, ActorKind
from app.domain.migration import Migration
from app.domain.subscription import SubscriptionStatus
from app.services.commit import commit
from app.services.migrations import start, step
from sync.reconcile import Reconciler

S = SubscriptionStatus
UPDATED = "customer.subscription.updated"
PUBLISHED_AT = (T0 + 3600) * 1000
FIRST = plan("pro", plan_version=1, published_at=(T0 - DAY) * 1000)
SECOND = plan("pro", plan_version=2, published_at=PUBLISHED_AT)
MODES = pytest.mark.parametrize("fetches", [pytest.param(True, id="fetched"), pytest.param(False, id="payloads")])


class Told:
    """Stripe, which is asked for a subscription or whose payloads are applied."""

    def __init__(self, sync: Sync, *, fetches: bool) -> None:
        self.sync = sync
        self.processor = FakeProcessor() if fetches else None
        self.at = T0

    async def __call__(self, status: str = "active", *items: Json) -> None:
        """Let the subscription be so, an hour after what was told before."""
        told = subscription(status=status, items=list(items), workspace="ws_1")
        if self.processor is not None:
            self.processor.put(told)
        self.at += 3600
        self.sync.clock.at = max(self.sync.clock.at, self.at * 1000)
        await self.sync.receive(UPDATED, told, created=self.at)
        await self.sync.settle(self.processor)

    async def again(self) -> None:
        """Learn the same anew, as after `replayStripeEvent`."""
        await self.sync.inbox.mark("subscription", "sub_1")
        await self.sync.settle(self.processor)


@pytest.fixture
async def sync(mongodb_uri: str, database: str) -> AsyncIterator[Sync]:
    async with syncing(mongodb_uri, database) as sync:
        await put(sync.rt, workspace(), FIRST, SECOND)
        yield sync


async def migrate(sync: Sync) -> Migration:
    started = await start(sync.rt, SECOND)
    [begun] = await commit(sync.rt, Actor(ActorKind.SYSTEM, "test"), "migratePlan", [started])
    assert isinstance(begun, Migration)
    return await step(sync.rt, begun)


async def version(sync: Sync) -> tuple[SubscriptionStatus, int | None]:
    sub = await sync.subscription()
    assert sub is not None
    assert sync.rt.cache.subscription("sub_1") == sub
    [held] = sub.items
    found = sync.rt.cache.catalogue().plan_for_price(held.price_id, held.lookup_key, held.price_since_at)
    return sub.status, found.plan_version if found else None


@MODES
async def test_later_news_of_the_same_price_keeps_the_version(sync: Sync, *, fetches: bool) -> None:
    told = Told(sync, fetches=fetches)
    await told()
    assert await version(sync) == (S.ACTIVE, 1)

    assert (await migrate(sync)).moved == 1
    assert await version(sync) == (S.ACTIVE, 2)

    await told("past_due")
    assert await version(sync) == (S.PAST_DUE, 2)
    await told("active", item(price_=price(lookup_key=None), quantity=3))
    assert await version(sync) == (S.ACTIVE, 2)
    await told.again()
    assert await version(sync) == (S.ACTIVE, 2)
    await told("canceled")
    assert await version(sync) == (S.CANCELED, 2)


@MODES
async def test_a_price_bought_after_the_migration_has_the_version_too(sync: Sync, *, fetches: bool) -> None:
    told = Told(sync, fetches=fetches)
    await told()
    await migrate(sync)

    await told("active", item(price_=price("price_team", "team_monthly")))
    assert await version(sync) == (S.ACTIVE, None)
    await told()
    assert await version(sync) == (S.ACTIVE, 2)


def reconciler(sync: Sync) -> Reconciler:
    async def settled() -> None:
        return

    rt = sync.rt
    return Reconciler(
        store=rt.store, cache=rt.cache, clock=rt.clock, metrics=rt.metrics, is_live=lambda: True, settle=settled
    )


async def test_a_resync_has_nothing_to_repair(sync: Sync) -> None:
    await Told(sync, fetches=True)()
    await migrate(sync)

    results = [await reconciler(sync).run() for _ in range(2)]

    assert [(result.repaired, result.dropped) for result in results] == [(0, 0), (0, 0)]
    assert await version(sync) == (S.ACTIVE, 2)


async def test_a_resync_brings_the_moved_version_back_to_ram(sync: Sync) -> None:
    await Told(sync, fetches=True)()
    before = await sync.subscription()
    assert before is not None
    await migrate(sync)
    sync.rt.cache._subscriptions.live["sub_1"] = before

    await reconciler(sync).run()

    assert await version(sync) == (S.ACTIVE, 2)
