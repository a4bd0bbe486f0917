"""The embedded MongoDB: started, shared, taken over, and refused with a reason."""

import importlib.metadata
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from sandbox.waiting import runs, wait_until

from app.sandbox.mongod import EmbeddedMongod, MongodUnavailableError, find_mongod

_ROOT = Path(__file__).parents[2]
_OWNER = """
import json, sys, time
from pathlib import Path
from app.sandbox.mongod import EmbeddedMongod
server = EmbeddedMongod.start(Path(sys.argv[1]))
print(json.dumps({"uri": server.uri, "owner": server.owner, "pid": server.pid}), flush=True)
sys.stdin.read()
server.stop()
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedMongod]:
    started = EmbeddedMongod.start(_data_dir(tmp_path_factory))
    yield started
    started.stop()


def _data_dir(factory: pytest.TempPathFactory) -> Path:
    return factory.getbasetemp() / "shared-mongod"


def _start_elsewhere(data_dir: Path) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    process = subprocess.Popen(
        [sys.executable, "-c", _OWNER, str(data_dir)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=_ROOT,
    )
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())


def _finish(process: subprocess.Popen[str]) -> None:
    process.communicate(timeout=20)


def _put(uri: str, value: int) -> None:
    with MongoClient[dict[str, Any]](uri) as client:
        client["kept"]["numbers"].insert_one({"value": value})


def _values(uri: str) -> list[int]:
    with MongoClient[dict[str, Any]](uri) as client:
        return [document["value"] for document in client["kept"]["numbers"].find()]


def test_is_a_writable_primary_with_change_streams_and_transactions(server: EmbeddedMongod) -> None:
    with MongoClient[dict[str, Any]](server.uri) as client:
        collection = client["streams"]["numbers"]
        with (
            collection.watch(max_await_time_ms=5000) as stream,
            client.start_session() as session,
            session.start_transaction(),
        ):
            collection.insert_one({"value": 7}, session=session)
            session.commit_transaction()
            change = stream.next()

    assert server.owner
    assert change["fullDocument"]["value"] == 7


def test_listens_on_the_loopback_only(server: EmbeddedMongod) -> None:
    with MongoClient[dict[str, Any]](server.uri) as client:
        options = client.admin.command("getCmdLineOpts")["parsed"]

    assert options["net"]["bindIp"] == "127.0.0.1"
    assert options["net"]["unixDomainSocket"]["enabled"] is False
    assert options["storage"]["wiredTiger"]["engineConfig"]["cacheSizeGB"] == 0.25


def test_another_process_shares_the_server_and_does_not_end_it(
    server: EmbeddedMongod, tmp_path_factory: pytest.TempPathFactory
) -> None:
    process, seen = _start_elsewhere(_data_dir(tmp_path_factory))
    _finish(process)

    assert seen == {"uri": server.uri, "owner": False, "pid": server.pid}
    with MongoClient[dict[str, Any]](server.uri, serverSelectionTimeoutMS=2000) as client:
        assert client.admin.command("hello")["isWritablePrimary"]


def test_killing_the_owner_ends_mongod_and_the_next_start_keeps_documents_and_port(tmp_path: Path) -> None:
    process, seen = _start_elsewhere(tmp_path)
    _put(seen["uri"], 1)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()

    successor = EmbeddedMongod.start(tmp_path)  # at once: it must wait for the old one itself
    try:
        wait_until(lambda: not runs(seen["pid"]))
        assert successor.owner
        assert successor.uri == seen["uri"]
        assert _values(successor.uri) == [1]
    finally:
        successor.stop()


def test_killing_the_owner_leaves_no_orphan_without_a_successor(tmp_path: Path) -> None:
    process, seen = _start_elsewhere(tmp_path)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()

    wait_until(lambda: not runs(seen["pid"]))


def test_a_taken_port_makes_it_move_and_keeps_the_documents(server: EmbeddedMongod, tmp_path: Path) -> None:
    first = EmbeddedMongod.start(tmp_path)
    _put(first.uri, 1)
    first.stop()
    (tmp_path / "port").write_text(server.uri.removeprefix("mongodb://127.0.0.1:").partition("/")[0])

    moved = EmbeddedMongod.start(tmp_path)
    try:
        assert moved.uri not in (first.uri, server.uri)
        assert _values(moved.uri) == [1]
    finally:
        moved.stop()


def test_stop_is_idempotent_and_ends_the_process(tmp_path: Path) -> None:
    server = EmbeddedMongod.start(tmp_path)
    pid = server.pid
    assert pid is not None

    server.stop()
    server.stop()

    assert not runs(pid)
    assert server.pid is None
    assert not (tmp_path / "endpoint.json").exists()
    assert '"exitCode":0' in (tmp_path / "mongod.log").read_text()


def test_a_thread_may_not_start_it(tmp_path: Path) -> None:
    errors: list[Exception] = []

    def start() -> None:
        try:
            EmbeddedMongod.start(tmp_path).stop()
        except RuntimeError as error:
            errors.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join(20)

    assert "main thread" in str(errors[0])


def test_nothing_installed_names_every_way_to_a_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def no_files(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.delenv("MONGOD_BINARY", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(importlib.metadata, "files", no_files)

    with pytest.raises(MongodUnavailableError) as caught:
        find_mongod()

    for way in ("MONGODB_URI", "MONGOD_BINARY", "PATH", "entitled[embedded]"):
        assert way in str(caught.value)


def test_a_configured_binary_that_is_missing_is_not_silently_replaced(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MONGOD_BINARY", str(tmp_path / "nowhere"))

    with pytest.raises(MongodUnavailableError, match="names no file"):
        find_mongod()


@pytest.mark.parametrize(
    ("script", "explanation"),
    [
        pytest.param(
            "#!/bin/sh\necho 'error while loading shared libraries: libcurl.so.4: cannot open it' >&2\nexit 127\n",
            "a library is missing .*libcurl.so.4.*libcurl4 and OpenSSL 3",
            id="library",
        ),
        pytest.param("#!/bin/sh\nkill -ILL $$\n", "MongoDB needs", id="illegal instruction"),
        pytest.param(
            "#!/bin/sh\necho \"version 'GLIBC_2.34' not found\" >&2\nexit 1\n", "C library is too old", id="C library"
        ),
        pytest.param("\x7fELF of another machine", "was not built for", id="platform"),
        pytest.param("#!/bin/sh\necho broken >&2\nexit 3\n", r"ended with 3 \(broken\)", id="other"),
    ],
)
def test_a_binary_that_cannot_run_is_refused_with_the_reason(
    script: str, explanation: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    binary = tmp_path / "mongod"
    binary.write_text(script)  # not executable: find_mongod sets the mode
    monkeypatch.setenv("MONGOD_BINARY", str(binary))

    with pytest.raises(MongodUnavailableError, match=explanation):
        EmbeddedMongod.start(tmp_path / "server")


def test_a_server_that_ends_at_start_up_is_explained_from_its_log(tmp_path: Path) -> None:
    with pytest.raises(MongodUnavailableError, match="ended at start-up"):
        EmbeddedMongod.start(tmp_path, extra_args=["--setParameter", "noSuchParameter=1"])

    retry = EmbeddedMongod.start(tmp_path)  # the failure released the directory
    retry.stop()
