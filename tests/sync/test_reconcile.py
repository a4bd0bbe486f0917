import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any

import pytest
from support.clock import FrozenClock
from support.records import NOW, grant, sub, workspace
from support.sync import raw_grant, raw_workspace, replica, until

from app.cache.cache import BillingCache
from app.cache.feed import Feed
from app.domain.change import Kind, Record, Source, Tombstone
from app.domain.errors import UnavailableError
from app.domain.sync_status import ReconcileResult
from app.telemetry import Metrics
from sync.reconcile import Reconciler

GOOD = grant("grant_1", version=5)
BELIEFS = [
    pytest.param(grant("grant_1", version=1000, reason="corrupt"), id="newer than the store"),
    pytest.param(grant("grant_1", version=5, reason="corrupt"), id="same version"),
    pytest.param(grant("grant_1", version=4), id="older than the store"),
    pytest.param(grant("grant_1", version=5, incarnation="other"), id="another life"),
    pytest.param(Tombstone(Kind.GRANT, "grant_1", 9, "i", "ws_1"), id="taken for deleted"),
    pytest.param(None, id="missing"),
]


class TwoSidedStore:
    """A store whose truth a test may change while it is being read."""

    def __init__(self, *records: Record) -> None:
        self.records = {(record.KIND, record.id): record for record in records}
        self.scans = 0
        self.reads = 0
        self.unseen: set[str] = set()
        self.during_read: list[Any] = []
        self.unreadable: set[str] = set()
        self.note: Any = None
        self.broken = False

    async def read(self, kind: Kind, ids: Collection[str]) -> dict[str, Record]:
        self.reads += 1
        found = {key: self.records[kind, key] for key in ids if (kind, key) in self.records}
        for key in set(found) & self.unreadable:
            del found[key]
            self.note(kind, key, "nonsense")
        await asyncio.sleep(0)
        if self.during_read:
            self.during_read.pop(0)()
        return found

    async def read_workspace(self, ref: str) -> list[Record]:
        return [r for r in self.records.values() if r.id == ref or getattr(r, "workspace_id", None) == ref]

    async def scan(self, kind: Kind) -> AsyncIterator[Sequence[Record | Tombstone]]:
        if self.broken:
            raise UnavailableError
        self.scans += kind is Kind.WORKSPACE
        for (of, key), record in list(self.records.items()):
            if of is kind and key not in self.unseen | self.unreadable:
                await asyncio.sleep(0)
                gone = record.deleted_at is not None
                yield (Tombstone(kind, key, record.version, record.incarnation, "ws_1") if gone else record,)


class House:
    def __init__(self, *records: Record, live: bool = True) -> None:
        self.cache = BillingCache(feed=Feed(), clock=FrozenClock(), default_plan_key=None)
        self.metrics = Metrics()
        self.store = TwoSidedStore(*records)
        self.store.note = self.cache.note_malformed
        self.live = live
        self.on_settle: list[Any] = []
        store: Any = self.store
        self.reconciler = Reconciler(
            store=store,
            cache=self.cache,
            clock=FrozenClock(),
            metrics=self.metrics,
            is_live=lambda: self.live,
            settle=self._settle,
        )

    async def _settle(self) -> None:
        if self.live and self.on_settle:
            self.on_settle.pop(0)()

    async def load(self) -> ReconcileResult:
        self.live = False
        result = await self.reconciler.run()
        self.live = True
        return result

    def corrupt(self, belief: Record | Tombstone | None) -> None:
        if belief is None:
            del self.cache._tables[Kind.GRANT].live["grant_1"]
        else:
            self.cache.apply(belief, source=Source.COMMIT, authoritative=True)


async def test_first_load_finds_everything_new_and_nothing_wrong() -> None:
    house = House(workspace(), sub(), grant(version=3, deleted_at=NOW))

    result = await house.load()

    assert result == ReconcileResult(compared=3, repaired=0, dropped=0, initial=True)
    state = house.cache.state("ws_1")
    assert state is not None
    assert state.version == 1 + 1 + 3  # the dead count too


