"""Thresholds count what is used, against the limit there is."""

from decimal import Decimal
from typing import Any

import pytest
from support.records import DAY, NOW, balance, feature, grant, limit, meter, plan, pot, reservation, workspace

from app.domain.entitlement import Entitlement, evaluate
from app.domain.grant import Grant
from app.domain.plan import Catalogue, LimitBehavior, PlanFeature, ResetPeriod
from app.domain.threshold import Reached, still_running, thresholds_reached
from app.domain.usage import Draw, Meter, UsageLine, WindowRef
from app.domain.workspace_state import WorkspaceState


def answer_after(used: str, *, amount: int | None = 100, **fields: Any) -> Entitlement:
    row = limit(amount=amount, behavior=LimitBehavior.SOFT, thresholds=(80, 100, 150))
    return answer_of((row,), (meter(used, NOW, row.reset_period, None),), **fields)


def answer_of(rows: tuple[PlanFeature, ...], counted: tuple[Meter, ...], **fields: Any) -> Entitlement:
    catalogue = Catalogue([feature()], [plan("free", *rows, prices=())], default_plan_key="free")
    pots, reservations = fields.pop("pots", ()), fields.pop("reservations", ())
    held = balance(meters={"api_calls": counted}, pots={"api_calls": pots}, reservations=reservations)
    state = WorkspaceState(workspace=workspace(created_at=NOW), balance=held, **fields)
    return evaluate("api_calls", state, catalogue, NOW)


def reached(used: str, *, amount: int | None = 100, **fields: Any) -> list[int]:
    return [mark.percent for mark in thresholds_reached(answer_after(used, amount=amount, **fields))]


def test_a_threshold_is_reached_at_its_very_share() -> None:
    assert reached("79.999999999") == []
    assert reached("80") == [80]
    assert reached("150") == [80, 100, 150]


def test_without_a_limit_nothing_is_reached() -> None:
    assert reached("1000000", amount=None) == []
    assert reached("1", amount=0) == []


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(grant(amount=Decimal(900)), id="used up"),
        pytest.param(grant(amount=Decimal(1000)), id="not used up yet"),
    ],
)
def test_what_was_used_of_a_grant_is_not_used_of_the_plan(given: Grant) -> None:
    beside: dict[str, Any] = {"grants": (given,), "pots": (pot(900),)}

    assert reached("0", **beside) == []
    assert reached("79", **beside) == []
    assert reached("80", **beside) == [80]
    assert reached("100", **beside) == [80, 100]


def test_a_grant_that_is_left_does_not_put_a_threshold_off() -> None:
    assert reached("80", grants=(grant(amount=Decimal(1000), priority=200),)) == [80]


def test_what_is_reserved_is_not_used_yet_wherever_it_is_held() -> None:
    windows = (WindowRef(ResetPeriod.MONTH, NOW),)
    draws = Draw(amount=Decimal(20), windows=windows), Draw(amount=Decimal(5), pot="grant_1", pot_start_at=NOW - DAY)
    line = UsageLine(
        feature_key="api_calls", balance_key="api_calls", amount=Decimal(25), charge=Decimal(25), draws=draws
    )
    beside: dict[str, Any] = {"grants": (grant(amount=Decimal(5)),), "reservations": (reservation("res_1", line),)}

    assert reached("79", **beside) == []
    assert reached("80", **beside) == [80]


def test_what_was_carried_over_belongs_to_the_window() -> None:
    row = limit(rollover_max=Decimal(100), thresholds=(80,))

    def after(used: str) -> list[Reached]:
        month = meter(used, NOW, end_at=NOW + DAY, limit=Decimal(100), carried=Decimal(50))
        return list(thresholds_reached(answer_of((row,), (month,))))

    assert (after("119"), len(after("120"))) == ([], 1)


def test_every_window_has_its_own() -> None:
    rows = (limit(thresholds=(50,)), limit(amount=10, reset=ResetPeriod.DAY, thresholds=(80,)))
    counted = (meter(60, NOW), meter(8, NOW, ResetPeriod.DAY, NOW + DAY))

    marks = list(thresholds_reached(answer_of(rows, counted)))

    assert marks == [
        Reached("api_calls", ResetPeriod.DAY, NOW, 80),
        Reached("api_calls", ResetPeriod.MONTH, NOW, 50),
    ]


def test_a_threshold_of_a_window_that_does_not_bind_is_reached_too() -> None:
    rows = (limit(thresholds=(50,)), limit(amount=10, reset=ResetPeriod.DAY))
    counted = (meter(60, NOW), meter(10, NOW, ResetPeriod.DAY, NOW + DAY))

    assert [mark.percent for mark in thresholds_reached(answer_of(rows, counted))] == [50]


def test_marks_of_periods_that_are_over_are_forgotten() -> None:
    running, over = (Reached("api_calls", ResetPeriod.MONTH, at, 80) for at in (NOW, NOW - 1))

    assert still_running({running, over}, [answer_after("80")]) == {running}
