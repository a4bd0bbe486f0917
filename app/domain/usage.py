"""Usage: what a workspace has used per feature and window, and what recording more makes of it."""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import ClassVar, Final

import msgspec

from app.domain.change import Instant, Kind, Record
from app.domain.errors import FieldError, ValidationError
from app.domain.faults import INPUT, QUANTITY_BOUND, fault, quantity_faults
from app.domain.plan import Feature, MeterType, ResetPeriod

_ZERO: Final = Decimal(0)
_TOTAL_BOUND: Final = Decimal(10) ** 18
"""With 9 decimal places still exact in 28 digits."""


class Meter(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """The amount used in one window `[start_at, end_at)`; `end_at` None means it never ends."""

    reset_period: ResetPeriod
    start_at: Instant
    end_at: Instant | None
    used: Decimal


class Balance(Record, frozen=True, kw_only=True, gc=False, rename="camel"):
    """The usage of one workspace; `id` is the workspace's id."""

    KIND: ClassVar[Kind] = Kind.BALANCE

    meters: dict[str, tuple[Meter, ...]] = {}
    """By feature key."""


class UsageEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """One report of usage, kept as it came. `id` is derived from principal, workspace and idempotency key."""

    id: str
    workspace_id: str
    feature_key: str
    amount: Decimal
    recorded_at: Instant
    principal: str
    input_digest: str


class UsageWindow(msgspec.Struct, frozen=True, gc=False):
    """A window `[start_at, end_at)` in which usage of a feature must be counted now."""

    reset_period: ResetPeriod
    start_at: int
    end_at: int | None


def amount_faults(feature: Feature, amount: Decimal) -> Iterator[FieldError]:
    """Check an amount to be recorded: INCREMENTAL meters only rise, FLUCTUATING ones rise and fall."""
    path = (*INPUT, "amount")
    if feature.meter_type is None:
        yield fault((*INPUT, "featureKey"), "NOT_ALLOWED", f"names {feature.key!r}, which is not METERED")
        return
    is_level = feature.meter_type is MeterType.FLUCTUATING
    yield from quantity_faults(path, amount, lowest=-QUANTITY_BOUND if is_level else _ZERO)
    if amount == 0:
        yield fault(path, "OUT_OF_RANGE", "must not be 0")


def record(balance: Balance | None, *, feature: Feature, windows: Iterable[UsageWindow], event: UsageEvent) -> Balance:
    """Return the balance with the event counted in every window; raising its version is the caller's.

    A new window of an INCREMENTAL meter opens at zero, one of a FLUCTUATING meter at the level there is.
    Meters whose window has ended are dropped. Raises `ValidationError` for a level that would fall below zero.
    """
    base = balance or Balance(id=event.workspace_id)
    running = {key: left for key, meters in base.meters.items() if (left := _running(meters, event.recorded_at))}
    counted = tuple(_count(running.get(feature.key, ()), feature, windows, event.amount))
    return msgspec.structs.replace(base, meters=running | {feature.key: counted})


def _running(meters: Iterable[Meter], at: int) -> tuple[Meter, ...]:
    return tuple(meter for meter in meters if meter.end_at is None or at < meter.end_at)


def _count(held: Iterable[Meter], feature: Feature, windows: Iterable[UsageWindow], amount: Decimal) -> Iterator[Meter]:
    """Yield the feature's meters: those counted in, and those whose window nobody counts in now, as they were."""
    meters = {(meter.reset_period, meter.start_at): meter for meter in held}
    is_level = feature.meter_type is MeterType.FLUCTUATING
    opening = max((meter.used for meter in meters.values()), default=_ZERO) if is_level else _ZERO
    for window in windows:
        place = window.reset_period, window.start_at
        before = meters[place].used if place in meters else opening
        meters[place] = Meter(
            reset_period=window.reset_period,
            start_at=window.start_at,
            end_at=window.end_at,
            used=_sum(before, amount),
        )
    yield from meters.values()


def _sum(used: Decimal, amount: Decimal) -> Decimal:
    total = used + amount
    if total < 0:
        raise ValidationError.of("input.amount", "OUT_OF_RANGE", f"amount would take the level of {used} below 0")
    if total >= _TOTAL_BOUND:
        raise ValidationError.of("input.amount", "OUT_OF_RANGE", f"amount would take the total to {total}")
    return total
