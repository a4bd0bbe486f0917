"""Group commit: who is slow, stuck or broken costs nobody else, and no request is forgotten."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pymongo
import pytest
from support.clock import FrozenClock, SequentialIds
from support.records import DAY, NOW, feature, limit, plan, workspace
from support.runtime import ADMIN, fakes_of, put, running
from support.sync import until

from app.cache.cache import BillingCache
from app.cache.feed import Feed
from app.domain.case import Case
from app.domain.change import Kind, Record, Source
from app.domain.consumption import LimitExceededError, Taken, Wanted
from app.domain.errors import ConflictError, UnavailableError
from app.domain.plan import ResetPeriod
from app.domain.usage import Balance, UsageEvent, UsageKind
from app.ports.usage import Accepted, UsageRequest
from app.runtime import Runtime
from app.services import usage
from app.services.group_commit import GroupCommit
from app.services.loading import load_state, refresh_catalogue
from app.services.usage import Used

WORKSPACES = 20
SOON_S = 3
CATALOGUE = (feature("api_calls"), plan("free", limit(amount=100, reset=ResetPeriod.DAY), prices=()))


class FakeLedger:
    """Remembers what was written together; nothing is, until `open`."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.begun = 0
        self.groups: list[list[str]] = []

    async def write(self, balances: Sequence[Balance], events: Sequence[UsageEvent]) -> None:
        assert {event.workspace_id for event in events} == {balance.id for balance in balances}
        self.begun += 1
        await self.open.wait()
        await asyncio.sleep(0)
        self.groups.append([event.workspace_id for event in events])

    async def events(self, _: Collection[str]) -> dict[str, UsageEvent]:
        return {}


class EmptyStore:
    """Has no balances yet."""

    async def read(self, _: Kind, __: Collection[str]) -> dict[str, Record]:
        return {}


class House:
    """A group commit over fakes, and what is asked of it."""

    def __init__(self) -> None:
        clock = FrozenClock()
        cache = BillingCache(feed=Feed(), clock=clock, default_plan_key=None)
        for n in range(WORKSPACES):
            cache.apply(workspace(f"ws_{n}"), source=Source.STREAM)
        self.ledger = FakeLedger()
        store: Any = EmptyStore()
        ledger: Any = self.ledger
        self.writer = GroupCommit(store, ledger, cache, clock=clock, ids=SequentialIds())
        self.asked = 0

    async def ask(self, workspace_id: str, decide: Any = None) -> Accepted:
        self.asked += 1
        event = UsageEvent(
            id=f"use_{self.asked}",
            workspace_id=workspace_id,
            kind=UsageKind.CONSUME,
            lines=(),
            occurred_at=NOW,
            recorded_at=NOW,
            principal="key_1",
            input_digest="d",
        )
        done = await self.writer.write(UsageRequest(event=event, decide=decide or take))
        assert isinstance(done, Accepted)
        return done


def take(case: Case) -> Taken:
    return Taken(case.state.balance or Balance(id=case.state.workspace.id), ())


async def test_who_comes_when_both_lanes_have_just_ended_is_written_too() -> None:
    house = House()
    house.ledger.open.clear()

    waiting = asyncio.Event()

    async def late() -> Accepted:
        # Woken in the very turns of the loop in which the lanes are, right after them:
        waiting.set()
        await house.ledger.open.wait()
        await asyncio.sleep(0)
        return await house.ask("ws_2")

    early = [asyncio.create_task(house.ask("ws_0"))]
    await until(lambda: house.ledger.begun == 1)
    early.append(asyncio.create_task(house.ask("ws_1")))
    await until(lambda: house.ledger.begun == 2)
    last = asyncio.create_task(late())
    await waiting.wait()
    house.ledger.open.set()

    async with asyncio.timeout(SOON_S):
        await asyncio.gather(*early, last)
    assert house.ledger.groups == [["ws_0"], ["ws_1"], ["ws_2"]]


async def test_long_queues_do_not_keep_a_short_one_waiting() -> None:
    house = House()

    async with asyncio.TaskGroup() as group:
        for n in range(4_000):
            group.create_task(house.ask(f"ws_{n % 2}"))
        await asyncio.sleep(0)
        group.create_task(house.ask("ws_2"))

    turns = ["ws_2" in written for written in house.ledger.groups]
    assert turns.index(True) <= 4, house.ledger.groups


async def test_deciding_leaves_others_their_turn() -> None:
    house = House()
    turns = 0

    def ponder(case: Case) -> Taken:
        assert sum(range(100_000))
        return take(case)

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    calls = [asyncio.create_task(house.ask("ws_0", ponder)) for _ in range(200)]
    other = asyncio.create_task(others())
    await asyncio.gather(*calls)
    other.cancel()

    assert turns > 10
    assert sum(map(len, house.ledger.groups)) == 200


async def test_a_bug_is_told_to_whom_it_concerns_alone() -> None:
    house = House()

    def stumble(_: Case) -> Taken:
        raise ZeroDivisionError

    outcomes = await asyncio.gather(
        *(house.ask(f"ws_{n % 2}", stumble if n == 3 else take) for n in range(6)), return_exceptions=True
    )

    assert isinstance(outcomes[3], ZeroDivisionError)
    assert all(isinstance(outcome, Accepted) for n, outcome in enumerate(outcomes) if n != 3)


