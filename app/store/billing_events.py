"""Billing events in MongoDB: written once by id, listed by when they were recorded."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from pymongo import ASCENDING, DESCENDING, UpdateOne
from pymongo.errors import BulkWriteError

from app.domain.billing_event import BillingEvent, BillingEventFilter
from app.ports.store import Page
from app.store.journals import BillingEventDocument
from app.store.mapping import MappingError, from_fields, to_document
from app.store.mongo import Mongo, taken_places
from app.store.translation import to_date
from app.store.writes import checked
from app.telemetry import logger

_log = logger(__name__)

Raw = dict[str, Any]

COLLECTION: Final = "billing_events"


class MongoBillingEvents:
    """`ports.BillingEvents` on MongoDB."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._events = mongo.db[COLLECTION]

    async def tell(self, events: Sequence[BillingEvent]) -> None:
        if not events:
            return
        with self._mongo.deadline():
            try:
                await self._events.bulk_write(once(events), ordered=False)
            except BulkWriteError as error:
                taken_places(error)  # of two that tell the same at the same time the later finds it told

    async def page(
        self, wanted: BillingEventFilter, *, after: tuple[int, str] | None, first: int, newest_first: bool = True
    ) -> Page[BillingEvent]:
        direction = DESCENDING if newest_first else ASCENDING
        order = [("recordedAt", direction), ("_id", direction)]
        found: list[BillingEvent] = []
        with self._mongo.deadline():
            cursor = self._events.find(
                _listing(wanted, after, newest_first=newest_first), sort=order, batch_size=first + 2
            )
            async with cursor:
                async for raw in cursor:
                    found.extend(_readable(raw))
                    if len(found) > first:
                        break
        return Page(tuple(found[:first]), has_next=len(found) > first)

    async def count(self, wanted: BillingEventFilter) -> int:
        with self._mongo.deadline():
            return await self._events.count_documents(_listing(wanted, None, newest_first=True))

    async def event(self, id: str) -> BillingEvent | None:
        with self._mongo.deadline():
            raw = await self._events.find_one({"_id": id})
        return next(iter(_readable(raw)), None) if raw else None


def once(events: Sequence[BillingEvent]) -> list[UpdateOne]:
    """Return the operations that keep events, each unless it is there already."""
    return [UpdateOne({"_id": event.id}, {"$setOnInsert": _document(event)}, upsert=True) for event in events]


def _document(event: BillingEvent) -> Raw:
    # As text, because its keys may be what a document's may not: a user's metadata.
    raw = to_document(event) | {"data": msgspec.json.encode(event.data).decode()}
    checked(BillingEventDocument, raw)
    return {key: value for key, value in raw.items() if key != "_id"}


def _listing(wanted: BillingEventFilter, after: tuple[int, str] | None, *, newest_first: bool) -> Raw:
    found: Raw = {}
    either: list[list[Raw]] = []
    if wanted.workspace_id is not None:
        own: Raw = {"workspaceId": wanted.workspace_id}
        unowned: Raw = {"workspaceId": None, "customerId": wanted.customer_id}
        either.append([own, unowned] if wanted.customer_id else [own])
    if wanted.types:
        found["type"] = {"$in": [wanted_type.value for wanted_type in wanted.types]}
    within = {"$gte": wanted.from_at, "$lt": wanted.to_at}
    if after is not None:
        at, last = after
        within["$lte" if newest_first else "$gte"] = at  # the index's bound, so that no page reads those before it
        beyond = "$lt" if newest_first else "$gt"
        either.append([{"recordedAt": {beyond: to_date(at)}}, {"_id": {beyond: last}}])
    if bounds := {operator: to_date(at) for operator, at in within.items() if at is not None}:
        found["recordedAt"] = bounds
    return found | ({"$and": [{"$or": clauses} for clauses in either]} if either else {})


def _readable(raw: Raw) -> list[BillingEvent]:
    """Return the event, or nothing: one broken document must not hide all others."""
    try:
        return [from_fields(BillingEvent, raw | {"data": msgspec.json.decode(raw["data"])})]
    except (MappingError, KeyError, TypeError, msgspec.DecodeError) as error:
        _log.warning("malformed document", kind=COLLECTION, id=str(raw.get("_id"))[:200], problem=str(error))
        return []
