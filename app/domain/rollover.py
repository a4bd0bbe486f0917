"""What a window inherits from the one before, and what reservations hold back."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from app.domain.period import periods_between
from app.domain.usage import Balance, Draw, Meter, Pot, WindowRef

ROLLOVER_POT: Final = "rollover:{}"
"""The id of the pot that keeps what a window of this reset period has inherited."""

_ZERO: Final = Decimal(0)


class Reserved(msgspec.Struct, frozen=True, gc=False):
    """What running reservations hold back of one balance key, and when the first of them ends."""

    windows: Mapping[WindowRef, Decimal]
    pots: Mapping[tuple[str, int], Decimal]
    ends: tuple[int, ...]


_NOTHING: Final = Reserved({}, {}, ())


def held_back(balance: Balance | None, key: str, at: int) -> Reserved:
    """Add up what reservations that have not ended hold back of the key."""
    if balance is None or not balance.reservations:
        return _NOTHING
    windows: defaultdict[WindowRef, Decimal] = defaultdict(Decimal)
    pots: defaultdict[tuple[str, int], Decimal] = defaultdict(Decimal)
    ends: list[int] = []
    for reservation in balance.reservations:
        lines = [line for line in reservation.lines if line.balance_key == key]
        if not lines or reservation.expires_at <= at:
            continue
        ends.append(reservation.expires_at)
        for draw in (draw for line in lines for draw in line.draws):
            _hold(draw, windows, pots)
    return Reserved(windows, pots, (min(ends),) if ends else ())


def _hold(draw: Draw, windows: defaultdict[WindowRef, Decimal], pots: defaultdict[tuple[str, int], Decimal]) -> None:
    if draw.pot is not None and draw.pot_start_at is not None:
        pots[draw.pot, draw.pot_start_at] += draw.amount
    for ref in draw.windows:
        windows[ref] += draw.amount


def carried_into(
    window: WindowRef,
    *,
    limit: Decimal | None,
    rollover_max: Decimal | None,
    since_at: int,
    meters: Sequence[Meter],
    pots: Sequence[Pot],
    reserved: Reserved,
) -> Decimal:
    """Return what the window inherits: min(rollover_max, what was left of the one before, its own heritage included).

    Fixed once the window was counted in. Before that, the last window that was counted in says what was left of it, by
    the limit it had; in windows since then, or since `since_at`, nothing was used.
    """
    same = [meter for meter in meters if meter.reset_period is window.reset_period]
    opened = next((meter for meter in same if meter.start_at == window.start_at), None)
    if opened is not None:
        return opened.carried
    ended = (meter for meter in same if meter.end_at is not None and meter.end_at <= window.start_at)
    last = max(ended, key=lambda meter: meter.start_at, default=None)
    left = _left_of(last, pots, reserved) if last is not None else _ZERO
    if rollover_max is None or limit is None:
        return left if last is not None and last.end_at == window.start_at else _ZERO
    since = since_at if last is None or last.end_at is None else last.end_at
    idle = periods_between(window.reset_period, since, window.start_at)
    return min(rollover_max, left + idle * limit) if idle else left


def _left_of(meter: Meter, pots: Sequence[Pot], reserved: Reserved) -> Decimal:
    if meter.limit is None or meter.rollover_max is None:
        return _ZERO
    ref = WindowRef(meter.reset_period, meter.start_at)
    place = ROLLOVER_POT.format(meter.reset_period), meter.start_at
    rolled = next((pot.used for pot in pots if (pot.id, pot.start_at) == place), _ZERO)
    own = meter.limit - meter.used - reserved.windows.get(ref, _ZERO)
    inherited = meter.carried - rolled - reserved.pots.get(place, _ZERO)
    return min(meter.rollover_max, max(_ZERO, own) + max(_ZERO, inherited))
