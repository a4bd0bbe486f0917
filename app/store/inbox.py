"""Stripe's events as they came, and the objects they made dirty: a queue with leases, and memory of both."""

import secrets
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

import msgspec
from pymongo import ASCENDING, DESCENDING, ReturnDocument

from app.domain.stripe_event import (
    DirtyObject,
    Discard,
    Discarded,
    ObjectName,
    QueuedObject,
    ReceivedObjects,
    StripeEvent,
    StripeEventFilter,
    StripeEventStatus,
    StripeTrace,
)
from app.domain.sync_status import StripeBacklog
from app.ports.store import Page
from app.ports.stripe import Lease
from app.ports.system import Clock
from app.store.acceptance import Acceptance
from app.store.dead_letters import discard
from app.store.inbox_queries import (
    NEWEST_FIRST,
    OLDEST_FIRST,
    UNSETTLED,
    failed_objects,
    held,
    listing,
    never_marked,
    noted,
    replayable,
)
from app.store.mapping import MappingError, from_fields
from app.store.mongo import Mongo
from app.store.parking import BATCH, parents_of_all, park_all, release
from app.store.translation import to_date, to_instant
from app.telemetry import logger

_log = logger(__name__)

_Document = dict[str, Any]
_T = TypeVar("_T", bound=msgspec.Struct)

_PENDING: Final = "PENDING"
_PARKED: Final = "PARKED"
_DEAD: Final = "DEAD"
_MOST_EVENTS: Final = 500  # of one object at a time; the rest is found by `mark_forgotten`
_MOST_FORGOTTEN: Final = 1000
_UNREADABLE: Final = "the document cannot be read"
_FETCH_COUNTER: Final = "stripe_fetch"
_STATUS_S: Final = 1  # who asks how things are must hear it also while the database is silent


