"""A case decides as the check does, and finds once what its balance does not change."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.records import DAY, NOW, feature, limit, meter, plan, workspace
from support.states import COUNTED, KEYS, amounts, states

from app.domain.case import Case
from app.domain.errors import NotFoundError
from app.domain.plan import Catalogue, ResetPeriod
from app.domain.usage import Balance
from app.domain.workspace_state import WorkspaceState

CATALOGUE = Catalogue((feature(),), (plan("free", limit(amount=10)),), default_plan_key="free")
STATE = WorkspaceState(workspace=workspace())


@given(states(), st.sampled_from(KEYS), amounts)
def test_there_is_room_exactly_where_the_check_has_access(
    held: tuple[WorkspaceState, Catalogue], key: str, amount: Decimal
) -> None:
    case = Case(*held, NOW)
    answer = case.answer(key, amount)

    assert (case.room_for(key, amount) is not None) == answer.has_access


@given(states(), st.sampled_from(COUNTED), st.lists(amounts, min_size=1, max_size=3))
def test_cases_that_share_what_they_found_decide_as_a_new_one(
    held: tuple[WorkspaceState, Catalogue], key: str, used: list[Decimal]
) -> None:
    case = Case(*held, NOW)
    for amount in used:
        balance = Balance(id="ws_1", meters={key: (meter(str(amount), 0, ResetPeriod.NEVER, None),)})
        case = case.on(balance)
        anew = Case(case.state, case.catalogue, NOW)

        assert case.room(key).supply == anew.room(key).supply
        assert case.room(key).counted.blanks == anew.room(key).counted.blanks


def test_another_instant_is_another_case() -> None:
    case = Case(STATE, CATALOGUE, NOW)
    now, later = case.room("api_calls"), case.when(NOW + 40 * DAY).room("api_calls")

    assert case.when(NOW) is case
    assert now.supply.windows[0].period != later.supply.windows[0].period


def test_a_question_is_of_the_case() -> None:
    case = Case(STATE, CATALOGUE, NOW)
    question = case.question("api_calls", Decimal(3))

    assert (question.state, question.at, question.requested_usage) == (STATE, NOW, 3)


def test_nobody_has_room_in_a_feature_that_is_not_there() -> None:
    case = Case(STATE, CATALOGUE, NOW)

    assert case.room_for("nope", Decimal(1)) is None
    with pytest.raises(NotFoundError):
        case.room("nope")
