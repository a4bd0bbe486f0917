"""Giving dead letters up: the events stay, and an object leaves the queue when none of its events waits."""

from typing import Any

from pymongo.asynchronous.client_session import AsyncClientSession

from app.domain.stripe_event import Discard, Discarded, StripeEventStatus, StripeObjectState
from app.store.inbox_queries import UNSETTLED
from app.store.mongo import Mongo
from app.store.translation import to_date

_Document = dict[str, Any]


async def discard(mongo: Mongo, wanted: Discard, *, at: int) -> Discarded:
    """Discard in one transaction; what is not dead stays as it is. Raises `UnavailableError`."""
    events, dirty = mongo.db["stripe_events"], mongo.db["stripe_dirty"]
    whose: _Document = {"objectId": wanted.object_id} if wanted.object_id else {"_id": {"$in": [*wanted.event_ids]}}
    given_up: _Document = {
        "status": StripeEventStatus.DISCARDED.value,
        "processedAt": to_date(at),
        "discardedBy": wanted.by,
        "discardReason": wanted.reason,
    }

    async def body(session: AsyncClientSession) -> Discarded:
        named = {*await events.distinct("objectId", whose, session=session), wanted.object_id} - {None}
        dead: _Document = {**whose, "status": StripeEventStatus.DEAD.value}
        result = await events.update_many(dead, {"$set": given_up}, session=session)
        waiting: _Document = {"objectId": {"$in": [*named]}, "status": {"$in": UNSETTLED}}
        settled = named - {*await events.distinct("objectId", waiting, session=session)}
        buried: _Document = {"_id": {"$in": [*settled]}, "state": StripeObjectState.DEAD.value}
        gone = await dirty.delete_many(buried, session=session)
        return Discarded(result.modified_count, gone.deleted_count)

    return await mongo.transaction(body)
