import asyncio
from collections.abc import Awaitable, Collection, Sequence
from typing import Any

import pytest
from support.clock import FrozenClock
from support.records import NOW, grant, sub, workspace

from app.cache.cache import BillingCache
from app.cache.feed import Feed
from app.domain.change import Record, Source
from app.domain.errors import UnavailableError
from app.domain.workspace_state import WorkspaceState
from app.services.lookup import Lookup


class OneWorkspaceStore:
    """A store that counts its reads and lets the test decide when they end."""

    def __init__(self, *records: Record) -> None:
        self.records: Sequence[Record] = records
        self.reads: list[str] = []
        self.questions: list[set[str]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.error: Exception | None = None

    async def names(self, refs: Collection[str]) -> set[str]:
        self.questions.append(set(refs))
        await self.open.wait()
        if self.error:
            raise self.error
        known = {r.id for r in self.records} | {getattr(r, "external_id", None) for r in self.records}
        return {ref for ref in refs if ref in known}

    async def read_workspace(self, ref: str) -> list[Record]:
        self.reads.append(ref)
        await asyncio.sleep(0)
        return list(self.records)


class House:
    def __init__(self, *records: Record) -> None:
        self.clock = FrozenClock()
        self.cache = BillingCache(feed=Feed(), clock=self.clock, default_plan_key=None)
        self.store = OneWorkspaceStore(*records)
        store: Any = self.store
        self.lookup = Lookup(store, self.cache, self.clock)

    async def ask(self, ref: str) -> WorkspaceState | None:
        found = self.lookup.state(ref)
        return await found if isinstance(found, Awaitable) else found


async def test_hit_is_a_value_and_reads_nothing() -> None:
    house = House()
    house.cache.apply(workspace("ws_1", external_id="acme"), source=Source.COMMIT)

    by_id, by_external_id = house.lookup.state("ws_1"), house.lookup.state("acme")

    assert isinstance(by_id, WorkspaceState)
    assert by_external_id is by_id
    assert house.store.reads == []


async def test_miss_brings_the_workspace_and_all_it_owns_to_ram() -> None:
    house = House(workspace("ws_1", external_id="acme"), sub("sub_1"), grant("grant_1"))

    state = await house.ask("acme")

    assert state is not None
    assert (state.workspace.id, state.subscriptions[0].id, state.grants[0].id) == ("ws_1", "sub_1", "grant_1")
    assert house.lookup.state("ws_1") is state
    assert house.store.reads == ["acme"]


async def test_concurrent_misses_share_one_read() -> None:
    house = House(workspace("ws_1"))
    house.store.open.clear()

    async with asyncio.TaskGroup() as group:
        asks = [group.create_task(house.ask("ws_1")) for _ in range(20)]
        await asyncio.sleep(0)
        house.store.open.set()

    assert len({id(ask.result()) for ask in asks}) == 1
    assert asks[0].result() is not None
    assert house.store.reads == ["ws_1"]


async def test_many_misses_are_two_questions_at_most_and_one_at_a_time() -> None:
    house = House(workspace("ws_1", external_id="acme"))
    house.store.open.clear()

    async with asyncio.TaskGroup() as group:
        first = group.create_task(house.ask("nobody"))
        while not house.store.questions:
            await asyncio.sleep(0)
        asks = [group.create_task(house.ask(ref)) for ref in ("acme", *(f"unknown_{n}" for n in range(50)))]
        for _ in range(10):
            await asyncio.sleep(0)
        assert len(house.store.questions) == 1
        house.store.open.set()

    assert [len(refs) for refs in house.store.questions] == [1, 51]
    assert first.result() is None
    assert [ask.result() is not None for ask in asks] == [True, *[False] * 50]
    assert house.store.reads == ["acme"]


async def test_absence_is_remembered_for_five_seconds() -> None:
    house = House()

    assert await house.ask("nobody") is None
    house.clock.advance(4_999)
    assert house.lookup.state("nobody") is None
    house.clock.advance(2)
    assert await house.ask("nobody") is None

    assert house.store.questions == [{"nobody"}, {"nobody"}]
    assert house.store.reads == []


async def test_made_workspace_is_found_although_it_was_absent() -> None:
    house = House()
    assert await house.ask("ws_1") is None
    house.store.records = (workspace("ws_1"),)

    house.lookup.forget("ws_1")

    assert await house.ask("ws_1") is not None


async def test_stream_ends_an_absence_at_once() -> None:
    house = House()
    assert await house.ask("ws_1") is None

    house.cache.apply(workspace("ws_1"), source=Source.STREAM)

    assert isinstance(house.lookup.state("ws_1"), WorkspaceState)


async def test_archived_owner_is_found_and_deleted_one_is_not() -> None:
    archived = House(workspace("ws_1", archived_at=NOW))
    deleted = House(workspace("ws_1", deleted_at=NOW))

    assert await archived.ask("ws_1") is not None
    assert await deleted.ask("ws_1") is None


async def test_failure_reaches_everybody_who_waited_and_nobody_else() -> None:
    house = House(workspace("ws_1"))
    house.store.open.clear()
    house.store.error = UnavailableError()

    async def ask() -> str:
        try:
            await house.ask("ws_1")
        except UnavailableError:
            return "unavailable"
        return "answered"

    async with asyncio.TaskGroup() as group:
        asks = [group.create_task(ask()) for _ in range(3)]
        await asyncio.sleep(0)
        house.store.open.set()
    house.store.error = None

    assert [ask.result() for ask in asks] == ["unavailable"] * 3
    assert house.store.questions == [{"ws_1"}]
    assert await house.ask("ws_1") is not None


async def test_caller_who_leaves_does_not_take_the_answer_from_the_others() -> None:
    house = House(workspace("ws_1"))
    house.store.open.clear()

    async with asyncio.TaskGroup() as group:
        leaver = group.create_task(house.ask("ws_1"))
        stayer = group.create_task(house.ask("ws_1"))
        await asyncio.sleep(0)
        leaver.cancel()
        await asyncio.sleep(0)
        house.store.open.set()

    assert leaver.cancelled()
    assert stayer.result() is not None


async def test_lookup_never_overwrites_what_ram_has_newer() -> None:
    house = House(workspace("ws_1", version=1), sub("sub_1", version=1))
    house.store.open.clear()

    async with asyncio.TaskGroup() as group:
        ask = group.create_task(house.ask("ws_1"))
        await asyncio.sleep(0)
        house.cache.apply(sub("sub_1", version=2), source=Source.STREAM)
        house.store.open.set()

    state = ask.result()
    assert state is not None
    assert state.subscriptions[0].version == 2


@pytest.mark.parametrize("ref", ["", "ws_1 ", "\x00"])
async def test_odd_references_are_absent(ref: str) -> None:
    assert await House(workspace("ws_1")).ask(ref) is None
