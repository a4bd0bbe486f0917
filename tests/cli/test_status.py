"""`entitled status` answers by its exit code too."""

import json
from typing import Any

import pytest
from support.command import Command
from support.graphql_server import FakeGraphQL

WORKER = {"name": "usage_stream", "state": "VALID", "sinceAt": "S", "lastError": None, "lastErrorAt": None}


def status(*, ready: bool = True, **worker: Any) -> dict[str, Any]:
    return {"data": {"syncStatus": {"cache": {"ready": ready, "records": 9}, "workers": [{**WORKER, **worker}]}}}


def test_a_replica_that_is_well_is_exit_code_0(entitled: Command, server: FakeGraphQL) -> None:
    server.answer = status()

    ran = entitled("status")

    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        "cache.ready    yes",
        "cache.records  9",
        "",
        "WORKERS: 1",
        "WORKER        STATE  SINCE  LAST ERROR  AT",
        "usage_stream  VALID  S      -           -",
    ]


@pytest.mark.parametrize("found", [status(ready=False), status(state="INTERRUPTED", lastError="no primary")])
def test_one_that_is_not_is_exit_code_1(entitled: Command, server: FakeGraphQL, found: dict[str, Any]) -> None:
    server.answer = found

    assert entitled("status").code == 1
    assert json.loads(entitled("status", "--json").out) == found["data"]["syncStatus"]


@pytest.mark.usefixtures("service")
def test_the_service_answers_all_that_is_asked(entitled: Command) -> None:
    ran = entitled("status")

    assert (ran.code, ran.err) == (0, "")
    assert "control_stream" in ran.out
    assert "stripe.unmappedPrices" in ran.out
