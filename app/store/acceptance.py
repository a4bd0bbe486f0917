"""Taking Stripe's events in: each is stored once and marks its object; those that come together share the writes."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from pymongo import UpdateOne
from pymongo.errors import BulkWriteError, DuplicateKeyError

from app.domain.errors import UnavailableError
from app.domain.stripe_event import ObjectName, StripeEvent, StripeEventStatus
from app.ports.system import Clock
from app.store.inbox_queries import FINAL, marked
from app.store.mapping import to_document
from app.store.mongo import Mongo, taken_places
from app.store.translation import to_date

_MOST: Final = 64


class _Entry(msgspec.Struct):
    event: StripeEvent
    outcome: bool | Exception | None = None


class Acceptance:
    """Whoever has the turn writes for all that wait. Nobody is answered before its event and its mark are durable."""

    def __init__(self, mongo: Mongo, clock: Clock) -> None:
        self._mongo = mongo
        self._clock = clock
        self._events = mongo.db["stripe_events"]
        self._dirty = mongo.db["stripe_dirty"]
        self._turn = asyncio.Lock()
        self._waiting: list[_Entry] = []

    async def accept(self, event: StripeEvent) -> bool:
        """Store the event once and mark its object dirty; False where the event was there already."""
        entry = _Entry(event)
        self._waiting.append(entry)
        async with self._turn:
            while entry.outcome is None:
                taken, self._waiting = self._waiting[:_MOST], self._waiting[_MOST:]
                await self._write(taken or [entry])  # whoever took ours along may have been cancelled
        if isinstance(entry.outcome, Exception):
            raise entry.outcome
        return entry.outcome

    async def mark(self, objects: Sequence[ObjectName]) -> None:
        """Mark objects dirty again, within one deadline."""
        now = to_date(self._clock.now_at())
        if len(objects) == 1:
            await self._mark_one(objects[0])
            return
        marks = [UpdateOne({"_id": name.id}, marked(name.type, now), upsert=True) for name in objects]
        with self._mongo.deadline():
            try:
                await self._dirty.bulk_write(marks, ordered=False)
            except BulkWriteError:  # another upsert of one of them came first; a second mark does no harm
                for name in objects:
                    await self._mark_one(name)

    async def _write(self, entries: Sequence[_Entry], *, again: bool = False) -> None:
        try:
            is_new = await self._store([entry.event for entry in entries], again=again)
        except UnavailableError as error:
            for entry in entries:
                entry.outcome = error
        except Exception as error:  # noqa: BLE001 - what cannot be stored must not stop the others
            if len(entries) == 1:
                entries[0].outcome = error
                return
            for entry in entries:
                await self._write([entry], again=True)
        else:
            for entry, new in zip(entries, is_new, strict=True):
                entry.outcome = new

    async def _store(self, events: Sequence[StripeEvent], *, again: bool) -> list[bool]:
        """Insert them, and mark the objects of those that are new; tell of each whether it is.

        What was perhaps stored before, without its mark, is marked `again`.
        """
        documents = [_document(event) for event in events]
        known: set[int] = set()
        with self._mongo.deadline():
            try:
                await self._events.insert_many(documents, ordered=False)
            except BulkWriteError as error:
                known = taken_places(error)
        is_new = [place not in known for place in range(len(events))]
        marks = [name for event, new in zip(events, is_new, strict=True) if (new or again) and (name := _object(event))]
        if marks:
            await self.mark(marks)
        return is_new

    async def _mark_one(self, name: ObjectName) -> None:
        update = marked(name.type, to_date(self._clock.now_at()))
        with self._mongo.deadline():
            try:
                await self._dirty.update_one({"_id": name.id}, update, upsert=True)
            except DuplicateKeyError:  # another upsert came first: now it is there
                await self._dirty.update_one({"_id": name.id}, update, upsert=True)


def _object(event: StripeEvent) -> ObjectName | None:
    if event.status is StripeEventStatus.RECEIVED and event.object_type and event.object_id:
        return ObjectName(event.object_type, event.object_id)
    return None


def _document(event: StripeEvent) -> dict[str, Any]:
    document = to_document(event)
    if event.status in FINAL:
        document["processedAt"] = document["receivedAt"]  # retention counts from here
    return document
