"""An open store on a database of a test, and a mongod that a test may freeze."""

import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from support.service import eventually

from app.store.mapping import MappingError
from app.store.mongo import Mongo, Retention
from app.store.records import MongoStore


@asynccontextmanager
async def opened(
    uri: str, database: str, *, timeout_s: float = 5, retention: Retention | None = None, with_indexes: bool = True
) -> AsyncIterator[Mongo]:
    """Open a database, and close it."""
    mongo = Mongo(uri, database, timeout_s=timeout_s)
    try:
        await mongo.open(retention=retention, with_indexes=with_indexes)
        yield mongo
    finally:
        await mongo.close()


@asynccontextmanager
async def storing(uri: str, database: str, *, malformed: list[MappingError] | None = None) -> AsyncIterator[MongoStore]:
    """Give a store on an open database; what it cannot read is appended to `malformed`."""
    async with opened(uri, database) as mongo:
        yield MongoStore(mongo, on_malformed=(malformed if malformed is not None else []).append)


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Stop a process, every thread of it, and let it go on."""
    os.kill(pid, signal.SIGSTOP)
    try:
        eventually(lambda: set(_states(pid)) <= {"T"}, why=lambda: f"process {pid} does not stop")
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _states(pid: int) -> Iterator[str]:
    """Yield the state of each thread: a signal reaches those that run on another core a moment later."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError):  # it has just ended
            yield (thread / "stat").read_text().rpartition(")")[2].split()[0]
