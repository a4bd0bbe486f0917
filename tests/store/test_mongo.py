"""A server that cannot serve us is refused with words, one that does not answer in bounded time."""

import asyncio
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymongo
import pytest
from bson.datetime_ms import DatetimeMS
from pymongo.errors import PyMongoError
from support.records import workspace
from support.store import frozen, opened

from app.domain.change import Kind
from app.domain.errors import UnavailableError
from app.sandbox.mongod import EmbeddedMongod, find_mongod
from app.store.journals import RETENTION_INDEX
from app.store.mapping import to_document
from app.store.mongo import DOCUMENTS, Mongo, RefusedError, Retention, StandaloneError, TakenError, VersionError, unfit
from app.store.records import MongoStore

REPLICA_SET = {"setName": "rs0"}
BOUNDED_S = 15
"""Far above the deadlines that the tests set, on a busy machine too, and far below what the driver waits by itself."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedMongod]:
    """Give a mongod of our own, to be frozen."""
    mongod = EmbeddedMongod.start(Path(tmp_path_factory.mktemp("frozen")))
    yield mongod
    mongod.stop()


@pytest.fixture
def standalone_uri(tmp_path: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (tmp_path / "data").mkdir()
    command = [find_mongod(), "--dbpath", tmp_path / "data", "--port", str(port), "--bind_ip", "127.0.0.1"]
    command += ["--nounixsocket", "--wiredTigerCacheSizeGB", "0.25", "--logpath", tmp_path / "log"]
    with subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL) as process:
        yield f"mongodb://127.0.0.1:{port}/"
        process.kill()


async def indexes_of(mongo: Mongo, collection: str) -> dict[str, Any]:
    return dict(await mongo.db[collection].index_information())


async def test_a_standalone_server_is_told_how_to_become_a_replica_set(standalone_uri: str) -> None:
    with pytest.raises(StandaloneError, match=r"mongod --replSet.*rs\.initiate\(\)"):
        async with opened(standalone_uri, "x", timeout_s=20):
            pass


async def test_a_server_that_is_not_there_is_unavailable_and_its_password_is_not_told() -> None:
    with pytest.raises(UnavailableError, match="no MongoDB answered at mongodb://") as raised:
        async with opened("mongodb://somebody:hunter2@127.0.0.1:1/", "x", timeout_s=0.3):
            pass

    assert "hunter2" not in str(raised.value)


async def test_replicas_that_start_at_once_on_a_new_database_all_start(mongodb_uri: str, database: str) -> None:
    async def start() -> set[str]:
        async with opened(mongodb_uri, database) as mongo:
            return set(await mongo.db.list_collection_names())

    found = await asyncio.gather(*(start() for _ in range(8)))

    assert all(names >= {document.get_settings().name for document in DOCUMENTS} for names in found)


@pytest.mark.parametrize(
    ("hello", "version", "fault"),
    [
        pytest.param(REPLICA_SET, "6.0.5", type(None), id="oldest"),
        pytest.param({"msg": "isdbgrid"}, "8.2.0", type(None), id="sharded cluster"),
        pytest.param(REPLICA_SET, "5.0.31", VersionError, id="too old"),
        pytest.param({}, "8.0.0", StandaloneError, id="standalone"),
    ],
)
def test_which_servers_are_fit(hello: dict[str, Any], version: str, fault: type) -> None:
    assert type(unfit(hello, version, "mongodb://db")) is fault


async def test_open_makes_every_collection_and_opening_again_changes_nothing(mongodb_uri: str, database: str) -> None:
    async with opened(mongodb_uri, database) as mongo:
        names = set(await mongo.db.list_collection_names())
        before = {name: await indexes_of(mongo, name) for name in names}
    async with opened(mongodb_uri, database) as mongo:
        after = {name: await indexes_of(mongo, name) for name in names}

    assert {document.get_collection_name() for document in DOCUMENTS} <= names
    assert "externalId_1" in before["workspaces"]
    assert after == before


async def test_indexes_can_be_left_out(mongodb_uri: str, database: str) -> None:
    async with opened(mongodb_uri, database, with_indexes=False) as mongo:
        assert await mongo.db.list_collection_names() == []


async def test_a_changed_retention_takes_effect_on_an_index_that_is_there(mongodb_uri: str, database: str) -> None:
    kept: list[list[int]] = []
    for retention in (Retention(audit_s=100, idempotency_s=200), Retention(audit_s=300, idempotency_s=200)):
        async with opened(mongodb_uri, database, retention=retention) as mongo:
            indexes = [(await indexes_of(mongo, name))[RETENTION_INDEX] for name in ("audit", "idempotency")]
        kept.append([index["expireAfterSeconds"] for index in indexes])

    assert kept == [[100, 200], [300, 200]]


def test_retention_never_exceeds_what_the_server_takes() -> None:
    assert Retention(audit_s=36_500 * 86_400).of("audit") == 2**31 - 1


async def test_duplicates_that_stand_in_the_way_of_an_index_are_named(mongodb_uri: str, database: str) -> None:
    with pymongo.MongoClient[dict[str, Any]](mongodb_uri) as client:
        client[database]["features"].insert_many([{"_id": "a", "key": "x"}, {"_id": "b", "key": "x"}])

    with pytest.raises(RefusedError, match="key_1 dup key"):
        async with opened(mongodb_uri, database):
            pass


async def test_a_transaction_is_run_again_where_it_collides(mongodb_uri: str, database: str) -> None:
    async with opened(mongodb_uri, database) as mongo:
        counters = mongo.db["workspaces"]
        await counters.insert_one({"_id": "n", "count": 0})

        async def increment(session: Any) -> None:
            read = await counters.find_one({"_id": "n"}, session=session)
            assert read
            await asyncio.sleep(0)
            await counters.update_one({"_id": "n"}, {"$set": {"count": read["count"] + 1}}, session=session)

        await asyncio.gather(*(mongo.transaction(increment) for _ in range(5)))

        assert await counters.find_one({"_id": "n"}) == {"_id": "n", "count": 5}


async def test_what_the_body_raises_undoes_the_transaction(mongodb_uri: str, database: str) -> None:
    async with opened(mongodb_uri, database) as mongo:

        async def body(session: Any) -> None:
            await mongo.db["workspaces"].insert_one({"_id": "ws_1"}, session=session)
            raise LookupError

        with pytest.raises(LookupError):
            await mongo.transaction(body)

        assert await mongo.db["workspaces"].find_one({"_id": "ws_1"}) is None


async def test_a_taken_key_names_its_collection_field_and_value(mongodb_uri: str, database: str) -> None:
    async with opened(mongodb_uri, database) as mongo:

        async def body(session: Any) -> None:
            for name in ("ws_1", "ws_2"):
                await mongo.db["workspaces"].insert_one({"_id": name, "externalId": "acme"}, session=session)

        with pytest.raises(TakenError, match="externalId 'acme' is taken by another workspace") as raised:
            await mongo.transaction(body)

    assert (raised.value.collection, raised.value.key) == ("workspaces", {"externalId": "acme"})


async def test_a_frozen_server_fails_a_write_in_bounded_time_and_whole_or_not_at_all(server: EmbeddedMongod) -> None:
    assert server.pid
    async with opened(server.uri, "frozen_write", timeout_s=1) as mongo:
        store = MongoStore(mongo)
        await store.write([workspace("ws_1")], [], None)

        started = time.monotonic()
        with frozen(server.pid):
            with pytest.raises(UnavailableError):
                await store.write([workspace("ws_1", version=2), workspace("ws_2")], [], None)
            took_s = time.monotonic() - started

        assert took_s < BOUNDED_S
        stored = await read_again(store)
        assert stored in ({"ws_1": 1}, {"ws_1": 2, "ws_2": 1})


async def test_a_server_that_freezes_within_a_transaction_leaves_nothing_of_it(server: EmbeddedMongod) -> None:
    pid = server.pid
    assert pid
    async with opened(server.uri, "frozen_within", timeout_s=1) as mongo:
        workspaces = mongo.db["workspaces"]

        async def body(session: Any) -> None:
            await workspaces.insert_one({"_id": "ws_1"}, session=session)
            with frozen(pid):
                await workspaces.insert_one({"_id": "ws_2"}, session=session)

        with pytest.raises(UnavailableError):
            await mongo.transaction(body)

        assert await read_again(MongoStore(mongo)) == {}


async def read_again(store: MongoStore) -> dict[str, int]:
    """Read once the server answers again."""
    for _ in range(30):
        try:
            found = await store.read(Kind.WORKSPACE, ["ws_1", "ws_2"])
        except UnavailableError:
            continue
        return {record.id: record.version for record in found.values()}
    raise AssertionError("the server did not come back")


async def test_a_frozen_server_fails_reads_and_close_in_bounded_time(server: EmbeddedMongod) -> None:
    assert server.pid
    mongo = Mongo(server.uri, "frozen_read", timeout_s=0.5)
    await mongo.open(with_indexes=False)
    stream_client = mongo.stream_client()
    await stream_client.admin.command("ping")
    store = MongoStore(mongo)

    started = time.monotonic()
    with frozen(server.pid):
        with pytest.raises(UnavailableError):
            await store.read(Kind.WORKSPACE, ["ws_1"])
        with pytest.raises(UnavailableError):
            await anext(aiter(store.scan(Kind.WORKSPACE)))
        with pytest.raises(UnavailableError):
            await store.read_workspace("ws_1")
        await mongo.close()
        took_s = time.monotonic() - started

    assert took_s < BOUNDED_S


async def test_open_on_a_frozen_server_is_unavailable(server: EmbeddedMongod) -> None:
    assert server.pid
    with frozen(server.pid), pytest.raises(UnavailableError):
        async with opened(server.uri, "x", timeout_s=0.5):
            pass


async def test_closing_closes_the_stream_clients_too(mongodb_uri: str, database: str) -> None:
    mongo = Mongo(mongodb_uri, database)
    stream_client = mongo.stream_client()
    await stream_client.admin.command("ping")

    await mongo.close()

    with pytest.raises(PyMongoError, match="after close"):
        await stream_client.admin.command("ping")


async def test_one_nonsensical_document_does_not_spoil_its_batch(mongodb_uri: str, database: str) -> None:
    nonsense = {"_id": "ws_1", "createdAt": DatetimeMS(10**15)}
    async with opened(mongodb_uri, database, with_indexes=False) as mongo:
        await mongo.db["workspaces"].insert_many([nonsense, to_document(workspace("ws_2"))])

        found = await MongoStore(mongo).read(Kind.WORKSPACE, ["ws_1", "ws_2"])

    assert set(found) == {"ws_2"}
