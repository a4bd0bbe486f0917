"""`entitled events` lists, shows and replays."""

import json
from typing import Any

from support.command import Command
from support.graphql_server import FakeGraphQL

EVENT = {
    "id": "evt_1",
    "type": "customer.subscription.updated",
    "status": "PARKED",
    "receivedAt": "2026-11-21T00:00:00.000Z",
    "attempts": 1,
    "reason": "customer cus_1 has no workspace",
}


def page(*, has_next: bool = False) -> dict[str, Any]:
    end = {"hasNextPage": has_next, "endCursor": "c1"}
    return {"data": {"stripeEvents": {"nodes": [EVENT], "pageInfo": end}}}


def test_events_are_listed_whole_in_a_pipe(entitled: Command, server: FakeGraphQL) -> None:
    server.answer = page()

    ran = entitled("events", "list", "--status", "parked", "--first", "7", "--after", "c0")

    assert ran.code == 0
    assert "evt_1" in ran.out
    assert EVENT["reason"] in ran.out
    assert ran.err == ""
    assert server.requests[0]["variables"] == {"status": "PARKED", "first": 7, "after": "c0"}


def test_the_next_page_is_told(entitled: Command, server: FakeGraphQL) -> None:
    server.answer = page(has_next=True)

    assert entitled("events", "list").err == "more: --after c1\n"


def test_a_list_is_json_too(entitled: Command, server: FakeGraphQL) -> None:
    server.answer = page()

    assert json.loads(entitled("events", "list", "--json").out)["nodes"][0]["id"] == "evt_1"


def test_one_event_is_shown(entitled: Command, server: FakeGraphQL) -> None:
    server.answer = {"data": {"node": EVENT}}

    ran = entitled("events", "show", "evt_1")

    assert "status      PARKED\n" in ran.out


def test_an_unknown_event_is_exit_code_1(entitled: Command, server: FakeGraphQL) -> None:
    server.answer = {"data": {"node": None}}

    ran = entitled("events", "show", "evt_9")

    assert (ran.code, ran.out) == (1, "")
    assert "evt_9" in ran.err


def test_something_else_with_an_id_is_no_event(entitled: Command, server: FakeGraphQL) -> None:
    server.answer = {"data": {"node": {}}}

    assert entitled("events", "show", "ws_1").code == 1


def test_an_event_is_replayed(entitled: Command, server: FakeGraphQL) -> None:
    server.answer = {"data": {"replayStripeEvent": {"__typename": "ReplayStripeEventPayload", "event": EVENT}}}

    ran = entitled("events", "replay", "evt_1")

    assert ran.code == 0
    assert server.requests[0]["variables"]["input"]["eventId"] == "evt_1"
    assert server.requests[0]["variables"]["input"]["idempotencyKey"]
