"""One real MongoDB for the whole run, and a database of its own for every test."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pymongo
import pytest

from app.sandbox.mongod import EmbeddedMongod

_FORGETS_SOON = ("--setParameter", "minSnapshotHistoryWindowInSeconds=2")
"""The files of a dropped database stay open for so long (default 300 s): those of thousands would be too many."""


@pytest.fixture(scope="session")
def mongodb_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the address of a replica set: TEST_MONGODB_URI where set, else an embedded one."""
    given = os.environ.get("TEST_MONGODB_URI")
    if given:
        yield given
        return
    mongod = EmbeddedMongod.start(Path(tmp_path_factory.mktemp("mongod")), extra_args=_FORGETS_SOON)
    yield mongod.uri
    mongod.stop()


@pytest.fixture
def database(mongodb_uri: str) -> Iterator[str]:
    """Give the name of a database that only this test uses; it is dropped afterwards."""
    name = f"t_{uuid.uuid4().hex[:16]}"
    yield name
    with pymongo.MongoClient(mongodb_uri) as client:
        client.drop_database(name)
