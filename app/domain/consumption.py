"""What a request of usage makes of a balance: consume, reserve, settle, release, record, set and correct, all pure.

Raising the balance's version and writing it with its ledger entry is the caller's.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from app.domain.burn_down import allocate, count, negated, pruned, taken_back
from app.domain.entitlement import Entitlement, assess, findings_of, usage_windows
from app.domain.errors import BillingError, ConflictError, NotFoundError, ValidationError
from app.domain.explanation import Question
from app.domain.plan import Catalogue, Feature
from app.domain.supply import Supply, supply_of
from app.domain.usage import Balance, Draw, Reservation, UsageLine, UsageWindow, WindowRef, charge_of
from app.domain.workspace_state import WorkspaceState

RESERVATIONS_MAX: Final = 1_000
"""Reservations that one workspace may have open at a time."""

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


def consume(state: WorkspaceState, catalogue: Catalogue, wanted: Sequence[Wanted], at: int) -> Taken | Refused:
    """Use all lines, or none: each as if those before it were used already."""
    balance, lines = _pruned(state, at), list[UsageLine]()
    for position, line in enumerate(wanted):
        here = msgspec.structs.replace(state, balance=balance)
        answer, supply = assess(line.feature_key, here, catalogue, at, requested_usage=line.amount)
        if not answer.has_access or supply is None or answer.feature is None:
            return Refused(position, answer, _question(line, here, catalogue, at))
        counted = _windows(answer.feature, state, catalogue, at)
        taken = _line(answer.feature, line.amount, supply, counted)
        balance = _counted(balance, [taken], supply, counted)
        lines.append(taken)
    return Taken(balance, tuple(lines))


def reserve(
    state: WorkspaceState, catalogue: Catalogue, wanted: Sequence[Wanted], at: int, *, blank: Reservation
) -> Taken | Refused:
    """Hold all lines back, or none, as the reservation `blank`, whose lines are filled in."""
    before = _pruned(state, at)
    if len(before.reservations) >= RESERVATIONS_MAX:
        raise ConflictError(f"{RESERVATIONS_MAX} reservations are open already; settle or release some")
    held, lines = before, list[UsageLine]()
    for position, line in enumerate(wanted):
        here = msgspec.structs.replace(state, balance=held)
        answer, supply = assess(line.feature_key, here, catalogue, at, requested_usage=line.amount)
        if not answer.has_access or supply is None or answer.feature is None:
            return Refused(position, answer, _question(line, here, catalogue, at))
        counted = _windows(answer.feature, state, catalogue, at)
        lines.append(_line(answer.feature, line.amount, supply, counted))
        reservation = msgspec.structs.replace(blank, lines=tuple(lines))
        held = msgspec.structs.replace(before, reservations=(*before.reservations, reservation))
    return Taken(held, tuple(lines))


def settle(
    state: WorkspaceState, catalogue: Catalogue, reservation_id: str, actual: Sequence[Wanted] | None, at: int
) -> Taken:
    """Use what was really used of a reservation; the rest goes back to the very grants it came from.

    `actual` None is all of it; a feature that `actual` leaves out was not used. More than was reserved is recorded too:
    it has happened. Raises `NotFoundError` where the reservation is not open any more, `ValidationError` for a feature
    that it does not hold.
    """
    before = _pruned(state, at)
    reservation = open_reservation(before, reservation_id, at)
    balance = _without(before, reservation_id)
    lines: list[UsageLine] = []
    for held, amount in _actual(reservation, actual):
        here = msgspec.structs.replace(state, balance=balance)
        feature = _feature(catalogue, held.feature_key)
        supply = _supply(feature, here, catalogue, at)
        counted = _windows(feature, state, catalogue, at)
        line = _settled(held, feature, amount, supply, counted)
        balance = _counted(balance, [line], supply, counted)
        lines.append(line)
    return Taken(balance, tuple(lines))


def release(state: WorkspaceState, reservation_id: str, at: int) -> Taken:
    """Give all of a reservation back. Raises `NotFoundError` where it is not open any more."""
    before = _pruned(state, at)
    reservation = open_reservation(before, reservation_id, at)
    return Taken(_without(before, reservation_id), reservation.lines)


def record(state: WorkspaceState, catalogue: Catalogue, line: Wanted, *, occurred_at: int, at: int) -> Taken:
    """Count what has already happened, whatever the limits say, in the windows and grants of when it happened.

    Raises `ValidationError` for a level that would fall below zero.
    """
    balance = _pruned(state, at)
    here = msgspec.structs.replace(state, balance=balance)
    feature = _feature(catalogue, line.feature_key)
    supply = _supply(feature, here, catalogue, occurred_at)
    counted = _windows(feature, state, catalogue, occurred_at)
    if feature.is_level and level_of(balance, feature) + line.amount < 0:
        problem = f"amount would take the level of {level_of(balance, feature)} below 0"
        raise ValidationError.of("input.amount", "OUT_OF_RANGE", problem)
    taken = _line(feature, line.amount, supply, counted)
    return Taken(_counted(balance, [taken], supply, counted), (taken,))


def set_level(state: WorkspaceState, catalogue: Catalogue, line: Wanted, at: int) -> Taken:
    """Make a FLUCTUATING feature's level `line.amount`; the ledger's line has the difference, which may be 0."""
    feature = _feature(catalogue, line.feature_key)
    difference = line.amount - level_of(_pruned(state, at), feature)
    return record(state, catalogue, Wanted(line.feature_key, difference), occurred_at=at, at=at)


def correct(state: WorkspaceState, catalogue: Catalogue, lines: Sequence[UsageLine], amount: Decimal, at: int) -> Taken:
    """Make an earlier line's amount what it should have been; the ledger's line has the difference.

    `lines` are that line and its corrections so far, in their order. What was too much goes back to where it was taken
    from, the last taken first; what was too little is taken as if it happened now.
    """
    first = lines[0]
    balance = _pruned(state, at)
    feature = _feature(catalogue, first.feature_key)
    supply = _supply(feature, msgspec.structs.replace(state, balance=balance), catalogue, at)
    counted = _windows(feature, state, catalogue, at)
    difference = amount - sum((line.amount for line in lines), _ZERO)
    if feature.is_level or difference > 0:
        line = _line(feature, difference, supply, counted)
    else:
        charged = _net(lines)
        _, returned = taken_back(charged, _charge(first, feature, amount))
        draws = negated(returned)
        charge = sum((draw.amount for draw in draws), _ZERO)
        line = msgspec.structs.replace(first, amount=difference, charge=charge, draws=draws)
    return Taken(_counted(balance, [line], supply, counted), (line,))


def level_of(balance: Balance, feature: Feature) -> Decimal:
    """Return the level of a FLUCTUATING feature, without what is reserved."""
    return sum((meter.used for meter in balance.meters.get(feature.key, ())), _ZERO)


def open_reservation(balance: Balance, reservation_id: str, at: int) -> Reservation:
    """Return a reservation that is open at `at`. Raises `NotFoundError`: it was settled, released, or has expired."""
    for held in balance.reservations:
        if held.id == reservation_id and at < held.expires_at:
            return held
    raise NotFoundError("open reservation", reservation_id)


def _pruned(state: WorkspaceState, at: int) -> Balance:
    return pruned(state.balance or Balance(id=state.workspace.id), at)


def _without(balance: Balance, reservation_id: str) -> Balance:
    left = tuple(held for held in balance.reservations if held.id != reservation_id)
    return msgspec.structs.replace(balance, reservations=left)


def _question(line: Wanted, state: WorkspaceState, catalogue: Catalogue, at: int) -> Question:
    return Question(feature_key=line.feature_key, state=state, catalogue=catalogue, at=at, requested_usage=line.amount)


def _feature(catalogue: Catalogue, key: str) -> Feature:
    feature = catalogue.features.get(key)
    if feature is None:
        raise NotFoundError("feature", key)
    return feature


def _supply(feature: Feature, state: WorkspaceState, catalogue: Catalogue, at: int) -> Supply:
    found = findings_of(feature, state, catalogue, at)
    return supply_of(catalogue.balance_feature(feature), found, state.balance, at)


def _windows(feature: Feature, state: WorkspaceState, catalogue: Catalogue, at: int) -> tuple[UsageWindow, ...]:
    return usage_windows(catalogue.balance_feature(feature), state, catalogue, at)


def _line(feature: Feature, amount: Decimal, supply: Supply, counted: Sequence[UsageWindow]) -> UsageLine:
    charge = charge_of(feature, amount)
    return UsageLine(
        feature_key=feature.key,
        balance_key=feature.balance_key,
        amount=amount,
        charge=charge,
        draws=allocate(supply, counted, charge),
    )


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


def _settled(
    held: UsageLine, feature: Feature, amount: Decimal, supply: Supply, counted: Sequence[UsageWindow]
) -> UsageLine:
    charge = _charge(held, feature, amount)
    kept, _ = taken_back(held.draws, charge)
    more = charge - held.charge
    draws = (*kept, *allocate(supply, counted, more)) if more > 0 else kept
    return msgspec.structs.replace(held, amount=amount, charge=charge, draws=draws)


def _charge(held: UsageLine, feature: Feature, amount: Decimal) -> Decimal:
    """Return what the amount costs where `held` was agreed on: what is within it never costs more than it did."""
    if amount > held.amount:
        return held.charge + charge_of(feature, amount - held.amount)
    return held.charge if amount == held.amount else min(held.charge, charge_of(feature, amount))


def _net(lines: Iterable[UsageLine]) -> tuple[Draw, ...]:
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


def _counted(balance: Balance, lines: Sequence[UsageLine], supply: Supply, counted: Sequence[UsageWindow]) -> Balance:
    after = count(balance, lines, supply=supply, counted=counted)
    for key in {line.balance_key for line in lines}:
        used = [*(m.used for m in after.meters.get(key, ())), *(p.used for p in after.pots.get(key, ()))]
        if any(amount >= _TOTAL_BOUND for amount in used):
            raise ValidationError.of("input.amount", "OUT_OF_RANGE", f"amount would take the total of {key} to 10^18")
    return after
