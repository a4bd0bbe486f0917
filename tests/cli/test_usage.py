"""`entitled usage` at the real service."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from support.command import Command
from support.graphql_server import FakeGraphQL

pytestmark = pytest.mark.usefixtures("service")


@pytest.fixture
def limited(entitled: Command, workspace: str) -> str:
    """Give a workspace that may use api_calls ten times."""
    assert entitled("grants", "add", workspace, "api_calls", "--amount", "10").code == 0
    return workspace


def test_usage_is_recorded_also_beyond_the_limit(entitled: Command, limited: str) -> None:
    first = entitled("usage", "record", limited, "api_calls")
    beyond = entitled("usage", "record", limited, "api_calls=11")

    assert (first.code, first.err) == (0, "")
    assert first.out == f"recorded 1; {limited} may use api_calls; used 1 of 10\n"
    assert beyond.code == 0
    assert beyond.out == f"recorded 11; {limited} may not use api_calls: USAGE_LIMIT_EXCEEDED; used 12 of 10\n"


def test_a_level_goes_down_again(entitled: Command, workspace: str) -> None:
    entitled("grants", "add", workspace, "seats", "--amount", "10")
    entitled("usage", "record", workspace, "seats=5")

    lowered = entitled("usage", "record", workspace, "seats=-2", "--json")

    answer = json.loads(lowered.out)
    assert answer["entitlement"]["usage"]["used"] == "3"
    assert answer["eventId"]


def test_a_retry_with_the_same_key_counts_once(entitled: Command, limited: str) -> None:
    command = ("usage", "record", limited, "api_calls=3", "--idempotency-key", "job-1")

    entitled(*command)
    again = entitled(*command)

    assert "used 3 of 10" in again.out
    assert "used before" in again.err


@pytest.mark.parametrize(
    ("line", "code"),
    [("api_calls=", 2), ("=5", 2), ("api_calls=many", 2), ("api_calls=-1", 2), ("lost=1", 1), ("sso=1", 2)],
)
def test_what_cannot_be_recorded_is_one_line(entitled: Command, limited: str, line: str, code: int) -> None:
    ran = entitled("usage", "record", limited, line)

    assert (ran.code, ran.out, ran.err.count("\n")) == (code, "", 1)


def test_usage_is_recorded_for_an_earlier_hour(entitled: Command, limited: str) -> None:
    earlier = datetime.now(UTC) - timedelta(hours=2)  # noqa: TID251 - the service's clock is the machine's
    long_ago = ("--at", "2020-01-01T00:00:00Z")

    recorded = entitled(
        "usage", "record", limited, "api_calls=2", "--at", earlier.isoformat(), "--property", "job=nightly"
    )
    refused = entitled("usage", "record", limited, "api_calls", *long_ago)
    unreadable = entitled("usage", "record", limited, "api_calls", "--property", "nightly")

    assert recorded.code == 0
    assert (refused.code, "occurredAt" in refused.err) == (2, True)
    assert (unreadable.code, "--property" in unreadable.err) == (2, True)


def test_lines_are_used_within_their_limits(entitled: Command, limited: str) -> None:
    entitled("grants", "add", limited, "seats", "--amount", "3")

    used = entitled("usage", "consume", limited, "api_calls=4", "seats")

    assert (used.code, used.err) == (0, "")
    assert used.out.splitlines() == [
        f"used 4; {limited} may use api_calls; used 4 of 10",
        f"used 1; {limited} may use seats; used 1 of 3",
    ]


def test_a_denial_names_the_line_and_the_reason_and_uses_nothing(entitled: Command, limited: str) -> None:
    command = ("usage", "consume", limited, "api_calls=4", "api_calls=7")

    denied = entitled(*command)
    as_json = json.loads(entitled(*command, "--json").out)

    assert (denied.code, denied.err) == (1, "")
    assert denied.out.startswith(f"nothing was used, because of api_calls=7; {limited} may not use api_calls: ")
    assert "USAGE_LIMIT_EXCEEDED" in denied.out
    assert (as_json["line"], as_json["decision"]["entitlement"]["hasAccess"]) == (1, False)
    assert "used 0 of 10" in entitled("check", limited, "api_calls").out


def test_consumption_is_json_too_and_counts_once(entitled: Command, limited: str) -> None:
    command = ("usage", "consume", limited, "api_calls=4", "--idempotency-key", "order-7", "--json")

    first, again = json.loads(entitled(*command).out), entitled(*command)

    assert first["decisions"][0]["entitlement"]["usage"]["used"] == "4"
    assert json.loads(again.out)["eventId"] == first["eventId"]
    assert "used before" in again.err
    assert "used 4 of 10" in entitled("check", limited, "api_calls").out


@pytest.mark.parametrize(
    ("lines", "code"), [(("api_calls=",), 2), (("=5",), 2), (("api_calls=-1",), 2), (("api_calls=0",), 2), ((), 2)]
)
def test_what_cannot_be_consumed_is_one_line(
    entitled: Command, limited: str, lines: tuple[str, ...], code: int
) -> None:
    ran = entitled("usage", "consume", limited, *lines)

    assert (ran.code, ran.out, ran.err.count("\n")) == (code, "", 1)


def test_a_feature_or_workspace_that_is_not_there_uses_nothing(entitled: Command, limited: str, name: str) -> None:
    feature = entitled("usage", "consume", limited, "lost=1")
    workspace = entitled("usage", "consume", f"{name}-lost", "api_calls")

    assert (feature.code, workspace.code) == (1, 1)
    assert "lost" in feature.out + feature.err
    assert f"{name}-lost" in workspace.out + workspace.err


def test_usage_is_added_up(entitled: Command, limited: str) -> None:
    entitled("usage", "record", limited, "api_calls=3")
    entitled("usage", "consume", limited, "api_calls=0.5")

    by_day = entitled("usage", "summary", limited, "api_calls")
    by_hour = json.loads(entitled("usage", "summary", limited, "api_calls", "--granularity", "hour", "--json").out)

    rows = [line.split() for line in by_day.out.splitlines()]
    assert (by_day.code, by_day.err, rows[0]) == (0, "", ["FROM", "TO", "AMOUNT", "CHARGE", "EVENTS"])
    assert rows[-1] == ["in", "all", "-", "3.5", "3.5", "2"]
    assert 30 <= len(rows) - 2 <= 31
    assert (by_hour["amount"], len(by_hour["slices"]) >= 720) == ("3.5", True)


def test_a_summary_has_the_range_that_is_named(entitled: Command, limited: str) -> None:
    named = ("--from", "2026-01-31T12:00:00Z", "--to", "2026-03-01T00:00:00+01:00", "--granularity", "MONTH")

    found = json.loads(entitled("usage", "summary", limited, "api_calls", *named, "--json").out)

    assert [(each["startAt"], each["amount"]) for each in found["slices"]] == [
        ("2026-01-01T00:00:00.000Z", "0"),
        ("2026-02-01T00:00:00.000Z", "0"),
    ]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("api_calls", "--from", "yesterday"), "DateTime"),
        (("api_calls", "--from", "2026-02-01T00:00:00Z", "--to", "2026-01-01T00:00:00Z"), "to"),
        (("api_calls", "--from", "2020-01-01T00:00:00Z", "--granularity", "HOUR"), "granularity"),
    ],
)
def test_a_summary_that_cannot_be_is_one_line(
    entitled: Command, limited: str, arguments: tuple[str, ...], named: str
) -> None:
    ran = entitled("usage", "summary", limited, *arguments)

    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert named in ran.err


def test_what_is_not_there_has_no_summary(entitled: Command, limited: str, name: str) -> None:
    workspace = entitled("usage", "summary", f"{name}-lost", "api_calls")
    feature = entitled("usage", "summary", limited, "lost")

    assert (workspace.code, workspace.out, f"{name}-lost" in workspace.err) == (1, "", True)
    assert (feature.code, feature.out, "lost" in feature.err) == (1, "", True)


def test_a_level_is_set(entitled: Command, workspace: str) -> None:
    entitled("grants", "add", workspace, "seats", "--amount", "10")
    entitled("usage", "record", workspace, "seats=5")

    ran = entitled("usage", "set", workspace, "seats=12")

    assert (ran.code, ran.err) == (0, "")
    assert ran.out == f"set to 12; {workspace} may not use seats: USAGE_LIMIT_EXCEEDED; used 12 of 10\n"


@pytest.mark.parametrize("line", ["seats", "seats=", "seats=-1", "api_calls=1"])
def test_what_is_no_level_is_one_line(entitled: Command, limited: str, line: str) -> None:
    ran = entitled("usage", "set", limited, line)

    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)


def test_an_entry_is_corrected_and_both_are_listed(entitled: Command, limited: str) -> None:
    recorded = json.loads(entitled("usage", "record", limited, "api_calls=8", "--json").out)["eventId"]

    ran = entitled("usage", "correct", limited, recorded, "api_calls=3", "--reason", "counted twice")
    listed = json.loads(entitled("usage", "events", limited, "--json").out)
    rows = [line.split() for line in entitled("usage", "events", limited).out.splitlines()]

    assert (ran.code, ran.err) == (0, "")
    assert ran.out == f"corrected to 3; {limited} may use api_calls; used 3 of 10\n"
    assert {(entry["kind"], entry["correctsId"], entry["reason"]) for entry in listed} == {
        ("RECORD", None, ""),
        ("CORRECT", recorded, "counted twice"),
    }
    assert rows[0] == ["OCCURRED", "KIND", "LINES", "EVENT", "OF", "BY", "REASON"]
    assert sorted(row[1:3] for row in rows[1:]) == [["CORRECT", "api_calls=-5"], ["RECORD", "api_calls=8"]]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("use_lost", "api_calls=1", "--reason", "why"), 1),
        (("use_lost", "api_calls", "--reason", "why"), 2),
        (("use_lost", "api_calls=1"), 2),
    ],
)
def test_what_cannot_be_corrected_is_one_line(
    entitled: Command, limited: str, arguments: tuple[str, ...], code: int
) -> None:
    ran = entitled("usage", "correct", limited, *arguments)

    assert (ran.code, ran.out, ran.err.count("\n")) == (code, "", 1)


def test_entries_are_listed_by_feature_and_time_and_up_to_a_limit(entitled: Command, limited: str) -> None:
    entitled("grants", "add", limited, "seats", "--amount", "3")
    entitled("usage", "consume", limited, "api_calls=4", "seats")
    entitled("usage", "record", limited, "api_calls=2")

    def kinds(*options: str) -> list[str]:
        return [entry["kind"] for entry in json.loads(entitled("usage", "events", limited, "--json", *options).out)]

    assert (sorted(kinds()), kinds("--feature", "seats")) == (["CONSUME", "RECORD"], ["CONSUME"])
    assert kinds("--to", "2026-01-01T00:00:00Z") == []
    assert len(kinds("--from", "2026-01-01T00:00:00Z")) == 2
    assert len(kinds("--limit", "1")) == 1
    assert "raise --limit" in entitled("usage", "events", limited, "--limit", "1").err


def test_an_unknown_workspace_has_no_ledger_and_a_new_one_an_empty_one(
    entitled: Command, workspace: str, name: str
) -> None:
    empty, lost = entitled("usage", "events", workspace), entitled("usage", "events", f"{name}-lost")

    assert (empty.code, empty.out.count("\n")) == (0, 1)
    assert (lost.code, lost.out, f"{name}-lost" in lost.err) == (1, "", True)


def test_a_key_that_may_not_see_the_workspace_sees_its_empty_ledger(server: FakeGraphQL, entitled: Command) -> None:
    page = {"usageEvents": {"nodes": [], "pageInfo": {"hasNextPage": False, "endCursor": None}}}
    server.first.append({"data": page})
    server.answer = {"errors": [{"message": "not allowed", "extensions": {"code": "FORBIDDEN"}}]}

    ran = entitled("usage", "events", "acme")

    assert (ran.code, ran.err) == (0, "")
