"""What a request of usage makes of a balance: consume, reserve, settle, release, record, set and correct, all pure.

Raising the balance's version and writing it with its ledger entry is the caller's.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec

from app.domain.burn_down import allocate, count, negated, netted, pruned, taken_back
from app.domain.case import Case, Room
from app.domain.entitlement import Entitlement
from app.domain.errors import BillingError, ConflictError, NotFoundError, ValidationError
from app.domain.explanation import Question
from app.domain.plan import Feature
from app.domain.usage import Balance, Reservation, UsageLine, charge_of, share_of

RESERVED_LINES_MAX: Final = 1_000
"""Lines that the open reservations of one workspace may have: every check adds them up."""

_ZERO: Final = Decimal(0)
_TOTAL_BOUND: Final = Decimal(10) ** 18
"""With 9 decimal places still exact in 28 digits."""


class Wanted(msgspec.Struct, frozen=True, gc=False):
    """One line of a request: so much of this feature."""

    feature_key: str
    amount: Decimal


class Taken(msgspec.Struct, frozen=True, gc=False):
    """The balance after the request, and the lines of its ledger entry."""

    balance: Balance
    lines: tuple[UsageLine, ...]


class Refused(msgspec.Struct, frozen=True, gc=False):
    """The first line, counted from 0, that may not be used, and the answer that says why. Nothing is taken.

    `question` is what was asked: the line's amount, after the lines before it.
    """

    line: int
    answer: Entitlement
    question: Question


class LimitExceededError(BillingError):
    """A line of a request may not be used; nothing was taken.

    Attributes: `line` (counted from 0), `answer`, the check that says why, and `question`, what was checked.
    """

    code = "LIMIT_EXCEEDED"

    def __init__(self, refused: Refused) -> None:
        answer = refused.answer
        super().__init__(f"line {refused.line} ({answer.feature_key}) is denied: {answer.access_denied_reason}")
        self.line = refused.line
        self.answer = answer
        self.question = refused.question


def consume(case: Case, wanted: Sequence[Wanted]) -> Taken | Refused:
    """Use all lines, or none: each as if those before it were used already."""
    balance, lines = _open(case), list[UsageLine]()
    for position, line in enumerate(wanted):
        now = case.on(balance)
        room = now.room_for(line.feature_key, line.amount)
        if room is None:
            return _refused(position, line, now)
        try:
            taken = _line(room, line.amount)
            balance = _counted(balance, taken, room, case.at)
        except ValidationError as error:
            raise _of_line(position, error) from None
        lines.append(taken)
    return Taken(balance, tuple(lines))


def reserve(case: Case, wanted: Sequence[Wanted], *, blank: Reservation) -> Taken | Refused:
    """Hold all lines back, or none, as the reservation `blank`, whose lines are filled in."""
    before = _open(case)
    reserved = sum(len(reservation.lines) for reservation in before.reservations)
    if reserved + len(wanted) > RESERVED_LINES_MAX:
        raise ConflictError(f"{reserved} of {RESERVED_LINES_MAX} lines are reserved already; settle or release some")
    held, lines = before, list[UsageLine]()
    for position, line in enumerate(wanted):
        now = case.on(held)
        room = now.room_for(line.feature_key, line.amount)
        if room is None:
            return _refused(position, line, now)
        try:
            taken = _line(room, line.amount)
        except ValidationError as error:
            raise _of_line(position, error) from None
        # So that it is counted where it was reserved even if it is settled when that has ended.
        held = _counted(held, _opening(taken), room, case.at)
        lines.append(taken)
        reservation = msgspec.structs.replace(blank, lines=tuple(lines))
        held = msgspec.structs.replace(held, reservations=(*before.reservations, reservation))
    return Taken(held, tuple(lines))


def settle(case: Case, reservation_id: str, actual: Sequence[Wanted] | None) -> Taken:
    """Use what was really used of a reservation; the rest goes back to the very grants it came from.

    `actual` None is all of it; a feature that `actual` leaves out was not used. More than was reserved is recorded too:
    it has happened. Raises `NotFoundError` where the reservation is not open any more, `ValidationError` for a feature
    that it does not hold.
    """
    before = _open(case)
    reservation = open_reservation(before, reservation_id, case.at)
    balance = _without(before, reservation_id)
    actuals = _actual(reservation, actual)
    kept = [_kept(held, amount) for held, amount in actuals]
    for line in kept:
        balance = _counted(balance, line, case.on(balance).room(line.feature_key), case.at)
    lines: list[UsageLine] = []
    # What was held is counted first, so that what is beyond it finds only what is really left.
    for line, (_, amount) in zip(kept, actuals, strict=True):
        more = amount - line.amount
        if more > 0:
            room = case.on(balance).room(line.feature_key)
            beyond = _line(room, more)
            balance = _counted(balance, beyond, room, case.at)
            lines.append(_joined(line, beyond))
        else:
            lines.append(line)
    return Taken(balance, tuple(lines))


def release(case: Case, reservation_id: str) -> Taken:
    """Give all of a reservation back. Raises `NotFoundError` where it is not open any more."""
    before = _open(case)
    reservation = open_reservation(before, reservation_id, case.at)
    return Taken(_without(before, reservation_id), reservation.lines)


def record(case: Case, line: Wanted, *, occurred_at: int | None = None) -> Taken:
    """Count what has already happened, whatever the limits say, in the windows and grants of when it happened.

    Windows and grants that ended too long before the case's instant to be kept are taken as unused. Raises
    `ValidationError` for a level that would fall below zero.
    """
    happened_at = case.at if occurred_at is None else occurred_at
    balance = _open(case)
    room = case.when(happened_at).on(balance).room(line.feature_key)
    _refuse_below_zero(room.feature, balance, line.amount)
    taken = _line(room, line.amount)
    return Taken(_counted(balance, taken, room, case.at, happened_at=happened_at), (taken,))


def set_level(case: Case, line: Wanted) -> Taken:
    """Make a FLUCTUATING feature's level `line.amount`; the ledger's line has the difference, which may be 0."""
    before = level_of(_open(case), case.feature(line.feature_key))
    return record(case, Wanted(line.feature_key, line.amount - before))


def correct(
    case: Case,
    original: Sequence[UsageLine],
    corrections: Sequence[UsageLine],
    amount: Decimal,
    *,
    occurred_at: int | None = None,
) -> Taken:
    """Make what an entry counted of a feature what it should have been; the ledger's line has the difference.

    `original` are the entry's lines of the feature, `corrections` their corrections so far. What was too much goes back
    to where it was taken from, the last taken first; what was too little is taken from what there was at `occurred_at`.
    Of a level the difference is counted now. Raises `ValidationError` for a level that would fall below zero.
    """
    lines, balance = (*original, *corrections), _open(case)
    happened_at = case.at if occurred_at is None else occurred_at
    difference = amount - sum((line.amount for line in lines), _ZERO)
    # Of what is drawn on, which the feature may draw on no more.
    room = case.when(happened_at).on(balance).room(lines[0].balance_key)
    if room.feature.is_level:
        _refuse_below_zero(room.feature, balance, difference)
        line = _line(room, difference)
    else:
        owed = _worth(case, original, amount)
        more = owed - sum((line.charge for line in lines), _ZERO)
        if more > 0:
            draws = allocate(room.supply, room.counted, more)
        else:
            _, returned = taken_back(netted(lines), owed)
            draws = negated(returned)
        charge = sum((draw.amount for draw in draws), _ZERO)
        line = msgspec.structs.replace(lines[0], amount=difference, charge=charge, draws=draws)
    return Taken(_counted(balance, line, room, case.at, happened_at=happened_at), (line,))


def level_of(balance: Balance, feature: Feature) -> Decimal:
    """Return the level of a FLUCTUATING feature, without what is reserved."""
    return sum((meter.used for meter in balance.meters.get(feature.key, ())), _ZERO)


def open_reservation(balance: Balance, reservation_id: str, at: int) -> Reservation:
    """Return a reservation that is open at `at`. Raises `NotFoundError`: it was settled, released, or has expired."""
    for held in balance.reservations:
        if held.id == reservation_id and at < held.expires_at:
            return held
    raise NotFoundError("open reservation", reservation_id)


def _refused(position: int, line: Wanted, case: Case) -> Refused:
    key, amount = line.feature_key, line.amount
    return Refused(position, case.answer(key, amount), case.question(key, amount))


def _open(case: Case) -> Balance:
    """Return the balance without reservations that have expired."""
    balance = case.state.balance or Balance(id=case.state.workspace.id)
    if all(case.at < held.expires_at for held in balance.reservations):
        return balance
    left = tuple(held for held in balance.reservations if case.at < held.expires_at)
    return msgspec.structs.replace(balance, reservations=left)


def _without(balance: Balance, reservation_id: str) -> Balance:
    left = tuple(held for held in balance.reservations if held.id != reservation_id)
    return msgspec.structs.replace(balance, reservations=left)


def _refuse_below_zero(feature: Feature, balance: Balance, difference: Decimal) -> None:
    if feature.is_level and level_of(balance, feature) + difference < 0:
        problem = f"amount would take the level of {level_of(balance, feature)} below 0"
        raise ValidationError.of("input.amount", "OUT_OF_RANGE", problem)


def _worth(case: Case, original: Sequence[UsageLine], amount: Decimal) -> Decimal:
    """Return what the amount costs: at the original's price as far as that goes, at today's beyond."""
    whole, charge = sum((line.amount for line in original), _ZERO), sum((line.charge for line in original), _ZERO)
    if amount <= whole:
        return share_of(charge, amount, whole)
    return charge + charge_of(case.feature(original[0].feature_key), amount - whole)


def _line(room: Room, amount: Decimal) -> UsageLine:
    charge = charge_of(room.feature, amount)
    if charge >= _TOTAL_BOUND:
        raise _too_much(room.feature.balance_key)
    return UsageLine(
        feature_key=room.feature.key,
        balance_key=room.feature.balance_key,
        amount=amount,
        charge=charge,
        draws=allocate(room.supply, room.counted, charge),
    )


def _opening(line: UsageLine) -> UsageLine:
    """Return the line with nothing to count, which opens the windows that it draws on."""
    windows = (draw for draw in line.draws if draw.pot is None)
    return msgspec.structs.replace(line, draws=tuple(msgspec.structs.replace(draw, amount=_ZERO) for draw in windows))


def _actual(reservation: Reservation, actual: Sequence[Wanted] | None) -> list[tuple[UsageLine, Decimal]]:
    """Pair every reserved line with what was used of it; what is beyond all of a feature's lines joins its last."""
    if actual is None:
        return [(line, line.amount) for line in reservation.lines]
    left: dict[str, Decimal] = {}
    for wanted in actual:
        left[wanted.feature_key] = left.get(wanted.feature_key, _ZERO) + wanted.amount
    if foreign := left.keys() - {line.feature_key for line in reservation.lines}:
        problem = f"actual names {', '.join(sorted(foreign))}, which the reservation does not hold"
        raise ValidationError.of("input.actual", "NOT_ALLOWED", problem)
    last = {line.feature_key: position for position, line in enumerate(reservation.lines)}
    pairs: list[tuple[UsageLine, Decimal]] = []
    for position, line in enumerate(reservation.lines):
        rest = left.get(line.feature_key, _ZERO)
        used = rest if last[line.feature_key] == position else min(rest, line.amount)
        left[line.feature_key] = rest - used
        pairs.append((line, used))
    return pairs


