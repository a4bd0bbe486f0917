"""What plans, add-ons and grants give of one balance at an instant, whatever has been used of it."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from app.domain.coverage import Holding
from app.domain.denial import AccessDeniedReason
from app.domain.findings import Findings, Part
from app.domain.grant import Grant, GrantSource
from app.domain.period import Period
from app.domain.plan import AccessLevel, Feature, LimitBehavior, PlanFeature, ResetPeriod
from app.domain.usage import WindowRef

_PERMISSIVENESS: Final = (LimitBehavior.HARD, LimitBehavior.SOFT, LimitBehavior.OVERAGE, LimitBehavior.UNLIMITED)
_ORDER: Final = {reset: index for index, reset in enumerate(ResetPeriod)}
_ZERO: Final = Decimal(0)


class Terms(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What plans say of one window; `amount` None is unlimited.

    `holding` is the one that sets when the window runs; None of a level, whose window is nobody's.
    """

    ref: WindowRef
    period: Period
    holding: Holding | None = None
    chain: str = ""
    amount: Decimal | None
    behavior: LimitBehavior
    rollover_max: Decimal | None = None
    thresholds: tuple[int, ...] = ()


class Offer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """All that is given of `feature`, whose balance is used.

    Each of `ways` is one plan's windows, by their place in `terms`: a way of its own to be allowed. `read_only_for`
    says why there is reading only; None where there is more.
    """

    feature: Feature
    terms: tuple[Terms, ...]
    ways: tuple[tuple[int, ...], ...]
    read_only_for: AccessDeniedReason | None
    plans: tuple[Part, ...] = ()
    add_ons: tuple[Part, ...] = ()
    grants: tuple[Grant, ...] = ()


def offer_of(feature: Feature, found: Findings, at: int) -> Offer:
    """Put together what `found` gives of the feature.

    Limits of the same reset period are summed over plans, in the window of the one that started first. Everything that
    gives raises the one limit of a level.
    """
    parts, read_only = _giving(found), read_only_for(found)
    if feature.is_level:
        terms = (_level(parts, found.grants),) if parts or found.grants else ()
        ways = tuple((place,) for place in range(len(terms)))
        return Offer(feature=feature, terms=terms, ways=ways, read_only_for=read_only)
    plans = tuple(part for part in parts if part.source is not GrantSource.ADD_ON)
    resets = sorted({reset for part in plans for reset in _resets(part)}, key=_ORDER.__getitem__)
    return Offer(
        feature=feature,
        terms=tuple(_pooled(reset, plans, at) for reset in resets),
        ways=tuple(tuple(resets.index(reset) for reset in _resets(part)) for part in plans),
        plans=plans,
        add_ons=tuple(part for part in parts if part.source is GrantSource.ADD_ON),
        grants=found.grants,
        read_only_for=read_only,
    )


def read_only_for(found: Findings) -> AccessDeniedReason | None:
    """Return why there is reading only; None where there is more, or nothing at all."""
    if found.grants or not found.parts or any(part.holding.level is AccessLevel.FULL for part in found.parts):
        return None
    return found.parts[0].holding.reason


def _giving(found: Findings) -> tuple[Part, ...]:
    """Return the parts that count: those with full access, or else those for reading, unless a grant gives more."""
    full = tuple(part for part in found.parts if part.holding.level is AccessLevel.FULL)
    return full or (() if found.grants else found.parts)


def _level(parts: Sequence[Part], grants: Sequence[Grant]) -> Terms:
    rows = [row for part in parts for row in part.rows]
    extra = sum((grant.amount for grant in grants if grant.amount is not None), _ZERO)
    limit = None if any(grant.unlimited for grant in grants) else _sum(rows)
    return Terms(
        ref=WindowRef(ResetPeriod.NEVER, 0),
        period=Period(0, None),
        amount=None if limit is None else limit + extra,
        behavior=LimitBehavior.UNLIMITED if limit is None else _behavior(rows),
        thresholds=_thresholds(rows),
    )


def _pooled(reset: ResetPeriod, plans: Sequence[Part], at: int) -> Terms:
    rows = [row for part in plans for row in part.rows if row.reset_period is reset]
    first = next(part.holding for part in plans if reset in _resets(part))
    period = first.period(reset, at)
    amount, most = _sum(rows), _rollover_max(rows)
    if period.end_at is not None and period.end_at <= first.since_at:
        most = None  # told late, of a window that was over before the plan began
    return Terms(
        ref=WindowRef(reset, period.start_at),
        period=period,
        holding=first,
        chain=first.chain,
        amount=amount,
        behavior=LimitBehavior.UNLIMITED if amount is None else _behavior(rows),
        rollover_max=most,
        thresholds=_thresholds(rows),
    )


def _resets(part: Part) -> list[ResetPeriod]:
    return sorted({row.reset_period for row in part.rows}, key=_ORDER.__getitem__)


def _sum(rows: Iterable[PlanFeature]) -> Decimal | None:
    """Add the limits up; None where one of them is unlimited."""
    total = _ZERO
    for row in rows:
        if row.limit_behavior is LimitBehavior.UNLIMITED or row.limit is None:
            return None
        total += row.limit
    return total


def _behavior(rows: Sequence[PlanFeature]) -> LimitBehavior:
    return max((row.limit_behavior for row in rows), key=_PERMISSIVENESS.index, default=LimitBehavior.HARD)


def _rollover_max(rows: Iterable[PlanFeature]) -> Decimal | None:
    caps = [row.rollover_max for row in rows if row.rollover_max is not None]
    return sum(caps, _ZERO) if caps else None


def _thresholds(rows: Iterable[PlanFeature]) -> tuple[int, ...]:
    return tuple(sorted({threshold for row in rows for threshold in row.thresholds}))
