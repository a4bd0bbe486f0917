"""Moving subscribers to a newer version, batch by batch, with others writing the same records."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from dataclasses import replace as replace_in
from typing import Any

import msgspec
import pymongo
import pytest
from support.clock import SequentialIds
from support.records import DAY, NOW, item, migration, plan, sub, workspace
from support.runtime import ADMIN, fakes_of, put, running

from app.domain.audit import Actor, ActorKind
from app.domain.change import Kind
from app.domain.errors import ConflictError, NotFoundError
from app.domain.migration import Migration, MigrationStatus
from app.domain.subscription import Subscription, SubscriptionStatus
from app.ports.store import Page, RecordStore
from app.runtime import Runtime
from app.services.commit import commit
from app.services.loading import refresh_catalogue
from app.services.migrations import MigratePlanInput, migrate_plan, pending, start, step

FIRST = plan("pro", plan_version=1, published_at=NOW - 60 * DAY)
SECOND = plan("pro", plan_version=2, published_at=NOW - DAY)
THIRD = plan("pro", plan_version=3, published_at=NOW)
STRIPE = Actor(ActorKind.STRIPE, "evt_1")
M = MigrationStatus


@pytest.fixture
async def rt(mongodb_uri: str, database: str) -> AsyncIterator[Runtime]:
    async with running(mongodb_uri, database) as runtime:
        await put(runtime, workspace(), FIRST, SECOND)
        yield runtime


@pytest.fixture
def audit(mongodb_uri: str, database: str) -> Callable[[], list[dict[str, Any]]]:
    """Give a reader of the subscriptions' audit entries."""

    def entries() -> list[dict[str, Any]]:
        with pymongo.MongoClient[dict[str, Any]](mongodb_uri) as client:
            return list(client[database]["audit"].find({"kind": "subscriptions"}))

    return entries


class Interrupted:
    """The store, which lets somebody else write between the reading of a batch and its use, so many times."""

    def __init__(self, store: RecordStore, write: Callable[[], Awaitable[object]], times: int = 1) -> None:
        self._store = store
        self._write = write
        self._times = times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def holders_page(self, prices: Collection[str], **options: Any) -> Page[Subscription]:
        page = await self._store.holders_page(prices, **options)
        if self._times:
            self._times -= 1
            await self._write()
        return page


def interrupted(rt: Runtime, write: Callable[[], Awaitable[object]], times: int = 1) -> Runtime:
    store: Any = Interrupted(rt.store, write, times)
    return replace_in(rt, store=store)


def ask(key: str = "pro", idempotency_key: str = "k") -> MigratePlanInput:
    return MigratePlanInput(idempotency_key=idempotency_key, plan_key=key)


async def started(rt: Runtime) -> Migration:
    return (await migrate_plan(rt, ADMIN, ask())).record


async def finish(rt: Runtime, migration: Migration) -> list[Migration]:
    """Step to the end; return what each step told."""
    steps: list[Migration] = []
    while migration.status is M.RUNNING:
        migration = await step(rt, migration)
        steps.append(migration)
    return steps


async def subscriptions(rt: Runtime) -> dict[str, Subscription]:
    batches = [record async for batch in rt.store.scan(Kind.SUBSCRIPTION) for record in batch]
    return {record.id: record for record in batches if isinstance(record, Subscription)}


async def version_of(rt: Runtime, id: str) -> int | None:
    [held] = (await subscriptions(rt))[id].items
    found = rt.cache.catalogue().plan_for_price(held.price_id, held.lookup_key, held.price_since_at)
    return found.plan_version if found else None


