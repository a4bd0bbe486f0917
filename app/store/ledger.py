"""The ledger of usage in MongoDB: entries that are only ever appended, written with the balances they come to."""

from collections.abc import Collection, Sequence
from typing import Any, Final

from pymongo import ASCENDING, DESCENDING
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import BulkWriteError

from app.domain.errors import ConflictError
from app.domain.usage import Balance, UsageEvent
from app.domain.usage_summary import COUNTED, Granularity, Slice, slice_at
from app.ports.store import Page, ResultExistsError
from app.ports.usage import UsageFilter
from app.store.mapping import from_fields, to_document
from app.store.mongo import DUPLICATE_KEY, Mongo, TakenError
from app.store.translation import to_date, to_instant
from app.store.writes import by_kind

Raw = dict[str, Any]

_BATCH: Final = 1000
_AT: Final = "occurredAt"
_NEWEST: Final = [(_AT, DESCENDING), ("_id", DESCENDING)]
_BY_TIME: Final = [("recordedAt", ASCENDING), ("_id", ASCENDING)]


class MongoLedger:
    """`ports.UsageLedger` on MongoDB."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._balances = mongo.db["balances"]
        self._events = mongo.db["usage_events"]

    async def write(self, balances: Sequence[Balance], events: Sequence[UsageEvent]) -> None:
        writes = by_kind(balances, as_checked=False)
        entries = [to_document(event) for event in events]

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

    async def page(self, wanted: UsageFilter, *, after: tuple[int, str] | None, first: int) -> Page[UsageEvent]:
        criteria = _criteria(wanted)
        if after is not None:
            at, name = to_date(after[0]), after[1]
            criteria = {"$and": [criteria, {"$or": [{_AT: {"$lt": at}}, {_AT: at, "_id": {"$lt": name}}]}]}
        with self._mongo.deadline():
            raws = await self._events.find(criteria).sort(_NEWEST).limit(first + 1).to_list()
        return Page(tuple(from_fields(UsageEvent, raw) for raw in raws[:first]), len(raws) > first)

    async def count(self, wanted: UsageFilter) -> int:
        with self._mongo.deadline():
            return await self._events.count_documents(_criteria(wanted))

    async def summary(self, wanted: UsageFilter, granularity: Granularity) -> dict[int, Slice]:
        kinds = {"kind": {"$in": [kind.value for kind in COUNTED]}}
        start = {"$dateTrunc": {"date": f"${_AT}", "unit": granularity.lower()}}
        sums = {"amount": {"$sum": "$lines.amount"}, "charge": {"$sum": "$lines.charge"}}
        stages = [
            {"$match": {**_criteria(wanted), **kinds}},
            {"$unwind": "$lines"},
            {"$match": {"lines.featureKey": wanted.feature_key}},
            {"$group": {"_id": start, **sums, "events": {"$addToSet": "$_id"}}},
            {"$set": {"events": {"$size": "$events"}}},
        ]
        with self._mongo.deadline():
            cursor = await self._events.aggregate(stages)
            rows = await cursor.to_list()
        found = (
            slice_at(
                granularity,
                to_instant(row["_id"]),
                amount=row["amount"].to_decimal(),
                charge=row["charge"].to_decimal(),
                events=row["events"],
            )
            for row in rows
        )
        return {part.start_at: part for part in found}

    async def _append(self, entries: list[Raw], session: AsyncClientSession) -> None:
        try:
            await self._events.insert_many(entries, session=session)
        except BulkWriteError as error:
            if all(fault.get("code") == DUPLICATE_KEY for fault in error.details.get("writeErrors", ())):
                raise ResultExistsError from error
            raise


def _criteria(wanted: UsageFilter) -> Raw:
    criteria: Raw = {"workspaceId": wanted.workspace_id}
    if wanted.feature_key is not None:
        criteria["lines.featureKey"] = wanted.feature_key
    bounds = {"$gte": wanted.from_at, "$lt": wanted.to_at}
    if limits := {name: to_date(at) for name, at in bounds.items() if at is not None}:
        criteria[_AT] = limits
    return criteria
