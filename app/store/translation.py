"""Compiled readers and writers between msgspec structs and BSON documents, one plan per type."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal, Inexact, InvalidOperation
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final, cast

import msgspec.inspect
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128

from app.domain.errors import ValidationError

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - the driver gives naive UTC: aware dates cost 1.8x in decoding
_MS: Final = timedelta(milliseconds=1)
_REMEMBERED: Final = 4_096
"""Dates and decimals: the same few are written again and again."""
_INT64: Final = range(-(2**63), 2**63)

_PYTHON_TYPES: Final[dict[type, type]] = {
    msgspec.inspect.NoneType: type(None),
    msgspec.inspect.IntType: int,
    msgspec.inspect.DecimalType: Decimal,
    msgspec.inspect.StrType: str,
    msgspec.inspect.VarTupleType: tuple,
    msgspec.inspect.DictType: dict,
}

Read = Callable[[Any], Any]
Write = Callable[[Any], Any]


class UnreadableError(ValueError):
    """A stored value is not what its field may hold."""


def reader(shape: msgspec.inspect.Type, name: str = "") -> Read | None:
    """Return what turns a stored value into one that `msgspec.convert` takes; None where nothing is to be done.

    Values of a wrong type are passed on, for `msgspec.convert` to refuse with its own words.
    """
    read: Read | None = None
    match shape:
        case msgspec.inspect.Metadata(type=inner):
            read = reader(inner, name)
        case msgspec.inspect.IntType():
            read = _read_instant if name.endswith("_at") else _read_int
        case msgspec.inspect.DecimalType():
            read = _read_decimal
        case msgspec.inspect.UnionType(types=members):
            read = _union_reader(members, name)
        case msgspec.inspect.VarTupleType(item_type=item):
            read = _list_reader(reader(item, name))
        case msgspec.inspect.DictType(value_type=value) if not isinstance(value, msgspec.inspect.AnyType):
            read = _map_reader(reader(value))
        case msgspec.inspect.StructType():
            read = _struct_reader(shape)
        case _:
            pass
    return read


@lru_cache(_REMEMBERED)
def to_date(at: int) -> datetime:
    """Return epoch milliseconds as the server compares them."""
    return _EPOCH + at * _MS


def to_instant(date: datetime) -> int:
    """Return the epoch milliseconds of a date as the driver gives it."""
    return (date - _EPOCH) // _MS


def struct_readers(shape: msgspec.inspect.StructType) -> list[tuple[str, Read]]:
    """Return the document keys whose values need a reader, with it."""
    found = [(field.encode_name, reader(field.type, field.name)) for field in shape.fields]
    return [(key, read) for key, read in found if read is not None]


def writer(shape: msgspec.inspect.Type, path: str) -> Write:
    """Return what turns a field's value into BSON; it raises `ValidationError` for what BSON cannot hold."""
    write: Write = _write_as_it_is
    match shape:
        case msgspec.inspect.Metadata(type=inner):
            write = writer(inner, path)
        case msgspec.inspect.UnionType(types=members):
            write = _union_writer([(_python_type(member), writer(member, path)) for member in members])
        case msgspec.inspect.VarTupleType(item_type=item):
            write = _list_writer(writer(item, path))
        case msgspec.inspect.DictType(value_type=value) if not isinstance(value, msgspec.inspect.AnyType):
            write = _map_writer(writer(value, path), path)
        case msgspec.inspect.StructType():
            write = struct_writer(shape, path)
        case _:
            write = _scalar_writer(shape, path)
    return write


def struct_writer(shape: msgspec.inspect.StructType, path: str = "") -> Write:
    """Return what makes a dict of a struct, with document keys and BSON values."""
    names = [field.name for field in shape.fields]
    read: Callable[[Any], tuple[Any, ...]] = attrgetter(*names, names[0])  # with two names at least it is a tuple
    writes = [(f.encode_name, writer(f.type, f"{path}.{f.encode_name}".lstrip("."))) for f in shape.fields]
    tag = {shape.tag_field: shape.tag} if shape.tag_field else {}

    def write_struct(value: Any) -> dict[str, Any]:
        return {**tag, **{key: write(part) for (key, write), part in zip(writes, read(value), strict=False)}}

    return write_struct


# A user's keys that start with a dollar would read as operators or references, so they are stored behind a tilde;
# keys that are tildes and a dollar get one tilde more, so that every key comes back as it went in.


def _escape(key: str) -> str:
    return f"~{key}" if key.lstrip("~").startswith("$") else key


def _unescape(key: str) -> str:
    return key[1:] if key.startswith("~") and key.lstrip("~").startswith("$") else key


def _read_instant(value: Any) -> Any:
    if type(value) is datetime:
        if value.tzinfo is not None:
            value = value.astimezone(UTC).replace(tzinfo=None)
        since = value - _EPOCH
        return since.days * 86_400_000 + since.seconds * 1000 + since.microseconds // 1000
    if value is None:
        return None
    if isinstance(value, DatetimeMS):
        raise UnreadableError(f"the date {int(value)} ms lies outside the years 1 to 9999")
    raise UnreadableError(f"expected a date, got {type(value).__name__}")


def _read_int(value: Any) -> Any:
    if type(value) is int:
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, float) and value.is_integer():  # a shell writes every number as a double
        return int(value)
    return value


