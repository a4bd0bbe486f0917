"""Usage: what a workspace has used and holds reserved, and the ledger of how it came to that."""

from collections.abc import Iterator
from decimal import ROUND_CEILING, Decimal, localcontext
from enum import StrEnum
from typing import ClassVar, Final

import msgspec

from app.domain.change import Instant, Kind, Record
from app.domain.errors import FieldError
from app.domain.faults import PLACES_MAX, QUANTITY_BOUND, Path, fault, quantity_faults
from app.domain.plan import Feature, ResetPeriod

_ZERO: Final = Decimal(0)
_PLACE: Final = Decimal(1).scaleb(-PLACES_MAX)
_EXACT_DIGITS: Final = 60


class Meter(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """The amount used in one window `[start_at, end_at)`; `end_at` None means for ever, or not known yet.

    What follows `used` is set where plans decided by the window when it was last counted in, and stays whatever becomes
    of them: its `limit` (None also where unlimited), the most that the next window inherits, what this one inherited on
    top of its limit, and in which chain of windows it stands: see `Holding.chain`.
    """

    reset_period: ResetPeriod
    start_at: Instant
    end_at: Instant | None
    used: Decimal
    limit: Decimal | None = None
    rollover_max: Decimal | None = None
    carried: Decimal = _ZERO
    chain: str = ""


class Pot(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """The amount used of one grant or add-on since `start_at`; at `end_at` it is full again, or gone."""

    id: str
    start_at: Instant
    end_at: Instant | None
    used: Decimal


class WindowRef(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """Names a window of a feature."""

    reset_period: ResetPeriod
    start_at: Instant


class Draw(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """Where an amount was taken from: a pot, or else windows, in each of which all of it counts."""

    amount: Decimal
    windows: tuple[WindowRef, ...] = ()
    pot: str | None = None
    pot_start_at: Instant | None = None


class UsageLine(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """What was used of one feature, and the `draws` that paid for it, which add up to `charge`.

    `charge` is `amount` in units of the balance: credits where the feature has a cost, else the same.
    """

    feature_key: str
    balance_key: str
    amount: Decimal
    charge: Decimal
    draws: tuple[Draw, ...] = ()


class Reservation(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """Amounts held back until `expires_at`; from then on they are as if never reserved."""

    id: str
    lines: tuple[UsageLine, ...]
    principal: str
    created_at: Instant
    expires_at: Instant


class Balance(Record, frozen=True, kw_only=True, gc=False, rename="camel"):
    """The usage of one workspace; `id` is the workspace's id. `meters` and `pots` are by balance key."""

    KIND: ClassVar[Kind] = Kind.BALANCE

    meters: dict[str, tuple[Meter, ...]] = {}
    pots: dict[str, tuple[Pot, ...]] = {}
    reservations: tuple[Reservation, ...] = ()


class UsageKind(StrEnum):
    """What an entry of the ledger tells of.

    RECORD, CONSUME, SET, SETTLE and CORRECT change what is used, by their lines' amounts; RESERVE and RELEASE only
    what is held back.
    """

    RECORD = "RECORD"
    CONSUME = "CONSUME"
    SET = "SET"
    CORRECT = "CORRECT"
    RESERVE = "RESERVE"
    SETTLE = "SETTLE"
    RELEASE = "RELEASE"


class UsageEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """One accepted request, kept as it came: the ledger from which balances can be counted again.

    `id` is derived from principal, workspace and idempotency key. `occurred_at` is when it happened, `recorded_at` when
    we were told. `reservation_id` is of RESERVE, SETTLE and RELEASE, `expires_at` of RESERVE; `corrects` names the
    event whose amount a CORRECT changes, by the difference in its line.
    """

    id: str
    workspace_id: str
    kind: UsageKind
    lines: tuple[UsageLine, ...]
    occurred_at: Instant
    recorded_at: Instant
    principal: str
    input_digest: str
    properties: dict[str, str] = {}
    reservation_id: str | None = None
    expires_at: Instant | None = None
    corrects: str | None = None
    reason: str = ""


class UsageWindow(msgspec.Struct, frozen=True, gc=False):
    """A window `[start_at, end_at)` in which usage of a feature must be counted now."""

    reset_period: ResetPeriod
    start_at: int
    end_at: int | None


def charge_of(feature: Feature, amount: Decimal) -> Decimal:
    """Return what the amount takes from the feature's balance: exact, rounded up at the ninth decimal place."""
    cost = feature.cost
    if cost is None or cost == 1:
        return amount
    with localcontext(prec=_EXACT_DIGITS):
        return (amount * cost).quantize(_PLACE, ROUND_CEILING).normalize()


def share_of(charge: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """Return what a part of an amount costs where `whole` cost `charge`, whatever it would cost now; rounded up."""
    if part == whole:
        return charge
    with localcontext(prec=_EXACT_DIGITS):
        return (charge * part / whole).quantize(_PLACE, ROUND_CEILING).normalize()


def amount_faults(path: Path, feature: Feature, amount: Decimal, *, signed: bool = False) -> Iterator[FieldError]:
    """Check an amount of a METERED or CREDIT feature: above 0; `signed` lets a FLUCTUATING level fall."""
    if not feature.is_counted:
        yield fault((*path, "featureKey"), "NOT_ALLOWED", f"names {feature.key!r}, which is neither METERED nor CREDIT")
        return
    lowest = -QUANTITY_BOUND if signed and feature.is_level else _ZERO
    yield from quantity_faults((*path, "amount"), amount, lowest=lowest)
    if amount == 0:
        yield fault((*path, "amount"), "OUT_OF_RANGE", "must not be 0")
