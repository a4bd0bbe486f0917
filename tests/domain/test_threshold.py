"""Thresholds count what is used, against the limit there is."""

from decimal import Decimal

import msgspec
from support.records import NOW, feature, limit, plan, workspace

from app.domain.entitlement import Entitlement, evaluate
from app.domain.plan import Catalogue, LimitBehavior
from app.domain.threshold import Reached, still_running, thresholds_reached
from app.domain.usage import Balance, Meter
from app.domain.workspace_state import WorkspaceState


def answer_after(used: str, *, amount: int | None = 100) -> Entitlement:
    row = msgspec.structs.replace(limit(amount=amount, behavior=LimitBehavior.SOFT), thresholds=(80, 100, 150))
    catalogue = Catalogue([feature()], [plan("free", row)], default_plan_key="free")
    state = WorkspaceState(workspace=workspace(created_at=NOW))
    meter = Meter(reset_period=row.reset_period, start_at=NOW, end_at=None, used=Decimal(used))
    balance = Balance(id="ws_1", meters={"api_calls": (meter,)})
    return evaluate("api_calls", msgspec.structs.replace(state, balance=balance), catalogue, NOW)


def reached(used: str, *, amount: int | None = 100) -> list[int]:
    return [mark.percent for mark in thresholds_reached(answer_after(used, amount=amount))]


def test_a_threshold_is_reached_at_its_very_share() -> None:
    assert reached("79.999999999") == []
    assert reached("80") == [80]
    assert reached("150") == [80, 100, 150]


def test_without_a_limit_nothing_is_reached() -> None:
    assert reached("1000000", amount=None) == []
    assert reached("1", amount=0) == []


def test_marks_of_periods_that_are_over_are_forgotten() -> None:
    running, over = Reached("api_calls", NOW, 80), Reached("api_calls", NOW - 1, 80)

    assert still_running({running, over}, [answer_after("80")]) == {running}
