"""What requests of usage may hold."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final

from app.domain.consumption import Wanted
from app.domain.errors import FieldError
from app.domain.faults import INPUT, Path, fault, instant_faults, is_storable, quantity_faults, text_faults

LINES_MAX: Final = 100
PROPERTIES_MAX: Final = 20
PROPERTY_NAME_MAX: Final = 64
TTL_MAX_S: Final = 7 * 86_400
CLOCK_SKEW_MS: Final = 60_000
"""How far ahead of ours a caller's clock may be."""

_ZERO: Final = Decimal(0)


def line_faults(lines: Sequence[Wanted], *, name: str = "lines", may_be_zero: bool = False) -> Iterator[FieldError]:
    """Check the lines of a request: 1 to 100, each with an amount above 0, or from 0 where it may be zero."""
    path = (*INPUT, name)
    if not 1 <= len(lines) <= LINES_MAX and not (may_be_zero and not lines):
        yield fault(path, "OUT_OF_RANGE", f"must have 1 to {LINES_MAX} entries, and has {len(lines)}")
        return
    for position, line in enumerate(lines):
        place = (*path, str(position))
        if not is_storable(line.feature_key):
            yield fault((*place, "featureKey"), "INVALID_CHARACTER", "holds a NUL or half a surrogate pair")
        yield from quantity_faults((*place, "amount"), line.amount)
        if line.amount == 0 and not may_be_zero:
            yield fault((*place, "amount"), "OUT_OF_RANGE", "must be above 0")


def ttl_faults(ttl_s: int) -> Iterator[FieldError]:
    """Check how long a reservation is to last, in seconds."""
    if not 1 <= ttl_s <= TTL_MAX_S:
        yield fault((*INPUT, "ttlSeconds"), "OUT_OF_RANGE", f"must lie between 1 and {TTL_MAX_S}, seven days")


def occurrence_faults(occurred_at: int | None, now: int, *, backdate_ms: int) -> Iterator[FieldError]:
    """Check when usage is said to have happened: not in the future, and not too long ago."""
    if occurred_at is None:
        return
    path: Path = (*INPUT, "occurredAt")
    yield from instant_faults(path, occurred_at)
    if occurred_at > now + CLOCK_SKEW_MS:
        yield fault(path, "OUT_OF_RANGE", "lies in the future")
    elif occurred_at < now - backdate_ms:
        yield fault(path, "OUT_OF_RANGE", f"lies more than {backdate_ms // 3_600_000} hours back")


def property_faults(properties: Mapping[str, str]) -> Iterator[FieldError]:
    """Check what a caller adds to usage for the record: up to 20 short texts by name."""
    path = (*INPUT, "properties")
    if len(properties) > PROPERTIES_MAX:
        yield fault(path, "TOO_MANY", f"has {len(properties)} entries; at most {PROPERTIES_MAX} are allowed")
    for name, value in properties.items():
        if name.startswith("$") or "." in name:
            yield fault((*path, name), "INVALID_CHARACTER", "must neither start with $ nor hold a full stop")
        yield from text_faults((*path, name), name, longest=PROPERTY_NAME_MAX)
        yield from text_faults((*path, name), value)
