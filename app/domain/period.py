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


def periods_between(reset_period: ResetPeriod, start_at: int, end_at: int, *, cycle: Period | None = None) -> int:
    """Return how many windows ended after `start_at`, the last of them at `end_at`, which is a boundary of theirs.

    A billing cycle is as long as `cycle`, in whole months where it has some; a month where that is not known.
    """
    if reset_period is ResetPeriod.NEVER or start_at >= end_at:
        return 0
    fixed, months = _FIXED_MS.get(reset_period), _MONTHS.get(reset_period, 1)
    if reset_period is ResetPeriod.BILLING_CYCLE and cycle is not None and cycle.end_at is not None:
        length_ms = cycle.end_at - cycle.start_at
        months = round(length_ms / _MEAN_MONTH_MS)
        fixed = None if months else length_ms
    if fixed:
        return -((start_at - end_at) // fixed)
    steps = _months_between(start_at, end_at) // months
    return steps if steps and add_months(end_at, -steps * months) <= start_at else steps + 1


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