async def test_everybody_with_an_earlier_version_moves_batch_by_batch(
    rt: Runtime, audit: Callable[[], list[dict[str, Any]]]
) -> None:
    movers = [sub(f"sub_{number:03}") for number in range(230)]
    stayers = [
        sub("sub_0_over", SubscriptionStatus.CANCELED),
        sub("sub_0_team", SubscriptionStatus.ACTIVE, item("team")),
        sub("sub_0_new", SubscriptionStatus.ACTIVE, item(price_since_at=NOW)),
    ]
    await put(rt, *movers, *stayers)

    migration = await started(rt)
    steps = await finish(rt, migration)

    assert (migration.total, migration.moved, migration.status, migration.plan_version) == (230, 0, M.RUNNING, 2)
    assert [told.moved for told in steps] == [100, 200, 230]
    assert [told.status for told in steps] == [M.RUNNING, M.RUNNING, M.FINISHED]
    stored = await subscriptions(rt)
    for before in movers:
        after = stored[before.id]
        moved = (msgspec.structs.replace(before.items[0], price_since_at=SECOND.published_at),)
        assert after == msgspec.structs.replace(before, version=2, items=moved, updated_at=NOW)
        assert rt.cache.subscription(before.id) == after
    assert [stored[stayer.id] for stayer in stayers] == stayers
    assert sorted(entry["recordId"] for entry in audit()) == [mover.id for mover in movers]
    assert {(entry["actor"]["kind"], entry["actor"]["id"]) for entry in audit()} == {("SYSTEM", migration.id)}
    assert await rt.store.read(Kind.MIGRATION, (migration.id,)) == {migration.id: steps[-1]}


async def test_a_migration_of_nobody_finishes(rt: Runtime) -> None:
    [told] = await finish(rt, await started(rt))

    assert (told.total, told.moved, told.status) == (0, 0, M.FINISHED)


async def test_what_needs_no_move_any_more_is_counted_as_skipped(rt: Runtime) -> None:
    late = item(price_id="price_late", lookup_key="late", price_since_at=NOW - 40 * DAY)
    await put(rt, sub("sub_1"), sub("sub_2", SubscriptionStatus.ACTIVE, item(price_since_at=NOW), late))

    [told] = await finish(rt, await started(rt))

    assert (told.total, told.moved, told.skipped) == (2, 1, 1)


async def test_what_stripe_changed_meanwhile_is_kept_and_moved(
    rt: Runtime, audit: Callable[[], list[dict[str, Any]]]
) -> None:
    await put(rt, sub("sub_1"), sub("sub_2"))
    migration = await started(rt)
    overdue = msgspec.structs.replace(sub("sub_2"), status=SubscriptionStatus.PAST_DUE)

    told = await step(interrupted(rt, lambda: commit(rt, STRIPE, "syncStripe", [overdue])), migration)

    after = (await subscriptions(rt))["sub_2"]
    assert (told.moved, told.status) == (2, M.FINISHED)
    assert (after.status, after.version) == (SubscriptionStatus.PAST_DUE, 3)
    assert await version_of(rt, "sub_2") == 2
    assert sorted(entry["recordId"] for entry in audit()) == ["sub_1", "sub_2", "sub_2"]


async def test_what_ended_meanwhile_is_left_as_it_is(rt: Runtime) -> None:
    await put(rt, sub("sub_1"), sub("sub_2"))
    migration = await started(rt)
    over = msgspec.structs.replace(sub("sub_2"), status=SubscriptionStatus.CANCELED)

    told = await step(interrupted(rt, lambda: commit(rt, STRIPE, "syncStripe", [over])), migration)

    assert told.moved == 1
    assert (await subscriptions(rt))["sub_2"].items == sub().items


async def test_a_subscription_that_is_never_left_alone_fails_the_step_and_loses_nothing(rt: Runtime) -> None:
    await put(rt, sub("sub_1"))
    migration = await started(rt)

    async def touch() -> None:
        current = (await subscriptions(rt))["sub_1"]
        await commit(rt, STRIPE, "syncStripe", [current])

    with pytest.raises(ConflictError, match="sub_1"):
        await step(interrupted(rt, touch, times=100), migration)

    assert await rt.store.read(Kind.MIGRATION, (migration.id,)) == {migration.id: migration}
    assert (await finish(rt, migration))[-1].moved == 1


async def test_a_batch_that_another_replica_moved_is_not_moved_again(
    rt: Runtime, audit: Callable[[], list[dict[str, Any]]]
) -> None:
    await put(rt, sub("sub_1"), sub("sub_2"))
    migration = await started(rt)
    elsewhere = rt

    with pytest.raises(ConflictError, match="another replica"):
        await step(interrupted(rt, lambda: step(elsewhere, migration)), migration)

    assert sorted(entry["recordId"] for entry in audit()) == ["sub_1", "sub_2"]
    assert {found.version for found in (await subscriptions(rt)).values()} == {2}


