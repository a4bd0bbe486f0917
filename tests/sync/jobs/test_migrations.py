"""The worker that moves subscribers: what it takes up, and what does not stop it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AbstractAsyncContextManager
from dataclasses import replace as replace_in
from typing import Any

import pytest
from support.records import DAY, NOW, item, migration, plan, sub, workspace
from support.runtime import put, running
from support.sync import at_work

from app.cache.cache import BillingCache
from app.cache.feed import SYNC_TOPIC, Feed
from app.domain.change import Kind
from app.domain.errors import UnavailableError
from app.domain.migration import Migration, MigrationStatus
from app.domain.subscription import Subscription, SubscriptionStatus
from app.ports.store import Page, RecordStore
from app.runtime import Runtime
from app.services.migrations import step
from sync.jobs.migrations import MigrationWorker

FINISHED, RUNNING = MigrationStatus.FINISHED, MigrationStatus.RUNNING
NEVER_S = 3600


class Faulty:
    """The store, which does something else where the holders of one price are asked for."""

    def __init__(self, store: RecordStore, price: str, happens: Callable[[], Any]) -> None:
        self._store = store
        self._price = price
        self._happens = happens

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def holders_page(self, prices: Collection[str], **options: Any) -> Page[Subscription]:
        page = await self._store.holders_page(prices, **options)
        if self._price in prices:
            await self._happens()
        return page


class Watched:
    """The store, which remembers what it was asked."""

    def __init__(self, store: RecordStore) -> None:
        self._store = store
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        self.asked.append(name)
        return getattr(self._store, name)


def faulty(rt: Runtime, price: str, happens: Callable[[], Any]) -> Runtime:
    store: Any = Faulty(rt.store, price, happens)
    return replace_in(rt, store=store)


@pytest.fixture
async def rt(mongodb_uri: str, database: str) -> AsyncIterator[Runtime]:
    """Give a runtime with two plans of two versions each, and a subscriber to each."""
    async with running(mongodb_uri, database) as runtime:
        for key in ("pro", "team"):
            await put(runtime, plan(key), plan(key, plan_version=2, published_at=NOW - DAY))
            await put(runtime, sub(f"sub_{key}", SubscriptionStatus.ACTIVE, item(key)))
        await put(runtime, workspace())
        yield runtime


def working(
    worker: MigrationWorker, well: Callable[[], None] = lambda: None
) -> AbstractAsyncContextManager[asyncio.Task[None]]:
    return at_work(worker.run, well)


async def status_of(rt: Runtime, id: str) -> MigrationStatus:
    [found] = (await rt.store.read(Kind.MIGRATION, (id,))).values()
    assert isinstance(found, Migration)
    return found.status


async def becomes(rt: Runtime, id: str, status: MigrationStatus) -> None:
    async with asyncio.timeout(15):
        while await status_of(rt, id) is not status:
            await asyncio.sleep(0.005)


async def test_what_was_left_unfinished_is_finished_at_start(rt: Runtime) -> None:
    await put(rt, migration("mig_1"), migration("mig_2", "team"))

    async with working(MigrationWorker(rt, poll_s=NEVER_S)):
        await becomes(rt, "mig_2", FINISHED)

    assert await status_of(rt, "mig_1") is FINISHED


@pytest.mark.parametrize(("poll_s", "wakes"), [pytest.param(NEVER_S, True, id="woken"), pytest.param(0.02, False)])
async def test_a_new_migration_is_taken_up(rt: Runtime, poll_s: float, *, wakes: bool) -> None:
    worker = MigrationWorker(rt, poll_s=poll_s)
    await put(rt, migration("mig_1"))
    async with working(worker):
        await becomes(rt, "mig_1", FINISHED)

        await put(rt, migration("mig_2", "team"))
        if wakes:
            worker.wake()
        await becomes(rt, "mig_2", FINISHED)


async def test_nothing_is_moved_before_ram_is_loaded(rt: Runtime) -> None:
    watched: Any = Watched(rt.store)
    cache = BillingCache(feed=Feed(), clock=rt.clock, default_plan_key=None)
    await put(rt, migration("mig_1"))

    async with working(MigrationWorker(replace_in(rt, cache=cache, store=watched), poll_s=NEVER_S)):
        for _ in range(20):
            cache.feed.publish(SYNC_TOPIC)  # news, but not that all is loaded
            await asyncio.sleep(0)
        assert watched.asked == []

        cache.mark_ready()
        cache.feed.publish(SYNC_TOPIC)
        await becomes(rt, "mig_1", FINISHED)


async def test_one_migration_that_fails_is_told_once_the_others_are_finished(rt: Runtime) -> None:
    await put(rt, migration("mig_1"), migration("mig_2", "team"))

    async def breaks() -> None:
        raise ValueError("the stick broke")

    with pytest.raises(ExceptionGroup, match="migrations failed") as raised:
        await MigrationWorker(faulty(rt, "pro_monthly", breaks)).run(lambda: None)

    assert [str(error) for error in raised.value.exceptions] == ["the stick broke"]
    assert (await status_of(rt, "mig_1"), await status_of(rt, "mig_2")) == (RUNNING, FINISHED)


async def test_a_database_that_is_away_ends_the_round_at_once(rt: Runtime) -> None:
    await put(rt, migration("mig_1"), migration("mig_2", "team"))

    async def away() -> None:
        raise UnavailableError

    told: list[str] = []
    with pytest.raises(UnavailableError):
        await MigrationWorker(faulty(rt, "pro_monthly", away)).run(lambda: told.append("all is well"))

    assert (await status_of(rt, "mig_2"), told) == (RUNNING, [])


@pytest.mark.parametrize("migrations", [pytest.param((), id="nothing to do"), pytest.param((migration(),), id="done")])
async def test_a_round_that_went_well_is_told(rt: Runtime, migrations: tuple[Migration, ...]) -> None:
    await put(rt, *migrations)
    told = asyncio.Event()

    async with working(MigrationWorker(rt, poll_s=NEVER_S), told.set), asyncio.timeout(15):
        await told.wait()


async def test_a_migration_that_another_replica_works_on_is_left_to_it_until_the_next_look(rt: Runtime) -> None:
    one = migration("mig_1")
    await put(rt, *(sub(f"sub_{number:03}") for number in range(150)), one, migration("mig_2", "team"))
    times = 0

    async def other_replica_goes_on() -> None:
        nonlocal times
        times += 1
        if times == 1:
            await step(rt, one)

    worker = MigrationWorker(faulty(rt, "pro_monthly", other_replica_goes_on), poll_s=NEVER_S)
    async with working(worker):
        await becomes(rt, "mig_2", FINISHED)
        assert (await status_of(rt, "mig_1"), times) == (RUNNING, 1)

        worker.wake()
        await becomes(rt, "mig_1", FINISHED)
