"""Windows of time by which usage resets, computed from an anchor."""

from calendar import monthrange
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import msgspec

from app.domain.plan import ResetPeriod

_FIXED_MS: Final = {
    ResetPeriod.HOUR: 3_600_000,
    ResetPeriod.DAY: 86_400_000,
    ResetPeriod.WEEK: 7 * 86_400_000,
}
_REMEMBERED: Final = 65_536
"""Boundaries of windows: the same ones are asked for again and again."""
_MEAN_MONTH_MS: Final = 2_629_746_000
_MONTHS: Final = {ResetPeriod.MONTH: 1, ResetPeriod.QUARTER: 3, ResetPeriod.YEAR: 12, ResetPeriod.BILLING_CYCLE: 1}


class Period(msgspec.Struct, frozen=True, gc=False):
    """`[start_at, end_at)` in epoch milliseconds; `end_at` None means for ever."""

    start_at: int
    end_at: int | None


def period_at(reset_period: ResetPeriod, anchor_at: int, at: int) -> Period:
    """Return the window that holds `at`, counted from `anchor_at`, which may lie before or after it.

    Month ends clamp, each computed from the anchor itself: 31 January, 28 February, 31 March.
    A BILLING_CYCLE without a subscription's own boundaries is a month.
    """
    if reset_period is ResetPeriod.NEVER:
        return Period(anchor_at, None)
    if fixed := _FIXED_MS.get(reset_period):
        start_at = anchor_at + (at - anchor_at) // fixed * fixed
        return Period(start_at, start_at + fixed)
    months = _MONTHS[reset_period]
    steps = _months_between(anchor_at, at) // months
    if add_months(anchor_at, steps * months) > at:
        steps -= 1
    elif add_months(anchor_at, (steps + 1) * months) <= at:
        steps += 1
    return Period(add_months(anchor_at, steps * months), add_months(anchor_at, (steps + 1) * months))


def periods_between(reset_period: ResetPeriod, start_at: int, end_at: int) -> int:
    """Return how many windows lie between two of their boundaries; a billing cycle counts as a month."""
    length_ms = _FIXED_MS.get(reset_period) or _MONTHS.get(reset_period, 0) * _MEAN_MONTH_MS
    return max(0, round((end_at - start_at) / length_ms)) if length_ms else 0


@lru_cache(_REMEMBERED)
def add_months(at: int, months: int) -> int:
    """Return the same day and time `months` later (or earlier), clamped to the month's last day."""
    moment = datetime.fromtimestamp(at // 1000, UTC)
    index = moment.year * 12 + moment.month - 1 + months
    year, month = index // 12, index % 12 + 1
    day = min(moment.day, monthrange(year, month)[1])
    return int(moment.replace(year=year, month=month, day=day).timestamp()) * 1000 + at % 1000


def _months_between(start_at: int, end_at: int) -> int:
    start, end = datetime.fromtimestamp(start_at // 1000, UTC), datetime.fromtimestamp(end_at // 1000, UTC)
    return (end.year - start.year) * 12 + end.month - start.month
