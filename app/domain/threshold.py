"""Thresholds: percentages of a limit that are told of when usage reaches them."""

from collections.abc import Collection, Iterable, Iterator

import msgspec

from app.domain.entitlement import Entitlement, Gauge
from app.domain.plan import ResetPeriod


class Reached(msgspec.Struct, frozen=True, order=True, gc=False):
    """A threshold that was reached in one of a feature's windows; `period_start_at` 0 is the beginning of time."""

    feature_key: str
    reset_period: ResetPeriod
    period_start_at: int
    percent: int


def thresholds_reached(answer: Entitlement) -> Iterator[Reached]:
    """Yield the thresholds that usage has reached, in each of the plans' windows with what that has inherited.

    What was used of grants and add-ons stands beside them: one of long ago must not trip a threshold of a new period.
    What is reserved is not used yet; without a limit there is none.
    """
    for gauge in _gauges(answer):
        for percent in gauge.thresholds:
            if gauge.used * 100 >= gauge.limit * percent:
                yield Reached(answer.feature_key, gauge.reset_period, gauge.period_start_at, percent)


def still_running(told: Collection[Reached], answers: Iterable[Entitlement]) -> set[Reached]:
    """Return those of `told` whose period runs still: the others can be forgotten."""
    running = {(a.feature_key, gauge.reset_period, gauge.period_start_at) for a in answers for gauge in _gauges(a)}
    return {mark for mark in told if (mark.feature_key, mark.reset_period, mark.period_start_at) in running}


def _gauges(answer: Entitlement) -> tuple[Gauge, ...]:
    return () if answer.usage is None else answer.usage.gauges
