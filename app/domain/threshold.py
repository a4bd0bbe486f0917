"""Thresholds: percentages of a limit that are told of when usage reaches them."""

from collections.abc import Collection, Iterable, Iterator
from decimal import Decimal
from typing import Final

import msgspec

from app.domain.entitlement import Entitlement

_ZERO: Final = Decimal(0)


class Reached(msgspec.Struct, frozen=True, order=True, gc=False):
    """A threshold that was reached in one period of a feature; `period_start_at` 0 is a period without a start."""

    feature_key: str
    period_start_at: int
    percent: int


def thresholds_reached(answer: Entitlement) -> Iterator[Reached]:
    """Yield the thresholds that usage has reached, in the plan's own window with what that has inherited.

    What was used of grants and add-ons stands beside it: one of long ago must not trip a threshold of a new period.
    What is reserved is not used yet; without a limit there is none.
    """
    usage = answer.usage
    if usage is None or usage.limit is None:
        return
    beside = [part for part in answer.grants if part.used is not None]
    limit = usage.limit - sum((part.amount for part in beside if part.amount is not None), _ZERO)
    used = usage.used - sum((part.used for part in beside if part.used is not None), _ZERO)
    for percent in usage.thresholds if limit else ():
        if used * 100 >= limit * percent:
            yield Reached(answer.feature_key, usage.period_start_at or 0, percent)


def still_running(told: Collection[Reached], answers: Iterable[Entitlement]) -> set[Reached]:
    """Return those of `told` whose period runs still: the others can be forgotten."""
    periods = {(answer.feature_key, (answer.usage.period_start_at or 0) if answer.usage else 0) for answer in answers}
    return {mark for mark in told if (mark.feature_key, mark.period_start_at) in periods}
