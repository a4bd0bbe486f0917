"""What there is to use of a METERED or CREDIT feature now: the plans' windows, and pots beside them."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from app.domain.coverage import Holding
from app.domain.findings import Findings, Part
from app.domain.grant import PRIORITY, Grant, GrantSource
from app.domain.period import Period, period_at
from app.domain.plan import AccessLevel, Feature, LimitBehavior, PlanFeature, ResetPeriod
from app.domain.rollover import ROLLOVER_POT, Reserved, carried_into, held_back
from app.domain.usage import Balance, Meter, Pot, WindowRef

_PERMISSIVENESS: Final = (LimitBehavior.HARD, LimitBehavior.SOFT, LimitBehavior.OVERAGE, LimitBehavior.UNLIMITED)
_ORDER: Final = {reset: index for index, reset in enumerate(ResetPeriod)}
_ZERO: Final = Decimal(0)
_INFINITY: Final = Decimal("Infinity")
_NEVER: Final = 2**63
_KIND_RANK: Final = {GrantSource.PROMOTIONAL: 0, GrantSource.ROLLOVER: 1}
_PAID_RANK: Final = 2

Rank = tuple[int, int, int, int, str]


class Window(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One window of the plans with all that is pooled in it; `amount` None is unlimited."""

    reset_period: ResetPeriod
    period: Period
    amount: Decimal | None
    behavior: LimitBehavior
    used: Decimal
    reserved: Decimal
    rollover_max: Decimal | None = None
    carried: Decimal = _ZERO
    thresholds: tuple[int, ...] = ()

    @property
    def ref(self) -> WindowRef:
        """The window's name."""
        return WindowRef(self.reset_period, self.period.start_at)

    @property
    def left(self) -> Decimal:
        """What may still be used before the limit, never below 0."""
        return _INFINITY if self.amount is None else max(_ZERO, self.amount - self.used - self.reserved)

    @property
    def is_hard(self) -> bool:
        """Whether nothing goes beyond the limit."""
        return self.amount is not None and self.behavior is LimitBehavior.HARD


Alternative = tuple[Window, ...]
"""The windows of one way to be allowed: all of them must pass."""