def _kept(held: UsageLine, amount: Decimal) -> UsageLine:
    """Return the part of a reserved line that was used, at the price it was reserved for."""
    used = min(amount, held.amount)
    charge = share_of(held.charge, used, held.amount)
    draws, _ = taken_back(held.draws, charge)
    return msgspec.structs.replace(held, amount=used, charge=charge, draws=draws)


def _joined(line: UsageLine, beyond: UsageLine) -> UsageLine:
    return msgspec.structs.replace(
        line,
        amount=line.amount + beyond.amount,
        charge=line.charge + beyond.charge,
        draws=netted((line, beyond)),
    )


def _counted(balance: Balance, line: UsageLine, room: Room, at: int, *, happened_at: int | None = None) -> Balance:
    """Return the balance with the line's draws used, and without what has become of no use."""
    key = line.balance_key
    after = count(balance, [line], supply=room.supply, counted=room.counted, at=at)
    counters = (*after.meters.get(key, ()), *after.pots.get(key, ()))
    if any(counter.used >= _TOTAL_BOUND for counter in counters):
        raise _too_much(key)
    # What is told late says nothing about what runs now.
    is_late = happened_at is not None and happened_at < at
    return after if is_late else pruned(after, key, room.supply, room.counted, at=at)


def _of_line(position: int, error: ValidationError) -> ValidationError:
    """Return the error as one of a request with lines, at this one's amount."""
    path = ("input", "lines", str(position), "amount")
    return ValidationError(msgspec.structs.replace(fault, path=path) for fault in error.fields)


def _too_much(key: str) -> ValidationError:
    return ValidationError.of("input.amount", "OUT_OF_RANGE", f"amount would take the total of {key} to 10^18")
