"""The mirrors of Stripe's objects in MongoDB, listed for people to read."""

from collections.abc import Collection, Iterable
from typing import Any, Final

from pymongo import DESCENDING

from app.domain.change import Kind
from app.domain.stripe_object import StripeObject
from app.ports.store import Page
from app.store import queries
from app.store.documents import ANY_CASE
from app.store.mapping import MappingError, from_document
from app.store.mongo import Mongo
from app.telemetry import logger

_log = logger(__name__)

Raw = dict[str, Any]
_NEWEST_FIRST: Final = [("facts.createdAt", DESCENDING), ("_id", DESCENDING)]


class MongoMirrors:
    """`ports.Mirrors` on MongoDB. A document that cannot be read is logged and left out."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._mirrors = mongo.db[Kind.STRIPE_OBJECT.value]

    async def page_of_customers(
        self,
        type: str,
        customer_ids: Collection[str],
        *,
        statuses: Collection[str] = (),
        after: tuple[int, str] | None,
        first: int,
    ) -> Page[StripeObject]:
        criteria = {**queries.of_customers(type, customer_ids, statuses), **queries.made_before(after)}
        with self._mongo.deadline():
            raws = await self._mirrors.find(criteria, sort=_NEWEST_FIRST, limit=first + 1).to_list()
        return Page(tuple(_readable(raws[:first])), has_next=len(raws) > first)

    async def count_of_customers(
        self, type: str, customer_ids: Collection[str], *, statuses: Collection[str] = ()
    ) -> int:
        with self._mongo.deadline():
            return await self._mirrors.count_documents(queries.of_customers(type, customer_ids, statuses))

    async def disputes_of(self, charge_ids: Collection[str]) -> list[StripeObject]:
        return await self._all(queries.disputes_of(charge_ids))

    async def invoices_paid_by(self, payment_intent_ids: Collection[str]) -> list[StripeObject]:
        return await self._all(queries.invoices_paid_by(payment_intent_ids))

    async def promotion_codes_of(self, coupon_ids: Collection[str]) -> list[StripeObject]:
        return await self._all(queries.promotion_codes_of(coupon_ids))

    async def promotion_codes_named(self, code: str) -> list[StripeObject]:
        with self._mongo.deadline():
            found = self._mirrors.find(queries.promotion_codes_named(code), collation=ANY_CASE)
            return _readable(await found.to_list())

    async def prices_named(self, names: Collection[str]) -> list[StripeObject]:
        return await self._all(queries.prices_named(names))

    async def _all(self, criteria: Raw) -> list[StripeObject]:
        with self._mongo.deadline():
            return _readable(await self._mirrors.find(criteria).to_list())


def _readable(raws: Iterable[Raw]) -> list[StripeObject]:
    found: list[StripeObject] = []
    for raw in raws:
        try:
            record = from_document(Kind.STRIPE_OBJECT, raw)
        except MappingError as error:
            _log.warning("malformed document", kind=error.kind, id=error.id, problem=error.problem)
        else:
            found += [record] if isinstance(record, StripeObject) else []
    return found