def _read_decimal(value: Any) -> Any:
    match value:
        case Decimal128():
            read = value.to_decimal()
        case float():
            read = Decimal(int(value)) if value.is_integer() else Decimal(repr(value))
        case int() if not isinstance(value, bool):
            read = Decimal(value)
        case None:
            return None
        case _:
            raise UnreadableError(f"expected a number, got {type(value).__name__}")
    if not read.is_finite():
        raise UnreadableError(f"expected a finite number, got {read}")
    return read


def _union_reader(members: tuple[msgspec.inspect.Type, ...], name: str) -> Read | None:
    """Structs are told apart by their tag; else one member at most needs reading, and lets the others' values pass."""
    if tagged := [one for one in members if isinstance(one, msgspec.inspect.StructType) and one.tag_field]:
        return _tagged_reader(tagged)
    reads = [found for member in members if (found := reader(member, name))]
    if len(reads) > 1:
        raise TypeError("a union may have one member that needs translation")
    return reads[0] if reads else None


def _tagged_reader(members: list[msgspec.inspect.StructType]) -> Read:
    reads = {member.tag: struct_readers(member) for member in members}
    field = str(members[0].tag_field)

    def read_tagged(raw: Any) -> Any:
        tag = cast("dict[str, Any]", raw).get(field) if isinstance(raw, dict) else None
        return read_fields(cast("Any", raw), reads.get(tag, []) if isinstance(tag, str) else [])

    return read_tagged


def _list_reader(read: Read | None) -> Read | None:
    if read is None:
        return None

    def read_list(values: Any) -> Any:
        return [read(value) for value in cast("list[Any]", values)] if isinstance(values, list) else values

    return read_list


def _map_reader(read: Read | None) -> Read:
    def read_map(values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        items = cast("dict[str, Any]", values).items()
        if read is None:
            return {_unescape(key): value for key, value in items}
        return {_unescape(key): read(value) for key, value in items}

    return read_map


def _struct_reader(shape: msgspec.inspect.StructType) -> Read | None:
    reads = struct_readers(shape)
    return (lambda raw: read_fields(raw, reads)) if reads else None


def read_fields(raw: Any, reads: list[tuple[str, Read]]) -> Any:
    """Return a copy of `raw` with each reader applied where its key is present."""
    if not isinstance(raw, dict):
        return raw
    fields: dict[str, Any] = dict(cast("dict[str, Any]", raw))
    for key, read in reads:
        if key in fields:
            try:
                fields[key] = read(fields[key])
            except UnreadableError as error:
                raise UnreadableError(f"{key}: {error}") from error
    return fields


def _write_as_it_is(value: Any) -> Any:
    return value


_write_enum: Final = attrgetter("_value_")
"""Many times as fast as `.value`."""


def _int_writer(path: str) -> Write:
    def write(value: int) -> int:
        if value not in _INT64:
            raise ValidationError.of(path, "OUT_OF_RANGE", f"{path} must fit 64 bits")
        return value

    return write


def _instant_writer(path: str) -> Write:
    def write(value: int) -> datetime:
        try:
            return to_date(value)
        except OverflowError as error:
            raise ValidationError.of(path, "OUT_OF_RANGE", f"{path} must lie in the years 1 to 9999") from error

    return write


_decimal128: Final = lru_cache(_REMEMBERED)(Decimal128)
"""By its text: equal decimals may be written differently, and are to be kept as they were written."""


def _decimal_writer(path: str) -> Write:
    def write(value: Decimal) -> Decimal128:
        try:
            if value.is_finite():
                return _decimal128(str(value))
        except (Inexact, InvalidOperation, ArithmeticError):
            pass
        raise ValidationError.of(path, "OUT_OF_RANGE", f"{path} must be a finite number of at most 34 digits")

    return write


def _text_writer(path: str) -> Write:
    def write(value: str) -> str:
        if not value.isascii():
            _check_unicode(value, path)
        return value

    return write


def _check_unicode(text: str, path: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValidationError.of(path, "INVALID", f"{path} must be valid Unicode, without lone surrogates") from error


def _union_writer(members: list[tuple[type, Write]]) -> Write:
    def write(value: Any) -> Any:
        for member, write_member in members:
            if isinstance(value, member):
                return write_member(value)
        return value  # of no type of the field: the document class refuses it

    return write


def _list_writer(write: Write) -> Write:
    return lambda values: [write(value) for value in values]


def _map_writer(write: Write, path: str) -> Write:
    def write_map(values: dict[str, Any]) -> dict[str, Any]:
        for key in values:
            if "\0" in key:
                raise ValidationError.of(path, "INVALID", f"{path} has a key with a NUL character")
            _check_unicode(key, path)
        return {_escape(key): write(value) for key, value in values.items()}

    return write_map


def _scalar_writer(shape: msgspec.inspect.Type, path: str) -> Write:
    match shape:
        case msgspec.inspect.IntType():
            return _instant_writer(path) if path.endswith("At") else _int_writer(path)
        case msgspec.inspect.DecimalType():
            return _decimal_writer(path)
        case msgspec.inspect.StrType():
            return _text_writer(path)
        case msgspec.inspect.EnumType():
            return _write_enum
        case _:
            return _write_as_it_is


def _python_type(shape: msgspec.inspect.Type) -> type:
    match shape:
        case msgspec.inspect.Metadata(type=inner):
            return _python_type(inner)
        case msgspec.inspect.EnumType(cls=cls) | msgspec.inspect.StructType(cls=cls):
            return cls
        case _:
            return _PYTHON_TYPES[type(shape)]
