"""What a write asks of each collection: compare-and-set by version and incarnation, checked by the document class."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from pymongo import InsertOne, ReplaceOne

from app.domain.change import Kind, Record
from app.domain.errors import ConflictError
from app.store.documents import RECORD_DOCUMENTS, StoredDocument
from app.store.mapping import to_document

Raw = dict[str, Any]
Operation = InsertOne[Raw] | ReplaceOne[Raw]

_UNWRITTEN_BY_US: Final[list[int | None]] = [1, 0, None]
"""How the version 1 of a document may stand there that another client inserted (see `mapping`)."""


class KindWrite(msgspec.Struct, frozen=True):
    """The operations on one collection; `replaced` are the records that must be there one version earlier."""

    kind: Kind
    operations: Sequence[Operation]
    replaced: Sequence[Record]


def by_kind(records: Sequence[Record], *, as_checked: bool = True) -> list[KindWrite]:
    """Group records that carry the version they shall have; version 1 is an insert.

    Replacements go first, so that a unique key which one record gives up is free for another. The documents' classes
    check them unless told otherwise, as where writes are hot.
    """
    grouped: dict[Kind, list[Record]] = {}
    for record in records:
        grouped.setdefault(record.KIND, []).append(record)
    return [_kind_write(kind, members, _document if as_checked else to_document) for kind, members in grouped.items()]


def checked(document: type[StoredDocument], raw: Raw) -> Raw:
    """Return the document as it is, once its class has found nothing wrong with it: anything wrong is our bug."""
    document.model_validate(raw)
    return raw


def conflict(replaced: Iterable[Record], stored: Mapping[str, Raw]) -> ConflictError:
    """Return the error for the first record that is not stored as its writer believed."""
    for record in replaced:
        expected = record.version - 1
        raw = stored.get(record.id)
        if raw is None:
            return ConflictError(f"{word(record.KIND)} {record.id!r} does not exist any more")
        version = int(raw.get("version") or 1)
        if version != expected:
            return ConflictError(
                f"{word(record.KIND)} {record.id!r} has changed: version {expected} was expected, {version} is stored",
                current_version=version,
            )
        if (raw.get("incarnation") or "") != record.incarnation:
            return ConflictError(
                f"{word(record.KIND)} {record.id!r} was deleted and made anew", current_version=version
            )
    return ConflictError("a record changed meanwhile; read it again")


def word(collection: str) -> str:
    """Return what one document of the collection is called."""
    return collection.removesuffix("s").replace("_", " ")


def _kind_write(kind: Kind, records: Sequence[Record], document: Callable[[Record], Raw]) -> KindWrite:
    replaced = [record for record in records if record.version > 1]
    replacements: list[Operation] = [ReplaceOne(_as_believed(record), document(record)) for record in replaced]
    inserts: list[Operation] = [InsertOne(document(record)) for record in records if record.version <= 1]
    return KindWrite(kind, [*replacements, *inserts], replaced)


def _document(record: Record) -> Raw:
    return checked(RECORD_DOCUMENTS[record.KIND], to_document(record))


def _as_believed(record: Record) -> Raw:
    """Return the filter that finds the record one version earlier, in its incarnation."""
    before = record.version - 1
    return {
        "_id": record.id,
        "version": {"$in": _UNWRITTEN_BY_US} if before == 1 else before,
        "incarnation": record.incarnation or {"$in": ["", None]},
    }
