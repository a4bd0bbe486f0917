"""The command line in this process, against a server that answers what a test tells it."""

from collections.abc import Iterator

import pytest
from support import graphql_server
from support.command import Command, Ran
from support.graphql_server import FakeGraphQL

from app.cli.main import run


@pytest.fixture(scope="session")
def _running() -> Iterator[FakeGraphQL]:
    with graphql_server.running() as fake:
        yield fake


@pytest.fixture
def server(_running: FakeGraphQL, monkeypatch: pytest.MonkeyPatch) -> FakeGraphQL:
    """Give a server that has been asked nothing, and point the command line to it."""
    _running.status, _running.answer = 200, {"data": {}}
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
