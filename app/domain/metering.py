"""Limits of METERED features: windows, pooled limits, and which of them binds."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from app.domain.coverage import Holding
from app.domain.grant import Grant
from app.domain.period import Period
from app.domain.plan import LimitBehavior, PlanFeature, ResetPeriod
from app.domain.usage import Meter

_PERMISSIVENESS: Final = (LimitBehavior.HARD, LimitBehavior.SOFT, LimitBehavior.OVERAGE, LimitBehavior.UNLIMITED)
_ORDER: Final = {reset: index for index, reset in enumerate(ResetPeriod)}
_ZERO: Final = Decimal(0)


class UsageAnswer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Usage in the window that binds most. `limit` and `remaining` are None where unlimited."""

    used: Decimal
    limit: Decimal | None
    remaining: Decimal | None
    overage: Decimal
    period_start_at: int | None
    resets_at: int | None


class Group(msgspec.Struct, frozen=True, gc=False):
    """What one source says: rows with different reset periods, every one of which must pass."""

    id: str
    rows: tuple[PlanFeature, ...]
    holding: Holding


class Limit(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One window with all that is pooled in it; `amount` None is unlimited."""

    reset_period: ResetPeriod
    period: Period
    amount: Decimal | None
    behavior: LimitBehavior
    used: Decimal

    @property
    def left(self) -> Decimal | None:
        """What may still be used before the limit; negative beyond it."""
        return None if self.amount is None else self.amount - self.used

    def passes(self, requested: Decimal) -> bool:
        """Tell whether the amount fits, or may go beyond. Asking for nothing always fits."""
        left = self.left
        return left is None or requested <= max(left, _ZERO) or self.behavior is not LimitBehavior.HARD


Alternative = tuple[Limit, ...]
"""The limits of one way to be allowed: all of them must pass."""


class Allowance(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The decision: whether it passes, the window that binds, and when windows end."""

    passes: bool
    behavior: LimitBehavior
    usage: UsageAnswer
    turns: tuple[int, ...]


def limits_of(
    groups: Sequence[Group], grants: Sequence[Grant], meters: Sequence[Meter], at: int, *, is_level: bool
) -> tuple[Alternative, ...]:
    """Return every way to be allowed.

    Limits of the same reset period are summed over groups, in the window of the group that started first; grants add to
    each. Every group is a way of its own, so that a further subscription never takes away. Without a group, each grant
    opens a window at its start, in which the grants since then are pooled; a level has no start, so all are pooled.
    """
    if not groups:
        starts = {0} if is_level else {grant.effective_at for grant in grants}
        return tuple(_of_grants_since(start_at, grants, meters) for start_at in sorted(starts))
    pooled = _pool(groups, grants, meters, at)
    return tuple(tuple(pooled[reset] for reset in _resets(group)) for group in groups)


def decide_usage(alternatives: Sequence[Alternative], requested: Decimal) -> Allowance:
    """Choose the way that passes and leaves most, and say which of its windows binds."""
    best = max(alternatives, key=lambda limits: (all(limit.passes(requested) for limit in limits), _leaves(limits)))
    binding = min(best, key=_leaves_in)
    amount = binding.amount
    return Allowance(
        passes=all(limit.passes(requested) for limit in best),
        behavior=binding.behavior,
        usage=UsageAnswer(
            used=binding.used,
            limit=amount,
            remaining=None if amount is None else max(_ZERO, amount - binding.used),
            overage=_ZERO if amount is None else max(_ZERO, binding.used - amount),
            period_start_at=binding.period.start_at or None,
            resets_at=binding.period.end_at,
        ),
        turns=tuple(
            limit.period.end_at for limits in alternatives for limit in limits if limit.period.end_at is not None
        ),
    )


def _pool(
    groups: Sequence[Group], grants: Sequence[Grant], meters: Sequence[Meter], at: int
) -> dict[ResetPeriod, Limit]:
    granted = sum((grant.amount for grant in grants if grant.amount is not None), _ZERO)
    unlimited = any(grant.unlimited for grant in grants)
    pooled: dict[ResetPeriod, Limit] = {}
    for reset in sorted({reset for group in groups for reset in _resets(group)}, key=_ORDER.__getitem__):
        rows = [row for group in groups for row in group.rows if row.reset_period is reset]
        first = next(group for group in groups if reset in _resets(group))
        period = first.holding.period(reset, at)
        behavior = max((row.limit_behavior for row in rows), key=_PERMISSIVENESS.index)
        amount = None if unlimited else _sum(rows)
        pooled[reset] = Limit(
            reset_period=reset,
            period=period,
            amount=None if amount is None else amount + granted,
            behavior=LimitBehavior.UNLIMITED if amount is None else behavior,
            used=_used(meters, reset, period.start_at),
        )
    return pooled


def _of_grants_since(start_at: int, grants: Iterable[Grant], meters: Sequence[Meter]) -> Alternative:
    since = [grant for grant in grants if grant.effective_at >= start_at]
    unlimited = any(grant.unlimited for grant in since)
    amount = sum((grant.amount for grant in since if grant.amount is not None), _ZERO)
    limit = Limit(
        reset_period=ResetPeriod.NEVER,
        period=Period(start_at, None),
        amount=None if unlimited else amount,
        behavior=LimitBehavior.UNLIMITED if unlimited else LimitBehavior.HARD,
        used=_used(meters, ResetPeriod.NEVER, start_at),
    )
    return (limit,)


def _resets(group: Group) -> list[ResetPeriod]:
    return sorted({row.reset_period for row in group.rows}, key=_ORDER.__getitem__)


def _sum(rows: Iterable[PlanFeature]) -> Decimal | None:
    """Add the limits up; None where one of them is unlimited."""
    total = _ZERO
    for row in rows:
        if row.limit_behavior is LimitBehavior.UNLIMITED or row.limit is None:
            return None
        total += row.limit
    return total


def _used(meters: Sequence[Meter], reset_period: ResetPeriod, start_at: int) -> Decimal:
    return next((m.used for m in meters if m.reset_period is reset_period and m.start_at == start_at), _ZERO)


def _leaves_in(limit: Limit) -> Decimal:
    return Decimal("Infinity") if limit.left is None else limit.left


def _leaves(limits: Alternative) -> Decimal:
    return min(_leaves_in(limit) for limit in limits)
