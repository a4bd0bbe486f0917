"""The command line in this process, against the real service or a server that answers what a test tells it."""

import asyncio
import os
import pty
import uuid
from collections.abc import Callable, Iterator

import pymongo
import pytest
from support import graphql_server
from support.command import Command, Ran
from support.graphql_server import FakeGraphQL
from support.service import Service, api, make_catalogue, running
from support.stripe_account import SECRET

from app.cli.main import run

FEATURES = (
    {"key": "seats", "name": "Seats", "type": "METERED", "meterType": "FLUCTUATING"},
    {"key": "model", "name": "Model", "type": "CONFIG", "valueType": "STRING"},
    {"key": "regions", "name": "Regions", "type": "CONFIG", "valueType": "ENUM", "enumValues": ["eu", "us"]},
)
"""Beside the catalogue that every service of the tests has."""


@pytest.fixture(scope="session")
def _running() -> Iterator[FakeGraphQL]:
    with graphql_server.running() as fake:
        yield fake


@pytest.fixture
def server(_running: FakeGraphQL, monkeypatch: pytest.MonkeyPatch) -> FakeGraphQL:
    """Give a server that has been asked nothing, and point the command line to it."""
    _running.status, _running.answer = 200, {"data": {}}
    _running.first.clear()
    _running.requests.clear()
    _running.keys.clear()
    monkeypatch.setenv("ENTITLED_URL", _running.url)
    monkeypatch.setenv("ENTITLED_API_KEY", "ent_key_1_secret")
    return _running


@pytest.fixture
def entitled(capsys: pytest.CaptureFixture[str]) -> Command:
    """Give a function that runs a command line and tells what came of it."""

    def command(*arguments: str) -> Ran:
        code = run(arguments)
        out, err = capsys.readouterr()
        return Ran(code, out, err)

    return command


@pytest.fixture(scope="session")
def _serving(mongodb_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    database = f"t_{uuid.uuid4().hex[:16]}"
    log = tmp_path_factory.mktemp("service") / "log"
    with running(mongodb_uri, database, log, STRIPE_WEBHOOK_SECRET=SECRET) as started:
        asyncio.run(_fill(started))
        yield started
    with pymongo.MongoClient(mongodb_uri) as client:
        client.drop_database(database)


async def _fill(service: Service) -> None:
    async with api(service) as client:
        await make_catalogue(client)
        for feature in FEATURES:
            await client.mutate("createFeature", "... on FeaturePayload { feature { id } }", **feature)


@pytest.fixture
def service(_serving: Service, monkeypatch: pytest.MonkeyPatch) -> Service:
    """Give the real service without a Stripe key, and point the command line to it. Tests share it."""
    monkeypatch.setenv("ENTITLED_URL", f"{_serving.url}/graphql")
    monkeypatch.setenv("ENTITLED_API_KEY", _serving.key)
    return _serving


@pytest.fixture
def name() -> str:
    """Give an external id that no other test uses."""
    return f"acme-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def workspace(entitled: Command, service: Service, name: str) -> str:  # noqa: ARG001 - the service must run
    """Make a workspace and give its external id."""
    assert entitled("workspaces", "create", "--external-id", name).code == 0
    return name


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Give a function that makes stdin a terminal at which somebody has typed a line."""
    person, terminal = pty.openpty()
    with os.fdopen(terminal) as stdin, os.fdopen(person, "wb", buffering=0) as keyboard:
        monkeypatch.setattr("sys.stdin", stdin)
        yield lambda line: keyboard.write(f"{line}\n".encode()) and None
