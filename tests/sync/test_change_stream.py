import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, Self

import motor.motor_asyncio
import pymongo
import pytest
from pymongo.database import Database
from support.clock import FrozenClock
from support.records import NOW
from support.sync import NOW_DATE, Replica, raw_grant, raw_workspace, replica, until

from app.cache.cache import BillingCache
from app.cache.feed import Feed
from app.domain.change import Kind, Outcome, Source
from app.domain.sync_status import WorkerState
from app.domain.workspace import Workspace
from app.store.watch import Change, StreamLostError, StreamPausedError
from app.telemetry import Metrics
from sync.change_stream import StreamWorker
from sync.status import Workers

Raw = dict[str, Any]


@pytest.fixture
def foreign(mongodb_uri: str, database: str) -> Iterator[Database[Raw]]:
    """Give another application's access to the database."""
    with pymongo.MongoClient[Raw](mongodb_uri) as client:
        yield client.get_database(database, write_concern=pymongo.WriteConcern("majority"))


@pytest.fixture
async def live(mongodb_uri: str, database: str, foreign: Database[Raw]) -> AsyncIterator[Replica]:
    """Give a replica that is live, in a database with one workspace."""
    foreign.workspaces.insert_one(raw_workspace("ws_1", name="first"))
    async with replica(mongodb_uri, database) as started:
        await started.live()
        yield started


def name_of(process: Replica, id: str = "ws_1") -> str | None:
    held = process.cache.held(Kind.WORKSPACE, id)
    return held.name if isinstance(held, Workspace) else None


def reopened(process: Replica) -> float:
    return process.metrics.value("stream_reopened", "control_stream")


class Writers:
    """Threads that insert, update, delete softly and hard, and make anew, until told to stop."""

    def __init__(self, database: Database[Raw], *, threads: int = 3, documents: int = 40) -> None:
        self.writes = 0
        self._database = database
        self._documents = documents
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._write, args=(n,)) for n in range(threads)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _write(self, writer: int) -> None:
        grants = self._database.grants
        turn = 0
        while not self._stopping.is_set():
            id = f"w{writer}_{turn * 7 % self._documents}"  # noqa: A001 - the word
            turn += 1
            match turn % 5:
                case 0:
                    grants.delete_one({"_id": id})
                case 1 | 2:
                    update = {"$inc": {"version": 1}, "$set": {"reason": str(turn), "deletedAt": None}}
                    grants.update_one({"_id": id}, update)
                case 3:
                    grants.update_one({"_id": id}, {"$inc": {"version": 1}, "$set": {"deletedAt": NOW_DATE}})
                case _:
                    if not grants.find_one({"_id": id}):
                        grants.insert_one(raw_grant(id) | {"incarnation": f"{writer}.{turn}"})
            self.writes += 1


async def test_load_leaves_no_gap_while_others_write(mongodb_uri: str, database: str, foreign: Database[Raw]) -> None:
    foreign.grants.insert_many([raw_grant(f"g{n}") for n in range(15_000)])

    with Writers(foreign) as writers:
        await until(lambda: writers.writes > 300)
        async with replica(mongodb_uri, database) as started:
            before = writers.writes
            await started.live()
            during = writers.writes - before
            await until(lambda: writers.writes > before + 2_000)
            writers.__exit__()
            stored = await started.stored(Kind.GRANT)

            await until(lambda: started.held(Kind.GRANT) == stored)
            proof = await started.sync.resync(workspace_id=None, dry_run=False)

    assert during > 100
    assert (proof.repaired, proof.dropped) == (0, 0)
    first = started.sync.reconcile_status()
    assert (first.repaired_total, first.dropped_total) == (0, 0)


async def test_healthy_ram_is_never_repaired_while_others_write(live: Replica, foreign: Database[Raw]) -> None:
    with Writers(foreign, threads=2) as writers:
        rounds = 0
        while rounds < 6 or writers.writes < 300:
            rounds += 1
            result = await live.sync.resync(workspace_id=None, dry_run=rounds % 2 == 0)
            assert (result.repaired, result.dropped, result.divergent) == (0, 0, ())


