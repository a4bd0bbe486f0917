"""`entitled billing-events` lists and follows."""

import json
from typing import Any

import pytest
from support.command import Command
from support.graphql_server import FakeGraphQL

EVENT = {
    "id": "bev_1",
    "type": "INVOICE_PAID",
    "recordedAt": "2026-11-21T00:00:00.000Z",
    "workspaceId": "ws_1",
    "objectId": "in_1",
    "data": {"before": None, "after": {"total": 5}},
}
FORBIDDEN = {"errors": [{"message": "no more", "extensions": {"code": "FORBIDDEN"}}]}


def page(*events: dict[str, Any]) -> dict[str, Any]:
    return {"data": {"billingEvents": {"nodes": list(events), "pageInfo": {"hasNextPage": False, "endCursor": None}}}}


def test_events_are_listed(entitled: Command, server: FakeGraphQL) -> None:
    server.answer = page(EVENT)
    narrowed = ("--workspace", "acme", "--type", "invoice.paid", "--type", "SUBSCRIPTION_PAST_DUE", "--from", "A")

    lines = entitled("billing-events", "list", *narrowed, "--to", "B").out.splitlines()

    assert lines[0].split() == ["RECORDED", "TYPE", "WORKSPACE", "OBJECT", "EVENT"]
    assert lines[1].split() == [EVENT["recordedAt"], "INVOICE_PAID", "ws_1", "in_1", "bev_1"]
    asked = server.requests[0]["variables"]
    assert (asked["workspace"], asked["types"]) == ("acme", ["INVOICE_PAID", "SUBSCRIPTION_PAST_DUE"])
    assert (asked["from"], asked["to"]) == ("A", "B")


def test_events_are_followed_each_once_the_oldest_first(entitled: Command, server: FakeGraphQL) -> None:
    later = {**EVENT, "id": "bev_2", "recordedAt": "2026-11-21T00:00:05.000Z", "workspaceId": None}
    server.first = [page(EVENT), page(EVENT), page(later, EVENT)]
    server.answer = FORBIDDEN  # which ends it

    ran = entitled("billing-events", "tail", "--every", "0.1")

    assert ran.out.splitlines() == [
        "2026-11-21T00:00:00.000Z  INVOICE_PAID  ws_1  in_1  bev_1",
        "2026-11-21T00:00:05.000Z  INVOICE_PAID  in_1  bev_2",
    ]
    assert server.requests[1]["variables"]["from"] == "2026-11-20T23:59:50.000Z"


@pytest.mark.parametrize("how", ["list", "tail"])
def test_a_type_that_there_is_none_of_is_refused_with_those_that_there_are(
    entitled: Command, server: FakeGraphQL, how: str
) -> None:
    ran = entitled("billing-events", how, "--type", "invoice.eaten")

    assert (ran.code, ran.out, ran.err.count("\n"), server.requests) == (2, "", 1, [])
    assert "invoice.paid" in ran.err


@pytest.mark.usefixtures("service")
def test_the_service_takes_all_that_is_asked(entitled: Command, workspace: str) -> None:
    ran = entitled("billing-events", "list", "--workspace", workspace, "--type", "invoice.paid", "--json")

    assert json.loads(ran.out) == []
