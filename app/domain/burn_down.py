"""Burn-down: from which windows and pots an amount is taken, and the balance after it."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final, TypeVar

import msgspec

from app.domain.bucket import Bucket, Rank, rank
from app.domain.grant import PRIORITY, GrantSource
from app.domain.plan import ResetPeriod
from app.domain.supply import Supply, Window
from app.domain.usage import Balance, Draw, Meter, Pot, UsageLine, UsageWindow, WindowRef

LATE_MS: Final = 7 * 86_400_000
"""How long ended windows and pots are kept for what is told late."""
LATE_COUNT: Final = 3
"""How many ended windows of a reset period, and how many ended periods of a pot, are kept at most."""

_ZERO: Final = Decimal(0)

Source = Bucket | None
"""A pot, or None for the plans' windows."""


class Counted:
    """The windows in which usage counts: `refs` are their names, `blanks` each of them before anything is used."""

    __slots__ = ("blanks", "refs")

    def __init__(self, windows: Iterable[UsageWindow] = ()) -> None:
        self.blanks: Final[Mapping[WindowRef, Meter]] = {
            WindowRef(window.reset_period, window.start_at): Meter(
                reset_period=window.reset_period, start_at=window.start_at, end_at=window.end_at, used=_ZERO
            )
            for window in windows
        }
        self.refs: Final = tuple(self.blanks)


_Timed = TypeVar("_Timed", Meter, Pot)


def allocate(supply: Supply, counted: Counted, charge: Decimal) -> tuple[Draw, ...]:
    """Take the charge in the order of use, and what no limit has room for from the plans, or else the last pot.

    What plans give counts in all of `counted`, so that whichever plan decides later finds it counted. Where something
    is unlimited, nothing else is used up. A level is always taken from its one window, also downwards.
    """
    if not supply.buckets:
        return (Draw(amount=charge, windows=counted.refs),) if charge else ()
    left, draws = charge, list[tuple[Source, Decimal]]()
    for source, room in _in_order(supply):
        taken = min(left, room)
        if taken > 0:
            draws.append((source, taken))
            left -= taken
    if left:
        draws.append((_beyond(supply), left))
    return tuple(_merged(draws, counted.refs))


def count(balance: Balance, lines: Iterable[UsageLine], *, supply: Supply, counted: Counted, at: int) -> Balance:
    """Return the balance with the lines' draws used. All lines are of the balance key that `supply` is of.

    Windows that are not open yet open with what they inherit; those that have ended by `at` keep the limit they had.
    Draws on windows and pots that are forgotten change nothing.
    """
    for line in lines:
        for draw in line.draws:
            if draw.pot is None:
                balance = _count_windows(balance, line.balance_key, draw, supply, counted, at)
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


def netted(lines: Iterable[UsageLine]) -> tuple[Draw, ...]:
    """Add up draws by where they were taken from, in the order in which they first were."""
    amounts: dict[tuple[str | None, int | None, tuple[WindowRef, ...]], Decimal] = {}
    for draw in (draw for line in lines for draw in line.draws):
        place = draw.pot, draw.pot_start_at, draw.windows
        amounts[place] = amounts.get(place, _ZERO) + draw.amount
    return tuple(
        Draw(amount=amount, windows=windows, pot=pot, pot_start_at=start_at)
        for (pot, start_at, windows), amount in amounts.items()
        if amount > 0
    )


