"""How long an API that fails is left alone."""

from functools import reduce

import pytest
from support.records import NOW

from app.domain.stripe_backoff import EVERYTHING, ApiState, ApiStates

TYPE = "invoice"
WELL = ApiStates()


def failed(
    states: ApiStates, *, type: str = TYPE, at: int = NOW, asked_s: float = 0, slow_down: bool = False
) -> ApiStates:
    return states.after_failure(type, "status 500", at=at, asked_s=asked_s, slow_down=slow_down, jitter=1)


def after(failures: int) -> ApiStates:
    return reduce(lambda states, _: failed(states), range(failures), WELL)


def left_ms(states: ApiStates, at: int = NOW, type: str = TYPE) -> int:
    return states.left_alone_ms(type, at)


def test_two_failures_may_be_two_objects_own() -> None:
    states = after(2)

    assert not states.is_failing
    assert (left_ms(states), states.left_alone(NOW), states.backoff(NOW)) == (0, (), None)
    assert states.trouble == "invoice: status 500"


def test_from_the_third_on_the_pauses_grow_up_to_a_minute() -> None:
    pauses = [left_ms(after(failures)) for failures in range(3, 10)]

    assert pauses == [8000, 16_000, 32_000, 60_000, 60_000, 60_000, 60_000]


def test_where_one_endpoint_fails_the_others_are_asked() -> None:
    states = after(3)

    assert states.left_alone(NOW) == (TYPE,)
    assert left_ms(states, type="customer") == 0
    assert states.is_failing


def test_a_pause_ends_and_one_request_at_a_time_tries() -> None:
    states = after(3)
    tried = states.after_trial(TYPE, NOW + 8000)

    assert (left_ms(states, NOW + 7999), left_ms(states, NOW + 8000)) == (1, 0)
    assert left_ms(tried, NOW + 8001) > 0
    assert tried.left_alone(NOW + 8001) == (TYPE,)
    assert tried.backoff(NOW + 8001) is None
    assert left_ms(tried, NOW + 60_000) == 0  # who tried it has died
    assert left_ms(failed(tried, at=NOW + 9000), NOW + 9000) == 16_000


def test_too_many_requests_are_a_reason_to_ask_for_nothing_at_once() -> None:
    states = failed(WELL, slow_down=True)

    assert (left_ms(states), left_ms(states, type="customer")) == (2000, 2000)
    assert states.left_alone(NOW) == (EVERYTHING,)


@pytest.mark.parametrize(("asked_s", "waited_ms"), [(7, 7000), (0.5, 500), (86_400, 600_000)])
def test_what_the_api_asks_for_is_kept_up_to_ten_minutes(asked_s: float, waited_ms: int) -> None:
    assert left_ms(failed(WELL, asked_s=asked_s)) == waited_ms


def test_another_failure_does_not_cut_short_what_was_asked_for() -> None:
    asked = failed(WELL, asked_s=300)

    assert left_ms(failed(asked, at=NOW + 1000), NOW + 1000) == 299_000


def test_an_answer_to_what_was_asked_before_the_pause_does_not_end_it() -> None:
    states = failed(WELL, slow_down=True)

    assert states.after_answer(TYPE, NOW + 1999) == states
    assert states.after_answer(TYPE, NOW + 2000) == WELL
    assert left_ms(states.after_refusal(TYPE, "no", NOW)) == 2000


def test_an_answer_lets_in_what_was_asked_for_and_nothing_else() -> None:
    both = failed(failed(after(3), type="customer"), slow_down=True)

    answered = both.after_answer(TYPE, NOW + 10_000)

    assert [state.type for state in answered.states] == ["customer"]


def test_a_pause_that_a_wrong_clock_noted_is_none() -> None:
    noted = failed(WELL, at=NOW + 86_400_000, slow_down=True)

    assert (left_ms(noted), noted.left_alone(NOW), noted.backoff(NOW)) == (0, (), None)
    assert left_ms(failed(noted, slow_down=True)) == 4000


def test_the_status_says_until_when_and_of_what() -> None:
    one, all_of_them = after(3).backoff(NOW), failed(after(3), slow_down=True).backoff(NOW)

    assert one is not None
    assert (one.until_at, one.reason) == (NOW + 8000, "invoice: status 500")
    assert all_of_them is not None
    assert (all_of_them.until_at, all_of_them.reason) == (NOW + 2000, "status 500")


def test_a_refusal_is_an_answer_that_somebody_must_hear_of() -> None:
    refused = after(2).after_refusal(TYPE, "invalid API key", NOW)

    assert (refused.is_failing, left_ms(refused), refused.trouble) == (False, 0, "invoice: invalid API key")
    assert refused.of(TYPE) == ApiState(type=TYPE, trouble="invalid API key")