@pytest.fixture
async def rt(mongodb_uri: str, database: str) -> AsyncIterator[Runtime]:
    async with running(mongodb_uri, database, default_plan_key="free") as rt:
        await put(rt, *(workspace(f"ws_{n}") for n in range(WORKSPACES)), *CATALOGUE)
        yield rt


async def consume(rt: Runtime, workspace_id: str = "ws_0", amount: int = 1, key: str = "k") -> Used:
    line = Wanted("api_calls", Decimal(amount))
    request = usage.ConsumeInput(idempotency_key=key, workspace_id=workspace_id, lines=(line,))
    return await usage.consume(rt, ADMIN, request)


@contextmanager
def locked(uri: str, database: str, *workspaces: str) -> Iterator[None]:
    """Hold these balances in a transaction that is left open, as a killed process does."""
    with pymongo.MongoClient[dict[str, Any]](uri) as client, client.start_session() as session:
        session.start_transaction()
        for workspace_id in workspaces:
            client[database].balances.update_one({"_id": workspace_id}, {"$inc": {"version": 1}}, session=session)
        yield
        session.abort_transaction()


async def test_balances_that_a_killed_process_has_locked_keep_only_their_own_waiting(
    rt: Runtime, mongodb_uri: str, database: str
) -> None:
    everybody = [f"ws_{n}" for n in range(WORKSPACES)]
    await asyncio.gather(*(consume(rt, name) for name in everybody))
    stuck, free = everybody[:3], everybody[3:]

    with locked(mongodb_uri, database, *stuck):
        waiting = [asyncio.create_task(consume(rt, name, key="while locked")) for name in stuck]
        async with asyncio.timeout(SOON_S):
            for key in ("one", "two", "three"):
                await asyncio.gather(*(consume(rt, name, key=key) for name in free))
        assert not any(task.done() for task in waiting)

    async with asyncio.timeout(SOON_S):
        assert [done.replayed for done in await asyncio.gather(*waiting)] == [False] * 3


async def test_who_waits_in_vain_for_a_locked_balance_is_told_to_come_again(
    rt: Runtime, mongodb_uri: str, database: str
) -> None:
    await consume(rt)

    with locked(mongodb_uri, database, "ws_0"), pytest.raises(UnavailableError, match="retry with the same"):
        await consume(rt, key="while locked")

    assert not (await consume(rt, key="while locked")).replayed


async def test_a_balance_that_cannot_be_read_is_named_at_once(rt: Runtime, mongodb_uri: str, database: str) -> None:
    await consume(rt)
    with pymongo.MongoClient[dict[str, Any]](mongodb_uri) as client:
        client[database].balances.update_one({"_id": "ws_0"}, {"$set": {"meters": "nonsense"}, "$inc": {"version": 1}})
    rt.cache.note_malformed(Kind.BALANCE, "ws_0", "as the store tells")

    async with asyncio.timeout(SOON_S):
        with pytest.raises(ConflictError, match="cannot be read"):
            await consume(rt, key="other")


async def test_a_balance_that_was_soft_deleted_begins_anew(rt: Runtime, mongodb_uri: str, database: str) -> None:
    await consume(rt, amount=90)
    with pymongo.MongoClient[dict[str, Any]](mongodb_uri) as client:
        gone = {"$set": {"deletedAt": datetime(2026, 1, 1, tzinfo=UTC)}, "$inc": {"version": 1}}
        client[database].balances.update_one({"_id": "ws_0"}, gone)

    async with asyncio.timeout(SOON_S):
        done = await consume(rt, amount=30, key="anew")

    assert done.entitlements[0].usage is not None
    assert done.entitlements[0].usage.used == 30
    with pytest.raises(LimitExceededError):
        await consume(rt, amount=71, key="too much")
    assert (await consume(rt, amount=70, key="the rest")).entitlements[0].usage is not None


async def test_a_clock_that_is_behind_neither_opens_an_old_window_nor_forgets(mongodb_uri: str, database: str) -> None:
    ids = SequentialIds()
    async with (
        running(mongodb_uri, database, ids=ids, clock=FrozenClock(NOW - 1), default_plan_key="free") as behind,
        running(mongodb_uri, database, ids=ids, clock=FrozenClock(NOW + 1), default_plan_key="free") as ahead,
    ):
        await put(behind, workspace("ws_0"), *CATALOGUE)  # its day begins at NOW
        await refresh_catalogue(ahead)
        await load_state(ahead, "ws_0")
        await consume(behind, amount=60)
        line = Wanted("api_calls", Decimal(90))
        hold = usage.ReserveInput(idempotency_key="r", workspace_id="ws_0", lines=(line,), ttl_s=60)
        reserved = await usage.reserve(ahead, ADMIN, hold)

        with pytest.raises(LimitExceededError):
            await consume(behind, amount=11, key="too much")
        reservation_id = reserved.event.reservation_id or ""
        await usage.settle(behind, ADMIN, usage.SettleInput(idempotency_key="s", reservation_id=reservation_id))

        done = await consume(ahead, amount=10, key="the last")
        assert done.entitlements[0].usage is not None
        assert done.entitlements[0].usage.used == 100


async def test_a_clock_far_ahead_is_not_believed(rt: Runtime) -> None:
    clock = fakes_of(rt).clock
    clock.advance(DAY)
    await consume(rt, amount=100)
    clock.advance(-DAY)

    assert (await consume(rt, amount=30, key="today")).entitlements[0].usage is not None
