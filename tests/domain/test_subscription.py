"""The transition table, and instants read off a subscription."""

import pytest
from support.records import DAY, NOW, item, sub

from app.domain.subscription import TERMINAL, TRANSITIONS, SubscriptionStatus, is_known_transition

S = SubscriptionStatus


def test_every_status_has_a_row_and_only_terminal_ones_lead_nowhere() -> None:
    assert set(TRANSITIONS) == set(SubscriptionStatus)
    assert {status for status, edges in TRANSITIONS.items() if not edges} == TERMINAL


@pytest.mark.parametrize(
    ("before", "after", "known"),
    [
        pytest.param(S.INCOMPLETE, S.ACTIVE, True, id="first payment"),
        pytest.param(S.CANCELED, S.ACTIVE, False, id="the dead do not rise"),
        pytest.param(S.CANCELED, S.CANCELED, True, id="staying"),
        pytest.param(S.ACTIVE, S.INCOMPLETE, False, id="never back to incomplete"),
        pytest.param(S.PAUSED, S.PAST_DUE, True, id="resumed without paying"),
    ],
)
def test_edges(before: SubscriptionStatus, after: SubscriptionStatus, known: bool) -> None:  # noqa: FBT001
    assert is_known_transition(before, after) is known


def test_it_renews_at_the_earliest_end_and_is_paid_through_the_latest() -> None:
    short, long = item("a", current_period_end_at=NOW + DAY), item("b", current_period_end_at=NOW + 9 * DAY)

    subscription = sub("sub_1", S.ACTIVE, short, long, cancel_at_period_end=True)

    assert (subscription.renews_at, subscription.paid_through_at) == (NOW + DAY, NOW + 9 * DAY)
    assert subscription.ends_at == NOW + 9 * DAY


def test_a_set_instant_of_cancellation_goes_before_the_period() -> None:
    assert sub(cancel_at=NOW + 1, cancel_at_period_end=True).ends_at == NOW + 1