class Bucket(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An amount beside the plans: a grant, an add-on or what was carried over. `amount` None is unlimited.

    Full again at `ends_at` where it recurs, gone then where it does not.
    """

    id: str
    source: GrantSource
    source_id: str
    amount: Decimal | None
    used: Decimal
    reserved: Decimal
    start_at: int
    ends_at: int | None
    effective_at: int
    expires_at: int | None = None
    priority: int = PRIORITY
    reset_period: ResetPeriod = ResetPeriod.NEVER

    @property
    def left(self) -> Decimal:
        """What may still be used, never below 0."""
        return _INFINITY if self.amount is None else max(_ZERO, self.amount - self.used - self.reserved)

    @property
    def rank(self) -> Rank:
        """The place in the order of use: see `rank`."""
        return rank(self.priority, self.ends_at, self.effective_at, self.source, self.id)


class Supply(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """All that may be used of one balance key. `buckets` come in the order of use; `turns` are instants of change."""

    alternatives: tuple[Alternative, ...]
    buckets: tuple[Bucket, ...]
    turns: tuple[int, ...]

    @property
    def windows(self) -> Alternative:
        """The windows of the way that leaves most; empty where no plan sets any."""
        return max(self.alternatives, key=_leaves, default=())

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


def rank(priority: int, expires_at: int | None, effective_at: int, source: GrantSource, id: str) -> Rank:
    """Return the order of use: lower priority, earlier expiry, earlier start; promotional before paid; then id."""
    kind = _KIND_RANK.get(source, _PAID_RANK)
    return priority, _NEVER if expires_at is None else expires_at, effective_at, kind, id


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
    pooled = _pool(plans, meters, pots, reserved, at)
    buckets = [
        *(_of_grant(grant, pots, reserved, at) for grant in found.grants),
        *(_of_row(part, row, pots, reserved, at) for part in add_ons for row in part.rows),
        *_rolled_over(pooled, meters, pots, reserved, at),
    ]
    buckets.sort(key=lambda bucket: bucket.rank)
    ends = [w.period.end_at for w in pooled.values()] + [bucket.ends_at for bucket in buckets]
    turns = {end_at for end_at in (*ends, *reserved.ends) if end_at is not None}
    alternatives = tuple(tuple(pooled[reset] for reset in _resets(part)) for part in plans)
    return Supply(alternatives=alternatives, buckets=tuple(buckets), turns=tuple(sorted(turns)))


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
        used=_used(meters, ref),
        reserved=reserved.windows.get(ref, _ZERO),
        thresholds=_thresholds(rows),
    )
    return Supply(alternatives=((window,),), buckets=(), turns=reserved.ends)


def _pool(
    plans: Sequence[Part], meters: Sequence[Meter], pots: Sequence[Pot], reserved: Reserved, at: int
) -> dict[ResetPeriod, Window]:
    pooled: dict[ResetPeriod, Window] = {}
    for reset in sorted({reset for part in plans for reset in _resets(part)}, key=_ORDER.__getitem__):
        rows = [row for part in plans for row in part.rows if row.reset_period is reset]
        first = next(part.holding for part in plans if reset in _resets(part))
        period = first.period(reset, at)
        amount = _sum(rows)
        window = Window(
            reset_period=reset,
            period=period,
            amount=amount,
            behavior=LimitBehavior.UNLIMITED if amount is None else _behavior(rows),
            used=_used(meters, WindowRef(reset, period.start_at)),
            reserved=reserved.windows.get(WindowRef(reset, period.start_at), _ZERO),
            rollover_max=_rollover_max(rows),
            thresholds=_thresholds(rows),
        )
        pooled[reset] = msgspec.structs.replace(window, carried=_carried(window, first, meters, pots, reserved))
    return pooled


def _carried(
    window: Window, holding: Holding, meters: Sequence[Meter], pots: Sequence[Pot], reserved: Reserved
) -> Decimal:
    return carried_into(
        window.ref,
        limit=window.amount,
        rollover_max=window.rollover_max,
        since_at=holding.started_at,
        meters=meters,
        pots=pots,
        reserved=reserved,
    )


def _rolled_over(
    pooled: dict[ResetPeriod, Window], meters: Sequence[Meter], pots: Sequence[Pot], reserved: Reserved, at: int
) -> Iterable[Bucket]:
    """Yield what was carried into windows that run now, also into those that no plan has any more."""
    windows = {window.ref: (window.period.end_at, window.carried) for window in pooled.values()}
    for meter in meters:
        ref = WindowRef(meter.reset_period, meter.start_at)
        if (
            ref not in windows
            and meter.carried
            and meter.start_at <= at
            and (meter.end_at is None or at < meter.end_at)
        ):
            windows[ref] = meter.end_at, meter.carried
    for ref, (end_at, carried) in windows.items():
        if carried:
            pot_id = ROLLOVER_POT.format(ref.reset_period)
            used, held = _in_pot(pots, reserved, pot_id, ref.start_at)
            yield Bucket(
                id=pot_id,
                source=GrantSource.ROLLOVER,
                source_id=pot_id,
                amount=carried,
                used=used,
                reserved=held,
                start_at=ref.start_at,
                ends_at=end_at,
                effective_at=ref.start_at,
                expires_at=end_at,
            )


def _of_grant(grant: Grant, pots: Sequence[Pot], reserved: Reserved, at: int) -> Bucket:
    period = period_at(grant.reset_period, grant.effective_at, at)
    ends = [end for end in (period.end_at, grant.expires_at) if end is not None]
    used, held = _in_pot(pots, reserved, grant.id, period.start_at)
    return Bucket(
        id=grant.id,
        source=grant.source,
        source_id=grant.workspace_id,
        amount=None if grant.unlimited else grant.amount,
        used=used,
        reserved=held,
        start_at=period.start_at,
        ends_at=min(ends, default=None),
        effective_at=grant.effective_at,
        expires_at=grant.expires_at,
        priority=grant.priority,
        reset_period=grant.reset_period,
    )


def _of_row(part: Part, row: PlanFeature, pots: Sequence[Pot], reserved: Reserved, at: int) -> Bucket:
    pot_id = f"{part.id}:{row.reset_period}"
    period = part.holding.period(row.reset_period, at)
    used, held = _in_pot(pots, reserved, pot_id, period.start_at)
    return Bucket(
        id=pot_id,
        source=GrantSource.ADD_ON,
        source_id=part.source_id,
        amount=row.limit,
        used=used,
        reserved=held,
        start_at=period.start_at,
        ends_at=period.end_at,
        effective_at=part.holding.started_at,
        reset_period=row.reset_period,
    )


def _in_pot(pots: Sequence[Pot], reserved: Reserved, id: str, start_at: int) -> tuple[Decimal, Decimal]:
    """Return what was used of the pot and what is held back in it."""
    used = next((pot.used for pot in pots if pot.id == id and pot.start_at == start_at), _ZERO)
    return used, reserved.pots.get((id, start_at), _ZERO)


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


def _used(meters: Sequence[Meter], ref: WindowRef) -> Decimal:
    return next((m.used for m in meters if (m.reset_period, m.start_at) == (ref.reset_period, ref.start_at)), _ZERO)


def _leaves(windows: Alternative) -> tuple[bool, Decimal]:
    """Prefer the way that hard limits leave most of, then the one that limits leave most of."""
    hard = min((window.left for window in windows if window.is_hard), default=_INFINITY)
    return hard > 0, min((window.left for window in windows), default=_INFINITY)
