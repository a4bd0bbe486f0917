"""`entitled stripe backfill` at a server that answers what a test tells it, and at the real one."""

import json
import os
import pty
from typing import Any

import pytest
from cli.test_migrations import written
from support.command import Command
from support.graphql_server import FakeGraphQL

from app.cli.main import run

BACKFILL = ("stripe", "backfill")


def told(status: str = "RUNNING", listed: int = 0, **fields: Any) -> dict[str, Any]:
    count = {"type": "customer", "listed": listed, "changed": 2, "parked": 1, "failed": 0}
    return {
        "id": "backfill_1",
        "status": status,
        "dryRun": False,
        "counts": [count] if listed else [],
        "listed": listed,
        "objectsPerSecond": "50" if listed else None,
        "secondsLeft": None,
        "changed": [{"type": "customer", "id": "cus_1"}, {"type": "customer", "id": "cus_2"}],
        "trouble": None,
        "failure": None,
        "startedAt": "2026-11-21T00:00:00.000Z",
        "finishedAt": None,
        **fields,
    }


def shown(backfill: dict[str, Any] | None) -> dict[str, Any]:
    return {"data": {"stripeBackfill": backfill}}


def started(backfill: dict[str, Any], *, replayed: bool = False) -> dict[str, Any]:
    payload = {"__typename": "BackfillStripePayload", "replayed": replayed, "backfill": backfill}
    return {"data": {"backfillStripe": payload}}


def test_it_is_started_and_followed_to_its_end(entitled: Command, server: FakeGraphQL) -> None:
    server.first = [shown(told("FINISHED", id="backfill_0")), started(told()), shown(told(listed=100, secondsLeft=12))]
    server.answer = shown(told("FINISHED", 250))

    ran = entitled(*BACKFILL)

    assert ran.code == 0
    assert ran.err.splitlines() == [
        "customer: 100 read, 50/s, about 12 s left",
        "250 read in all, 50/s",
        "parked waits for a workspace: `entitled stripe report` tells whose it may be",
    ]
    assert [line.split() for line in ran.out.splitlines()] == [
        ["TYPE", "READ", "CHANGED", "PARKED", "FAILED"],
        ["customer", "250", "2", "1", "0"],
    ]
    assert server.requests[1]["variables"]["input"]["dryRun"] is False


def test_one_that_runs_is_followed_and_no_other_is_started(entitled: Command, server: FakeGraphQL) -> None:
    server.first = [shown(told(listed=100))]
    server.answer = shown(told("FINISHED", 250))

    ran = entitled(*BACKFILL, "--json")

    assert (ran.code, json.loads(ran.out)["listed"]) == (0, 250)
    assert "backfill_1 runs already" in ran.err
    assert not any("mutation" in request["query"] for request in server.requests)


def test_a_dry_run_is_not_mistaken_for_a_real_one(entitled: Command, server: FakeGraphQL) -> None:
    server.answer = shown(told(listed=100))

    ran = entitled(*BACKFILL, "--dry-run")

    assert (ran.code, "backfill_1 is a backfill that is no dry run" in ran.err) == (1, True)


def test_a_dry_run_names_what_would_change(entitled: Command, server: FakeGraphQL) -> None:
    count = {"type": "customer", "listed": 250, "changed": 140, "parked": 0, "failed": 0}
    done = told("FINISHED", 250, dryRun=True, counts=[count])
    server.first = [shown(None), started(told(dryRun=True))]
    server.answer = shown(done)

    ran = entitled(*BACKFILL, "--dry-run")

    assert ran.code == 0
    assert "customer  cus_2" in ran.out
    assert "the first 2 of them" in ran.err
    assert server.requests[1]["variables"]["input"]["dryRun"] is True


def test_trouble_is_told_and_a_failure_is_exit_code_1(entitled: Command, server: FakeGraphQL) -> None:
    server.first = [shown(None), started(told()), shown(told(listed=100, trouble="Stripe did not answer"))]
    server.answer = shown(told("FAILED", 100, failure="Stripe refuses: Invalid API Key"))

    ran = entitled(*BACKFILL)

    assert ran.code == 1
    assert "customer: 100 read, 50/s, Stripe did not answer" in ran.err
    assert "backfill_1 is FAILED: Stripe refuses: Invalid API Key" in ran.err


def test_a_server_that_restarts_is_waited_for(entitled: Command, server: FakeGraphQL) -> None:
    loading = {"errors": [{"message": "loading", "extensions": {"code": "NOT_READY"}}]}
    server.first = [shown(None), started(told()), loading, loading]
    server.answer = shown(told("FINISHED", 250))

    assert entitled(*BACKFILL).code == 0
    assert len(server.requests) == 5


def test_another_backfill_since_is_exit_code_1(entitled: Command, server: FakeGraphQL) -> None:
    server.first = [shown(None), started(told())]
    server.answer = shown(told(id="backfill_2"))

    ran = entitled(*BACKFILL)

    assert (ran.code, "another backfill was started since" in ran.err) == (1, True)


def test_a_terminal_gets_a_bar(server: FakeGraphQL, monkeypatch: pytest.MonkeyPatch) -> None:
    server.first = [shown(None), started(told()), shown(told(listed=100, secondsLeft=3))]
    server.answer = shown(told("FINISHED", 250))
    person, terminal = pty.openpty()

    with os.fdopen(terminal, "w") as stderr, monkeypatch.context() as patched:
        patched.setattr("sys.stderr", stderr)
        code = run(BACKFILL)

    assert code == 0
    assert "250 read in all" in written(person)


@pytest.mark.usefixtures("service")
def test_a_service_without_a_stripe_key_says_what_to_set(entitled: Command) -> None:
    ran = entitled(*BACKFILL)

    assert (ran.code, "STRIPE_SECRET_KEY" in ran.err) == (78, True)
