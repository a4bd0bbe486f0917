"""How long an API that fails is left alone."""

from functools import reduce

import pytest
from support.records import NOW

from app.domain.stripe_backoff import ApiState, after_failure, after_refusal, after_trial


def failed(state: ApiState, *, at: int = NOW, asked_s: float = 0, slow_down: bool = False) -> ApiState:
    return after_failure(state, "status 500", at=at, asked_s=asked_s, slow_down=slow_down, jitter=1)


def after(failures: int) -> ApiState:
    return reduce(lambda state, _: failed(state), range(failures), ApiState())


def test_two_failures_may_be_two_objects_own() -> None:
    assert not after(2).is_failing
    assert after(2).left_alone_ms(NOW) == 0
    assert after(2).backoff(NOW) is None
    assert after(2).trouble == "status 500"


def test_from_the_third_on_the_pauses_grow_up_to_a_minute() -> None:
    pauses = [after(failures).left_alone_ms(NOW) for failures in range(3, 10)]

    assert pauses == [8000, 16_000, 32_000, 60_000, 60_000, 60_000, 60_000]


def test_a_pause_ends_and_one_request_at_a_time_tries() -> None:
    state = after(3)
    tried = after_trial(state, NOW + 8000)

    assert (state.left_alone_ms(NOW + 7999), state.left_alone_ms(NOW + 8000)) == (1, 0)
    assert tried.left_alone_ms(NOW + 8001) > 0
    assert tried.backoff(NOW + 8001) is None
    assert tried.left_alone_ms(NOW + 60_000) == 0  # who tried it has died
    assert failed(tried, at=NOW + 9000).left_alone_ms(NOW + 9000) == 16_000


def test_too_many_requests_are_a_reason_to_pause_at_once() -> None:
    assert failed(ApiState(), slow_down=True).left_alone_ms(NOW) == 2000


@pytest.mark.parametrize(("asked_s", "waited_ms"), [(7, 7000), (0.5, 500), (86_400, 600_000)])
def test_what_the_api_asks_for_is_kept_up_to_ten_minutes(asked_s: float, waited_ms: int) -> None:
    assert failed(ApiState(), asked_s=asked_s).left_alone_ms(NOW) == waited_ms


def test_another_failure_does_not_cut_short_what_was_asked_for() -> None:
    asked = failed(ApiState(), asked_s=300)

    assert failed(failed(asked), at=NOW + 1000).left_alone_ms(NOW + 1000) == 299_000


def test_a_pause_that_a_wrong_clock_noted_is_none() -> None:
    noted = failed(ApiState(), at=NOW + 86_400_000, slow_down=True)

    assert noted.left_alone_ms(NOW) == 0
    assert noted.backoff(NOW) is None
    assert failed(noted, slow_down=True).left_alone_ms(NOW) == 4000


def test_the_status_says_until_when_and_why() -> None:
    backoff = after(3).backoff(NOW)

    assert backoff is not None
    assert (backoff.until_at, backoff.reason) == (NOW + 8000, "status 500")


def test_a_refusal_is_an_answer_that_somebody_must_hear_of() -> None:
    refused = after_refusal("invalid API key")

    assert (refused.is_failing, refused.left_alone_ms(NOW), refused.trouble) == (False, 0, "invalid API key")
