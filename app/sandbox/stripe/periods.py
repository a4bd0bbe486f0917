"""Billing intervals as Stripe counts them."""

import calendar
from datetime import UTC, datetime, timedelta

_LONGEST_S = {"day": 86_400, "week": 7 * 86_400, "month": 31 * 86_400, "year": 366 * 86_400}


def add_interval(start: int, interval: str, count: int) -> int:
    """Return the instant `count` intervals after `start`, both epoch seconds; the 31st becomes the month's last day."""
    at = datetime.fromtimestamp(start, UTC)
    match interval:
        case "day":
            end = at + timedelta(days=count)
        case "week":
            end = at + timedelta(weeks=count)
        case "month":
            end = _add_months(at, count)
        case "year":
            end = _add_months(at, 12 * count)
        case _:
            raise ValueError(f"unknown interval {interval!r}")
    return int(end.timestamp())


def next_period_end(start: int, anchor: int, interval: str, count: int) -> int:
    """Return the end of the period from `start`: the billing cycle goes on from its anchor, whose day it keeps.

    A start that is not on the anchor's cycle begins one of its own.
    """
    cycles = max((start - anchor) // (_LONGEST_S[interval] * count), 0)
    while (end := add_interval(anchor, interval, cycles * count)) < start:
        cycles += 1
    return (
        add_interval(anchor, interval, (cycles + 1) * count) if end == start else add_interval(start, interval, count)
    )


def _add_months(at: datetime, count: int) -> datetime:
    year, month0 = divmod(at.year * 12 + at.month - 1 + count, 12)
    last_day = calendar.monthrange(year, month0 + 1)[1]
    return at.replace(year=year, month=month0 + 1, day=min(at.day, last_day))
