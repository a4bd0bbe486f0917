from datetime import UTC, datetime

import pytest

from app.sandbox.stripe.periods import add_interval, next_period_end


@pytest.mark.parametrize(
    ("start", "interval", "count", "end"),
    [
        pytest.param("2026-01-31", "month", 1, "2026-02-28", id="clamped"),
        pytest.param("2028-01-31", "month", 1, "2028-02-29", id="leap"),
        pytest.param("2026-11-30", "month", 3, "2027-02-28", id="over the year"),
        pytest.param("2028-02-29", "year", 1, "2029-02-28", id="leap year"),
        pytest.param("2026-12-28", "week", 2, "2027-01-11", id="weeks"),
        pytest.param("2026-02-27", "day", 3, "2026-03-02", id="days"),
    ],
)
def test_a_period_ends_where_stripe_ends_it(start: str, interval: str, count: int, end: str) -> None:
    assert add_interval(_epoch(start), interval, count) == _epoch(end)


@pytest.mark.parametrize(
    ("start", "anchor", "interval", "count", "end"),
    [
        pytest.param("2026-02-28", "2026-01-31", "month", 1, "2026-03-31", id="back on the anchor's day"),
        pytest.param("2026-04-30", "2025-12-31", "month", 1, "2026-05-31", id="months later"),
        pytest.param("2026-01-31", "2026-01-31", "month", 1, "2026-02-28", id="the first"),
        pytest.param("2029-02-28", "2028-02-29", "year", 1, "2030-02-28", id="years"),
        pytest.param("2026-01-15", "2026-01-01", "week", 2, "2026-01-29", id="weeks"),
        pytest.param("2026-02-10", "2026-01-31", "month", 1, "2026-03-10", id="off the cycle"),
        pytest.param("2026-01-10", "2026-01-31", "month", 1, "2026-02-10", id="before the anchor"),
    ],
)
def test_a_billing_cycle_keeps_its_anchor_s_day(start: str, anchor: str, interval: str, count: int, end: str) -> None:
    assert next_period_end(_epoch(start), _epoch(anchor), interval, count) == _epoch(end)


def _epoch(day: str) -> int:
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())