async def test_replicas_that_compete_move_everybody_once(
    mongodb_uri: str, database: str, rt: Runtime, audit: Callable[[], list[dict[str, Any]]]
) -> None:
    await put(rt, *(sub(f"sub_{number:04}") for number in range(450)))
    migration = await started(rt)

    async def compete(replica: Runtime) -> None:
        while found := await pending(replica):
            try:
                await step(replica, found[0])
            except ConflictError:
                continue

    async with running(mongodb_uri, database, ids=fakes_of(rt).ids) as other, asyncio.TaskGroup() as group:
        group.create_task(compete(rt))
        group.create_task(compete(other))

    [told] = (await rt.store.read(Kind.MIGRATION, (migration.id,))).values()
    assert isinstance(told, Migration)
    assert (told.moved, told.skipped, told.status) == (450, 0, M.FINISHED)
    assert len(audit()) == len({entry["recordId"] for entry in audit()}) == 450


async def test_a_later_migration_supersedes_one_that_runs(rt: Runtime) -> None:
    await put(rt, *(sub(f"sub_{number:03}") for number in range(150)))
    half = await step(rt, await started(rt))
    later = await start(rt, THIRD)
    _, later = await commit(rt, STRIPE, "applyCatalog", [msgspec.structs.replace(THIRD, version=0), later])

    [going_on] = await pending(rt)
    [over] = (await rt.store.read(Kind.MIGRATION, (half.id,))).values()
    await finish(rt, going_on)

    assert going_on == later
    assert isinstance(over, Migration)
    assert (over.status, over.moved, over.failure) == (
        M.SUPERSEDED,
        100,
        f"{going_on.id} moves everybody to version 3",
    )
    assert {await version_of(rt, name) for name in ("sub_000", "sub_149")} == {3}
    with pytest.raises(ConflictError):
        await step(rt, half)


async def test_migrations_of_several_plans_go_on_side_by_side(rt: Runtime) -> None:
    await put(rt, plan("team", plan_version=1), plan("team", plan_version=2, published_at=NOW))
    both = [await started(rt), (await migrate_plan(rt, ADMIN, ask("team", "k2"))).record]

    assert await pending(rt) == both


async def test_pending_knows_the_versions_that_ram_has_not_heard_of(mongodb_uri: str, database: str) -> None:
    ids = SequentialIds()
    async with running(mongodb_uri, database, ids=ids) as here, running(mongodb_uri, database, ids=ids) as lagging:
        await put(here, workspace(), FIRST, SECOND, sub())
        await started(here)

        [told] = await finish(lagging, (await pending(lagging))[0])

        assert told.moved == 1


async def test_a_migration_to_a_version_that_is_gone_fails_with_its_reason(rt: Runtime) -> None:
    await put(rt, sub(), migration(plan_version=9))

    [told] = await finish(rt, (await pending(rt))[0])

    assert (told.status, told.failure) == (M.FAILED, "version 9 of 'pro' does not exist any more")
    assert await version_of(rt, "sub_1") == 1


async def test_asking_wakes_the_worker_and_answers_a_retry_with_the_same(rt: Runtime) -> None:
    first = await migrate_plan(rt, ADMIN, ask())
    again = await migrate_plan(rt, ADMIN, ask())

    assert (first.replayed, again.replayed) == (False, True)
    assert again.record == first.record
    assert fakes_of(rt).sync.woken_for_migrations == 2


async def test_a_plan_that_does_not_exist_is_named(rt: Runtime) -> None:
    with pytest.raises(NotFoundError, match="gold"):
        await migrate_plan(rt, ADMIN, ask("gold"))


async def test_a_migration_that_runs_already_is_named(rt: Runtime) -> None:
    running_already = await started(rt)

    with pytest.raises(ConflictError, match=running_already.id):
        await migrate_plan(rt, ADMIN, ask(idempotency_key="other"))

    await finish(rt, running_already)
    assert (await migrate_plan(rt, ADMIN, ask(idempotency_key="third"))).record.status is M.RUNNING


async def test_asking_finds_the_version_that_another_replica_published(mongodb_uri: str, database: str) -> None:
    ids = SequentialIds()
    async with running(mongodb_uri, database, ids=ids) as here, running(mongodb_uri, database, ids=ids) as lagging:
        await put(here, FIRST, sub(), workspace())
        await refresh_catalogue(lagging)
        await put(here, SECOND)

        assert (await started(lagging)).plan_version == 2
