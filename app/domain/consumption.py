"""What a request of usage makes of a balance: consume, reserve, settle, release, record, set and correct, all pure.

Raising the balance's version and writing it with its ledger entry is the caller's.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec

from app.domain.burn_down import allocate, count, negated, netted, pruned, taken_back
from app.domain.coverage import Holding, holdings
from app.domain.entitlement import Entitlement, assess, findings_of, usage_windows
from app.domain.errors import BillingError, ConflictError, NotFoundError, ValidationError
from app.domain.explanation import Question
from app.domain.plan import Catalogue, Feature
from app.domain.supply import Supply, supply_of
from app.domain.usage import Balance, Reservation, UsageLine, UsageWindow, charge_of, share_of
from app.domain.workspace_state import WorkspaceState

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


def consume(state: WorkspaceState, catalogue: Catalogue, wanted: Sequence[Wanted], at: int) -> Taken | Refused:
    """Use all lines, or none: each as if those before it were used already."""
    case = _case(state, catalogue, at)
    balance, lines = _open(state, at), list[UsageLine]()
    for position, line in enumerate(wanted):
        answer, room = case.assess(line, balance)
        if room is None:
            return Refused(position, answer, case.question(line, balance))
        taken = _line(room, line.amount)
        balance = _counted(balance, taken, room, at)
        lines.append(taken)
    return Taken(balance, tuple(lines))


def reserve(
    state: WorkspaceState, catalogue: Catalogue, wanted: Sequence[Wanted], at: int, *, blank: Reservation
) -> Taken | Refused:
    """Hold all lines back, or none, as the reservation `blank`, whose lines are filled in."""
    before = _open(state, at)
    reserved = sum(len(reservation.lines) for reservation in before.reservations)
    if reserved + len(wanted) > RESERVED_LINES_MAX:
        raise ConflictError(f"{reserved} of {RESERVED_LINES_MAX} lines are reserved already; settle or release some")
    case, held, lines = _case(state, catalogue, at), before, list[UsageLine]()
    for position, line in enumerate(wanted):
        answer, room = case.assess(line, held)
        if room is None:
            return Refused(position, answer, case.question(line, held))
        taken = _line(room, line.amount)
        # So that it is counted where it was reserved even if it is settled when that has ended.
        held = _counted(held, _opening(taken), room, at)
        lines.append(taken)
        reservation = msgspec.structs.replace(blank, lines=tuple(lines))
        held = msgspec.structs.replace(held, reservations=(*before.reservations, reservation))
    return Taken(held, tuple(lines))


def settle(
    state: WorkspaceState, catalogue: Catalogue, reservation_id: str, actual: Sequence[Wanted] | None, at: int
) -> Taken:
    """Use what was really used of a reservation; the rest goes back to the very grants it came from.

    `actual` None is all of it; a feature that `actual` leaves out was not used. More than was reserved is recorded too:
    it has happened. Raises `NotFoundError` where the reservation is not open any more, `ValidationError` for a feature
    that it does not hold.
    """
    before = _open(state, at)
    reservation = open_reservation(before, reservation_id, at)
    case, balance = _case(state, catalogue, at), _without(before, reservation_id)
    actuals = _actual(reservation, actual)
    kept = [_kept(held, amount) for held, amount in actuals]
    for line in kept:
        balance = _counted(balance, line, case.room(line.feature_key, balance), at)
    lines: list[UsageLine] = []
    # What was held is counted first, so that what is beyond it finds only what is really left.
    for line, (_, amount) in zip(kept, actuals, strict=True):
        more = amount - line.amount
        if more > 0:
            room = case.room(line.feature_key, balance)
            beyond = _line(room, more)
            balance = _counted(balance, beyond, room, at)
            lines.append(_joined(line, beyond))
        else:
            lines.append(line)
    return Taken(balance, tuple(lines))


def release(state: WorkspaceState, reservation_id: str, at: int) -> Taken:
    """Give all of a reservation back. Raises `NotFoundError` where it is not open any more."""
    before = _open(state, at)
    reservation = open_reservation(before, reservation_id, at)
    return Taken(_without(before, reservation_id), reservation.lines)


def record(state: WorkspaceState, catalogue: Catalogue, line: Wanted, *, occurred_at: int, at: int) -> Taken:
    """Count what has already happened, whatever the limits say, in the windows and grants of when it happened.

    Windows and grants that ended too long before `at` to be kept are taken as unused. Raises `ValidationError` for a
    level that would fall below zero.
    """
    balance = _open(state, at)
    room = _case(state, catalogue, occurred_at).room(line.feature_key, balance)
    _refuse_below_zero(room.feature, balance, line.amount)
    taken = _line(room, line.amount)
    return Taken(_counted(balance, taken, room, at), (taken,))


def set_level(state: WorkspaceState, catalogue: Catalogue, line: Wanted, at: int) -> Taken:
    """Make a FLUCTUATING feature's level `line.amount`; the ledger's line has the difference, which may be 0."""
    feature = _feature(catalogue, line.feature_key)
    difference = line.amount - level_of(_open(state, at), feature)
    return record(state, catalogue, Wanted(line.feature_key, difference), occurred_at=at, at=at)


def correct(state: WorkspaceState, catalogue: Catalogue, lines: Sequence[UsageLine], amount: Decimal, at: int) -> Taken:
    """Make an earlier line's amount what it should have been; the ledger's line has the difference.

    `lines` are that line and its corrections so far, in their order. What was too much goes back to where it was taken
    from, the last taken first; what was too little is taken as if it happened now. Raises `ValidationError` for a level
    that would fall below zero.
    """
    balance = _open(state, at)
    room = _case(state, catalogue, at).room(lines[0].feature_key, balance)
    so_far = sum((line.amount for line in lines), _ZERO)
    difference = amount - so_far
    _refuse_below_zero(room.feature, balance, difference)
    if room.feature.is_level or difference > 0:
        line = _line(room, difference)
    else:
        draws = netted(lines)
        charged = sum((draw.amount for draw in draws), _ZERO)
        _, returned = taken_back(draws, share_of(charged, amount, so_far))
        draws = negated(returned)
        charge = sum((draw.amount for draw in draws), _ZERO)
        line = msgspec.structs.replace(lines[0], amount=difference, charge=charge, draws=draws)
    return Taken(_counted(balance, line, room, at), (line,))


def level_of(balance: Balance, feature: Feature) -> Decimal:
    """Return the level of a FLUCTUATING feature, without what is reserved."""
    return sum((meter.used for meter in balance.meters.get(feature.key, ())), _ZERO)


def open_reservation(balance: Balance, reservation_id: str, at: int) -> Reservation:
    """Return a reservation that is open at `at`. Raises `NotFoundError`: it was settled, released, or has expired."""
    for held in balance.reservations:
        if held.id == reservation_id and at < held.expires_at:
            return held
    raise NotFoundError("open reservation", reservation_id)


class _Room(msgspec.Struct, frozen=True, gc=False):
    """What there is to use of a feature, and the windows in which its use counts."""

    feature: Feature
    supply: Supply
    counted: tuple[UsageWindow, ...]
    at: int


class _Case(msgspec.Struct, frozen=True, gc=False):
    """All that decides at an instant, beside the balance, which changes from line to line."""

    state: WorkspaceState
    catalogue: Catalogue
    at: int
    held: tuple[Holding, ...]

    def question(self, line: Wanted, balance: Balance) -> Question:
        """Return what is asked of the line."""
        state = msgspec.structs.replace(self.state, balance=balance)
        return Question(
            feature_key=line.feature_key,
            state=state,
            catalogue=self.catalogue,
            at=self.at,
            requested_usage=line.amount,
        )

    def assess(self, line: Wanted, balance: Balance) -> tuple[Entitlement, _Room | None]:
        """Return the answer for the line, and the room for it where it may be used."""
        state = msgspec.structs.replace(self.state, balance=balance)
        answer, supply = assess(
            line.feature_key, state, self.catalogue, self.at, requested_usage=line.amount, held=self.held
        )
        if not answer.has_access or supply is None or answer.feature is None:
            return answer, None
        return answer, self._room(answer.feature, supply)

    def room(self, feature_key: str, balance: Balance) -> _Room:
        """Return what there is, whether or not it may be used. Raises `NotFoundError`."""
        feature = _feature(self.catalogue, feature_key)
        found = findings_of(feature, self.state, self.catalogue, self.at, held=self.held)
        return self._room(feature, supply_of(self.catalogue.balance_feature(feature), found, balance, self.at))

    def _room(self, feature: Feature, supply: Supply) -> _Room:
        credit_type = self.catalogue.balance_feature(feature)
        counted = usage_windows(credit_type, self.state, self.catalogue, self.at, held=self.held)
        return _Room(feature, supply, counted, self.at)


def _case(state: WorkspaceState, catalogue: Catalogue, at: int) -> _Case:
    return _Case(state, catalogue, at, holdings(state.workspace, state.subscriptions, catalogue, at))


def _open(state: WorkspaceState, at: int) -> Balance:
    """Return the balance without reservations that have expired."""
    balance = state.balance or Balance(id=state.workspace.id)
    if all(at < held.expires_at for held in balance.reservations):
        return balance
    return msgspec.structs.replace(balance, reservations=tuple(r for r in balance.reservations if at < r.expires_at))


def _without(balance: Balance, reservation_id: str) -> Balance:
    left = tuple(held for held in balance.reservations if held.id != reservation_id)
    return msgspec.structs.replace(balance, reservations=left)


def _feature(catalogue: Catalogue, key: str) -> Feature:
    feature = catalogue.features.get(key)
    if feature is None:
        raise NotFoundError("feature", key)
    return feature


def _refuse_below_zero(feature: Feature, balance: Balance, difference: Decimal) -> None:
    if feature.is_level and level_of(balance, feature) + difference < 0:
        problem = f"amount would take the level of {level_of(balance, feature)} below 0"
        raise ValidationError.of("input.amount", "OUT_OF_RANGE", problem)


def _line(room: _Room, amount: Decimal) -> UsageLine:
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


def _counted(balance: Balance, line: UsageLine, room: _Room, at: int) -> Balance:
    """Return the balance with the line's draws used, and without what has become of no use."""
    key = line.balance_key
    after = count(balance, [line], supply=room.supply, counted=room.counted, at=at)
    used = [*(meter.used for meter in after.meters.get(key, ())), *(pot.used for pot in after.pots.get(key, ()))]
    if any(amount >= _TOTAL_BOUND for amount in used):
        raise _too_much(key)
    # What is told late says nothing about what runs now.
    return after if room.at < at else pruned(after, key, room.supply, room.counted, at=at)


def _too_much(key: str) -> ValidationError:
    return ValidationError.of("input.amount", "OUT_OF_RANGE", f"amount would take the total of {key} to 10^18")