@pytest.mark.parametrize("belief", BELIEFS)
@pytest.mark.parametrize("live", [True, False])
async def test_corrupted_record_is_found_repaired_counted_and_named(
    belief: Record | Tombstone | None, *, live: bool
) -> None:
    house = House(workspace(), GOOD)
    await house.load()
    house.live = live
    house.corrupt(belief)

    found = await house.reconciler.run(dry_run=True)
    held_after_dry_run = house.cache.held(Kind.GRANT, "grant_1")
    repaired = await house.reconciler.run()
    healthy = await house.reconciler.run()

    assert held_after_dry_run == belief
    assert found == ReconcileResult(compared=2, repaired=1, dropped=0, divergent=("grants/grant_1",), dry_run=True)
    assert (repaired.repaired, repaired.dropped, repaired.divergent) == (1, 0, ("grants/grant_1",))
    assert house.cache.held(Kind.GRANT, "grant_1") == GOOD
    assert (healthy.repaired, healthy.dropped) == (0, 0)
    assert house.reconciler.status.repaired_total == 1
    assert house.metrics.value("reconcile_repaired") == 1
    assert house.metrics.value("reconcile_runs") == 4


@pytest.mark.parametrize("scope", [None, "ws_1"])
async def test_record_that_the_store_lacks_is_dropped(scope: str | None) -> None:
    house = House(workspace())
    await house.load()
    house.cache.apply(GOOD, source=Source.STREAM)

    found = await house.reconciler.run(workspace_id=scope, dry_run=True)
    still_held = house.cache.held(Kind.GRANT, "grant_1")
    result = await house.reconciler.run(workspace_id=scope)

    assert (found.dropped, still_held) == (1, GOOD)
    assert (result.dropped, result.divergent) == (1, ("grants/grant_1",))
    assert isinstance(house.cache.held(Kind.GRANT, "grant_1"), Tombstone)
    assert house.reconciler.status.dropped_total == 1


async def test_workspace_scope_repairs_that_workspace_only() -> None:
    house = House(workspace(), workspace("ws_2"), GOOD, grant("grant_2", workspace_id="ws_2"))
    await house.load()
    house.corrupt(grant("grant_1", version=1000))
    house.cache.apply(grant("grant_2", version=1000, workspace_id="ws_2"), source=Source.COMMIT)

    result = await house.reconciler.run(workspace_id="ws_1")

    assert (result.repaired, result.divergent) == (1, ("grants/grant_1",))
    assert house.cache.held(Kind.GRANT, "grant_1") == GOOD
    other = house.cache.held(Kind.GRANT, "grant_2")
    assert other is not None
    assert other.version == 1000


async def test_record_written_where_the_scan_had_passed_is_not_dropped() -> None:
    house = House(workspace(), GOOD)
    await house.load()
    house.store.unseen.add("grant_1")

    result = await house.reconciler.run()

    assert (result.dropped, house.cache.held(Kind.GRANT, "grant_1")) == (0, GOOD)


async def test_unreadable_record_keeps_its_last_good_state() -> None:
    house = House(workspace(), GOOD)
    await house.load()
    house.store.unreadable.add("grant_1")

    result = await house.reconciler.run()

    assert (result.repaired, result.dropped) == (0, 0)
    assert house.cache.held(Kind.GRANT, "grant_1") == GOOD
    assert house.cache.status().malformed == ("grants/grant_1: nonsense",)


async def test_answer_older_than_what_the_stream_brought_meanwhile_is_not_applied() -> None:
    house = House(workspace(), GOOD)
    await house.load()
    house.corrupt(grant("grant_1", version=4))
    newest = grant("grant_1", version=6)

    def stream_overtakes() -> None:
        house.store.records[Kind.GRANT, "grant_1"] = newest
        house.cache.apply(newest, source=Source.STREAM)

    house.store.during_read.append(stream_overtakes)
    result = await house.reconciler.run()

    assert house.cache.held(Kind.GRANT, "grant_1") == newest
    assert (result.repaired, house.store.reads) == (0, 2)


