"""`entitled overrides` at the real service."""

import json

import pytest
from support.command import Command

pytestmark = pytest.mark.usefixtures("service")


def test_an_override_holds_until_it_is_removed(entitled: Command, workspace: str) -> None:
    made = entitled("overrides", "set", workspace, "api_calls", "--limit", "7", "--reset-period", "day")
    held = entitled("check", workspace, "api_calls")
    removed = entitled("overrides", "remove", made.out.strip(), "--yes")

    assert (made.code, made.err) == (0, "")
    assert (held.code, "of 7, resets at" in held.out) == (0, True)
    assert (removed.code, removed.out.startswith(f"{made.out.strip()} removed at 2")) == (0, True)
    assert entitled("check", workspace, "api_calls").code == 1


def test_every_field_of_an_override_can_be_said(entitled: Command, workspace: str) -> None:
    soft = entitled(
        "overrides",
        "set",
        workspace,
        "api_calls",
        "--limit",
        "2.5",
        "--limit-behavior",
        "soft",
        "--expires-at",
        "2099-01-01T00:00:00Z",
        "--reason",
        "trial of a contract",
        "--json",
    )
    model = entitled("overrides", "set", workspace, "model", "--value", "large", "--json")

    override = json.loads(soft.out)
    assert (override["limit"], override["limitBehavior"], override["resetPeriod"]) == ("2.5", "SOFT", "NEVER")
    assert (override["expiresAt"], override["reason"]) == ("2099-01-01T00:00:00.000Z", "trial of a contract")
    assert json.loads(model.out)["value"] == "large"


def test_a_feature_is_taken_away(entitled: Command, workspace: str) -> None:
    entitled("grants", "add", workspace, "sso")

    taken = entitled("overrides", "set", workspace, "sso", "--revoked")

    assert taken.code == 0
    assert "REVOKED" in entitled("check", workspace, "sso").out


def test_a_subscription_that_is_not_there_is_exit_code_1(entitled: Command, workspace: str) -> None:
    ran = entitled("overrides", "set", workspace, "sso", "--subscription", "sub_lost")

    assert (ran.code, ran.out, "sub_lost" in ran.err) == (1, "", True)


def test_a_wrong_field_is_named_in_one_line(entitled: Command, workspace: str) -> None:
    ran = entitled("overrides", "set", workspace, "api_calls", "--revoked", "--limit", "3")

    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert "limit" in ran.err


def test_no_override_is_removed_unasked(entitled: Command, workspace: str) -> None:
    override = entitled("overrides", "set", workspace, "sso").out.strip()

    refused = entitled("overrides", "remove", override)

    assert (refused.code, refused.out, "--yes" in refused.err) == (2, "", True)
    assert entitled("check", workspace, "sso").code == 0
