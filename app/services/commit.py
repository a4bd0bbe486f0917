"""The one door for writes: versions, audit, the transaction, and then RAM."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeVar

import msgspec

from app.domain import ids
from app.domain.audit import Actor, AuditEntry
from app.domain.billing_event import BillingEvent
from app.domain.change import Kind, Record, Source
from app.domain.effects import events_of
from app.domain.errors import ConflictError
from app.ports.store import StoredResult
from app.runtime import Runtime
from app.services.billing_events import outgoing, publish
from app.store.mapping import to_document

R = TypeVar("R", bound=Record)
_Before = Mapping[tuple[Kind, str], Record]

_INCARNATION_LENGTH: Final = 16
_FEW: Final = 200  # records; to prepare more would hold up everybody else, so a thread does
_NOT_AUDITED: Final = ("raw", "facts", "secretHash")
"""Stripe's object, and what is read out of it, is long and kept in its own document; a secret's hash in one place."""


async def commit(
    rt: Runtime, actor: Actor, operation: str, records: Sequence[Record], *, result: StoredResult | None = None
) -> tuple[Record, ...]:
    """Write all records with their audit entries and billing events, or nothing, then let RAM have them.

    Return them as written.

    The catalogue's edition has no entry: the features and plans that it is raised with have theirs.

    Each record carries the version it was loaded at, 0 where it is new. `result` is stored in the same transaction,
    with the written records in it. Raises `ConflictError` where the store holds another version than was loaded,
    `ResultExistsError` where `result.id` is taken, `UnavailableError` where it is unknown whether it was written.
    """
    before = await _load_before(rt, records)
    prepare = partial(_prepared, rt, actor, operation, records, before)
    written, entries, events = prepare() if len(records) <= _FEW else await asyncio.to_thread(prepare)
    events = outgoing(rt, events, written)
    stored_result = msgspec.structs.replace(result, records=written) if result else None
    await rt.store.write(written, entries, stored_result, events=events)
    for record in written:
        rt.cache.apply(record, source=Source.COMMIT)
    publish(rt, events)
    return written


def _prepared(
    rt: Runtime, actor: Actor, operation: str, records: Sequence[Record], before: _Before
) -> tuple[tuple[Record, ...], list[AuditEntry], list[BillingEvent]]:
    at = rt.clock.now_at()
    written = tuple(_next(rt, record, before.get((record.KIND, record.id)), at) for record in records)
    entries = [
        _audit_entry(rt, actor, operation, before.get((record.KIND, record.id)), record, at)
        for record in written
        if record.KIND is not Kind.EDITION
    ]
    events = [event for record in written for event in events_of(before.get((record.KIND, record.id)), record, at)]
    return written, entries, events


async def _load_before(rt: Runtime, records: Sequence[Record]) -> _Before:
    """Return what the store holds of the records that are to be changed."""
    wanted: dict[Kind, list[str]] = {}
    for record in records:
        if record.version:
            wanted.setdefault(record.KIND, []).append(record.id)
    return {
        (kind, found.id): found for kind, some in wanted.items() for found in (await rt.store.read(kind, some)).values()
    }


def _next(rt: Runtime, record: R, stored: Record | None, at: int) -> R:
    """Return the record as it shall be stored. Raises `ConflictError` where it was loaded from something else."""
    if record.version == 0:
        incarnation = rt.ids.secret()[:_INCARNATION_LENGTH]
        return msgspec.structs.replace(record, version=1, incarnation=incarnation, created_at=at, updated_at=at)
    if stored is None:
        raise ConflictError(f"{record.id!r} does not exist any more")
    if (stored.version, stored.incarnation) != (record.version, record.incarnation):
        problem = f"{record.id!r} has changed: version {record.version} was loaded, {stored.version} is stored"
        raise ConflictError(problem, current_version=stored.version)
    return msgspec.structs.replace(record, version=record.version + 1, updated_at=at)


def _audit_entry(
    rt: Runtime, actor: Actor, operation: str, before: Record | None, after: Record, at: int
) -> AuditEntry:
    return AuditEntry(
        id=rt.ids.new(ids.AUDIT_ENTRY),
        recorded_at=at,
        actor=actor,
        operation=operation,
        kind=after.KIND,
        record_id=after.id,
        before=audited(before) if before else None,
        after=audited(after),
    )


def audited(record: Record) -> dict[str, Any]:
    """Return what the audit keeps of a record: its document without secrets and without Stripe's JSON."""
    return {key: value for key, value in to_document(record).items() if key not in _NOT_AUDITED}
