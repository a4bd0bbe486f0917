"""`entitled migrations` at the real service; what it shows meanwhile, at one that answers what a test tells it."""

import json
import os
import pty
from contextlib import suppress
from typing import Any

import pytest
from support.command import Command
from support.graphql_server import FakeGraphQL
from support.service import Service

from app.cli.main import run

SHOW = ("migrations", "show", "mig_1", "--wait")


def told(status: str = "RUNNING", moved: int = 0, progress: str = "0", failure: str | None = None) -> dict[str, Any]:
    migration = {
        "id": "mig_1",
        "planKey": "pro",
        "planVersion": 2,
        "status": status,
        "total": 40,
        "moved": moved,
        "skipped": 0,
        "progress": progress,
        "failure": failure,
        "startedAt": "2026-11-21T00:00:00.000Z",
        "finishedAt": None if status == "RUNNING" else "2026-11-21T00:01:00.000Z",
    }
    return {"data": {"migration": migration}}


@pytest.mark.usefixtures("service")
def test_a_migration_is_started_shown_and_listed(entitled: Command) -> None:
    started = entitled("migrations", "start", "pro", "--yes")
    id = started.out.strip()  # noqa: A001 - the API's word
    ended = entitled("migrations", "show", id, "--wait", "--json")
    listed = entitled("migrations", "list")

    assert (started.code, ended.code) == (0, 0)
    assert json.loads(ended.out) | {"startedAt": "", "finishedAt": ""} == {
        "id": id,
        "planKey": "pro",
        "planVersion": 1,
        "status": "FINISHED",
        "total": 0,
        "moved": 0,
        "skipped": 0,
        "progress": "1",
        "failure": None,
        "startedAt": "",
        "finishedAt": "",
    }
    assert [row.split()[:4] for row in listed.out.splitlines() if id in row] == [[id, "pro", "1", "FINISHED"]]
    assert id in {migration["id"] for migration in json.loads(entitled("migrations", "list", "--json").out)}


@pytest.mark.usefixtures("service")
def test_starting_may_wait_for_the_end(entitled: Command) -> None:
    ran = entitled("migrations", "start", "pro", "--yes", "--wait", "--json")

    assert json.loads(ran.out)["status"] == "FINISHED"


@pytest.mark.usefixtures("service")
def test_a_plan_that_does_not_exist_is_exit_code_1(entitled: Command) -> None:
    ran = entitled("migrations", "start", "gold", "--yes")

    assert (ran.code, "gold" in ran.err) == (1, True)


def test_nothing_is_started_unless_somebody_says_yes(entitled: Command, service: Service) -> None:
    before = entitled("migrations", "list", "--json").out

    ran = entitled("migrations", "start", "pro")

    assert (ran.code, "--yes" in ran.err) == (2, True)
    assert entitled("migrations", "list", "--json").out == before
    assert service.key


def test_an_unknown_migration_is_exit_code_1(entitled: Command, server: FakeGraphQL) -> None:
    server.answer = {"data": {"migration": None}}

    assert [entitled("migrations", "show", "mig_9", *wait).code for wait in ((), ("--wait",))] == [1, 1]


def test_each_tenth_is_told_once_where_there_is_no_terminal(entitled: Command, server: FakeGraphQL) -> None:
    server.first = [told(), told(moved=1, progress="0.025"), told(moved=20, progress="0.5")]
    server.answer = told("FINISHED", 40, "1")

    ran = entitled(*SHOW)

    assert ran.code == 0
    assert ran.err.splitlines() == [f"pro version 2: {moved} of 40 moved" for moved in (0, 20, 40)]
    assert "status       FINISHED\n" in ran.out


def written(person: int) -> str:
    """Return all that was written to the terminal, which comes in pieces; it is closed at its other end."""
    shown = b""
    with suppress(OSError):  # so Linux tells the end
        while piece := os.read(person, 100_000):
            shown += piece
    os.close(person)
    return shown.decode()


def test_a_terminal_gets_a_bar(server: FakeGraphQL, monkeypatch: pytest.MonkeyPatch) -> None:
    server.first = [told(moved=20, progress="0.5")]
    server.answer = told("FINISHED", 40, "1")
    person, terminal = pty.openpty()

    with os.fdopen(terminal, "w") as stderr, monkeypatch.context() as patched:
        patched.setattr("sys.stderr", stderr)
        code = run(SHOW)
    shown = written(person)

    assert code == 0
    assert "pro version 2" in shown
    assert "40/40" in shown


def test_a_server_that_restarts_is_waited_for(entitled: Command, server: FakeGraphQL) -> None:
    loading = {"errors": [{"message": "loading", "extensions": {"code": "NOT_READY"}}]}
    server.first = [told(), loading, loading]
    server.answer = told("FINISHED", 40, "1")

    assert entitled(*SHOW).code == 0
    assert len(server.requests) == 4


@pytest.mark.parametrize("status", ["SUPERSEDED", "FAILED"])
def test_what_did_not_move_everybody_is_exit_code_1(entitled: Command, server: FakeGraphQL, status: str) -> None:
    server.answer = told(status, 20, "0.5", "mig_2 moves everybody to version 3")

    ran = entitled(*SHOW)

    assert ran.code == 1
    assert f"mig_1 is {status}: mig_2 moves everybody to version 3" in ran.err


def test_a_refusal_ends_the_wait(entitled: Command, server: FakeGraphQL) -> None:
    server.answer = {"errors": [{"message": "no", "extensions": {"code": "FORBIDDEN"}}]}

    assert entitled(*SHOW).code == 77
