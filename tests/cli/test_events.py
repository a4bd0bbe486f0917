"""`entitled events` lists, shows, replays, discards and follows."""

import json
import signal
import subprocess
import sys
from typing import Any

import httpx
import pytest
from support.command import Command
from support.graphql_server import FakeGraphQL
from support.service import Service, eventually
from support.stripe import customer, event
from support.stripe_account import signed

EVENT = {
    "id": "evt_1",
    "type": "customer.subscription.updated",
    "objectId": "sub_1",
    "status": "PARKED",
    "receivedAt": "2026-11-21T00:00:00.000Z",
    "attempts": 1,
    "reason": "customer cus_1 has no workspace",
}

SHOWN = {
    **EVENT,
    "timeline": {"receivedAt": EVENT["receivedAt"], "firstFetchedAt": "2026-11-21T00:00:01.000Z", "writtenAt": None},
    "queued": {"state": "PARKED", "parkedUnder": ["cus_1"]},
}


def page(*, has_next: bool = False) -> dict[str, Any]:
    end = {"hasNextPage": has_next, "endCursor": "c1"}
    return {"data": {"stripeEvents": {"nodes": [EVENT], "pageInfo": end}}}


NARROWED = {"status": None, "type": None, "object": None, "from": None, "to": None, "failed": False}


def test_events_are_listed_whole_in_a_pipe(entitled: Command, server: FakeGraphQL) -> None:
    server.answer = page()

    ran = entitled("events", "list", "--status", "parked", "--first", "7", "--after", "c0")

    assert ran.code == 0
    assert {"evt_1", "sub_1"} < set(ran.out.split())
    assert EVENT["reason"] in ran.out
    assert ran.err == ""
    assert server.requests[0]["variables"] == {**NARROWED, "status": "PARKED", "first": 7, "after": "c0"}


def test_a_list_is_narrowed(entitled: Command, server: FakeGraphQL) -> None:
    server.answer = page()

    entitled("events", "list", "--type", "customer.*", "--object", "cus_1", "--from", "A", "--to", "B", "--failed")

    narrowed = {"type": "customer.*", "object": "cus_1", "from": "A", "to": "B", "failed": True}
    assert server.requests[0]["variables"] == {**NARROWED, **narrowed, "first": 50, "after": None}


def test_the_next_page_is_told(entitled: Command, server: FakeGraphQL) -> None:
    server.answer = page(has_next=True)

    assert entitled("events", "list").err == "more: --after c1\n"


def test_a_list_is_json_too(entitled: Command, server: FakeGraphQL) -> None:
    server.answer = page()

    assert json.loads(entitled("events", "list", "--json").out)["nodes"][0]["id"] == "evt_1"


def test_one_event_is_shown(entitled: Command, server: FakeGraphQL) -> None:
    server.answer = {"data": {"stripeEvent": SHOWN}}

    ran = entitled("events", "show", "evt_1")

    lines = [line.split(maxsplit=1) for line in ran.out.splitlines()]
    assert ["status", "PARKED"] in lines
    assert ["timeline.firstFetchedAt", "2026-11-21T00:00:01.000Z"] in lines
    assert ["timeline.writtenAt", "-"] in lines
    assert ["queued.parkedUnder", "cus_1"] in lines


def test_an_unknown_event_is_exit_code_1(entitled: Command, server: FakeGraphQL) -> None:
    server.answer = {"data": {"stripeEvent": None}}

    ran = entitled("events", "show", "evt_9")

    assert (ran.code, ran.out) == (1, "")
    assert "evt_9" in ran.err


def test_an_event_is_replayed(entitled: Command, server: FakeGraphQL) -> None:
    server.answer = {"data": {"replayStripeEvent": {"__typename": "ReplayStripeEventPayload", "event": EVENT}}}

    ran = entitled("events", "replay", "evt_1")

    assert ran.code == 0
    assert server.requests[0]["variables"]["input"]["eventId"] == "evt_1"
    assert server.requests[0]["variables"]["input"]["idempotencyKey"]


