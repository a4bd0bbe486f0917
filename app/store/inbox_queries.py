"""What the inbox asks of MongoDB, and how a mark is written: filters and updates without I/O."""

import re
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final

from pymongo import ASCENDING, DESCENDING

from app.domain.stripe_event import StripeEventFilter, StripeEventStatus, StripeObjectState, StripeTrace
from app.domain.stripe_object import SYNCED_TYPES
from app.ports.stripe import Lease
from app.store.mapping import SCHEMA_VERSION
from app.store.translation import to_date

Document = dict[str, Any]

NEWEST_FIRST: Final = [("receivedAt", DESCENDING), ("_id", DESCENDING)]
OLDEST_FIRST: Final = [("receivedAt", ASCENDING), ("_id", ASCENDING)]
UNSETTLED: Final = [StripeEventStatus.RECEIVED.value, StripeEventStatus.PARKED.value, StripeEventStatus.DEAD.value]
FINAL: Final = frozenset({StripeEventStatus.PROCESSED, StripeEventStatus.IGNORED})

_FAILED: Final[Mapping[str, Any]] = {
    "$or": [
        {"status": StripeEventStatus.DEAD.value},
        {"status": StripeEventStatus.RECEIVED.value, "reason": {"$type": "string"}},
    ]
}


def listing(wanted: StripeEventFilter, *, after: tuple[int, str] | None) -> Document:
    """Return what finds the events of a listing that goes from the newest received, after an instant and id."""
    clauses: list[Mapping[str, Any]] = []
    if wanted.status:
        clauses.append({"status": wanted.status.value})
    if wanted.type:
        clauses.append({"type": _of_type(wanted.type)})
    if wanted.object_id:
        clauses.append({"objectId": wanted.object_id})
    if wanted.failed:
        clauses.append(_FAILED)
    clauses.extend(_received(wanted.from_at, wanted.to_at))
    if after is not None:
        at = to_date(after[0])
        clauses.append({"$or": [{"receivedAt": {"$lt": at}}, {"receivedAt": at, "_id": {"$lt": after[1]}}]})
    return {"$and": clauses} if clauses else {}


def replayable(*, from_at: int, to_at: int, after: tuple[int, str] | None) -> Document:
    """Return what finds the events received then whose objects can be asked for, going from the oldest."""
    clauses = [
        *_received(from_at, to_at),
        {"objectType": {"$in": list(SYNCED_TYPES)}, "objectId": {"$type": "string"}, "foreign": {"$ne": True}},
    ]
    if after is not None:
        at = to_date(after[0])
        clauses.append({"$or": [{"receivedAt": {"$gt": at}}, {"receivedAt": at, "_id": {"$gt": after[1]}}]})
    return {"$and": clauses}


def failed_objects(*, since_at: int, after: str | None) -> Document:
    """Return what finds the objects whose last attempt failed, then or later, and that still wait or are dead."""
    found: Document = {
        "state": {"$in": [StripeObjectState.PENDING.value, StripeObjectState.DEAD.value]},
        "failedAt": {"$gte": to_date(since_at)},
    }
    return found if after is None else {**found, "_id": {"$gt": after}}


def never_marked(*, received_before_at: int, queue: str, most: int) -> list[Mapping[str, Any]]:
    """Return the pipeline that finds objects by their events that wait though the object does not."""
    named: Document = {"objectId": {"$type": "string"}, "objectType": {"$type": "string"}}
    return [
        {"$match": {"status": UNSETTLED[0], "receivedAt": {"$lte": to_date(received_before_at)}, **named}},
        {"$group": {"_id": "$objectId", "type": {"$first": "$objectType"}}},
        {"$lookup": {"from": queue, "localField": "_id", "foreignField": "_id", "as": "dirty"}},
        {"$match": {"dirty.state": {"$ne": StripeObjectState.PENDING.value}}},
        {"$limit": most},
    ]


def marked(type: str, now: datetime) -> list[Document]:
    """Return the update that marks an object dirty, whatever state it is in."""
    is_pending = {"$eq": ["$state", StripeObjectState.PENDING.value]}
    # $gt also tells an absent token from a text
    is_leased = {"$and": [is_pending, {"$gt": ["$leaseToken", None]}]}
    fields: Document = {
        "type": {"$literal": type},
        "schemaVersion": SCHEMA_VERSION,
        "sequence": {"$add": [{"$ifNull": ["$sequence", 0]}, 1]},
        "markedAt": {"$cond": [is_pending, {"$ifNull": ["$markedAt", now]}, now]},
        "dueAt": {"$cond": [is_leased, "$dueAt", now]},
        "attempts": {"$cond": [is_pending, "$attempts", 0]},
        "state": StripeObjectState.PENDING.value,
        "parkedUnder": [],
        "released": False,
    }
    return [{"$set": fields}]


def held(lease: Lease, *, unmarked: bool) -> Document:
    """Return what finds the leased object while it is ours, with `unmarked` only where it was not marked since."""
    ours: Document = {"_id": lease.object.id, "leaseToken": lease.token}
    return {**ours, "sequence": lease.object.sequence} if unmarked else ours


def parked(type: str, parents: Collection[str], now: datetime) -> list[Document]:
    """Return the update that sets an object aside, or marks it where its events have yet to be settled."""
    states = [StripeObjectState.PENDING.value, StripeObjectState.DEAD.value]
    (mark,) = marked(type, now)
    aside: Document = {
        **mark["$set"],
        "state": StripeObjectState.PARKED.value,
        "parkedUnder": {"$literal": list(parents)},
        "attempts": 0,
        "leaseToken": None,
        "lastError": None,
        "failedAt": None,
    }
    waits = {"$in": [{"$ifNull": ["$state", ""]}, states]}
    fields = {name: {"$cond": [waits, mark["$set"].get(name, f"${name}"), aside[name]]} for name in aside}
    return [{"$set": fields}]


def noted(status: StripeEventStatus, reason: str | None, trace: StripeTrace, now: datetime) -> list[Document]:
    """Return the update that notes what became of an event; an instant that is known is kept where none comes."""
    fields: Document = {
        "status": status.value,
        "reason": {"$literal": reason},
        "processedAt": now if status in FINAL else None,
        "attempts": {"$add": [{"$ifNull": ["$attempts", 0]}, 1]},
    }
    if trace.fetched_at is not None:
        fields["firstFetchedAt"] = {"$ifNull": ["$firstFetchedAt", to_date(trace.fetched_at)]}
    if trace.written_at is not None:
        fields["writtenAt"] = to_date(trace.written_at)
    if trace.applied_at is not None:
        fields["appliedAt"] = to_date(trace.applied_at)
    return [{"$set": fields}]


def _of_type(pattern: str) -> Any:
    return {"$regex": f"^{re.escape(pattern[:-1])}"} if pattern.endswith("*") else pattern


def _received(from_at: int | None, to_at: int | None) -> list[Document]:
    bounds = {name: to_date(at) for name, at in (("$gte", from_at), ("$lt", to_at)) if at is not None}
    return [{"receivedAt": bounds}] if bounds else []
