"""Audit entries and seals as stored: their digests, their documents, and the JSON that people see."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, cast

import bson
import msgspec
from bson.decimal128 import Decimal128
from bson.raw_bson import RawBSONDocument

from app.domain.audit import AuditEntry
from app.domain.audit_chain import LAST_NUMBER, BrokenSeal, Claim, Head, Seal, SealedEntry, hash_of
from app.store.mapping import SCHEMA_VERSION, from_fields
from app.store.translation import read_fields, struct_readers, struct_writer, to_instant

_Raw = dict[str, Any]

_SEAL: Final = cast("msgspec.inspect.StructType", msgspec.inspect.type_info(Seal))  # of a Struct it is always one
_SEAL_READERS: Final = struct_readers(_SEAL)
_write_seal: Final = struct_writer(_SEAL)


def seal_document(seal: Seal) -> _Raw:
    """Return a seal's document; `_id` is its number."""
    document = _write_seal(seal)
    return {"_id": document.pop("number"), **document, "schemaVersion": SCHEMA_VERSION}


def seal_of(raw: Mapping[str, Any]) -> Seal | BrokenSeal:
    """Return the seal that a document holds, however it looks."""
    number = int(raw["_id"])
    try:
        return msgspec.convert(read_fields({**raw, "number": number}, _SEAL_READERS), Seal)
    except (ValueError, TypeError, ArithmeticError) as error:
        return BrokenSeal(number, str(raw.get("hash")), str(error))


def head_of(raw: Mapping[str, Any], *, at: int) -> Head:
    """Return what the next seal, made at `at`, holds on to.

    A seal that was spoilt must not stop the sealing; nor may the date in it let what it follows pass for expired.
    """
    seal = seal_of(raw)
    if isinstance(seal, Seal) and seal.hash == hash_of(seal):
        return Head(seal.number, seal.hash, seal.sealed_at)
    return Head(seal.number, seal.hash, at)


def sealed_entry(raw: RawBSONDocument, *, at: int) -> SealedEntry:
    """Return what a seal made at `at` says of a stored entry. One without a date never expires, and gets this one."""
    recorded_at = _instant(raw.get("recordedAt"))
    return SealedEntry(_name(raw["_id"]), at if recorded_at is None else recorded_at, digest(raw))


def claim_of(raw: RawBSONDocument) -> Claim:
    """Return what a stored entry says of itself."""
    return Claim(_name(raw["_id"]), _instant(raw.get("recordedAt")), digest(raw), _number(raw.get("seal")))


def digest(raw: RawBSONDocument) -> str:
    """Return the SHA-256 of a stored entry's BSON without the field `seal`, in hexadecimal."""
    content = {key: value for key, value in raw.items() if key != "seal"}
    return hashlib.sha256(bson.encode(content)).hexdigest()


def readable_entry(raw: Mapping[str, Any]) -> AuditEntry:
    """Return a stored entry for people: what it holds of records is JSON. Raises `MappingError`."""
    entry = from_fields(AuditEntry, {**raw, "seal": _number(raw.get("seal"))})
    before = None if entry.before is None else _json(entry.before)
    return msgspec.structs.replace(entry, before=before, after=_json(entry.after))


def _json(value: Any) -> Any:
    match value:
        case dict():
            return {key: _json(member) for key, member in cast("_Raw", value).items()}
        case list():
            return [_json(member) for member in cast("list[Any]", value)]
        case datetime():
            return value.replace(tzinfo=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case Decimal128():
            return f"{value.to_decimal():f}"
        case None | bool() | int() | float() | str():
            return value
        case _:
            return str(value)


def _instant(value: Any) -> int | None:
    return to_instant(value) if isinstance(value, datetime) else None


def _number(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 < value <= LAST_NUMBER and value == int(value) else None


def _name(id: Any) -> str:
    """Return an entry's id as text, as which another client may not have made it."""
    return id if isinstance(id, str) else str(id)
