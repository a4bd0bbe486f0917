"""`entitled usage` at the real service."""

import json

import pytest
from support.command import Command

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
    ("line", "code"), [("api_calls=", 2), ("api_calls=many", 2), ("api_calls=-1", 2), ("lost=1", 1), ("sso=1", 2)]
)
def test_what_cannot_be_recorded_is_one_line(entitled: Command, limited: str, line: str, code: int) -> None:
    ran = entitled("usage", "record", limited, line)

    assert (ran.code, ran.out, ran.err.count("\n")) == (code, "", 1)
