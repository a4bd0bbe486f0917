"""The ledger of usage in MongoDB: entries that are only ever appended, written with the balances they come to."""

import asyncio
from collections.abc import Collection, Sequence
from contextlib import suppress
from time import monotonic
from typing import Any, Final

from pymongo import ASCENDING, DESCENDING
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import BulkWriteError, OperationFailure

from app.domain.errors import ConflictError, UnavailableError
from app.domain.usage import Balance, UsageEvent
from app.domain.usage_summary import COUNTED, Granularity, Slice, slice_at
from app.ports.store import Page, ResultExistsError
from app.ports.usage import UsageFilter
from app.store.mapping import from_fields, to_document
from app.store.mongo import DUPLICATE_KEY, Mongo, TakenError
from app.store.translation import to_date, to_instant
from app.store.writes import KindWrite, by_kind

Raw = dict[str, Any]

_BATCH: Final = 1000
_AT_ONCE: Final = 64
_WRITE_CONFLICT: Final = 112
_LEFT_OPEN_S: Final = 60
"""The server's own limit to a transaction's life, unless it is set to less."""
_AT: Final = "occurredAt"
_NEWEST: Final = [(_AT, DESCENDING), ("_id", DESCENDING)]
_BY_TIME: Final = [("recordedAt", ASCENDING), ("_id", ASCENDING)]


class MongoLedger:
    """`ports.UsageLedger` on MongoDB."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._balances = mongo.db["balances"]
        self._events = mongo.db["usage_events"]
        self._left_open: dict[bytes, float] = {}

    async def write(self, balances: Sequence[Balance], events: Sequence[UsageEvent]) -> None:
        entries, writes = await _entries(events), await _writes(balances)
        used = b""

        async def body(session: AsyncClientSession) -> None:
            nonlocal used
            used = session.session_id["id"]
            self._left_open.pop(used, None)  # its next transaction ends the one before
            try:
                await self._write(entries, writes, session)
            except OperationFailure as error:
                # At once: who holds the lock may be a killed process, for whose transaction the server waits long.
                if error.code == _WRITE_CONFLICT:
                    raise ConflictError("another transaction writes a balance, or an entry") from error
                raise

        try:
            await self._mongo.transaction(body)
        except TakenError as error:
            raise ConflictError("another process has made a balance meanwhile") from error
        except ConflictError:
            await self._end_left_open()
            raise
        except UnavailableError:
            if used:
                self._left_open[used] = monotonic() + _LEFT_OPEN_S
            raise

    async def _write(self, entries: list[Raw], writes: Sequence[KindWrite], session: AsyncClientSession) -> None:
        if writes:  # first: here writers collide, and whose balance is old by now need not send entries
            operations = [operation for write in writes for operation in write.operations]
            outcome = await self._balances.bulk_write(operations, session=session)
            if outcome.matched_count != sum(len(write.replaced) for write in writes):
                raise ConflictError("another process has changed a balance meanwhile")
        if entries:
            await self._append(entries, session)

    async def _end_left_open(self) -> None:
        """End the sessions of writes that were given up: their transactions may be open, and hold what they wrote.

        Not once and for all: a server that was frozen may carry out late what it was sent long ago.
        """
        self._left_open = {name: until for name, until in self._left_open.items() if monotonic() < until}
        sessions = [{"id": name} for name in self._left_open]
        if sessions:
            # A user that may not is left to the server's own limit.
            with self._mongo.deadline(), suppress(OperationFailure):
                await self._mongo.client.admin.command("killSessions", sessions)

    async def events(self, ids: Collection[str]) -> dict[str, UsageEvent]:
        wanted, found = list(ids), dict[str, UsageEvent]()
        for start in range(0, len(wanted), _BATCH):
            with self._mongo.deadline():
                raws = await self._events.find({"_id": {"$in": wanted[start : start + _BATCH]}}).to_list()
            for raw in raws:
                found[raw["_id"]] = from_fields(UsageEvent, raw)
                await _breathe(len(found))
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
        name, key = _named(wanted)
        own = {"$filter": {"input": "$lines", "cond": {"$eq": [f"$$this.{name}", key]}}}
        fields = {"amount": "charge" if wanted.balance_key else "amount", "charge": "charge"}
        sums = {name: {"$sum": {"$sum": f"$lines.{field}"}} for name, field in fields.items()}
        stages = [
            {"$match": {**_criteria(wanted), **kinds}},
            {"$set": {"lines": own}},
            {"$group": {"_id": start, **sums, "events": {"$sum": 1}}},
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


async def _entries(events: Sequence[UsageEvent]) -> list[Raw]:
    entries: list[Raw] = []
    for event in events:
        entries.append(to_document(event))
        await _breathe(len(entries))
    return entries


async def _writes(balances: Sequence[Balance]) -> list[KindWrite]:
    writes: list[KindWrite] = []
    for balance in balances:
        writes += by_kind([balance], as_checked=False)
        await _breathe(len(writes))
    return writes


async def _breathe(done: int) -> None:
    """Give way to the event loop's other work in the middle of many documents."""
    if done % _AT_ONCE == 0:
        await asyncio.sleep(0)


def _criteria(wanted: UsageFilter) -> Raw:
    criteria: Raw = {"workspaceId": wanted.workspace_id}
    name, key = _named(wanted)
    if key is not None:
        criteria[f"lines.{name}"] = key
    bounds = {"$gte": wanted.from_at, "$lt": wanted.to_at}
    if limits := {name: to_date(at) for name, at in bounds.items() if at is not None}:
        criteria[_AT] = limits
    return criteria


def _named(wanted: UsageFilter) -> tuple[str, str | None]:
    if wanted.balance_key is not None:
        return "balanceKey", wanted.balance_key
    return "featureKey", wanted.feature_key