def test_a_dry_run_of_one_event_says_what_would_be_looked_at(entitled: Command, server: FakeGraphQL) -> None:
    told = {**EVENT, "objectType": "customer", "objectId": "cus_1"}
    server.answer = {"data": {"replayStripeEvent": {"__typename": "ReplayStripeEventPayload", "event": told}}}

    ran = entitled("events", "replay", "evt_1", "--dry-run")

    assert ran.out == "evt_1 would be worked on again: customer cus_1\n"
    assert server.requests[0]["variables"]["input"]["dryRun"] is True


def replayed(marked: int, *, events: int | None = None, after: str | None = None) -> dict[str, Any]:
    names = [{"type": "customer", "id": f"cus_{number}"} for number in range(min(marked, 100))]
    payload = {
        "__typename": "ReplayStripeEventsPayload",
        "marked": marked,
        "events": events,
        "objects": names,
        "hasMore": after is not None,
        "endCursor": after,
    }
    return {"data": {"replayStripeEvents": payload}}


def test_a_range_is_replayed_part_by_part(entitled: Command, server: FakeGraphQL) -> None:
    server.first = [replayed(3000, events=5000, after="c1")]
    server.answer = replayed(20, events=30)

    ran = entitled("events", "replay", "--from", "A", "--to", "B", "--yes", "--idempotency-key", "k")

    assert ran.out == "3020 objects of 5030 events marked\n"
    sent = [request["variables"]["input"] for request in server.requests]
    assert [(one["idempotencyKey"], one["after"]) for one in sent] == [("k", None), ("k/2", "c1")]
    assert all((one["receivedFromAt"], one["receivedToAt"], one["dryRun"]) == ("A", "B", False) for one in sent)


def test_a_dry_run_names_the_first_hundred_and_asks_nobody(entitled: Command, server: FakeGraphQL) -> None:
    server.answer = replayed(102)

    ran = entitled("events", "replay", "--failed-since", "A", "--dry-run")

    lines = ran.out.splitlines()
    assert (lines[0], lines[1], lines[-1]) == ("102 objects would be marked", "customer cus_0", "and 2 more")
    assert server.requests[0]["variables"]["input"]["failedSinceAt"] == "A"


def test_one_object_is_replayed_without_a_question(entitled: Command, server: FakeGraphQL) -> None:
    server.answer = replayed(1)

    ran = entitled("events", "replay", "--object", "customer", "cus_0", "--json")

    assert json.loads(ran.out) == {
        "marked": 1,
        "events": None,
        "objects": [{"type": "customer", "id": "cus_0"}],
        "dryRun": False,
    }
    assert server.requests[0]["variables"]["input"]["object"] == {"type": "customer", "id": "cus_0"}


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("evt_1", "--from", "A"),
        ("--from", "A", "--failed-since", "A"),
        ("evt_1", "--to", "A"),
        ("--failed-since", "A"),  # nobody can be asked
    ],
)
def test_a_replay_that_names_nothing_clearly_is_wrong_usage(
    entitled: Command, server: FakeGraphQL, arguments: tuple[str, ...]
) -> None:
    ran = entitled("events", "replay", *arguments)

    assert (ran.code, ran.out, server.requests) == (2, "", [])


def test_dead_letters_are_discarded(entitled: Command, server: FakeGraphQL) -> None:
    payload = {"__typename": "DiscardStripeEventsPayload", "events": 2, "objects": 1, "replayed": False}
    server.answer = {"data": {"discardStripeEvents": payload}}

    ran = entitled("events", "discard", "evt_1", "evt_2", "--reason", "a test account", "--yes")

    assert ran.out == "discarded: events 2, objects 1\n"
    sent = server.requests[0]["variables"]["input"]
    assert (sent["eventIds"], sent["objectId"], sent["reason"]) == (["evt_1", "evt_2"], None, "a test account")


