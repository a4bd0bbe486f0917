"""What a plan's file says of a feature, by the feature's type."""

from decimal import Decimal
from typing import Any

import pytest
from support.catalogues import catalogue_of, told

from app.domain.plan import LimitBehavior, PlanFeature, ResetPeriod

FEATURES = """
[credits]
ai = { name = "AI" }
[features]
on = { name = "On", type = "BOOLEAN" }
calls = { name = "Calls", type = "METERED" }
seats = { name = "Seats", type = "METERED", meter = "FLUCTUATING" }
days = { name = "Days", type = "CONFIG", value_type = "INTEGER" }
rate = { name = "Rate", type = "CONFIG", value_type = "DECIMAL" }
tone = { name = "Tone", type = "CONFIG", value_type = "STRING" }
area = { name = "Area", type = "CONFIG", value_type = "ENUM", values = ["eu", "us"] }
images = { name = "Images", type = "CREDIT", credit = "ai", cost = 5 }
[plans.pro]
name = "Pro"
[plans.pro.features]
"""
FIRST_ROW = FEATURES.count("\n") + 1


def row(key: str, **fields: Any) -> PlanFeature:
    return PlanFeature(feature_key=key, **fields)


def metered(amount: str, reset: ResetPeriod = ResetPeriod.NEVER, **fields: Any) -> PlanFeature:
    return row("calls", limit=Decimal(amount), reset_period=reset, **fields)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        pytest.param("on = true", [row("on")], id="on"),
        pytest.param("on = false", [], id="off is not there"),
        pytest.param("days = 30", [row("days", value=30)], id="integer"),
        pytest.param('rate = "0.250"', [row("rate", value="0.250")], id="decimal in a text"),
        pytest.param("rate = 0.250", [row("rate", value="0.250")], id="decimal, every digit of it"),
        pytest.param("rate = 1e2", [row("rate", value="100")], id="decimal with an exponent"),
        pytest.param("rate = 3", [row("rate", value="3")], id="whole decimal"),
        pytest.param('tone = "UNLIMITED"', [row("tone", value="UNLIMITED")], id="text"),
        pytest.param('area = ["us"]', [row("area", value=("us",))], id="enum"),
        pytest.param("calls = 100", [metered("100")], id="limit"),
        pytest.param('calls = "0.5"', [metered("0.5")], id="limit in a text"),
        pytest.param("calls = 0.1", [metered("0.1")], id="limit with a fraction, exactly"),
        pytest.param('calls = "UNLIMITED"', [row("calls", limit_behavior=LimitBehavior.UNLIMITED)], id="unlimited"),
        pytest.param(
            'calls = { behavior = "UNLIMITED" }',
            [row("calls", limit_behavior=LimitBehavior.UNLIMITED)],
            id="unlimited as a table",
        ),
        pytest.param(
            'calls = { limit = 9, reset = "MONTH", behavior = "SOFT", rollover_max = 5, thresholds = [80, 100] }',
            [
                metered(
                    "9",
                    ResetPeriod.MONTH,
                    limit_behavior=LimitBehavior.SOFT,
                    rollover_max=Decimal(5),
                    thresholds=(80, 100),
                )
            ],
            id="everything",
        ),
        pytest.param(
            'calls = [{ limit = 9, reset = "MONTH" }, { limit = 1, reset = "DAY" }]',
            [metered("9", ResetPeriod.MONTH), metered("1", ResetPeriod.DAY)],
            id="several windows",
        ),
        pytest.param("ai = 100", [row("ai", limit=Decimal(100))], id="credits"),
    ],
)
def test_what_is_said_means_by_the_features_type(said: str, meant: list[PlanFeature]) -> None:
    [plan] = catalogue_of(FEATURES + said).plans()

    assert list(plan.features) == meant
    assert [str(r.limit) for r in plan.features] == [str(r.limit) for r in meant]


@pytest.mark.parametrize(
    ("said", "column", "fault"),
    [
        pytest.param("on = 3", 6, "WRONG_TYPE on", id="number for on"),
        pytest.param('days = "x"', 8, "INVALID_VALUE days", id="text for an integer"),
        pytest.param("days = true", 8, "WRONG_TYPE days", id="flag for an integer"),
        pytest.param("days = 0.5", 8, "WRONG_TYPE days", id="fraction for an integer"),
        pytest.param("days = { limit = 3 }", 8, "WRONG_TYPE days", id="limit for a setting"),
        pytest.param("rate = nan", 8, "INVALID_VALUE rate", id="no number"),
        pytest.param('area = ["mars"]', 8, "INVALID_VALUE area", id="none of the values"),
        pytest.param("area = []", 8, "INVALID_VALUE area", id="no values"),
        pytest.param("calls = true", 9, "WRONG_TYPE calls", id="flag for a limit"),
        pytest.param('calls = "many"', 9, "WRONG_TYPE calls", id="words for a limit"),
        pytest.param('calls = "1e3"', 9, "WRONG_TYPE calls", id="an exponent in a text"),
        pytest.param("calls = -1", 9, "OUT_OF_RANGE calls", id="below 0"),
        pytest.param("calls = 0.0000000001", 9, "OUT_OF_RANGE calls", id="ten decimal places"),
        pytest.param("calls = inf", 9, "OUT_OF_RANGE calls", id="infinity"),
        pytest.param("calls = 2026-11-21", 9, "WRONG_TYPE calls", id="a date"),
        pytest.param("calls = []", 9, "WRONG_TYPE calls", id="no windows"),
        pytest.param("calls = [1]", 10, "WRONG_TYPE calls.0", id="a number for a window"),
        pytest.param("calls = {}", 9, "REQUIRED calls.limit", id="no limit"),
        pytest.param('calls = { limit = "x" }', 19, "WRONG_TYPE calls.limit", id="limit in words"),
        pytest.param("calls = { limit = 1, thresholds = 80 }", 35, "WRONG_TYPE calls.thresholds", id="no list"),
        pytest.param(
            "calls = { limit = 1, thresholds = [90, 80] }", 40, "NOT_ASCENDING calls.thresholds.1", id="order"
        ),
        pytest.param(
            "calls = { limit = 1, rollover_max = 3 }", 37, "NOT_ALLOWED calls.rollover_max", id="never resets"
        ),
        pytest.param('seats = { limit = 1, reset = "DAY" }', 30, "NOT_ALLOWED seats.reset", id="a level never resets"),
        pytest.param("images = 3", 1, "NOT_ALLOWED images", id="draws on credits"),
        pytest.param("call = 3", 1, "UNKNOWN call", id="no such feature"),
        pytest.param(
            'calls = [{ limit = 9, reset = "DAY" }, { limit = 1, reset = "DAY" }]',
            40,
            "DUPLICATE calls.1",
            id="one window twice",
        ),
    ],
)
def test_what_does_not_fit_is_told_where_it_stands(said: str, column: int, fault: str) -> None:
    code, path = fault.split(" ")

    assert told(FEATURES + said) == [f"{FIRST_ROW}:{column} {code} plans.pro.features.{path}"]
