"""Burn-down: from which windows and pots an amount is taken, and the balance after it."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from app.domain.grant import PRIORITY, GrantSource
from app.domain.supply import Bucket, Rank, Supply, Window, rank
from app.domain.usage import Balance, Draw, Meter, Pot, UsageLine, UsageWindow, WindowRef

_ZERO: Final = Decimal(0)

Source = Bucket | None
"""A pot, or None for the plans' windows."""


def allocate(supply: Supply, counted: Sequence[UsageWindow], charge: Decimal) -> tuple[Draw, ...]:
    """Take the charge in the order of use, and what no limit has room for from the plans, or else the last pot.

    What plans give counts in all of `counted`, so that whichever plan decides later finds it counted. Where something
    is unlimited, nothing else is used up. A level is always taken from its one window, also downwards.
    """
    left, draws = charge, list[tuple[Source, Decimal]]()
    for source, room in _in_order(supply):
        taken = min(left, room)
        if taken > 0:
            draws.append((source, taken))
            left -= taken
    if left:
        draws.append((_beyond(supply), left))
    return tuple(_merged(draws, counted))


def count(balance: Balance, lines: Iterable[UsageLine], *, supply: Supply, counted: Sequence[UsageWindow]) -> Balance:
    """Return the balance with the lines' draws used. All lines are of the balance key that `supply` is of.

    Windows that are not open yet open with what they inherit.
    Draws on windows that have ended and are forgotten change nothing.
    """
    for line in lines:
        for draw in line.draws:
            if draw.pot is None:
                balance = _count_windows(balance, line.balance_key, draw, supply, counted)
            else:
                balance = _count_pot(balance, line.balance_key, draw, supply)
    return balance


def taken_back(draws: Sequence[Draw], amount: Decimal) -> tuple[tuple[Draw, ...], tuple[Draw, ...]]:
    """Split draws: the first ones up to the amount, and the rest, which goes back to where it came from."""
    kept: list[Draw] = []
    returned: list[Draw] = []
    for draw in draws:
        part = min(amount, draw.amount)
        amount -= part
        if part > 0:
            kept.append(msgspec.structs.replace(draw, amount=part))
        if draw.amount > part:
            returned.append(msgspec.structs.replace(draw, amount=draw.amount - part))
    return tuple(kept), tuple(returned)


def negated(draws: Iterable[Draw]) -> tuple[Draw, ...]:
    """Return draws that undo these."""
    return tuple(msgspec.structs.replace(draw, amount=-draw.amount) for draw in draws)


def pruned(balance: Balance, at: int) -> Balance:
    """Leave out what no answer needs any more: ended pots and reservations, and windows that a later one follows."""
    return msgspec.structs.replace(
        balance,
        meters={key: kept for key, meters in balance.meters.items() if (kept := tuple(_needed(meters, at)))},
        pots={key: kept for key, pots in balance.pots.items() if (kept := tuple(_lasting(pots, balance, at)))},
        reservations=tuple(held for held in balance.reservations if held.expires_at > at),
    )


def _in_order(supply: Supply) -> Iterator[tuple[Source, Decimal]]:
    windows = supply.windows
    plans = min((window.left for window in windows), default=_ZERO)
    sources: list[tuple[Source, Decimal, Rank]] = [(b, b.left, b.rank) for b in supply.buckets]
    if windows:
        sources.append((None, plans, _rank_of_plans(windows)))
    # What never runs out goes first: nobody pays with a gift for what is free.
    sources.sort(key=lambda source: (source[1].is_finite(), source[2]))
    for source, room, _ in sources:
        yield source, room


def _rank_of_plans(windows: Sequence[Window]) -> Rank:
    ends = [window.period.end_at for window in windows if window.period.end_at is not None]
    starts_at = max(window.period.start_at for window in windows)
    return rank(PRIORITY, min(ends, default=None), starts_at, GrantSource.PLAN, "")


def _beyond(supply: Supply) -> Source:
    return supply.buckets[-1] if supply.buckets and not supply.windows else None


def _merged(draws: Iterable[tuple[Source, Decimal]], counted: Sequence[UsageWindow]) -> Iterator[Draw]:
    """Yield one draw per source, in the order in which they were first taken from."""
    amounts: dict[str, Decimal] = {}
    buckets: dict[str, Source] = {}
    for source, amount in draws:
        place = source.id if source is not None else ""
        amounts[place] = amounts.get(place, _ZERO) + amount
        buckets[place] = source
    refs = tuple(WindowRef(window.reset_period, window.start_at) for window in counted)
    for place, amount in amounts.items():
        source = buckets[place]
        if source is None:
            yield Draw(amount=amount, windows=refs)
        else:
            yield Draw(amount=amount, pot=source.id, pot_start_at=source.start_at)


def _count_windows(balance: Balance, key: str, draw: Draw, supply: Supply, counted: Sequence[UsageWindow]) -> Balance:
    meters = {WindowRef(meter.reset_period, meter.start_at): meter for meter in balance.meters.get(key, ())}
    decided = {window.ref: window for way in supply.alternatives for window in way}
    ends = {WindowRef(window.reset_period, window.start_at): window.end_at for window in counted}
    for ref in draw.windows:
        meter = meters.get(ref)
        if meter is None and ref not in ends:
            continue
        meter = meter or Meter(reset_period=ref.reset_period, start_at=ref.start_at, end_at=ends[ref], used=_ZERO)
        meters[ref] = _counted(meter, draw.amount, decided.get(ref))
    return msgspec.structs.replace(balance, meters=balance.meters | {key: tuple(meters.values())})


def _counted(meter: Meter, amount: Decimal, window: Window | None) -> Meter:
    used = max(_ZERO, meter.used + amount)
    if window is None:
        return msgspec.structs.replace(meter, used=used)
    return msgspec.structs.replace(
        meter, used=used, limit=window.amount, rollover_max=window.rollover_max, carried=window.carried
    )


def _count_pot(balance: Balance, key: str, draw: Draw, supply: Supply) -> Balance:
    pots = {(pot.id, pot.start_at): pot for pot in balance.pots.get(key, ())}
    place = draw.pot or "", draw.pot_start_at or 0
    pot = pots.get(place)
    if pot is None:
        bucket = next((b for b in supply.buckets if (b.id, b.start_at) == place), None)
        if bucket is None:
            return balance
        pot = Pot(id=bucket.id, start_at=bucket.start_at, end_at=bucket.ends_at, used=_ZERO)
    pots[place] = msgspec.structs.replace(pot, used=max(_ZERO, pot.used + draw.amount))
    return msgspec.structs.replace(balance, pots=balance.pots | {key: tuple(pots.values())})


def _needed(meters: Sequence[Meter], at: int) -> Iterator[Meter]:
    """Yield the windows that run, and of the ended ones the last of its reset period: the next one inherits from it."""
    latest = {
        reset: max(meter.start_at for meter in meters if meter.reset_period is reset)
        for reset in {meter.reset_period for meter in meters}
    }
    for meter in meters:
        if meter.end_at is None or at < meter.end_at or meter.start_at == latest[meter.reset_period]:
            yield meter


def _lasting(pots: Iterable[Pot], balance: Balance, at: int) -> Iterator[Pot]:
    """Yield the pots that have not ended, and those of the last windows, whose rest the next one inherits."""
    kept = {meter.start_at for meters in balance.meters.values() for meter in meters if meter.end_at and meter.carried}
    for pot in pots:
        if pot.end_at is None or at < pot.end_at or pot.start_at in kept:
            yield pot
