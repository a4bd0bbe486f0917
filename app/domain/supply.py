"""What there is to use of a METERED or CREDIT feature now: the plans' windows, and pots beside them."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from app.domain.bucket import Bucket, of_add_ons, of_grant, of_rollover
from app.domain.findings import Findings, Part
from app.domain.grant import Grant, GrantSource
from app.domain.period import Period
from app.domain.plan import AccessLevel, Feature, LimitBehavior, PlanFeature, ResetPeriod
from app.domain.rollover import Reserved, carried_into, held_back, used_in
from app.domain.usage import Balance, Meter, WindowRef

_PERMISSIVENESS: Final = (LimitBehavior.HARD, LimitBehavior.SOFT, LimitBehavior.OVERAGE, LimitBehavior.UNLIMITED)
_ORDER: Final = {reset: index for index, reset in enumerate(ResetPeriod)}
_ZERO: Final = Decimal(0)
_INFINITY: Final = Decimal("Infinity")


class Window(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One window of the plans with all that is pooled in it; `amount` None is unlimited.

    What it has inherited comes on top of the amount and is used first. `chain` is that of the holding that sets it.
    """

    reset_period: ResetPeriod
    period: Period
    amount: Decimal | None
    behavior: LimitBehavior
    used: Decimal
    reserved: Decimal
    rollover_max: Decimal | None = None
    carried: Decimal = _ZERO
    chain: str = ""
    thresholds: tuple[int, ...] = ()

    @property
    def capacity(self) -> Decimal | None:
        """All that may be used before the limit; None is unlimited."""
        return None if self.amount is None else self.amount + self.carried

    @property
    def ref(self) -> WindowRef:
        """The window's name."""
        return WindowRef(self.reset_period, self.period.start_at)

    @property
    def left(self) -> Decimal:
        """What may still be used before the limit, never below 0."""
        capacity = self.capacity
        return _INFINITY if capacity is None else max(_ZERO, capacity - self.used - self.reserved)

    @property
    def is_hard(self) -> bool:
        """Whether nothing goes beyond the limit."""
        return self.amount is not None and self.behavior is LimitBehavior.HARD


Alternative = tuple[Window, ...]
"""The windows of one way to be allowed: all of them must pass."""


