"""Objects that are set aside until a parent of theirs is known: put there, and released."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from pymongo import UpdateOne
from pymongo.errors import BulkWriteError

from app.domain.stripe_event import ObjectName, StripeObjectState
from app.store.inbox_queries import parked
from app.store.mongo import Mongo
from app.store.translation import to_date

BATCH: Final = 500
"""How many objects are named to the server at a time."""

_PARKED: Final = StripeObjectState.PARKED.value


async def park_all(mongo: Mongo, objects: Mapping[ObjectName, Collection[str]], *, at: int) -> None:
    """Set objects aside under their parents; see `WorkQueue`. Doing it twice does no harm."""
    queue = mongo.db["stripe_dirty"]
    named = list(objects.items())
    for start in range(0, len(named), BATCH):
        updates = [
            UpdateOne({"_id": name.id}, parked(name.type, parents, to_date(at)), upsert=True)
            for name, parents in named[start : start + BATCH]
        ]
        with mongo.deadline():
            try:
                await queue.bulk_write(updates, ordered=False)
            except BulkWriteError:  # another upsert of one of them came first: now it is there
                await queue.bulk_write(updates, ordered=False)


async def release(mongo: Mongo, parents: Collection[str], *, at: int) -> int:
    """Make due every object that is parked under one of these; return how many."""
    now = to_date(at)
    due: dict[str, Any] = {
        "state": StripeObjectState.PENDING.value,
        "markedAt": now,
        "dueAt": now,
        "parkedUnder": [],
        "attempts": 0,
        "released": True,
    }
    waiting: dict[str, Any] = {"state": _PARKED, "parkedUnder": {"$in": list(parents)}}
    with mongo.deadline():
        result = await mongo.db["stripe_dirty"].update_many(waiting, {"$set": due, "$inc": {"sequence": 1}})
    return result.modified_count


async def parents_of_all(mongo: Mongo) -> list[str]:
    """Return every parent that something is parked under."""
    stages: list[Mapping[str, Any]] = [
        {"$match": {"state": _PARKED}},
        {"$unwind": "$parkedUnder"},
        {"$group": {"_id": "$parkedUnder"}},
    ]
    with mongo.deadline():
        return [group["_id"] async for group in await mongo.db["stripe_dirty"].aggregate(stages)]
