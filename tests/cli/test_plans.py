"""`entitled plans` at the real service."""

import json

import pytest
from support.command import Command

pytestmark = pytest.mark.usefixtures("service")


def test_plans_are_listed(entitled: Command) -> None:
    rows = {line.split()[0]: line.split() for line in entitled("plans", "list").out.splitlines()}
    listed = json.loads(entitled("plans", "list", "--json").out)

    assert rows["PLAN"][:2] == ["PLAN", "VERSION"]
    assert rows["pro"][1:6] == ["1", "Pro", "ACTIVE", "2", "pro_monthly"]
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
    assert ["api_calls", "100", "HARD", "MONTH", "-"] in lines
    assert ["sso", "-", "-", "-", "-"] in lines
    assert json.loads(entitled("plans", "show", "pro", "--json").out)["features"][1]["limit"] == "100"


@pytest.mark.parametrize("arguments", [("prro",), ("pro", "--version", "9")])
def test_an_unknown_plan_is_exit_code_1(entitled: Command, arguments: tuple[str, ...]) -> None:
    ran = entitled("plans", "show", *arguments)

    assert (ran.code, ran.out, ran.err.count("\n")) == (1, "", 1)
    assert arguments[0] in ran.err
    assert arguments[-1] in ran.err
