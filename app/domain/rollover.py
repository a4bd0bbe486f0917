"""What a window inherits from the one before, and what reservations hold back."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from app.domain.coverage import Holding
from app.domain.period import periods_between
from app.domain.plan import ResetPeriod
from app.domain.usage import Balance, Meter, Reservation, WindowRef

_ZERO: Final = Decimal(0)


class Reserved(msgspec.Struct, frozen=True, gc=False):
    """What running reservations hold back of one balance key, and when the first of them ends."""

    windows: Mapping[WindowRef, Decimal]
    pots: Mapping[tuple[str, int], Decimal]
    ends: tuple[int, ...]


_NOTHING: Final = Reserved({}, {}, ())
_REMEMBERED: Final = 1_024
_remembered: Final[dict[tuple[int, str], tuple[tuple[Reservation, ...], Reserved]]] = {}
"""By identity of the reservations, which are held here so that no others can take it."""


def held_back(balance: Balance | None, key: str, at: int) -> Reserved:
    """Add up what reservations that have not ended hold back of the key.

    The sums of a balance are asked for again and again, so they are remembered for as long as none of them ends.
    """
    if balance is None or not balance.reservations:
        return _NOTHING
    place = id(balance.reservations), key
    known = _remembered.get(place)
    if known is not None and known[0] is balance.reservations and not (known[1].ends and known[1].ends[0] <= at):
        return known[1]
    running = tuple(held for held in balance.reservations if held.expires_at > at)
    reserved = _added_up(running, key)
    if len(running) == len(balance.reservations):
        if len(_remembered) >= _REMEMBERED:
            _remembered.clear()
        _remembered[place] = balance.reservations, reserved
    return reserved


def _added_up(running: Iterable[Reservation], key: str) -> Reserved:
    windows: defaultdict[WindowRef, Decimal] = defaultdict(Decimal)
    pots: defaultdict[tuple[str, int], Decimal] = defaultdict(Decimal)
    first_end: int | None = None
    for reservation in running:
        for line in reservation.lines:
            if line.balance_key != key:
                continue
            first_end = reservation.expires_at if first_end is None else min(first_end, reservation.expires_at)
            for draw in line.draws:
                if draw.pot is not None and draw.pot_start_at is not None:
                    pots[draw.pot, draw.pot_start_at] += draw.amount
                for ref in draw.windows:
                    windows[ref] += draw.amount
    return Reserved(windows, pots, () if first_end is None else (first_end,))


def carried_into(
    window: WindowRef,
    holding: Holding,
    *,
    limit: Decimal | None,
    rollover_max: Decimal | None,
    meters: Iterable[Meter],
    reserved: Reserved,
) -> Decimal:
    """Return what the holding's window inherits: min(rollover_max, what is left of the one before with its heritage).

    Fixed once plans decided by the window. Before that, the last one that they decided by tells what was left of it, by
    its own limit: the last of the holding's chain, or the one that ended just now. In those that ended since then
    nothing was used; each is taken by the plan that held when it ended. A window that starts before the last one is
    over inherits nothing: it cut a billing cycle short.
    """
    if window.reset_period is ResetPeriod.NEVER:
        return _ZERO
    decided = [m for m in meters if m.reset_period is window.reset_period and m.limit is not None]
    opened = next((meter for meter in decided if meter.start_at == window.start_at), None)
    if opened is not None:
        return opened.carried
    earlier = [meter for meter in decided if meter.start_at < window.start_at]
    ends = [window.start_at if m.end_at is None else min(m.end_at, window.start_at) for m in earlier]
    idle = _ended(window, holding, max((holding.since_at, *ends)))
    before = (m for m in earlier if m.chain == holding.chain or m.end_at == window.start_at)
    last = max(before, key=lambda meter: meter.start_at, default=None)
    if last is None:
        return _passed_on(_ZERO, idle, limit, rollover_max)
    end_at = window.start_at if last.end_at is None else last.end_at
    if end_at > window.start_at:
        return _ZERO
    idle_before = _ended(window, holding, end_at) - _ended(window, holding, max(end_at, holding.since_at))
    left = _passed_on(_left_of(last, reserved), idle_before, last.limit, last.rollover_max)
    return _passed_on(left, idle, limit, rollover_max)


def used_in(window: WindowRef, meters: Iterable[Meter]) -> Decimal:
    """Return what was used in the window."""
    name = window.reset_period, window.start_at
    return next((meter.used for meter in meters if (meter.reset_period, meter.start_at) == name), _ZERO)


def heirs(holding: Holding, meters: Sequence[Meter]) -> set[ResetPeriod]:
    """Return the reset periods in which something may be left to the holding's windows."""
    return {m.reset_period for m in meters if m.chain == holding.chain and m.rollover_max is not None}


def _ended(window: WindowRef, holding: Holding, after_at: int) -> int:
    return periods_between(window.reset_period, after_at, window.start_at, cycle=holding.cycle)


def _passed_on(carried: Decimal, windows: int, limit: Decimal | None, rollover_max: Decimal | None) -> Decimal:
    """Return what is left after so many windows in which nothing was used."""
    if not windows:
        return carried
    if limit is None or rollover_max is None:
        return _ZERO
    return min(rollover_max, carried + windows * limit)


def _left_of(meter: Meter, reserved: Reserved) -> Decimal:
    if meter.limit is None or meter.rollover_max is None:
        return _ZERO
    held = reserved.windows.get(WindowRef(meter.reset_period, meter.start_at), _ZERO)
    return min(meter.rollover_max, max(_ZERO, meter.limit + meter.carried - meter.used - held))
