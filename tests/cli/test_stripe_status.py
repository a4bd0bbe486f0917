"""`entitled stripe status` answers by its exit code too."""

import json
from typing import Any

import pytest
from support.command import Command
from support.graphql_server import FakeGraphQL

WELL: dict[str, Any] = {"mode": "FETCH", "pending": 3, "parked": 2, "dead": 0, "trouble": None, "backoff": None}
BACKOFF = {"untilAt": "U", "reason": "status 500"}


def status(**fields: Any) -> dict[str, Any]:
    return {"data": {"syncStatus": {"stripe": {**WELL, **fields}}}}


def test_what_waits_and_what_is_parked_is_well(entitled: Command, server: FakeGraphQL) -> None:
    server.answer = status()

    ran = entitled("stripe", "status")

    assert (ran.code, ran.err) == (0, "")
    assert ["pending", "3"] in [line.split() for line in ran.out.splitlines()]


@pytest.mark.parametrize(
    "found", [status(dead=1), status(dead=None), status(trouble="status 500"), status(backoff=BACKOFF)], ids=str
)
def test_what_is_not_is_exit_code_1(entitled: Command, server: FakeGraphQL, found: dict[str, Any]) -> None:
    server.answer = found

    ran = entitled("stripe", "status", "--json")

    assert ran.code == 1
    assert json.loads(ran.out) == found["data"]["syncStatus"]["stripe"]


@pytest.mark.usefixtures("service")
def test_the_service_answers_all_that_is_asked(entitled: Command) -> None:
    ran = entitled("stripe", "status")

    assert "oldestPendingAt" in ran.out
    assert "unmappedPriceCount" in ran.out
    assert ran.err == ""
