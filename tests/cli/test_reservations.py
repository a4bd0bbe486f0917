"""`entitled usage reserve`, `settle` and `release` at the real service."""

import json

import pytest
from support.command import Command

pytestmark = pytest.mark.usefixtures("service")


@pytest.fixture
def limited(entitled: Command, workspace: str) -> str:
    """Give a workspace that may use api_calls ten times."""
    assert entitled("grants", "add", workspace, "api_calls", "--amount", "10").code == 0
    return workspace


@pytest.fixture
def reservation(entitled: Command, limited: str) -> str:
    """Hold four of its ten back."""
    return entitled("usage", "reserve", limited, "api_calls=4").out.strip()


def usage(entitled: Command, workspace: str) -> tuple[str, str]:
    """Return what was used, and what is left."""
    found = json.loads(entitled("check", workspace, "api_calls", "--json").out)["usage"]
    return found["used"], found["remaining"]


def test_lines_are_held_back_and_the_id_is_printed_for_the_next_command(entitled: Command, limited: str) -> None:
    ran = entitled("usage", "reserve", limited, "api_calls=4", "--ttl", "60")

    assert ran.code == 0
    assert ran.out.startswith("rsv_")
    assert ran.out.count("\n") == 1
    assert "held back until " in ran.err
    assert usage(entitled, limited) == ("0", "6")


def test_a_denial_holds_nothing_back(entitled: Command, limited: str) -> None:
    denied = entitled("usage", "reserve", limited, "api_calls=4", "api_calls=7")

    assert (denied.code, denied.err) == (1, "")
    assert denied.out.startswith(f"nothing was held back, because of api_calls=7; {limited} may not use api_calls: ")
    assert usage(entitled, limited) == ("0", "10")


@pytest.mark.parametrize(
    ("actual", "left"),
    [
        pytest.param((), ("4", "6"), id="all of it"),
        pytest.param(("api_calls=1",), ("1", "9"), id="less"),
        pytest.param(("api_calls=5",), ("5", "5"), id="more"),
    ],
)
def test_what_was_really_used_is_used_and_the_rest_returns(
    entitled: Command, limited: str, reservation: str, actual: tuple[str, ...], left: tuple[str, str]
) -> None:
    ran = entitled("usage", "settle", reservation, *actual)

    assert (ran.code, ran.out, ran.err) == (0, f"{reservation} is settled\n", "")
    assert usage(entitled, limited) == left


def test_a_release_gives_all_of_it_back(entitled: Command, limited: str, reservation: str) -> None:
    ran = entitled("usage", "release", reservation, "--json")

    assert ran.code == 0
    assert json.loads(ran.out)["decisions"][0]["entitlement"]["usage"]["used"] == "0"
    assert usage(entitled, limited) == ("0", "10")


def test_a_retry_with_the_same_key_holds_back_once(entitled: Command, limited: str) -> None:
    command = ("usage", "reserve", limited, "api_calls=3", "--idempotency-key", "job-1", "--json")

    first, again = entitled(*command), entitled(*command)

    assert json.loads(first.out)["reservationId"] == json.loads(again.out)["reservationId"]
    assert "used before" in again.err
    assert usage(entitled, limited) == ("0", "7")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("reserve", "LIMITED", "api_calls=-1"), 2),
        (("reserve", "LIMITED", "api_calls", "--ttl", "0"), 2),
        (("reserve", "LIMITED", "lost"), 1),
        (("settle", "rsv_lost"), 1),
        (("settle", "rsv_lost", "api_calls"), 2),
        (("release", "rsv_lost"), 1),
    ],
)
def test_what_cannot_be_is_one_line(entitled: Command, limited: str, arguments: tuple[str, ...], code: int) -> None:
    named = (limited if argument == "LIMITED" else argument for argument in arguments)

    ran = entitled("usage", *named)

    assert (ran.code, (ran.out + ran.err).count("\n")) == (code, 1)