async def test_foreign_motor_writer_reaches_ram_without_any_call(
    live: Replica, mongodb_uri: str, database: str
) -> None:
    client: Any = motor.motor_asyncio.AsyncIOMotorClient(mongodb_uri)
    workspaces = client[database].workspaces

    await workspaces.update_one({"_id": "ws_1"}, {"$set": {"name": "no version raised"}})
    await until(lambda: name_of(live) == "no version raised")
    await workspaces.insert_one({"_id": "ws_bare"})
    await until(lambda: live.cache.state("ws_bare") is not None)
    await workspaces.update_one({"_id": "ws_bare"}, {"$set": {"externalId": "acme"}})
    await until(lambda: live.cache.workspace_id("acme") == "ws_bare")
    await workspaces.delete_one({"_id": "ws_bare"})
    await until(lambda: live.cache.state("ws_bare") is None)
    client.close()

    assert live.cache.counters[Kind.WORKSPACE, Source.STREAM, Outcome.DIVERGED] == 2


async def test_bulk_change_of_ten_thousand_documents_reaches_ram(
    live: Replica, mongodb_uri: str, database: str, foreign: Database[Raw]
) -> None:
    foreign.grants.insert_many([raw_grant(f"g{n}", f"ws_{n % 50}") for n in range(10_000)])
    await until(lambda: len(live.cache.ids(Kind.GRANT)) == 10_000)
    client: Any = motor.motor_asyncio.AsyncIOMotorClient(mongodb_uri)

    await client[database].grants.update_many({}, {"$set": {"reason": "bulk"}, "$inc": {"version": 1}})
    client.close()

    stored = await live.stored(Kind.GRANT)
    await until(lambda: live.held(Kind.GRANT) == stored)
    assert {record.version for record in stored.values()} == {2}


async def test_transaction_is_seen_whole_or_not_at_all(live: Replica, foreign: Database[Raw]) -> None:
    names = [f"t{n}" for n in range(700)]
    foreign.grants.insert_many([raw_grant(name) for name in names])
    await until(lambda: len(live.cache.ids(Kind.GRANT)) == len(names))
    written = threading.Event()

    def write() -> None:
        with foreign.client.start_session() as session:
            for version in range(2, 12):
                with session.start_transaction():
                    changed = [pymongo.ReplaceOne({"_id": name}, raw_grant(name, version=version)) for name in names]
                    foreign.grants.bulk_write(changed, session=session)
                    foreign.workspaces.replace_one(
                        {"_id": "ws_1"}, raw_workspace("ws_1", name=str(version)), session=session
                    )
        written.set()

    halves, seen = [], set()
    thread = threading.Thread(target=write)
    thread.start()
    while not written.is_set() or name_of(live) != "11":
        await asyncio.sleep(0)
        versions = {live.cache.held(Kind.GRANT, name).version for name in names[::50]}  # type: ignore[union-attr]
        seen |= versions
        if len(versions) != 1:
            halves.append(versions)
    thread.join()

    assert halves == []
    assert len(seen) > 2


async def test_balances_come_by_their_own_stream(live: Replica, foreign: Database[Raw]) -> None:
    foreign.balances.insert_one({"_id": "ws_1", "version": 1, "incarnation": "i", "meters": {}})

    def has_balance() -> bool:
        state = live.cache.state("ws_1")
        return state is not None and state.balance is not None

    await until(has_balance)
    assert live.cache.counters[Kind.BALANCE, Source.STREAM, Outcome.APPLIED] == 1


async def test_unreadable_document_keeps_its_last_good_state(live: Replica, foreign: Database[Raw]) -> None:
    foreign.workspaces.update_one({"_id": "ws_1"}, {"$set": {"name": {"not": "text"}}})
    await until(lambda: live.cache.status().malformed != ())
    assert name_of(live) == "first"
    assert live.cache.status().malformed[0].startswith("workspaces/ws_1: ")

    repair = await live.sync.resync(workspace_id=None, dry_run=False)
    assert (repair.repaired, repair.dropped) == (0, 0)
    assert name_of(live) == "first"

    foreign.workspaces.update_one({"_id": "ws_1"}, {"$set": {"name": "good again"}})
    await until(lambda: name_of(live) == "good again")
    assert live.cache.status().malformed == ()


async def test_soft_and_hard_deletes_leave_ram(live: Replica, foreign: Database[Raw]) -> None:
    foreign.grants.insert_many([raw_grant("soft"), raw_grant("hard")])
    await until(lambda: set(live.cache.ids(Kind.GRANT)) == {"soft", "hard"})

    foreign.grants.update_one({"_id": "soft"}, {"$set": {"deletedAt": NOW_DATE}, "$inc": {"version": 1}})
    foreign.grants.delete_one({"_id": "hard"})

    await until(lambda: live.cache.ids(Kind.GRANT) == [])


