"""Windows from an anchor."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.period import Period, add_months, period_at, periods_between
from app.domain.plan import ResetPeriod

DAY = 86_400_000


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("anchor", "at", "start", "end"),
    [
        pytest.param(
            "2026-01-31", "2026-02-28", "2026-02-28", "2026-03-31", id="clamped, and back to the anchor's day"
        ),
        pytest.param("2026-01-31", "2026-02-27T23:59:59", "2026-01-31", "2026-02-28", id="just before"),
        pytest.param("2024-01-31", "2024-02-29", "2024-02-29", "2024-03-31", id="leap year"),
        pytest.param(
            "2026-01-15T12:30:00", "2026-07-15T12:29:59", "2026-06-15T12:30:00", "2026-07-15T12:30:00", id="time of day"
        ),
        pytest.param("2026-06-15", "2026-02-01", "2026-01-15", "2026-02-15", id="before the anchor"),
    ],
)
def test_months(anchor: str, at: str, start: str, end: str) -> None:
    assert period_at(ResetPeriod.MONTH, ms(anchor), ms(at)) == Period(ms(start), ms(end))


def test_year_and_quarter_clamp_from_the_anchor() -> None:
    assert period_at(ResetPeriod.YEAR, ms("2024-02-29"), ms("2025-06-01")) == Period(ms("2025-02-28"), ms("2026-02-28"))
    assert period_at(ResetPeriod.QUARTER, ms("2025-11-30"), ms("2026-03-01")) == Period(
        ms("2026-02-28"), ms("2026-05-30")
    )


def test_never_lasts_for_ever() -> None:
    assert period_at(ResetPeriod.NEVER, 5, 9) == Period(5, None)


@given(
    st.sampled_from([reset for reset in ResetPeriod if reset is not ResetPeriod.NEVER]),
    st.integers(ms("2000-01-01"), ms("2100-01-01")),
    st.integers(ms("2000-01-01"), ms("2100-01-01")),
)
def test_windows_hold_their_instant_and_meet_without_a_gap(reset: ResetPeriod, anchor: int, at: int) -> None:
    period = period_at(reset, anchor, at)

    assert period.end_at is not None
    assert period.start_at <= at < period.end_at
    assert period_at(reset, anchor, period.end_at).start_at == period.end_at
    assert period_at(reset, anchor, period.start_at) == period


@given(st.integers(ms("2000-01-01"), ms("2100-01-01")), st.integers(-500, 500))
def test_adding_months_keeps_the_time_of_day(at: int, months: int) -> None:
    assert (add_months(at, months) - at) % DAY == 0


@given(
    st.sampled_from([reset for reset in ResetPeriod if reset is not ResetPeriod.NEVER]),
    st.integers(ms("2000-01-01"), ms("2100-01-01")),
    st.integers(0, 500 * DAY),
)
def test_periods_between_boundaries_are_as_many_as_there_are(reset: ResetPeriod, anchor: int, span: int) -> None:
    last = period_at(reset, anchor, anchor + span)
    boundaries = [last.start_at]
    while boundaries[-1] > anchor and len(boundaries) < 50:
        boundaries.append(period_at(reset, anchor, boundaries[-1] - 1).start_at)

    for number, boundary in enumerate(boundaries):
        assert periods_between(reset, boundary, last.start_at) == number


@pytest.mark.parametrize(
    ("cycle", "start", "expected"),
    [
        pytest.param(("2026-05-01", "2026-05-08"), "2026-04-17", 2, id="weekly"),
        pytest.param(("2026-02-28", "2026-03-31"), "2025-12-31", 2, id="monthly, from the end of a month"),
        pytest.param(("2026-04-30", "2026-07-30"), "2025-10-30", 2, id="quarterly"),
        pytest.param(("2026-02-28", "2027-02-28"), "2024-02-29", 2, id="yearly, from a leap day"),
        pytest.param(("2026-05-01", "2026-06-01"), "2026-04-20", 1, id="from within one"),
        pytest.param(("2026-05-01", "2026-06-01"), "2026-05-01", 0, id="none"),
        pytest.param(("2026-05-01", "2026-06-01"), "2026-05-02", 0, id="from later"),
    ],
)
def test_billing_cycles_between(cycle: tuple[str, str], start: str, expected: int) -> None:
    known = Period(ms(cycle[0]), ms(cycle[1]))

    assert periods_between(ResetPeriod.BILLING_CYCLE, ms(start), known.start_at, cycle=known) == expected


def test_a_window_that_never_ends_has_none_before_it() -> None:
    assert periods_between(ResetPeriod.NEVER, 0, 5) == 0
