"""What breaks under a running service: the server's history, the server itself, its answers."""

import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pymongo
import pytest
from support.clock import FrozenClock
from support.store import opened
from support.stripe import T0, customer, stored_event
from support.sync import Replica, raw_workspace, replica, until

from app.domain.errors import UnavailableError
from app.domain.sync_status import WorkerState
from app.sandbox.mongod import EmbeddedMongod
from app.store.inbox import MongoInbox

Raw = dict[str, Any]
DATABASE = "faults"


class Server:
    """A mongod of this module's own, that may be hurt."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.start()

    def start(self) -> None:
        # Test commands give fail points, by which a real server answers what it otherwise says once in a year.
        self.mongod = EmbeddedMongod.start(self._directory, extra_args=["--setParameter", "enableTestCommands=1"])
        self.uri = self.mongod.uri

    def signal(self, number: int) -> None:
        assert self.mongod.pid is not None
        os.kill(self.mongod.pid, number)

    def rename_workspace(self, name: str) -> None:
        with pymongo.MongoClient[Raw](self.uri, w="majority") as client:
            change = {"$set": {"name": name}, "$inc": {"version": 1}}
            client[DATABASE].workspaces.update_one({"_id": "ws_1"}, change)

    def answer_once(self, commands: list[str], **answer: object) -> None:
        point = {"failCommands": commands, "appName": "entitled-stream", **answer}
        with pymongo.MongoClient[Raw](self.uri) as client:
            client.admin.command("configureFailPoint", "failCommand", mode={"times": 1}, data=point)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    started = Server(tmp_path_factory.mktemp("hurt"))
    with pymongo.MongoClient[Raw](started.uri, w="majority") as client:
        client[DATABASE].workspaces.insert_one(raw_workspace("ws_1", name="before"))
    yield started
    started.mongod.stop()


@pytest.fixture
async def live(server: Server) -> AsyncIterator[Replica]:
    async with replica(server.uri, DATABASE) as started:
        await started.live()
        yield started


def name_in_ram(process: Replica) -> object:
    state = process.cache.state("ws_1")
    return state and state.workspace.name


def reopened(process: Replica) -> float:
    streams = ("control_stream", "usage_stream")
    return sum(process.metrics.value("stream_reopened", name) for name in streams)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({"errorCode": 286, "errorLabels": ["NonResumableChangeStreamError"]}, id="history lost"),
        pytest.param({"errorCode": 136}, id="position lost, without a label"),
        pytest.param({"errorCode": 280}, id="fatal"),
    ],
)
async def test_lost_history_leads_to_reopening_and_reconciling(
    live: Replica, server: Server, answer: dict[str, object]
) -> None:
    runs = live.metrics.value("reconcile_runs")
    server.answer_once(["getMore"], **answer)

    await until(lambda: reopened(live) >= 1)
    await live.live()
    server.rename_workspace(f"after {answer}")
    await until(lambda: name_in_ram(live) == f"after {answer}")

    assert live.metrics.value("reconcile_runs") > runs
    assert live.sync.is_ready()


async def test_change_that_the_lost_stream_never_told_is_found_by_reconcile(live: Replica, server: Server) -> None:
    server.answer_once(["getMore"], errorCode=286, errorLabels=["NonResumableChangeStreamError"])
    await until(lambda: WorkerState.INTERRUPTED in live.states().values())

    server.rename_workspace("untold")

    await until(lambda: name_in_ram(live) == "untold")
    await live.live()


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({"closeConnection": True}, id="connection cut"),
        pytest.param({"errorCode": 43}, id="cursor not found"),
        pytest.param({"errorCode": 11602, "errorLabels": ["ResumableChangeStreamError"]}, id="state change"),
    ],
)
async def test_passing_trouble_keeps_the_stream(live: Replica, server: Server, answer: dict[str, object]) -> None:
    server.answer_once(["getMore"], **answer)
    server.rename_workspace(f"after {answer}")

    await until(lambda: name_in_ram(live) == f"after {answer}")
    await live.live()

    assert reopened(live) == 0


async def test_killed_server_interrupts_reads_go_on_and_who_starts_meanwhile_waits(
    live: Replica, server: Server
) -> None:
    before = name_in_ram(live)
    server.signal(signal.SIGKILL)
    server.mongod.stop()
    late = Replica(server.uri, DATABASE)

    async with late.sync.running():
        await until(lambda: live.states()["control_stream"] is WorkerState.INTERRUPTED)
        error = live.sync.worker_statuses()[0].last_error
        assert error is not None
        assert "127.0.0.1" in error
        assert (name_in_ram(live), live.sync.is_ready()) == (before, True)
        await until(lambda: late.sync.worker_statuses()[0].last_error is not None)
        assert (name_in_ram(late), late.sync.is_ready()) == (None, False)
        assert late.states()["control_stream"] is WorkerState.INITIALIZING
        server.start()
        server.rename_workspace("after the restart")

        await until(lambda: name_in_ram(live) == name_in_ram(late) == "after the restart")
        await live.live()
        await late.live()
        proof = await live.sync.resync(workspace_id=None, dry_run=True)
    await late.mongo.close()
    assert (proof.repaired, proof.dropped) == (0, 0)


async def test_frozen_server_is_noticed_and_followed_again(live: Replica, server: Server) -> None:
    server.signal(signal.SIGSTOP)
    try:
        await until(lambda: live.states()["control_stream"] is WorkerState.INTERRUPTED)
    finally:
        server.signal(signal.SIGCONT)

    server.rename_workspace("thawed")
    await until(lambda: name_in_ram(live) == "thawed")
    await live.live()


async def test_an_event_that_a_majority_does_not_have_yet_is_not_acknowledged(server: Server) -> None:
    not_yet = {"code": 50, "codeName": "MaxTimeMSExpired", "errmsg": "waiting for replication timed out"}
    told = stored_event("evt_1", "customer.created", customer())
    async with opened(server.uri, DATABASE, with_indexes=False) as mongo:
        inbox = MongoInbox(mongo, FrozenClock(T0 * 1000))
        server.answer_once(["insert"], appName="entitled", writeConcernError=not_yet)

        with pytest.raises(UnavailableError):
            await inbox.accept(told)

        assert await inbox.accept(told) is False  # Stripe sends it again, and the sweep marks its object