@pytest.mark.parametrize("how", ["drop", "rename away", "rename over", "dropDatabase"])
async def test_collection_that_vanishes_reopens_the_stream_and_reconciles(
    live: Replica, foreign: Database[Raw], how: str
) -> None:
    foreign.grants.insert_many([raw_grant("g1"), raw_grant("g2")])
    await until(lambda: len(live.cache.ids(Kind.GRANT)) == 2)
    expected: list[str] = []

    match how:
        case "drop":
            foreign.grants.drop()
        case "rename away":
            foreign.grants.rename("elsewhere")
        case "rename over":
            foreign.elsewhere.insert_one(raw_grant("g3"))
            foreign.elsewhere.rename("grants", dropTarget=True)
            expected = ["g3"]
        case _:
            foreign.client.drop_database(foreign.name)

    await until(lambda: live.cache.ids(Kind.GRANT) == expected)
    await until(lambda: reopened(live) >= 1)
    await live.live()
    foreign.grants.insert_one(raw_grant("after"))
    await until(lambda: set(live.cache.ids(Kind.GRANT)) == {*expected, "after"})


async def test_other_peoples_collections_do_not_disturb(live: Replica, foreign: Database[Raw]) -> None:
    foreign.theirs.insert_one({"_id": 1})
    foreign.theirs.rename("their_new_name")
    foreign.their_new_name.drop()

    foreign.workspaces.update_one({"_id": "ws_1"}, {"$set": {"name": "seen"}})
    await until(lambda: name_of(live) == "seen")

    assert reopened(live) == 0


async def test_killed_cursor_loses_nothing(live: Replica, foreign: Database[Raw]) -> None:
    cursors = foreign.client.admin.aggregate(
        [
            {"$currentOp": {"idleCursors": True, "allUsers": True}},
            {"$match": {"op": "getmore", "ns": {"$regex": f"^{foreign.name}[.]"}}},
        ]
    )
    ids = [found["cursor"]["cursorId"] for found in cursors]

    foreign.command("killCursors", "$cmd.aggregate", cursors=ids)
    for n in range(50):
        foreign.workspaces.update_one({"_id": "ws_1"}, {"$set": {"name": str(n)}, "$inc": {"version": 1}})

    assert len(ids) >= 2
    await until(lambda: name_of(live) == "49")
    await live.live()
    held = live.cache.held(Kind.WORKSPACE, "ws_1")
    assert held is not None
    assert held.version == 51


async def test_lag_is_told(live: Replica, foreign: Database[Raw]) -> None:
    foreign.workspaces.update_one({"_id": "ws_1"}, {"$set": {"name": "x"}})
    await until(lambda: name_of(live) == "x")

    # The frozen clock stands long before the server's, so the lag is nothing rather than negative.
    assert live.metrics.value("apply_lag_seconds", "control_stream") == 0
    assert live.cache.status().last_applied_at == NOW


async def test_workers_are_off_once_stopped(mongodb_uri: str, database: str) -> None:
    async with replica(mongodb_uri, database) as started:
        await started.live()
        assert started.sync.is_ready()

    assert set(started.states().values()) == {WorkerState.OFF}
    assert started.metrics.value("worker_valid", "control_stream") == 0


class TellTale:
    """A stream that tells what a test puts into it, in batches, and gives up the loop only between them."""

    position = (1, 1)

    def __init__(self) -> None:
        self.batches: asyncio.Queue[list[Change | Exception | None]] = asyncio.Queue()
        self.batch: list[Change | Exception | None] = []
        self.is_closed = False
        self.deaf = False

    async def poll(self) -> Change | None:
        while not self.batch:
            try:
                self.batch = await self.batches.get()
            except asyncio.CancelledError:
                if not self.deaf:
                    raise
                return None
        told = self.batch.pop(0)
        if isinstance(told, Exception):
            raise told
        return told

    async def now(self) -> tuple[int, int]:
        return self.position

    async def close(self) -> None:
        self.is_closed = True


class Bench:
    def __init__(self) -> None:
        clock, self.metrics = FrozenClock(), Metrics()
        self.cache = BillingCache(feed=Feed(), clock=clock, default_plan_key=None)
        self.watches: list[TellTale] = []
        self.worker = Workers(clock=clock, metrics=self.metrics, feed=Feed()).add("control_stream")
        self.stream = StreamWorker(
            self.worker,
            self._open,
            cache=self.cache,
            metrics=self.metrics,
            clock=clock,
            opened=lambda: None,
            became_valid=lambda: None,
        )

    async def _open(self) -> Any:
        self.watches.append(TellTale())
        return self.watches[-1]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[TellTale]:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(self.stream.run())
            await until(lambda: self.stream.is_open)
            yield self.watches[-1]
            task.cancel()


