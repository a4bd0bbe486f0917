"""`entitled grants` at the real service."""

import json
from collections.abc import Callable

import pytest
from support.command import Command

pytestmark = pytest.mark.usefixtures("service")


def test_a_grant_gives_until_it_is_revoked(entitled: Command, workspace: str) -> None:
    added = entitled("grants", "add", workspace, "api_calls", "--amount", "50", "--reason", "sorry for the outage")
    given = entitled("check", workspace, "api_calls")
    revoked = entitled("grants", "revoke", added.out.strip(), "--reason", "by mistake", "--yes")

    assert (added.code, added.err, added.out.startswith("grant_")) == (0, "", True)
    assert (given.code, "of 50" in given.out) == (0, True)
    assert (revoked.code, revoked.out.startswith(f"{added.out.strip()} revoked at 2")) == (0, True)
    assert entitled("check", workspace, "api_calls").code == 1


def test_every_field_of_a_grant_can_be_said(entitled: Command, workspace: str) -> None:
    added = entitled(
        "grants",
        "add",
        workspace,
        "api_calls",
        "--unlimited",
        "--source",
        "top_up",
        "--effective-at",
        "2026-01-01T00:00:00Z",
        "--expires-at",
        "2099-01-01T00:00:00+01:00",
        "--json",
    )

    grant = json.loads(added.out)
    assert (grant["source"], grant["limitBehavior"], grant["amount"]) == ("TOP_UP", "UNLIMITED", None)
    assert (grant["effectiveAt"], grant["expiresAt"]) == ("2026-01-01T00:00:00.000Z", "2098-12-31T23:00:00.000Z")


def test_an_amount_has_its_turn_and_its_period(entitled: Command, workspace: str) -> None:
    plain = json.loads(entitled("grants", "add", workspace, "api_calls", "--amount", "1", "--json").out)
    first = json.loads(
        entitled(
            *("grants", "add", workspace, "api_calls", "--amount", "1"),
            *("--priority", "5", "--reset-period", "day", "--json"),
        ).out
    )

    assert (plain["priority"], plain["resetPeriod"]) == (100, "NEVER")
    assert (first["priority"], first["resetPeriod"]) == (5, "DAY")


@pytest.mark.parametrize(
    ("feature", "written", "value"),
    [
        pytest.param("model", "large", "large", id="text"),
        pytest.param("model", '"5"', "5", id="digits that are text"),
        pytest.param("regions", '["eu", "us"]', ["eu", "us"], id="a list"),
    ],
)
def test_a_value_is_given(entitled: Command, workspace: str, feature: str, written: str, value: object) -> None:
    added = entitled("grants", "add", workspace, feature, "--value", written, "--json")

    assert json.loads(added.out)["value"] == value


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        pytest.param(("api_calls",), "amount", id="without an amount"),
        pytest.param(("api_calls", "--amount", "many"), "amount", id="no number"),
        pytest.param(("api_calls", "--amount", "1", "--expires-at", "tomorrow"), "expiresAt", id="no instant"),
        pytest.param(("model", "--value", "5"), "value", id="a number where text belongs"),
        pytest.param(("api_calls", "--amount", "1", "--idempotency-key", ""), "idempotencyKey", id="an empty key"),
    ],
)
def test_a_wrong_field_is_named_in_one_line(
    entitled: Command, workspace: str, arguments: tuple[str, ...], field: str
) -> None:
    ran = entitled("grants", "add", workspace, *arguments)

    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert field in ran.err


def test_what_is_not_there_is_exit_code_1(entitled: Command, name: str) -> None:
    assert entitled("grants", "add", name, "api_calls", "--amount", "1").code == 1
    assert entitled("grants", "revoke", "grant_lost", "--yes").code == 1


def test_no_grant_is_revoked_unasked(entitled: Command, workspace: str, typed: Callable[[str], None]) -> None:
    grant = entitled("grants", "add", workspace, "sso").out.strip()

    typed("")
    refused = entitled("grants", "revoke", grant)

    assert (refused.code, refused.out, grant in refused.err) == (1, "", True)
    assert entitled("check", workspace, "sso").code == 0
