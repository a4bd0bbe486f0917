from datetime import UTC, datetime

import pytest

from app.sandbox.stripe.periods import add_interval


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


def _epoch(day: str) -> int:
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())