def pruned(balance: Balance, key: str, supply: Supply, counted: Counted, *, at: int) -> Balance:
    """Leave out what no answer about the key needs after `at`, when `supply` and `counted` hold.

    Kept are what runs, by its own end or by theirs (Stripe may move the end of a cycle), what passes something on, and
    what ended lately.
    """
    meters, pots = balance.meters.get(key, ()), balance.pots.get(key, ())
    if not any(each.end_at is not None and each.end_at <= at for each in (*meters, *pots)):
        return balance
    # The end of a billing cycle may not have been told before the next one began.
    closed = [meter for meter in meters if meter.end_at is not None or meter.reset_period is ResetPeriod.NEVER]
    windows = {(ref.reset_period, ref.start_at) for ref in counted.refs}
    windows.update((m.reset_period, m.start_at) for m in _bequeathing(meters))
    windows.update((m.reset_period, m.start_at) for m in _lately(closed, at, lambda meter: meter.reset_period))
    places = {(bucket.id, bucket.start_at) for bucket in supply.buckets}
    places.update((pot.id, pot.start_at) for pot in _lately(pots, at, lambda pot: pot.id))
    return msgspec.structs.replace(
        balance,
        meters=_with(balance.meters, key, (m for m in meters if (m.reset_period, m.start_at) in windows)),
        pots=_with(balance.pots, key, (p for p in pots if (p.id, p.start_at) in places)),
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


def _merged(draws: Iterable[tuple[Source, Decimal]], refs: tuple[WindowRef, ...]) -> Iterator[Draw]:
    """Yield one draw per source, in the order in which they were first taken from."""
    merged: dict[Draw, Decimal] = {}
    for source, amount in draws:
        place = _place(source, refs)
        merged[place] = merged.get(place, _ZERO) + amount
    for place, amount in merged.items():
        yield msgspec.structs.replace(place, amount=amount)


def _place(source: Source, refs: tuple[WindowRef, ...]) -> Draw:
    if source is None:
        return Draw(amount=_ZERO, windows=refs)
    if source.window is not None:
        return Draw(amount=_ZERO, windows=(source.window,))
    return Draw(amount=_ZERO, pot=source.id, pot_start_at=source.start_at)


def _count_windows(balance: Balance, key: str, draw: Draw, supply: Supply, counted: Counted, at: int) -> Balance:
    meters = {WindowRef(meter.reset_period, meter.start_at): meter for meter in balance.meters.get(key, ())}
    blanks = {**_inherited(supply), **counted.blanks} if supply.buckets else counted.blanks
    decided = supply.every_window
    for ref in draw.windows:
        meter, blank, window = meters.get(ref), blanks.get(ref), decided.get(ref)
        if meter is not None and blank is not None:
            meter = msgspec.structs.replace(meter, end_at=blank.end_at)
        if meter is not None and meter.end_at is not None and meter.end_at <= at:
            window = None
        meter = meter or blank
        if meter is not None:
            meters[ref] = _counted(meter, draw.amount, window)
    return msgspec.structs.replace(balance, meters=_with(balance.meters, key, meters.values()))


def _inherited(supply: Supply) -> dict[WindowRef, Meter]:
    """Return the windows that no plan sets any more and that something was carried into, before anything is used."""
    return {
        bucket.window: Meter(
            reset_period=bucket.window.reset_period,
            start_at=bucket.start_at,
            end_at=bucket.ends_at,
            used=_ZERO,
            limit=_ZERO,
            carried=bucket.amount or _ZERO,
        )
        for bucket in supply.buckets
        if bucket.window is not None
    }


def _counted(meter: Meter, amount: Decimal, window: Window | None) -> Meter:
    used = max(_ZERO, meter.used + amount)
    if window is None:
        return msgspec.structs.replace(meter, used=used)
    return msgspec.structs.replace(
        meter,
        end_at=window.period.end_at,
        used=used,
        limit=window.amount,
        rollover_max=window.rollover_max,
        carried=window.carried,
        chain=window.chain,
    )


def _count_pot(balance: Balance, key: str, draw: Draw, supply: Supply) -> Balance:
    pots = {(pot.id, pot.start_at): pot for pot in balance.pots.get(key, ())}
    place = draw.pot or "", draw.pot_start_at or 0
    bucket = next((b for b in supply.buckets if (b.id, b.start_at) == place), None)
    pot = pots.get(place)
    if bucket is not None:
        used = _ZERO if pot is None else pot.used
        pot = Pot(id=bucket.id, start_at=bucket.start_at, end_at=bucket.ends_at, used=used)
    if pot is None:
        return balance
    pots[place] = msgspec.structs.replace(pot, used=max(_ZERO, pot.used + draw.amount))
    return msgspec.structs.replace(balance, pots=_with(balance.pots, key, pots.values()))


def _bequeathing(meters: Iterable[Meter]) -> Iterator[Meter]:
    """Yield the last windows that plans decided by: the next ones inherit from them, and know since when they idle."""
    last: dict[tuple[ResetPeriod, str], Meter] = {}
    latest: dict[ResetPeriod, Meter] = {}
    for meter in sorted(meters, key=lambda meter: meter.start_at):
        if meter.limit is not None:
            last[meter.reset_period, meter.chain] = latest[meter.reset_period] = meter
    yield from latest.values()
    yield from (meter for meter in last.values() if meter.rollover_max is not None)


def _lately(timed: Iterable[_Timed], at: int, name: Callable[[_Timed], str]) -> Iterator[_Timed]:
    """Yield what has not ended, and the last few of each name that ended lately."""
    ended: defaultdict[str, list[tuple[int, _Timed]]] = defaultdict(list)
    for each in timed:
        if each.end_at is None or at < each.end_at:
            yield each
        elif at < each.end_at + LATE_MS:
            ended[name(each)].append((each.end_at, each))
    for recent in ended.values():
        recent.sort(key=lambda pair: pair[0])
        yield from (each for _, each in recent[-LATE_COUNT:])


def _with(held: Mapping[str, tuple[_Timed, ...]], key: str, timed: Iterable[_Timed]) -> dict[str, tuple[_Timed, ...]]:
    """Return what is held with the key's part replaced, or without it where nothing is left."""
    kept = tuple(timed)
    others = {name: part for name, part in held.items() if name != key}
    return others | {key: kept} if kept else others
