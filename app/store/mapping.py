"""Records to documents and back: camel case, `_id`, dates for instants, Decimal128 for decimals."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar, cast

import msgspec
import msgspec.inspect

from app.domain.api_key import ApiKey
from app.domain.change import Instant, Kind, Record, Tombstone
from app.domain.grant import Grant, Override
from app.domain.migration import Migration
from app.domain.plan import Edition, Feature, Plan
from app.domain.stripe_object import StripeObject
from app.domain.subscription import Subscription
from app.domain.usage import Balance
from app.domain.workspace import Workspace
from app.ports.store import StoredResult
from app.store.translation import Read, Write, read_fields, struct_readers, struct_writer

SCHEMA_VERSION: Final = 1
"""Written into every document. Readers take documents of the version after their own too, so that releases roll."""

RECORD_TYPES: Final[Mapping[Kind, type[Record]]] = {
    record.KIND: record
    for record in (
        Workspace,
        Feature,
        Plan,
        Subscription,
        Grant,
        Override,
        ApiKey,
        Balance,
        StripeObject,
        Migration,
        Edition,
    )
}

Document = dict[str, Any]
S = TypeVar("S", bound=msgspec.Struct)


class MappingError(Exception):
    """A stored document cannot be read.

    Attributes: `kind` (the collection, or the type's name), `id` as text, `problem`.
    """

    def __init__(self, kind: str, id: str, problem: str) -> None:
        super().__init__(f"{kind} {id!r} cannot be read: {problem}")
        self.kind = kind
        self.id = id
        self.problem = problem


class _Life(Record, frozen=True, kw_only=True, gc=False, rename="camel"):
    """What every record has, and who owns it: enough for a tombstone, however broken the rest may be."""

    workspace_id: str | None = None


def to_document(value: msgspec.Struct) -> Document:
    """Return the document of a record, or of anything else that we store by id.

    Raises `ValidationError` for what BSON cannot hold: numbers out of range, lone surrogates, NUL in a key.
    """
    if isinstance(value, StoredResult):
        return _write(_RESULT_HEAD, value) | {"records": [_to_tagged(record) for record in value.records]}
    return _write(_plan(type(value)), value)


def from_document(kind: Kind, raw: Mapping[str, Any]) -> Record:
    """Return the record that a document holds.

    A document that another client wrote may lack `version` and `incarnation`; it reads as version 1.
    Raises `MappingError`, and nothing else, for a document that cannot be read.
    """
    return _read(_plan(RECORD_TYPES[kind]), kind, raw)


def from_fields(type: type[S], raw: Mapping[str, Any]) -> S:
    """Return a struct that is no record (an event, an audit entry) from its document. Raises `MappingError`."""
    return _read(_plan(type), type.__name__, raw)


def live_or_tombstone(kind: Kind, raw: Mapping[str, Any]) -> Record | Tombstone:
    """Return the record, or its tombstone where it is soft-deleted. Raises `MappingError`."""
    if raw.get("deletedAt") is None:
        return from_document(kind, raw)
    life = _read(_plan(_Life), kind, raw)
    owner = life.id if kind in (Kind.WORKSPACE, Kind.BALANCE) else life.workspace_id
    return Tombstone(kind, life.id, life.version, life.incarnation, owner)


def result_from_document(raw: Mapping[str, Any]) -> StoredResult:
    """Return a stored result with the records it wrote. Raises `MappingError`."""
    head = _read(_RESULT_HEAD, "idempotency", raw)
    try:
        records = tuple(from_document(Kind(tagged["kind"]), tagged["document"]) for tagged in raw.get("records") or ())
    except (KeyError, TypeError, ValueError, AttributeError, MappingError) as error:
        raise MappingError("idempotency", head.id, f"records: {error}") from error
    return StoredResult(
        id=head.id, input_digest=head.input_digest, created_at=head.created_at, records=records, answer=head.answer
    )


class _Plan(msgspec.Struct, frozen=True):
    type: type[Any]
    reads: list[tuple[str, Read]]
    write: Write
    complete: Callable[[Document], None] | None


class _ResultHead(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """A stored result without its records, whose types are told by a tag beside each."""

    id: str
    input_digest: str
    created_at: Instant
    answer: str


_plans: dict[type, _Plan] = {}


def _plan(type: type[Any]) -> _Plan:
    plan = _plans.get(type)
    if plan is None:
        shape = cast("msgspec.inspect.StructType", msgspec.inspect.type_info(type))  # of a Struct it is always one
        complete = _complete_foreign if issubclass(type, Record) else None
        plan = _plans[type] = _Plan(type, struct_readers(shape), struct_writer(shape), complete)
    return plan


_RESULT_HEAD: Final = _plan(_ResultHead)


def _write(plan: _Plan, value: msgspec.Struct) -> Document:
    document: Document = plan.write(value)
    return {"_id": document.pop("id"), **document, "schemaVersion": SCHEMA_VERSION}


def _to_tagged(record: Record) -> Document:
    return {"kind": record.KIND.value, "document": to_document(record)}


def _read(plan: _Plan, kind: str, raw: Mapping[str, Any]) -> Any:
    try:
        fields = read_fields(raw, plan.reads)
        fields["id"] = _id_of(raw)
        if plan.complete:
            plan.complete(fields)
        _check_schema(raw)
        return msgspec.convert(fields, plan.type)
    except (ValueError, TypeError, ArithmeticError, RecursionError) as error:
        raise MappingError(kind, str(raw.get("_id"))[:200], str(error)) from error


def _id_of(raw: Mapping[str, Any]) -> str:
    found = raw.get("_id")
    if isinstance(found, str) and found:
        return found
    raise ValueError(f"_id: expected text, got {type(found).__name__} {found!r:.50}")


def _check_schema(raw: Mapping[str, Any]) -> None:
    schema_version = raw.get("schemaVersion", SCHEMA_VERSION)
    if not isinstance(schema_version, int | float) or schema_version > SCHEMA_VERSION + 1:
        raise ValueError(
            f"schemaVersion {schema_version!r}: a newer release wrote it; this one reads up to {SCHEMA_VERSION + 1}"
        )


def _complete_foreign(fields: Document) -> None:
    """Another client may insert a document without our fields; 0 would say "never written"."""
    version = fields.get("version")
    if version is None or version == 0:
        fields["version"] = 1
    elif isinstance(version, int) and version < 0:
        raise ValueError(f"version: expected 1 or more, got {version}")
    if fields.get("incarnation") is None:
        fields["incarnation"] = ""