@pytest.mark.parametrize(
    "arguments",
    [
        ("evt_1", "--yes"),
        ("--reason", "r", "--yes"),
        ("evt_1", "--object", "cus_1", "--reason", "r", "--yes"),
        ("evt_1", "--reason", "r"),  # nobody can be asked
    ],
)
def test_a_discard_that_names_nothing_clearly_is_wrong_usage(
    entitled: Command, server: FakeGraphQL, arguments: tuple[str, ...]
) -> None:
    ran = entitled("events", "discard", *arguments)

    assert (ran.code, ran.out, server.requests) == (2, "", [])


def arrived(*seconds: int) -> dict[str, Any]:
    nodes = [
        {**EVENT, "id": f"evt_{s}", "receivedAt": f"2026-11-21T00:00:{s:02}.000Z", "objectId": None} for s in seconds
    ]
    return {"data": {"stripeEvents": {"nodes": nodes, "pageInfo": {"hasNextPage": False, "endCursor": None}}}}


FORBIDDEN = {"errors": [{"message": "no more", "extensions": {"code": "FORBIDDEN"}}]}


def test_events_are_followed_each_once_the_oldest_first(entitled: Command, server: FakeGraphQL) -> None:
    server.first = [arrived(13, 12, 11), arrived(14, 13, 12, 11), arrived(15, 14, 13, 12, 11, 10)]
    server.answer = FORBIDDEN  # which ends it

    ran = entitled("events", "tail", "--last", "2", "--every", "0.1", "--type", "customer.*", "--json")

    assert [json.loads(line)["id"] for line in ran.out.splitlines()] == ["evt_12", "evt_13", "evt_14", "evt_15"]
    assert ran.code != 0
    froms = [request["variables"].get("from") for request in server.requests]
    assert froms[:3] == [None, "2026-11-21T00:00:03.000Z", "2026-11-21T00:00:04.000Z"]
    assert {request["variables"]["type"] for request in server.requests} == {"customer.*"}


def test_the_first_event_ever_is_followed_too(entitled: Command, server: FakeGraphQL) -> None:
    server.first = [arrived(), arrived(), arrived(5)]
    server.answer = FORBIDDEN

    ran = entitled("events", "tail", "--every", "0.1")

    assert ran.out.startswith("2026-11-21T00:00:05.000Z  evt_5  customer.subscription.updated  PARKED  ")
    assert len(ran.out.splitlines()) == 1


def test_ctrl_c_ends_the_tail_quietly(server: FakeGraphQL) -> None:
    server.answer = arrived(5)
    # a shell that puts the tests into the background has them, and what they start, ignore Ctrl-C
    code = "import signal; signal.signal(2, signal.default_int_handler); from app.cli.main import main; main()"
    tail = [sys.executable, "-c", code, "events", "tail", "--every", "0.1"]

    with subprocess.Popen(tail, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        eventually(lambda: len(server.requests) > 1, why=lambda: "it did not look twice")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)

    assert (process.returncode, err) == (0, "")
    assert len(out.splitlines()) == 1


def test_the_service_takes_all_that_is_asked(entitled: Command, service: Service) -> None:
    body, headers = signed(event("evt_cli", "customer.updated", customer("cus_cli")))
    assert httpx.post(f"{service.url}/webhooks/stripe", content=body, headers=headers).status_code == httpx.codes.OK

    listed = entitled("events", "list", "--type", "customer.*", "--object", "cus_cli", "--json")
    shown = entitled("events", "show", "evt_cli")
    dry = entitled("events", "replay", "--from", "2020-01-01T00:00:00Z", "--dry-run")
    failed = entitled("events", "replay", "--failed-since", "2020-01-01T00:00:00Z", "--yes")
    one = entitled("events", "replay", "--object", "customer", "cus_cli")
    alive = entitled("events", "discard", "evt_cli", "--reason", "r", "--yes")

    assert [node["id"] for node in json.loads(listed.out)["nodes"]] == ["evt_cli"]
    assert "timeline.receivedAt" in shown.out
    assert "customer cus_cli" in dry.out
    assert failed.code == 0
    assert one.out == "1 object marked\n"
    assert alive.code != 0
    assert "only dead letters can be discarded" in alive.err