class Supply(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """All that may be used of one balance key. `buckets` come in the order of use; `turns` are instants of change."""

    alternatives: tuple[Alternative, ...]
    buckets: tuple[Bucket, ...]
    turns: tuple[int, ...]

    @property
    def windows(self) -> Alternative:
        """The windows of the way that leaves most; empty where no plan sets any."""
        if len(self.alternatives) == 1:
            return self.alternatives[0]
        return max(self.alternatives, key=_leaves, default=())

    @property
    def every_window(self) -> dict[WindowRef, Window]:
        """The windows of all ways, by name."""
        return {window.ref: window for way in self.alternatives for window in way}

    @property
    def in_buckets(self) -> Decimal:
        """What is left beside the plans."""
        return sum((bucket.left for bucket in self.buckets), _ZERO)

    def passes(self, charge: Decimal) -> bool:
        """Tell whether the charge may be used, or go beyond. Nothing at all always may."""
        if charge <= 0:
            return True
        hard = [min((w.left for w in way if w.is_hard), default=_INFINITY) for way in self.alternatives]
        return charge <= max(hard, default=_ZERO) + self.in_buckets


def supply_of(feature: Feature, found: Findings, balance: Balance | None, at: int) -> Supply:
    """Put together what `found` gives of the feature and what the balance says was used of it.

    Limits of the same reset period are summed over plans, in the window of the one that started first. Each plan is a
    way of its own to be allowed, so that a further subscription never takes away; pots help whichever way is taken.
    """
    key = feature.key
    parts = giving(found)
    plans = [part for part in parts if part.source is not GrantSource.ADD_ON]
    add_ons = [part for part in parts if part.source is GrantSource.ADD_ON]
    reserved = held_back(balance, key, at)
    meters = balance.meters.get(key, ()) if balance else ()
    pots = balance.pots.get(key, ()) if balance else ()
    if feature.is_level:
        return _level(plans, add_ons, found.grants, meters, reserved)
    pooled = _pool(plans, meters, reserved, at)
    buckets = [
        *(of_grant(grant, pots, reserved, at) for grant in found.grants),
        *of_add_ons(add_ons, pots, reserved, at),
        *of_rollover(plans, {window.ref: window.chain for window in pooled.values()}, meters, reserved, at),
    ]
    ends = [w.period.end_at for w in pooled.values()] + [bucket.ends_at for bucket in buckets]
    turns = {end_at for end_at in (*ends, *reserved.ends) if end_at is not None}
    alternatives = tuple(tuple(pooled[reset] for reset in _resets(part)) for part in plans)
    full = [bucket for bucket in buckets if bucket.amount != 0 or bucket.window is None]
    full.sort(key=lambda bucket: bucket.rank)
    return Supply(alternatives=alternatives, buckets=tuple(full), turns=tuple(sorted(turns)))


def giving(found: Findings) -> list[Part]:
    """Return the parts that count: those with full access, or else those for reading, unless a grant gives more."""
    full = [part for part in found.parts if part.holding.level is AccessLevel.FULL]
    return full or ([] if found.grants else list(found.parts))


def _level(
    plans: Sequence[Part], add_ons: Sequence[Part], grants: Sequence[Grant], meters: Sequence[Meter], reserved: Reserved
) -> Supply:
    """Everything that gives raises the one limit of a level."""
    if not (plans or add_ons or grants):
        return Supply(alternatives=(), buckets=(), turns=reserved.ends)
    rows = [row for part in (*plans, *add_ons) for row in part.rows]
    extra = sum((grant.amount for grant in grants if grant.amount is not None), _ZERO)
    limit = None if any(grant.unlimited for grant in grants) else _sum(rows)
    ref = WindowRef(ResetPeriod.NEVER, 0)
    window = Window(
        reset_period=ResetPeriod.NEVER,
        period=Period(0, None),
        amount=None if limit is None else limit + extra,
        behavior=LimitBehavior.UNLIMITED if limit is None else _behavior(rows),
        used=used_in(ref, meters),
        reserved=reserved.windows.get(ref, _ZERO),
        thresholds=_thresholds(rows),
    )
    return Supply(alternatives=((window,),), buckets=(), turns=reserved.ends)


def _pool(plans: Sequence[Part], meters: Sequence[Meter], reserved: Reserved, at: int) -> dict[ResetPeriod, Window]:
    pooled: dict[ResetPeriod, Window] = {}
    for reset in sorted({reset for part in plans for reset in _resets(part)}, key=_ORDER.__getitem__):
        rows = [row for part in plans for row in part.rows if row.reset_period is reset]
        first = next(part.holding for part in plans if reset in _resets(part))
        period = first.period(reset, at)
        ref = WindowRef(reset, period.start_at)
        amount, most = _sum(rows), _rollover_max(rows)
        if period.end_at is not None and period.end_at <= first.since_at:
            most = None  # told late, of a window that was over before the plan began
        pooled[reset] = Window(
            reset_period=reset,
            period=period,
            amount=amount,
            behavior=LimitBehavior.UNLIMITED if amount is None else _behavior(rows),
            used=used_in(ref, meters),
            reserved=reserved.windows.get(ref, _ZERO),
            rollover_max=most,
            carried=carried_into(ref, first, limit=amount, rollover_max=most, meters=meters, reserved=reserved),
            chain=first.chain,
            thresholds=_thresholds(rows),
        )
    return pooled


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


def _leaves(windows: Alternative) -> tuple[bool, Decimal]:
    """Prefer the way that hard limits leave most of, then the one that limits leave most of."""
    hard = min((window.left for window in windows if window.is_hard), default=_INFINITY)
    return hard > 0, min((window.left for window in windows), default=_INFINITY)