class MongoInbox:
    """The inbox and its worker's queue.

    `dueAt` says when an object may be taken; taking it moves `dueAt` to the lease's end, so that the lease of a
    process that died ends by itself. Only who holds `leaseToken` settles the object.
    """

    def __init__(self, mongo: Mongo, clock: Clock) -> None:
        self._mongo = mongo
        self._events = mongo.db["stripe_events"]
        self._dirty = mongo.db["stripe_dirty"]
        self._counters = mongo.db["counters"]
        self._clock = clock
        self._acceptance = Acceptance(mongo, clock)

    async def accept(self, event: StripeEvent) -> bool:
        """Store the event once and mark its object dirty; False where the event was there already."""
        return await self._acceptance.accept(event)

    async def mark(self, type: str, id: str) -> None:
        """Mark an object dirty again; a dead or parked one comes to life, one that waits after a failure is due."""
        await self._acceptance.mark([ObjectName(type, id)])

    async def release(self, parents: Collection[str]) -> int:
        """Mark every object that is parked under one of these; return how many."""
        return await release(self._mongo, parents, at=self._clock.now_at())

    async def park_all(self, objects: Mapping[ObjectName, Collection[str]]) -> None:
        """Set objects aside under their parents; see `WorkQueue`."""
        await park_all(self._mongo, objects, at=self._clock.now_at())

    async def event(self, id: str) -> StripeEvent | None:
        """Return one event."""
        with self._mongo.deadline():
            document = await self._events.find_one({"_id": id})
        return from_fields(StripeEvent, document) if document else None

    async def events_page(
        self, wanted: StripeEventFilter, *, after: tuple[int, str] | None, first: int
    ) -> Page[StripeEvent]:
        """Return events, the newest received first; what cannot be read is left out."""
        found: list[StripeEvent] = []
        with self._mongo.deadline():
            cursor = self._events.find(listing(wanted, after=after), sort=NEWEST_FIRST, batch_size=first + 2)
            async with cursor:
                async for document in cursor:
                    found.extend(_readable(StripeEvent, [document]))
                    if len(found) > first:
                        break
        return Page(tuple(found[:first]), has_next=len(found) > first)

    async def queued(self, ids: Collection[str]) -> dict[str, QueuedObject]:
        """Return those of the objects of which something is still to be learned."""
        with self._mongo.deadline():
            found = await self._dirty.find({"_id": {"$in": list(ids)}}).to_list() if ids else []
        return {queued.id: queued for queued in _readable(QueuedObject, found)}

    async def received(self, *, from_at: int, to_at: int, after: tuple[int, str] | None, most: int) -> ReceivedObjects:
        """Return what at most so many of the events are about that were received in `[from_at, to_at)`."""
        wanted = replayable(from_at=from_at, to_at=to_at, after=after)
        fields = {"objectType": 1, "objectId": 1, "receivedAt": 1}
        with self._mongo.deadline():
            found = await self._events.find(wanted, fields, sort=OLDEST_FIRST, limit=most).to_list()
        names = dict.fromkeys(ObjectName(event["objectType"], event["objectId"]) for event in found)
        end = (to_instant(found[-1]["receivedAt"]), str(found[-1]["_id"])) if len(found) == most else None
        return ReceivedObjects(len(found), tuple(names), end)

    async def failed(self, *, since_at: int, after: str | None, most: int) -> tuple[ObjectName, ...]:
        """Return objects whose last attempt failed then or later, by their ids, after one of them."""
        wanted = failed_objects(since_at=since_at, after=after)
        with self._mongo.deadline():
            found = await self._dirty.find(wanted, {"type": 1}, sort=[("_id", ASCENDING)], limit=most).to_list()
        return tuple(ObjectName(dirty["type"], dirty["_id"]) for dirty in found)

    async def mark_all(self, objects: Sequence[ObjectName]) -> None:
        """Mark many objects; see `mark`."""
        for start in range(0, len(objects), BATCH):
            await self._acceptance.mark(objects[start : start + BATCH])

    async def discard(self, wanted: Discard) -> Discarded:
        """Give dead letters up; see `dead_letters`."""
        return await discard(self._mongo, wanted, at=self._clock.now_at())

    async def backlog(self) -> StripeBacklog:
        """Return the inbox in numbers: objects to be worked on, parked, dead. Fails within a second."""
        with self._mongo.deadline(timeout_s=_STATUS_S):
            groups = await self._dirty.aggregate([{"$group": {"_id": "$state", "count": {"$sum": 1}}}])
            counts = {group["_id"]: group["count"] async for group in groups}
            received: _Document = {"receivedAt": {"$type": "date"}}
            newest = await self._events.find_one(received, {"receivedAt": 1}, sort=[("receivedAt", DESCENDING)])
            waiting: _Document = {"state": _PENDING, "markedAt": {"$type": "date"}}
            oldest = await self._dirty.find_one(waiting, {"markedAt": 1}, sort=[("markedAt", ASCENDING)])
        return StripeBacklog(
            pending=counts.get(_PENDING, 0),
            parked=counts.get(_PARKED, 0),
            dead=counts.get(_DEAD, 0),
            last_event_at=to_instant(newest["receivedAt"]) if newest else None,
            oldest_pending_at=to_instant(oldest["markedAt"]) if oldest else None,
        )

    async def lease(
        self, *, limit: int, until_at: int, without: Collection[str] = (), in_turn: bool = False
    ) -> list[Lease]:
        """Take objects that are due and not leased; see `WorkQueue`."""
        due: _Document = {"state": _PENDING, "dueAt": {"$lte": self._now()}}
        due |= {"type": {"$nin": list(without)}} if without else {}
        order = [("dueAt" if in_turn else "markedAt", ASCENDING)]
        with self._mongo.deadline():
            found = await self._dirty.find(due, {"_id": 1}, sort=order, limit=limit).to_list()
            if not found:
                return []
            token = secrets.token_hex(12)
            # an update reads all fields as they were before it; "$gt" also tells an absent token from a text
            left: _Document = {"takenOver": {"$gt": ["$leaseToken", None]}}
            taken: _Document = {**left, "leaseToken": token, "dueAt": to_date(until_at)}
            await self._dirty.update_many({**due, "_id": {"$in": [d["_id"] for d in found]}}, [{"$set": taken}])
            # "$type", because the server uses an index of texts only where the question is for a text
            leased = await self._dirty.find({"leaseToken": {"$eq": token, "$type": "string"}}).to_list()
            objects = _readable(DirtyObject, leased)
            readable = [dirty.id for dirty in objects]
            await self._bury_unread([d["_id"] for d in leased if d["_id"] not in readable], token)
        return [Lease(dirty, token) for dirty in objects]

    async def renew(self, leases: Collection[Lease], *, until_at: int) -> None:
        """Hold on to leases that are still ours."""
        ours: _Document = {
            "_id": {"$in": [lease.object.id for lease in leases]},
            "leaseToken": {"$in": list({lease.token for lease in leases})},
        }
        with self._mongo.deadline():
            await self._dirty.update_many(ours, {"$set": {"dueAt": to_date(until_at)}})

    async def fetch_sequence(self) -> int:
        """Return the next number of the one counter that orders fetches by their start."""
        with self._mongo.deadline():
            counter = await self._counters.find_one_and_update(
                {"_id": _FETCH_COUNTER}, {"$inc": {"value": 1}}, upsert=True, return_document=ReturnDocument.AFTER
            )
        return int((counter or {})["value"])

    async def unsettled(self, object_id: str, *, payloads: bool) -> list[StripeEvent]:
        """Return the object's events not yet reflected, the oldest first; `payload` is empty unless asked for.

        What cannot be read is noted as dead.
        """
        wanted: _Document = {"objectId": object_id, "status": {"$in": UNSETTLED}}
        fields = None if payloads else {"payload": 0}
        order = [("occurredAt", ASCENDING), ("receivedAt", ASCENDING), ("_id", ASCENDING)]
        with self._mongo.deadline():
            found = await self._events.find(wanted, fields, sort=order, limit=_MOST_EVENTS).to_list()
            events = _readable(StripeEvent, [{"payload": "", **document} for document in found])
            readable = [event.id for event in events]
            if unread := [document["_id"] for document in found if document["_id"] not in readable]:
                dead: _Document = {"status": StripeEventStatus.DEAD.value, "reason": _UNREADABLE}
                await self._events.update_many({"_id": {"$in": unread}}, {"$set": dead})
        return events

    async def note(
        self,
        events: Collection[str],
        status: StripeEventStatus,
        *,
        reason: str | None = None,
        trace: StripeTrace | None = None,
    ) -> None:
        """Note what became of events; each note counts as an attempt.

        What is settled stays so: somebody has discarded it, or another process took the object over and was done.
        """
        if not events:
            return
        kept: _Document = {"_id": {"$in": list(events)}, "status": {"$in": UNSETTLED}}
        with self._mongo.deadline():
            await self._events.update_many(kept, noted(status, reason, trace or StripeTrace(), self._now()))

    async def clear(self, lease: Lease) -> None:
        """Settle: the object is clean, unless it was marked since it was leased; then it is due again."""
        with self._mongo.deadline():
            result = await self._dirty.delete_one(held(lease, unmarked=True))
            if not result.deleted_count:
                await self._give_back(lease)

    async def park(self, lease: Lease, parents: Collection[str]) -> None:
        """Settle: set the object aside until one of `parents` is released, unless it was marked since."""
        parked: _Document = {"state": _PARKED, "parkedUnder": list(parents), "attempts": 0}
        await self._set_aside(lease, {**parked, "lastError": None, "failedAt": None})

    async def postpone(self, lease: Lease, *, until_at: int, error: str, counted: bool) -> None:
        """Settle: try again at `until_at`. A `counted` attempt brings the object nearer to its burial."""
        later: _Document = {
            "leaseToken": None,
            "dueAt": to_date(until_at),
            "lastError": error,
            "failedAt": self._now(),
        }
        with self._mongo.deadline():
            await self._dirty.update_one(
                held(lease, unmarked=False), {"$set": later, "$inc": {"attempts": 1 if counted else 0}}
            )

    async def put_back(self, lease: Lease) -> None:
        """Give an object back as it was: nothing was tried."""
        with self._mongo.deadline():
            await self._dirty.update_one(
                held(lease, unmarked=False), {"$set": {"leaseToken": None, "dueAt": self._now()}}
            )

    async def bury(self, lease: Lease, *, error: str) -> None:
        """Settle: the object is a dead letter, unless it was marked since."""
        await self._set_aside(lease, {"state": _DEAD, "lastError": error, "failedAt": self._now()})

    async def mark_forgotten(self, *, received_before_at: int) -> int:
        """Mark the objects of events that were stored and whose object was never marked; return how many.

        Every mark makes the object pending, and the events that its worker has seen leave RECEIVED before it stops
        being pending: so an event that waits while its object does not was never marked.
        """
        stages = never_marked(received_before_at=received_before_at, queue=self._dirty.name, most=_MOST_FORGOTTEN)
        with self._mongo.deadline():
            forgotten = [
                ObjectName(found["type"], found["_id"]) async for found in await self._events.aggregate(stages)
            ]
        await self.mark_all(forgotten)
        return len(forgotten)

    async def parents(self) -> AsyncIterator[Sequence[str]]:
        """Yield, in batches, every parent that something is parked under."""
        found = await parents_of_all(self._mongo)
        for start in range(0, len(found), BATCH):
            yield found[start : start + BATCH]

    async def _bury_unread(self, ids: Sequence[Any], token: str) -> None:
        # Left where they are, they would end every turn of every worker that takes them along.
        if ids:
            dead: _Document = {"state": _DEAD, "leaseToken": None, "lastError": _UNREADABLE, "failedAt": self._now()}
            await self._dirty.update_many({"_id": {"$in": ids}, "leaseToken": token}, {"$set": dead})

    async def _set_aside(self, lease: Lease, fields: _Document) -> None:
        with self._mongo.deadline():
            result = await self._dirty.update_one(held(lease, unmarked=True), {"$set": {**fields, "leaseToken": None}})
            if not result.matched_count:
                await self._give_back(lease)

    async def _give_back(self, lease: Lease) -> None:
        now = self._now()
        due: _Document = {"leaseToken": None, "markedAt": now, "dueAt": now, "attempts": 0}
        due |= {"lastError": None, "failedAt": None}
        await self._dirty.update_one(held(lease, unmarked=False), {"$set": due})

    def _now(self) -> datetime:
        return to_date(self._clock.now_at())


def _readable(type: type[_T], documents: Iterable[_Document]) -> list[_T]:
    """Return what can be read: one broken document must not hold up all the others."""
    found: list[_T] = []
    for document in documents:
        try:
            found.append(from_fields(type, document))
        except MappingError as error:
            _log.warning("malformed document", kind=error.kind, id=error.id, problem=error.problem)
    return found
