"""The ledger of usage in MongoDB: entries that are only ever appended, written with the balances they come to."""

from collections.abc import Collection, Sequence
from typing import Any, Final

from pymongo import ASCENDING
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import BulkWriteError

from app.domain.errors import ConflictError
from app.domain.usage import Balance, UsageEvent
from app.ports import ResultExistsError
from app.store.journals import UsageEventDocument
from app.store.mapping import from_fields, to_document
from app.store.mongo import DUPLICATE_KEY, Mongo, TakenError
from app.store.writes import by_kind, checked

Raw = dict[str, Any]

_BATCH: Final = 1000
_BY_TIME: Final = [("recordedAt", ASCENDING), ("_id", ASCENDING)]


class MongoLedger:
    """`ports.UsageLedger` on MongoDB."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._balances = mongo.db["balances"]
        self._events = mongo.db["usage_events"]

    async def write(self, balances: Sequence[Balance], events: Sequence[UsageEvent]) -> None:
        writes = by_kind(balances)
        entries = [checked(UsageEventDocument, to_document(event)) for event in events]

        async def body(session: AsyncClientSession) -> None:
            if entries:
                await self._append(entries, session)
            for write in writes:
                outcome = await self._balances.bulk_write(write.operations, session=session)
                if outcome.matched_count != len(write.replaced):
                    raise ConflictError("another process has changed a balance meanwhile")

        try:
            await self._mongo.transaction(body)
        except TakenError as error:
            raise ConflictError("another process has made a balance meanwhile") from error

    async def events(self, ids: Collection[str]) -> dict[str, UsageEvent]:
        wanted, found = list(ids), dict[str, UsageEvent]()
        for start in range(0, len(wanted), _BATCH):
            with self._mongo.deadline():
                raws = await self._events.find({"_id": {"$in": wanted[start : start + _BATCH]}}).to_list()
            found.update((raw["_id"], from_fields(UsageEvent, raw)) for raw in raws)
        return found

    async def corrections(self, event_id: str) -> list[UsageEvent]:
        with self._mongo.deadline():
            raws = await self._events.find({"corrects": event_id}).sort(_BY_TIME).to_list()
        return [from_fields(UsageEvent, raw) for raw in raws]

    async def _append(self, entries: list[Raw], session: AsyncClientSession) -> None:
        try:
            await self._events.insert_many(entries, session=session)
        except BulkWriteError as error:
            if all(fault.get("code") == DUPLICATE_KEY for fault in error.details.get("writeErrors", ())):
                raise ResultExistsError from error
            raise
