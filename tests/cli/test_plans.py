"""`entitled plans` at the real service."""

import json
from collections.abc import Callable

import httpx
import pytest
from support.command import Command
from support.service import Service

pytestmark = pytest.mark.usefixtures("service")


def test_plans_are_listed(entitled: Command) -> None:
    rows = {line.split()[0]: line.split() for line in entitled("plans", "list").out.splitlines()}
    listed = json.loads(entitled("plans", "list", "--json").out)

    assert rows["PLAN"][:2] == ["PLAN", "VERSION"]
    assert rows["pro"][1:7] == ["1", "Pro", "ACTIVE", "no", "2", "pro_monthly"]
    assert {plan["key"]: plan["prices"] for plan in listed}["pro"] == [
        {"lookupKey": "pro_monthly", "stripePriceId": None}
    ]


def test_a_plan_is_shown_with_prices_and_features(entitled: Command) -> None:
    ran = entitled("plans", "show", "pro", "--version", "1")

    lines = [line.split() for line in ran.out.splitlines()]
    assert ran.code == 0
    assert ["trialDays", "14"] in lines
    assert ["PRICES:", "1"] in lines
    assert ["pro_monthly", "-"] in lines
    assert ["api_calls", "100", "HARD", "MONTH", "-", "-", "-"] in lines
    assert ["sso", *"------"] in lines
    assert json.loads(entitled("plans", "show", "pro", "--json").out)["features"][1]["limit"] == "100"


@pytest.mark.parametrize("arguments", [("prro",), ("pro", "--version", "9")])
def test_an_unknown_plan_is_exit_code_1(entitled: Command, arguments: tuple[str, ...]) -> None:
    ran = entitled("plans", "show", *arguments)

    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert arguments[0] in ran.err
    assert arguments[-1] in ran.err


@pytest.fixture
def plan(service: Service, name: str) -> str:
    """Publish a plan of its own and give its key."""
    key = name.replace("-", "_")
    document = """mutation($key: String!) {
        createPlan(input: {idempotencyKey: $key, key: $key, name: "Old"}) { ... on PlanPayload { plan { id } } } }"""
    asked = {"query": document, "variables": {"key": key}}
    answer = httpx.post(f"{service.url}/graphql", json=asked, headers={"Authorization": f"Bearer {service.key}"})
    assert answer.json()["data"]["createPlan"]["plan"]["id"]
    return key


def test_an_archived_plan_is_listed_only_where_asked_for(entitled: Command, plan: str) -> None:
    archived = entitled("plans", "archive", plan, "--yes")

    assert (archived.code, archived.out, archived.err) == (0, f"{plan} version 1 is ARCHIVED\n", "")
    assert plan not in entitled("plans", "list").out
    assert f"{plan} " in entitled("plans", "list", "--all").out
    assert json.loads(entitled("plans", "show", plan, "--json").out)["status"] == "ARCHIVED"


def test_a_plan_that_somebody_has_is_not_archived(
    entitled: Command, service: Service, plan: str, workspace: str
) -> None:
    document = """mutation($plan: String!, $workspace: ID!) {
        startTrial(input: {idempotencyKey: $plan, planKey: $plan, workspaceId: $workspace}) { __typename } }"""
    asked = {"query": document, "variables": {"plan": plan, "workspace": workspace}}
    answer = httpx.post(f"{service.url}/graphql", json=asked, headers={"Authorization": f"Bearer {service.key}"})
    assert answer.json()["data"]["startTrial"]["__typename"] == "WorkspacePayload"

    refused = entitled("plans", "archive", plan, "--yes")

    assert (refused.code, refused.out, refused.err.count("\n")) == (1, "", 1)
    assert "in use" in refused.err


def test_no_plan_is_archived_unasked(entitled: Command, plan: str, typed: Callable[[str], None]) -> None:
    typed("n")

    refused = entitled("plans", "archive", plan)

    assert (refused.code, refused.out, plan in refused.err) == (1, "", True)
    assert plan in entitled("plans", "list").out


def test_a_plan_that_is_not_there_cannot_be_archived(entitled: Command, name: str) -> None:
    assert entitled("plans", "archive", name, "--yes").code == 1
