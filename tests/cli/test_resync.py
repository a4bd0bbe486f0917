"""`entitled resync` reports what was found."""

import json

from support.command import Command
from support.graphql_server import FakeGraphQL

FOUND = {"__typename": "ResyncPayload", "compared": 9, "repaired": 1, "dropped": 0, "divergent": ["ws_1"]}


def test_everything_is_compared(entitled: Command, server: FakeGraphQL) -> None:
    server.answer = {"data": {"resync": FOUND}}

    ran = entitled("resync")

    assert (ran.code, ran.out) == (0, "compared 9, repaired 1, dropped 0\ndiffered: ws_1\n")
    assert server.requests[0]["variables"]["input"] == {"scope": "ALL", "workspaceId": None, "dryRun": False}


def test_a_dry_run_of_one_workspace_says_that_nothing_was_done(entitled: Command, server: FakeGraphQL) -> None:
    server.answer = {"data": {"resync": FOUND}}

    ran = entitled("resync", "--workspace", "acme", "--dry-run")

    assert ran.out.startswith("compared 9, would be repaired 1, would be dropped 0\n")
    assert server.requests[0]["variables"]["input"] == {"scope": "WORKSPACE", "workspaceId": "acme", "dryRun": True}


def test_json_is_one_object(entitled: Command, server: FakeGraphQL) -> None:
    server.answer = {"data": {"resync": FOUND}}

    assert json.loads(entitled("resync", "--json").out) == {
        "compared": 9,
        "repaired": 1,
        "dropped": 0,
        "divergent": ["ws_1"],
    }