async def test_delay_of_the_stream_is_no_defect() -> None:
    house = House(workspace(), GOOD)
    await house.load()
    newest = grant("grant_1", version=6)
    house.store.records[Kind.GRANT, "grant_1"] = newest
    house.on_settle.append(lambda: house.cache.apply(newest, source=Source.STREAM))

    result = await house.reconciler.run()

    assert (result.repaired, result.divergent) == (0, ())


async def test_record_that_never_stands_still_is_left_to_the_stream() -> None:
    house = House(workspace(), GOOD)
    await house.load()
    house.corrupt(grant("grant_1", version=4))

    def write() -> None:
        held = house.cache.held(Kind.GRANT, "grant_1")
        assert held is not None
        house.cache.apply(grant("grant_1", version=held.version + 1, reason="hot"), source=Source.STREAM)

    house.store.during_read = [write] * 50
    result = await house.reconciler.run()

    assert result.repaired == 0
    assert house.store.reads < 10


async def test_runs_that_are_asked_for_meanwhile_share_the_next_one() -> None:
    house = House(workspace())

    results = await asyncio.gather(*(house.reconciler.run() for _ in range(10)))

    assert house.store.scans == 2
    assert len({id(result) for result in results}) == 2


async def test_dry_run_is_never_shared_with_a_repair() -> None:
    house = House(workspace(), GOOD)
    await house.load()

    results = await asyncio.gather(*(house.reconciler.run(dry_run=n % 2 == 0) for n in range(6)))

    assert [result.dry_run for result in results] == [True, False] * 3


async def test_failed_run_changes_nothing_and_says_so() -> None:
    house = House(workspace(), GOOD)
    await house.load()
    house.store.broken = True

    with pytest.raises(UnavailableError):
        await house.reconciler.run()

    assert house.cache.held(Kind.GRANT, "grant_1") == GOOD
    assert house.reconciler.status.running is False
    house.store.broken = False
    assert (await house.reconciler.run()).repaired == 0


async def test_long_lists_of_differences_are_cut_at_a_hundred_names() -> None:
    house = House(*(grant(f"grant_{n}") for n in range(250)))
    await house.load()
    for n in range(250):
        house.cache.apply(grant(f"grant_{n}", version=9), source=Source.COMMIT)

    result = await house.reconciler.run()

    assert (result.repaired, len(result.divergent)) == (250, 100)


async def test_real_store_repairs_real_corruption(mongodb_uri: str, database: str) -> None:
    async with replica(mongodb_uri, database) as started:
        await started.mongo.db.workspaces.insert_one(raw_workspace("ws_1", name="true"))
        await started.mongo.db.grants.insert_many([raw_grant(f"g{n}") for n in range(50)])
        await until(lambda: len(started.held(Kind.GRANT)) == 50)
        await started.live()
        good = started.held(Kind.GRANT)
        started.cache.apply(grant("g1", version=1000), source=Source.COMMIT)
        started.cache.apply(grant("g2", reason="edited in RAM"), source=Source.STREAM)
        started.cache.apply(Tombstone(Kind.GRANT, "g3"), source=Source.STREAM)
        started.cache.apply(grant("ghost"), source=Source.COMMIT)
        corrupt = started.held(Kind.GRANT)

        dry = await started.sync.resync(workspace_id=None, dry_run=True)
        after_dry = started.held(Kind.GRANT)
        wet = await started.sync.resync(workspace_id="ws_1", dry_run=False)
        again = await started.sync.resync(workspace_id=None, dry_run=False)
        after = started.held(Kind.GRANT)

    assert after_dry == corrupt
    assert after == good
    named = {"grants/g1", "grants/g2", "grants/g3", "grants/ghost"}
    for result in (dry, wet):
        assert (result.repaired, result.dropped, set(result.divergent)) == (3, 1, named)
    assert (again.repaired, again.dropped) == (0, 0)
