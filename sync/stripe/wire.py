"""Words of Stripe's JSON that all decoders share: strict about ids, times and amounts, whatever surrounds them."""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Annotated, Final, TypeAlias, TypeVar

import msgspec
import orjson

_MAX_SECONDS: Final = 253_402_300_799  # the last second of year 9999: dates end there
_MOST_DIGITS: Final = 30  # a document's decimal has 34

Seconds = Annotated[int, msgspec.Meta(ge=0, le=_MAX_SECONDS)]
Quantity = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]
Amount = Annotated[int, msgspec.Meta(gt=-(2**53), lt=2**53)]
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=r"^[^\x00-\x20]+$")]
Number: TypeAlias = str | int | float | None
"""A decimal: Stripe writes amounts as strings, and shares of a hundred as numbers."""

T = TypeVar("T")


class DecodeError(Exception):
    """The object is not what we know of Stripe; the message names the place."""


class Ref(msgspec.Struct, gc=False):
    """Another object, where it is expanded."""

    id: Id


Reference: TypeAlias = Id | Ref | None
"""Another object: its id, or itself where it is expanded."""


class Priced(msgspec.Struct, gc=False):
    """A price, or a plan of the time before prices, where it is expanded."""

    id: Id
    lookup_key: str | None = None
    product: Reference = None


def read(raw: str, type: type[T]) -> T:
    """Read an object. Raises `DecodeError`."""
    try:
        return msgspec.convert(orjson.loads(raw), type)  # strict about all of it, and bounded in depth
    except ValueError as error:
        raise DecodeError(f"not a Stripe object as we know it: {error}") from error


def id_of(reference: Id | Ref) -> str:
    """Return the id of another object, expanded or not."""
    return reference.id if isinstance(reference, Ref) else reference


def ref_id(reference: Reference) -> str | None:
    """Return the id of another object, where there is one."""
    return None if reference is None else id_of(reference)


def decimal(value: Number) -> Decimal | None:
    """Read a decimal that a document can hold. Raises `DecodeError`."""
    if value is None:
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or len(number.as_tuple().digits) > _MOST_DIGITS or abs(number.adjusted()) > _MOST_DIGITS:
        raise DecodeError(f"not a number as we know Stripe's: {str(value)[:40]!r}")
    return number


def ms(seconds: int | None) -> int | None:
    """Return an instant."""
    return None if seconds is None else seconds * 1000


class Part(msgspec.Struct, gc=False):
    """One of several taxes or discounts."""

    amount: Amount = 0


def sum_of(parts: Sequence[Part] | None) -> int:
    """Add up the amounts of taxes or discounts."""
    return sum(part.amount for part in parts or ())


def clean(metadata: Mapping[str, str] | None) -> dict[str, str]:
    """Return metadata as a document can hold it: NUL cannot stand in a key."""
    return {key.replace("\0", "\ufffd"): value.replace("\0", "\ufffd") for key, value in (metadata or {}).items()}


def workspace_ref(metadata: Mapping[str, str] | None) -> str | None:
    """Return the workspace that Stripe metadata names, by our id or by the external id."""
    return clean(metadata).get("workspace_id", "").strip() or None
