"""`entitled check` answers by its exit code too."""

import json
from typing import Any

from support.command import Command
from support.graphql_server import FakeGraphQL


def decision(**fields: Any) -> dict[str, Any]:
    entitlement = {
        "featureKey": "api_calls",
        "hasAccess": True,
        "accessDeniedReason": None,
        "limitBehavior": "HARD",
        "readOnly": False,
        "inGrace": False,
        "graceEndsAt": None,
        "isTrial": False,
        "trialEndsAt": None,
        "value": None,
        "usage": None,
        **fields,
    }
    return {"data": {"checkEntitlement": {"entitlement": entitlement}}}


def test_access_is_exit_code_0(entitled: Command, server: FakeGraphQL) -> None:
    server.answer = decision(usage={"used": "58", "limit": "100", "resetsAt": "2026-12-01T00:00:00.000Z"})

    ran = entitled("check", "acme", "api_calls")

    assert (ran.code, ran.err) == (0, "")
    assert ran.out == "acme may use api_calls; used 58 of 100, resets at 2026-12-01T00:00:00.000Z\n"


def test_denial_is_exit_code_1_and_no_error(entitled: Command, server: FakeGraphQL) -> None:
    server.answer = decision(hasAccess=False, accessDeniedReason="NO_ACTIVE_SUBSCRIPTION")

    ran = entitled("check", "acme", "api_calls")

    assert (ran.code, ran.err) == (1, "")
    assert ran.out == "acme may not use api_calls: NO_ACTIVE_SUBSCRIPTION\n"


def test_states_between_good_and_ended_are_told(entitled: Command, server: FakeGraphQL) -> None:
    server.answer = decision(
        readOnly=True, inGrace=True, graceEndsAt="G", isTrial=True, trialEndsAt="T", value=["eu", "us"]
    )

    ran = entitled("check", "acme", "regions")

    assert ran.out == (
        "acme may use api_calls, read only; value eu, us; trial until T; payment overdue, grace until G\n"
    )


def test_usage_and_values_are_asked_for(entitled: Command, server: FakeGraphQL) -> None:
    server.answer = decision()

    entitled("check", "acme", "regions", "--usage", "2.5", "--value", "eu", "--value", "us")

    assert server.requests[0]["variables"]["input"] == {
        "workspaceId": "acme",
        "featureKey": "regions",
        "requestedUsage": "2.5",
        "requestedValues": ["eu", "us"],
    }


def test_json_is_the_whole_answer(entitled: Command, server: FakeGraphQL) -> None:
    server.answer = decision(hasAccess=False)

    ran = entitled("check", "acme", "api_calls", "--json")

    assert ran.code == 1
    assert json.loads(ran.out) == server.answer["data"]["checkEntitlement"]["entitlement"]


def test_an_explanation_names_the_rules_and_each_remedy(entitled: Command, server: FakeGraphQL) -> None:
    server.answer = decision(hasAccess=False, accessDeniedReason="USAGE_LIMIT_EXCEEDED")
    server.answer["data"]["checkEntitlement"] |= {
        "explanation": [
            {"rule": "WITHIN_LIMITS", "outcome": "USAGE_LIMIT_EXCEEDED", "decisive": True, "input": {"charge": "1"}}
        ],
        "remedies": [
            {"kind": "PLAN", "plan": {"key": "pro"}},
            {"kind": "ADD_ON", "addOn": {"key": "pack"}, "quantity": "2"},
            {"kind": "TOP_UP", "quantity": "5"},
            {"kind": "PAY_INVOICE", "subscriptionId": "sub_1"},
            {"kind": "WAIT_UNTIL", "at": "2026-12-01T00:00:00.000Z"},
        ],
    }

    ran = entitled("check", "acme", "api_calls", "--explain")
    as_json = json.loads(entitled("check", "acme", "api_calls", "--explain", "--json").out)

    assert ran.code == 1
    assert ran.out.splitlines()[1:] == [
        "",
        "RULES: 1",
        "RULE           OUTCOME               INPUT",
        'WITHIN_LIMITS  USAGE_LIMIT_EXCEEDED  {"charge": "1"}',
        "",
        "REMEDIES: 5",
        "ANY OF THESE",
        "change to the plan pro",
        "buy 2 more of the add-on pack",
        "top up 5",
        "pay the open invoice of sub_1",
        "wait until 2026-12-01T00:00:00.000Z",
    ]
    assert (as_json["hasAccess"], as_json["remedies"][0]["kind"]) == (False, "PLAN")
    assert "explanation" in server.requests[0]["query"]
