"""The laws that every answer keeps, whatever the records."""

from decimal import Decimal
from random import Random  # noqa: TID251 - hypothesis hands it over

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from support.records import DAY, NOW
from support.states import FEATURES, KEYS, amounts, grants, states

from app.domain.entitlement import Entitlement, evaluate, usage_windows
from app.domain.grant import Grant
from app.domain.plan import Catalogue
from app.domain.workspace_state import WorkspaceState


def answers(state: WorkspaceState, catalogue: Catalogue, at: int) -> list[Entitlement]:
    return [evaluate(key, state, catalogue, at) for key in KEYS]


def content(answer: Entitlement) -> Entitlement:
    """Leave out what tells about the horizon itself."""
    return msgspec.structs.replace(answer, valid_until_at=None)


@given(states(), grants("grant_more"))
def test_more_grants_never_lower_access(held: tuple[WorkspaceState, Catalogue], more: Grant) -> None:
    state, catalogue = held
    richer = msgspec.structs.replace(state, grants=(*state.grants, more))

    for before, after in zip(answers(state, catalogue, NOW), answers(richer, catalogue, NOW), strict=True):
        assert after.has_access >= before.has_access
        if before.has_access:
            assert after.read_only <= before.read_only


@given(states(), st.randoms(use_true_random=False))
def test_the_order_of_records_does_not_matter(held: tuple[WorkspaceState, Catalogue], random: Random) -> None:
    state, catalogue = held

    def shuffled(records: tuple[object, ...]) -> tuple[object, ...]:
        return tuple(random.sample(records, len(records)))

    other = msgspec.structs.replace(
        state,
        subscriptions=shuffled(state.subscriptions),
        grants=shuffled(state.grants),
        overrides=shuffled(state.overrides),
    )

    assert answers(state, catalogue, NOW) == answers(other, catalogue, NOW)


@given(states(), st.integers(0, 30 * DAY))
def test_valid_until_is_honest(held: tuple[WorkspaceState, Catalogue], later: int) -> None:
    state, catalogue = held

    for key in KEYS:
        now = evaluate(key, state, catalogue, NOW)
        horizon = NOW + later if now.valid_until_at is None else min(NOW + later, now.valid_until_at - 1)
        then = evaluate(key, state, catalogue, horizon)
        assert content(then) == content(now)
        assert now.valid_until_at is None or now.valid_until_at > NOW


@given(states())
def test_a_denial_always_says_why_and_access_never_does(held: tuple[WorkspaceState, Catalogue]) -> None:
    state, catalogue = held

    for answer in answers(state, catalogue, NOW):
        assert answer.has_access is (answer.access_denied_reason is None)


@given(states(), amounts, amounts)
def test_whoever_may_use_more_may_use_less(
    held: tuple[WorkspaceState, Catalogue], one: Decimal, other: Decimal
) -> None:
    state, catalogue = held
    less, more = sorted((one, other))

    if evaluate("api_calls", state, catalogue, NOW, requested_usage=more).has_access:
        assert evaluate("api_calls", state, catalogue, NOW, requested_usage=less).has_access


@given(states())
def test_every_window_that_decides_is_one_that_is_counted(held: tuple[WorkspaceState, Catalogue]) -> None:
    state, catalogue = held
    answer = evaluate("api_calls", state, catalogue, NOW)

    if answer.usage is not None:
        starts = {
            (window.start_at or None, window.end_at) for window in usage_windows(FEATURES[0], state, catalogue, NOW)
        }
        assert (answer.usage.period_start_at, answer.usage.resets_at) in starts
