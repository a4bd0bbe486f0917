"""Records in MongoDB: reads as a majority has them, compare-and-set writes in one transaction."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, Final, TypeVar, cast

import bson
from pymongo import ASCENDING
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.cursor import AsyncCursor
from pymongo.errors import BulkWriteError

from app.domain.audit import AuditEntry
from app.domain.billing_event import BillingEvent
from app.domain.change import Kind, Record, Tombstone
from app.domain.errors import ConflictError
from app.domain.migration import Migration, MigrationStatus
from app.domain.stripe_adoption import MirrorCounts, SharedWorkspace
from app.domain.stripe_email import CustomerContact
from app.domain.stripe_object import StripeObject
from app.domain.subscription import Subscription, SubscriptionStatus
from app.domain.workspace import Workspace
from app.ports.store import Page, ResultExistsError, StoredResult, Tally
from app.store import billing_events, queries
from app.store.journals import AuditDocument, ResultDocument
from app.store.mapping import (
    MappingError,
    from_document,
    live_or_tombstone,
    result_from_document,
    to_document,
)
from app.store.mongo import DUPLICATE_KEY, Mongo, TakenError
from app.store.writes import KindWrite, by_kind, checked, conflict, word
from app.telemetry import logger

_log = logger(__name__)

Raw = dict[str, Any]
R = TypeVar("R", bound=Record)
Read = TypeVar("Read")

_BATCH: Final = 1000
_FEW: Final = 200
_OWNED: Final = (Kind.SUBSCRIPTION, Kind.GRANT, Kind.OVERRIDE)
_LIFE: Final = {"version": 1, "incarnation": 1}


class MongoStore:
    """`ports.RecordStore` on MongoDB.

    A document that cannot be read is logged, told to `on_malformed` and then left out: absent from an answer may thus
    also mean malformed, and whoever drops records that are gone must ask which ids were told.
    """

    def __init__(self, mongo: Mongo, *, on_malformed: Callable[[MappingError], None] = lambda _: None) -> None:
        self._mongo = mongo
        self._db = mongo.db
        self._on_malformed = on_malformed

    async def read(self, kind: Kind, ids: Collection[str]) -> dict[str, Record]:
        wanted = list(ids)
        records: dict[str, Record] = {}
        for start in range(0, len(wanted), _BATCH):
            with self._mongo.deadline():
                raws = await self._db[kind.value].find({"_id": {"$in": wanted[start : start + _BATCH]}}).to_list()
            records.update((record.id, record) for record in self._mapped(kind, raws, from_document))
        return records

    async def read_workspace(self, ref: str) -> list[Record]:
        async def body(session: AsyncClientSession) -> list[tuple[Kind, list[Raw]]]:
            found = await self._db[Kind.WORKSPACE.value].find(queries.named((ref,)), session=session).to_list()
            if not found:
                return []
            workspace = next((raw for raw in found if raw["_id"] == ref), found[0])
            id = workspace["_id"]  # noqa: A001 - the word
            owned = [
                (kind, await self._db[kind.value].find({"workspaceId": id}, session=session).to_list())
                for kind in _OWNED
            ]
            balance = await self._db[Kind.BALANCE.value].find({"_id": id}, session=session).to_list()
            return [(Kind.WORKSPACE, [workspace]), *owned, (Kind.BALANCE, balance)]

        # In a transaction, so that the answer is of one instant.
        found = await self._mongo.transaction(body)
        return [record for kind, raws in found for record in self._mapped(kind, raws, from_document)]

    async def names(self, refs: Collection[str]) -> set[str]:
        wanted, known = list(refs), set[str]()
        for start in range(0, len(wanted), _BATCH):
            either = queries.named(wanted[start : start + _BATCH])
            with self._mongo.deadline():
                raws = await self._db[Kind.WORKSPACE.value].find(either, {"externalId": 1}).to_list()
            known.update(name for raw in raws for name in (raw["_id"], raw.get("externalId")) if isinstance(name, str))
        return known.intersection(wanted)

    async def scan(self, kind: Kind) -> AsyncIterator[Sequence[Record | Tombstone]]:
        async with aclosing(self._batches(kind, None)) as batches:
            async for raws in batches:
                yield self._mapped(kind, raws, live_or_tombstone)

    async def write(
        self,
        records: Sequence[Record],
        audit: Sequence[AuditEntry],
        result: StoredResult | None,
        *,
        events: Sequence[BillingEvent] = (),
    ) -> None:
        prepare = partial(_prepared, records, audit, result)
        # Thousands of documents take tenths of a second to make and to check.
        writes, entries, stored_result = prepare() if len(records) <= _FEW else await asyncio.to_thread(prepare)
        told = billing_events.once(events)
        if not (writes or entries or stored_result or told):
            return

        async def body(session: AsyncClientSession) -> None:
            # The result goes first: of two twins the later must learn that it is one, not that the record has changed.
            if stored_result:
                await self._insert_once("idempotency", [stored_result], session)
            for write in writes:
                await self._write_kind(write, session)
            if entries:
                await self._db["audit"].insert_many(entries, session=session)
            if told:
                await self._db[billing_events.COLLECTION].bulk_write(told, ordered=False, session=session)

        await self._transact(body)

    async def result(self, id: str) -> StoredResult | None:
        with self._mongo.deadline():
            raw = await self._db["idempotency"].find_one({"_id": id})
        return result_from_document(raw) if raw else None

    async def workspaces_page(self, *, after: str | None, first: int) -> Page[Workspace]:
        return await self._page(Workspace, queries.workspaces(self._db, after=after, limit=first + 1), first)

    async def subscriptions_page(
        self, *, workspace_id: str | None, statuses: Collection[SubscriptionStatus], after: str | None, first: int
    ) -> Page[Subscription]:
        cursor = queries.subscriptions(
            self._db, workspace_id=workspace_id, statuses=statuses, after=after, limit=first + 1
        )
        return await self._page(Subscription, cursor, first)

    async def count(self, kind: Kind, **equals: str | tuple[str, ...]) -> int:
        with self._mongo.deadline():
            return await queries.count(self._db, kind, equals)

    async def in_force(self, kind: Kind, feature_key: str, *, at: int) -> Tally:
        return await self._tally(kind, queries.in_force(feature_key, at))

    async def running_trials(self, plan_ids: Collection[str], *, at: int) -> Tally:
        return await self._tally(Kind.WORKSPACE, queries.running_trials(plan_ids, at))

    async def holders(self, prices: Collection[str]) -> AsyncIterator[Sequence[Subscription]]:
        async with aclosing(self._batches(Kind.SUBSCRIPTION, queries.holders(prices))) as batches:
            async for raws in batches:
                found = self._mapped(Kind.SUBSCRIPTION, raws, from_document)
                yield [record for record in found if isinstance(record, Subscription)]

    async def count_holders(self, prices: Collection[str], *, before_at: int) -> int:
        with self._mongo.deadline():
            return await self._db[Kind.SUBSCRIPTION.value].count_documents(queries.earlier_holders(prices, before_at))

    async def holders_page(
        self, prices: Collection[str], *, before_at: int, after: str | None, first: int
    ) -> Page[Subscription]:
        collection, criteria = self._db[Kind.SUBSCRIPTION.value], queries.earlier_holders(prices, before_at)
        while True:
            further = {**criteria, "_id": {"$gt": after or ""}}
            with self._mongo.deadline():
                raws = await collection.find(further, sort=[("_id", ASCENDING)], limit=first + 1).to_list()
            items = self._mapped(Kind.SUBSCRIPTION, raws[:first], from_document)
            if items or len(raws) <= first:
                return Page(tuple(sub for sub in items if isinstance(sub, Subscription)), len(raws) > first)
            after = raws[first - 1]["_id"]  # a page that nobody can read is not the last one

    async def subscriptions_of_customers(self, customer_ids: Collection[str]) -> list[Subscription]:
        of_customers = {"stripeCustomerId": {"$in": list(customer_ids)}, "deletedAt": None}
        with self._mongo.deadline():
            raws = await self._db[Kind.SUBSCRIPTION.value].find(of_customers).to_list()
        found = self._mapped(Kind.SUBSCRIPTION, raws, from_document)
        return [record for record in found if isinstance(record, Subscription)]

    async def customer_contacts(self) -> AsyncIterator[Sequence[CustomerContact]]:
        shown = {"facts.email": 1, "workspaceId": 1, "parkedUnder": 1}
        async with aclosing(self._batches(Kind.STRIPE_OBJECT, queries.customers(), shown)) as batches:
            async for raws in batches:
                yield [_contact(raw) for raw in raws]

    async def mirror_counts(self) -> MirrorCounts:
        mirrors = self._db[Kind.STRIPE_OBJECT.value]
        with self._mongo.deadline():
            shared = await (await mirrors.aggregate([*queries.shared_workspaces(), {"$count": "count"}])).to_list()
            return MirrorCounts(
                customers=await mirrors.count_documents(queries.customers()),
                unlinked_customers=await mirrors.count_documents(queries.unlinked("customer")),
                unlinked_subscriptions=await mirrors.count_documents(queries.unlinked("subscription")),
                shared_workspaces=shared[0]["count"] if shared else 0,
            )

    async def unlinked_page(self, type: str, *, after: str | None, first: int) -> Page[StripeObject]:
        criteria = {**queries.unlinked(type), **({"_id": {"$gt": after}} if after else {})}
        cursor = self._db[Kind.STRIPE_OBJECT.value].find(criteria, sort=[("_id", ASCENDING)], limit=first + 1)
        return await self._page(StripeObject, cursor, first)

    async def waiting_subscriptions(self, customer_ids: Collection[str]) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        waiting = self._db[Kind.STRIPE_OBJECT.value].find(
            queries.waiting_subscriptions(customer_ids), {"parkedUnder": 1}, sort=[("_id", ASCENDING)]
        )
        with self._mongo.deadline():
            for raw in await waiting.to_list():
                for customer_id in raw["parkedUnder"]:
                    found[customer_id] = (*found.get(customer_id, ()), raw["_id"])
        return found

    async def shared_workspaces_page(self, *, after: str | None, first: int) -> Page[SharedWorkspace]:
        rest = [{"$match": {"_id": {"$gt": after or ""}}}, {"$sort": {"_id": 1}}, {"$limit": first + 1}]
        with self._mongo.deadline():
            stages = [*queries.shared_workspaces(), *rest]
            raws = await (await self._db[Kind.STRIPE_OBJECT.value].aggregate(stages)).to_list()
        found = [SharedWorkspace(raw["_id"], tuple(sorted(raw["customers"]))) for raw in raws[:first]]
        return Page(tuple(found), len(raws) > first)

    async def linked_customers(self, ids: Collection[str]) -> set[str]:
        linked = {"_id": {"$in": list(ids)}, "type": "customer", "workspaceId": {"$type": "string"}}
        with self._mongo.deadline():
            return {raw["_id"] for raw in await self._db[Kind.STRIPE_OBJECT.value].find(linked, {"_id": 1}).to_list()}

    async def customers_of(self, workspace_ids: Collection[str]) -> list[StripeObject]:
        return await self._mirrors(queries.customers_of(workspace_ids))

    async def owed_invoices(self, subscription_ids: Collection[str]) -> list[StripeObject]:
        return await self._mirrors(queries.owed_invoices(subscription_ids))

    async def naming_checkouts(self, customer_ids: Collection[str]) -> list[StripeObject]:
        return await self._mirrors(queries.naming_checkouts(customer_ids))

    async def provisional_mirrors(self, *, after: str, most: int) -> list[StripeObject]:
        return await self._mirrors(queries.provisional_mirrors(after=after), most=most)

    async def outdated_mirrors(self, norm_version: int, *, after: str, most: int) -> list[StripeObject]:
        return await self._mirrors(queries.outdated_mirrors(norm_version, after=after), most=most)

    async def migrations_page(
        self, *, status: MigrationStatus | None, after: str | None, first: int
    ) -> Page[Migration]:
        cursor = queries.migrations(self._db, status=status, after=after, limit=first + 1)
        return await self._page(Migration, cursor, first)

    async def has_admin_key(self) -> bool:
        with self._mongo.deadline():
            return await queries.has_admin_key(self._db)

    async def _tally(self, kind: Kind, criteria: Raw) -> Tally:
        with self._mongo.deadline():
            return await queries.tally(self._db[kind.value], criteria)

    async def _mirrors(self, criteria: Raw, *, most: int = 0) -> list[StripeObject]:
        """Return what is found, by ascending ids where at most so many are wanted."""
        order = [("_id", 1)] if most else None
        with self._mongo.deadline():
            raws = await self._db[Kind.STRIPE_OBJECT.value].find(criteria, sort=order, limit=most).to_list()
        found = self._mapped(Kind.STRIPE_OBJECT, raws, from_document)
        return [record for record in found if isinstance(record, StripeObject)]

    async def _batches(self, kind: Kind, criteria: Raw | None, shown: Raw | None = None) -> AsyncGenerator[list[Raw]]:
        collection = self._db[kind.value]
        cursor = collection.find_raw_batches(criteria, shown, batch_size=_BATCH)
        try:
            while True:
                with self._mongo.deadline():
                    batch = cast("bytes | None", await anext(cursor, None))  # typed as a cursor of documents
                if batch is None:
                    return
                yield bson.decode_all(batch, collection.codec_options)  # pyright: ignore[reportUnknownMemberType] - of `array`
        finally:
            with self._mongo.deadline():
                await cursor.close()

    async def _page(self, type: type[R], cursor: AsyncCursor[Raw], first: int) -> Page[R]:
        with self._mongo.deadline():
            raws = await cursor.to_list()
        items = [record for record in self._mapped(type.KIND, raws[:first], from_document) if isinstance(record, type)]
        return Page(tuple(items), len(raws) > first)

    def _mapped(self, kind: Kind, raws: Iterable[Raw], read: Callable[[Kind, Raw], Read]) -> list[Read]:
        readable: list[Read] = []
        for raw in raws:
            try:
                readable.append(read(kind, raw))
            except MappingError as error:
                _log.warning("malformed document", kind=kind.value, id=error.id, problem=error.problem)
                self._on_malformed(error)
        return readable

    async def _insert_once(self, collection: str, documents: list[Raw], session: AsyncClientSession) -> None:
        try:
            await self._db[collection].insert_many(documents, session=session)
        except BulkWriteError as error:
            if all(fault.get("code") == DUPLICATE_KEY for fault in error.details.get("writeErrors", ())):
                raise ResultExistsError from error
            raise

    async def _write_kind(self, write: KindWrite, session: AsyncClientSession) -> None:
        collection = self._db[write.kind.value]
        outcome = await collection.bulk_write(write.operations, session=session)
        if outcome.matched_count == len(write.replaced):
            return
        ids = [record.id for record in write.replaced]
        found = await collection.find({"_id": {"$in": ids}}, _LIFE, session=session).to_list()
        raise conflict(write.replaced, {raw["_id"]: raw for raw in found})

    async def _transact(self, body: Callable[[AsyncClientSession], Awaitable[None]]) -> None:
        try:
            await self._mongo.transaction(body)
        except TakenError as error:
            if "_id" not in error.key:
                raise
            with self._mongo.deadline():
                found = await self._db[error.collection].find_one(error.key, _LIFE)
            version = int(found.get("version") or 1) if found else None
            message = f"{word(error.collection)} {error.key['_id']!r} exists already"
            raise ConflictError(message, current_version=version) from error


def _contact(raw: Raw) -> CustomerContact:
    facts, parents = cast("Raw", raw.get("facts") or {}), cast("list[Any]", raw.get("parkedUnder") or [])
    email, owner = facts.get("email"), raw.get("workspaceId")
    return CustomerContact(
        id=str(raw["_id"]),
        email=email if isinstance(email, str) else None,
        workspace_id=owner if isinstance(owner, str) else None,
        waits_for=str(parents[0]) if parents else None,
    )


def _prepared(
    records: Sequence[Record], audit: Sequence[AuditEntry], result: StoredResult | None
) -> tuple[list[KindWrite], list[Raw], Raw | None]:
    entries = [checked(AuditDocument, to_document(entry)) for entry in audit]
    return by_kind(records), entries, checked(ResultDocument, to_document(result)) if result else None