def told(n: int, transaction: int | None = None) -> Change:
    document = raw_grant(f"g{n}") | {"effectiveAt": NOW_DATE.replace(tzinfo=None)}
    return Change(Kind.GRANT, f"g{n}", document, (b"session", transaction) if transaction else None, NOW - 1500)


async def test_transaction_that_the_server_cut_in_two_batches_is_applied_whole() -> None:
    bench = Bench()
    sizes: set[int] = set()

    async with bench.running() as watch:
        watch.batches.put_nowait([told(n, 1) for n in range(300)] + [told(n, 2) for n in range(300, 900)])
        for _ in range(50):
            await asyncio.sleep(0)
            sizes.add(len(bench.cache.ids(Kind.GRANT)))
        watch.position = (1, 2)
        assert not await bench.stream.passed((1, 2), 0.01)
        watch.batches.put_nowait([told(n, 2) for n in range(900, 1000)])
        for _ in range(50):
            await asyncio.sleep(0)
            sizes.add(len(bench.cache.ids(Kind.GRANT)))
        assert await bench.stream.passed((1, 2), 1)

    assert sizes - {0} == {300, 1000}
    assert bench.metrics.value("apply_lag_seconds", "control_stream") == 1.5


async def test_large_transaction_waits_for_nobody_once_the_stream_is_idle() -> None:
    bench = Bench()

    async with bench.running() as watch:
        watch.batches.put_nowait([told(n, 1) for n in range(600)])
        watch.batches.put_nowait([None])
        await until(lambda: len(bench.cache.ids(Kind.GRANT)) == 600)


async def test_stream_is_valid_once_loaded_and_past_what_the_load_saw() -> None:
    bench = Bench()
    states = [bench.worker.status.state]

    async with bench.running() as watch:
        states.append(bench.worker.status.state)
        bench.stream.loaded((2, 0))
        watch.position = (1, 9)
        watch.batches.put_nowait([told(1), None])
        await until(lambda: bench.cache.ids(Kind.GRANT) == ["g1"])
        states.append(bench.worker.status.state)
        watch.position = (2, 0)
        watch.batches.put_nowait([None])
        await until(lambda: bench.worker.is_valid)

    assert states == [WorkerState.OFF, WorkerState.INITIALIZING, WorkerState.INITIALIZING]


async def test_pause_interrupts_until_the_stream_has_caught_up() -> None:
    bench = Bench()

    async with bench.running() as watch:
        bench.stream.loaded((1, 1))
        await until(lambda: bench.worker.is_valid)
        watch.batches.put_nowait([StreamPausedError("no answer"), None])
        await until(lambda: not bench.worker.is_valid)
        await until(lambda: bench.worker.is_valid)

    assert bench.stream.opening == 1
    assert bench.worker.status.last_error == "no answer"


async def test_lost_stream_is_closed_and_its_successor_needs_a_load_of_its_own() -> None:
    bench = Bench()

    async with bench.running() as first:
        bench.stream.loaded((1, 1))
        await until(lambda: bench.worker.is_valid)
        first.batches.put_nowait([told(1), StreamLostError("drop of grants")])
        await until(lambda: bench.stream.opening == 2)
        interrupted = bench.worker.status
        bench.watches[1].batches.put_nowait([None])
        await until(lambda: not bench.watches[1].batch)
        still = bench.worker.status.state
        bench.stream.loaded((1, 1))
        await until(lambda: bench.worker.is_valid)

    assert (interrupted.state, interrupted.last_error) == (WorkerState.INTERRUPTED, "stream lost: drop of grants")
    assert still is WorkerState.INTERRUPTED
    assert first.is_closed
    assert bench.metrics.value("stream_reopened", "control_stream") == 1


async def test_cancellation_that_the_driver_swallows_ends_the_worker_all_the_same() -> None:
    bench = Bench()

    async with bench.running() as watch:
        watch.deaf = True

    assert watch.is_closed


async def test_flood_leaves_the_loop_to_others() -> None:
    bench = Bench()
    turns = 0

    async with bench.running() as watch:
        watch.batches.put_nowait([told(n) for n in range(5_000)])
        while len(bench.cache.ids(Kind.GRANT)) < 5_000:
            await asyncio.sleep(0)
            turns += 1

    assert turns > 5_000 / 400
