"""Usage added up over time: hours, days or months in UTC."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from app.domain.errors import FieldError
from app.domain.faults import LAST_INSTANT, fault
from app.domain.period import add_months
from app.domain.usage import UsageKind

SLICES_MAX: Final = 1_000
COUNTED: Final = frozenset(UsageKind) - {UsageKind.RESERVE, UsageKind.RELEASE}
"""The entries that change what is used."""

_ZERO: Final = Decimal(0)
_LENGTH_MS: Final = {"HOUR": 3_600_000, "DAY": 86_400_000}
_LATEST: Final = LAST_INSTANT - 31 * _LENGTH_MS["DAY"]
"""No slice that begins by then ends after the last date that can be written."""


class Granularity(StrEnum):
    """How long one slice of a summary is."""

    HOUR = "HOUR"
    DAY = "DAY"
    MONTH = "MONTH"


class Slice(msgspec.Struct, frozen=True, gc=False):
    """What was used in `[start_at, end_at)`, in the feature's unit and as charged to its balance."""

    start_at: int
    end_at: int
    amount: Decimal = _ZERO
    charge: Decimal = _ZERO
    events: int = 0


def range_faults(granularity: Granularity, from_at: int, to_at: int) -> Iterator[FieldError]:
    """Check what is to be summed up: from before to, and not too many slices."""
    if to_at > _LATEST:
        yield fault(("to",), "OUT_OF_RANGE", "must lie before December 9999")
    elif to_at <= from_at:
        yield fault(("to",), "OUT_OF_RANGE", "must be later than from")
    elif _slices_between(granularity, from_at, to_at) > SLICES_MAX:
        yield fault(("granularity",), "OUT_OF_RANGE", f"makes more than {SLICES_MAX} slices; ask for less or coarser")


def slices(granularity: Granularity, from_at: int, to_at: int, found: Mapping[int, Slice]) -> tuple[Slice, ...]:
    """Return every slice that the range touches, empty ones too; `found` is by where they start."""
    start_at = slice_start(granularity, from_at)
    all_slices: list[Slice] = []
    while start_at < to_at:
        end_at = _next(granularity, start_at)
        all_slices.append(found.get(start_at) or Slice(start_at, end_at))
        start_at = end_at
    return tuple(all_slices)


def slice_start(granularity: Granularity, at: int) -> int:
    """Return where the slice that holds the instant starts."""
    if granularity is not Granularity.MONTH:
        return at - at % _LENGTH_MS[granularity]
    moment = datetime.fromtimestamp(at // 1000, UTC)
    return int(moment.replace(day=1, hour=0, minute=0, second=0).timestamp()) * 1000


def slice_at(granularity: Granularity, start_at: int, *, amount: Decimal, charge: Decimal, events: int) -> Slice:
    """Return a slice that starts there."""
    return Slice(start_at, _next(granularity, start_at), amount, charge, events)


def _next(granularity: Granularity, start_at: int) -> int:
    return add_months(start_at, 1) if granularity is Granularity.MONTH else start_at + _LENGTH_MS[granularity]


def _slices_between(granularity: Granularity, from_at: int, to_at: int) -> int:
    return (to_at - from_at) // _LENGTH_MS.get(granularity, 28 * _LENGTH_MS["DAY"])
