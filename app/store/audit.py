"""The audit in MongoDB: its listing, the sealing, and what a verification reads."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any, Final, cast

import bson
from bson.max_key import MaxKey
from bson.min_key import MinKey
from bson.raw_bson import RawBSONDocument
from pymongo import ASCENDING, DESCENDING
from pymongo.asynchronous.client_session import AsyncClientSession

from app.domain.audit import AuditEntry, AuditFilter
from app.domain.audit_chain import LAST_NUMBER, BrokenSeal, Claim, Seal, make_seal
from app.ports.store import Page
from app.store.journals import BY_SEAL, NEWEST_FIRST, AuditSealDocument
from app.store.mapping import MappingError
from app.store.mongo import Mongo, TakenError
from app.store.seals import claim_of, head_of, readable_entry, seal_document, seal_of, sealed_entry
from app.store.translation import to_date
from app.store.writes import checked
from app.telemetry import logger

_log = logger(__name__)

_Raw = dict[str, Any]
_Bound = dict[str, Any]

_SEALS_AT_A_TIME: Final = 5
_CLAIMS_AT_A_TIME: Final = 200  # hashing more at once would hold up the event loop for longer than answers may wait
_UNSEALED: Final[Mapping[str, Any]] = {"seal": None}
_NUMBER: Final[Mapping[str, Any]] = {"$type": ["int", "long"], "$gt": 0, "$lte": LAST_NUMBER}
"""What is stored under no such id is no seal."""
_LAST: Final = [("_id", DESCENDING)]


class MongoAuditTrail:
    """`ports.AuditTrail` on MongoDB.

    An entry is hashed as the server holds it, its BSON without the field `seal`: so neither the precision of a date
    nor the type of a number can differ between the day of the sealing and the day of a verification.
    """

    def __init__(self, mongo: Mongo, *, retention_ms: int) -> None:
        self._mongo = mongo
        self._entries = mongo.db["audit"]
        self._seals = mongo.db["audit_seals"]
        self._raw = mongo.db.codec_options.with_options(document_class=RawBSONDocument)
        self._retention_ms = retention_ms

    @property
    def retention_ms(self) -> int:
        return self._retention_ms

    async def page(self, wanted: AuditFilter, *, after: tuple[int, str] | None, first: int) -> Page[AuditEntry]:
        found: list[AuditEntry] = []
        with self._mongo.deadline():
            cursor = self._entries.find(listing(wanted, after=after), sort=NEWEST_FIRST, batch_size=first + 2)
            async with cursor:
                async for raw in cursor:
                    found.extend(_readable(raw))
                    if len(found) > first:
                        break
        return Page(tuple(found[:first]), has_next=len(found) > first)

    async def count(self, wanted: AuditFilter) -> int:
        with self._mongo.deadline():
            return await self._entries.count_documents(listing(wanted))

    async def entry(self, id: str) -> AuditEntry | None:
        with self._mongo.deadline():
            raw = await self._entries.find_one({"_id": id})
        return next(iter(_readable(raw)), None) if raw else None

    async def seal(self, *, at: int, most: int) -> int:
        collided = False

        async def body(session: AsyncClientSession) -> int:
            nonlocal collided
            if collided:  # with another sealer, who does the same work
                return 0
            collided = True
            last = await self._seals.find_one({"_id": _NUMBER}, sort=_LAST, session=session)
            entries = self._entries.with_options(codec_options=self._raw)
            raws = await entries.find(_UNSEALED, sort=[("_id", ASCENDING)], limit=most, session=session).to_list()
            if not raws:
                return 0
            head = head_of(last, at=at) if last else None
            seal = make_seal(head, [sealed_entry(raw, at=at) for raw in raws], at=at)
            await self._seals.insert_one(checked(AuditSealDocument, seal_document(seal)), session=session)
            listed: _Raw = {"_id": {"$in": [raw["_id"] for raw in raws]}}
            await self._entries.update_many(listed, {"$set": {"seal": seal.number}}, session=session)
            return len(raws)

        try:
            return await self._mongo.transaction(body)
        except TakenError:
            return 0

    async def prune(self, *, before_at: int) -> int:
        old: _Raw = {"sealedAt": {"$lt": to_date(before_at)}, "_id": {"$lt": await self.last_seal()}}
        with self._mongo.deadline():
            return (await self._seals.delete_many(old)).deleted_count

    async def unsealed(self) -> int:
        with self._mongo.deadline():
            return await self._entries.count_documents(_UNSEALED)

    async def last_seal(self) -> int:
        with self._mongo.deadline():
            raw = await self._seals.find_one({"_id": _NUMBER}, {"_id": 1}, sort=_LAST)
        return int(raw["_id"]) if raw else 0

    async def seals(self, *, upto: int) -> AsyncIterator[Sequence[Seal | BrokenSeal]]:
        number = 0
        while number < upto:
            above: _Raw = {"_id": {**_NUMBER, "$gt": number, "$lte": upto}}
            with self._mongo.deadline():
                raws = await self._seals.find(above, sort=[("_id", ASCENDING)], limit=_SEALS_AT_A_TIME).to_list()
            if not raws:
                return
            number = int(raws[-1]["_id"])
            yield [seal_of(raw) for raw in raws]

    async def claims(self, *, after: int, upto: int | None) -> AsyncIterator[Sequence[Claim]]:
        # By the places in the index and not by a condition, so that values of no matter which type are seen.
        last = MaxKey()
        start: _Bound = {"seal": after or None, "_id": last}
        end: _Bound = {"seal": last if upto is None else upto, "_id": last}
        async for claims in self._claims_between(start, end):
            yield claims
        if upto is None:
            first = MinKey()
            async for claims in self._claims_between({"seal": first, "_id": first}, {"seal": None, "_id": first}):
                yield claims

    async def claims_of(self, ids: Collection[str]) -> list[Claim]:
        entries = self._entries.with_options(codec_options=self._raw)
        wanted, claims = list(ids), list[Claim]()
        for start in range(0, len(wanted), _CLAIMS_AT_A_TIME):
            some: _Raw = {"_id": {"$in": wanted[start : start + _CLAIMS_AT_A_TIME]}}
            with self._mongo.deadline():
                claims += [claim_of(raw) for raw in await entries.find(some).to_list()]
        return claims

    async def _claims_between(self, start: _Bound, end: _Bound) -> AsyncIterator[Sequence[Claim]]:
        cursor = self._entries.find_raw_batches(min=start, max=end, hint=BY_SEAL, batch_size=_CLAIMS_AT_A_TIME)
        try:
            while True:
                with self._mongo.deadline():
                    batch = cast("bytes | None", await anext(cursor, None))  # typed as a cursor of documents
                if batch is None:
                    return
                yield [claim_of(raw) for raw in bson.decode_all(batch, self._raw)]  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - of `array`
        finally:
            with self._mongo.deadline():
                await cursor.close()


def listing(wanted: AuditFilter, *, after: tuple[int, str] | None = None) -> _Raw:
    """Return the filter of the entries that are asked for, older than `after`."""
    found: _Raw = {
        "recordId": wanted.record_id,
        "actor.id": wanted.actor,
        "kind": wanted.kind and wanted.kind.value,
        "operation": wanted.operation,
    }
    found = {name: value for name, value in found.items() if value is not None}
    within: _Raw = {"$gte": wanted.from_at, "$lt": wanted.to_at}
    if after is not None:
        at, id = after  # noqa: A001 - the word
        within["$lte"] = at  # the index's bound, so that no page reads those before it
        found["$or"] = [{"recordedAt": {"$lt": to_date(at)}}, {"_id": {"$lt": id}}]
    if within := {operator: to_date(at) for operator, at in within.items() if at is not None}:
        found["recordedAt"] = within
    return found


def _readable(raw: _Raw) -> list[AuditEntry]:
    """Return the entry, or nothing: one broken document must not hide all others."""
    try:
        return [readable_entry(raw)]
    except MappingError as error:
        _log.warning("malformed document", kind=error.kind, id=error.id, problem=error.problem)
        return []
