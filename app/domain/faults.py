"""Faults of an input: checks that several inputs share, each yielding what is wrong, and `refuse`, which raises."""

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Final

from app.domain.errors import FieldError, ValidationError

Path = tuple[str, ...]

INPUT: Final[Path] = ("input",)
NAME_MAX: Final = 255
REASON_MAX: Final = 500
QUANTITY_BOUND: Final = Decimal(10) ** 15
"""Quantities stay below it and have at most PLACES_MAX decimal places, so that sums stay exact in 28 digits."""
PLACES_MAX: Final = 9
LAST_INSTANT: Final = 253_402_300_799_999
"""The end of year 9999, in epoch milliseconds."""

_KEY: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")


def refuse(*checks: Iterable[FieldError]) -> None:
    """Raise every fault that the checks yield, in one `ValidationError`; return where there is none."""
    if found := tuple(fault for check in checks for fault in check):
        raise ValidationError(found)


def fault(path: Path, code: str, problem: str) -> FieldError:
    """Build one fault; the message starts with the field's name."""
    return FieldError(path, code, f"{'.'.join(path[1:]) or path[0]} {problem}")


def text_faults(path: Path, text: str | None, *, longest: int = NAME_MAX) -> Iterator[FieldError]:
    """Check a text: not empty where given, not too long, and of characters that can be stored."""
    if text is None:
        return
    if not text.strip():
        yield fault(path, "EMPTY", "must not be empty")
    if len(text) > longest:
        yield fault(path, "TOO_LONG", f"has {len(text)} characters; at most {longest} are allowed")
    if not is_storable(text):
        yield fault(path, "INVALID_CHARACTER", "holds a NUL or half a surrogate pair")


def idempotency_key_faults(key: str) -> Iterator[FieldError]:
    """Check the caller's name for one request."""
    yield from text_faults((*INPUT, "idempotencyKey"), key)


def is_storable(text: str) -> bool:
    """Tell whether the text can be stored: no NUL and no unpaired surrogate."""
    return "\x00" not in text and (text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text))


def key_faults(path: Path, key: str) -> Iterator[FieldError]:
    """Check the key of a feature or a plan."""
    if not _KEY.fullmatch(key):
        problem = "must start with a lower-case letter and go on with at most 63 of a-z, 0-9 and _"
        yield fault(path, "INVALID_FORMAT", problem)


def quantity_faults(path: Path, quantity: Decimal, *, lowest: Decimal | None = Decimal(0)) -> Iterator[FieldError]:
    """Check a quantity: finite, not below `lowest`, below 10^15 and with at most 9 decimal places."""
    if not quantity.is_finite():
        yield fault(path, "OUT_OF_RANGE", "must be a finite number")
        return
    if lowest is not None and quantity < lowest:
        yield fault(path, "OUT_OF_RANGE", f"must not be below {lowest}")
    exponent = quantity.as_tuple().exponent
    if abs(quantity) >= QUANTITY_BOUND or (isinstance(exponent, int) and exponent < -PLACES_MAX):
        problem = f"must be smaller than 10^15 and have at most {PLACES_MAX} decimal places"
        yield fault(path, "OUT_OF_RANGE", problem)


def expiry_faults(path: Path, expires_at: int | None, *, after: int, now: int) -> Iterator[FieldError]:
    """Check the end of an interval that starts at `after`: later than that, and in the future."""
    if expires_at is None:
        return
    if expires_at <= after:
        yield fault(path, "OUT_OF_RANGE", "must be later than the start")
    elif expires_at <= now:
        yield fault(path, "OUT_OF_RANGE", "must be in the future")
    yield from instant_faults(path, expires_at)


def instant_faults(path: Path, at: int | None) -> Iterator[FieldError]:
    """Check that an instant lies between 1970 and 9999."""
    if at is not None and not 0 <= at <= LAST_INSTANT:
        yield fault(path, "OUT_OF_RANGE", "must lie between the years 1970 and 9999")


def repeated(values: Iterable[object]) -> Iterator[int]:
    """Yield the positions of values that stood earlier already."""
    seen: set[object] = set()
    for position, value in enumerate(values):
        if value in seen:
            yield position
        seen.add(value)
