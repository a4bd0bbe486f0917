"""Listings and counts, as filters built from the document classes."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from beanie.operators import In
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.cursor import AsyncCursor
from pymongo.asynchronous.database import AsyncDatabase

from app.domain.api_key import Scope
from app.domain.change import Kind
from app.domain.migration import MigrationStatus
from app.domain.stripe_facts import OWED
from app.domain.stripe_object import StripeSource
from app.domain.subscription import TERMINAL, SubscriptionStatus
from app.ports.store import Tally
from app.store.documents import (
    RECORD_DOCUMENTS,
    ApiKeyDocument,
    RecordDocument,
    SubscriptionDocument,
    WorkspaceDocument,
)
from app.store.translation import to_date

Raw = dict[str, Any]
Criterion = Mapping[str, Any] | bool
_BY_ID: Final = [("_id", 1)]
_NEWEST_FIRST: Final = [("_id", -1)]  # our own ids ascend in time
_TALLIED: Final = 3
_MIRRORED: Final[Raw] = {"gone": False, "deletedAt": None}
_GOING_ON: Final = [status.value for status in SubscriptionStatus if status not in TERMINAL]


def workspaces(db: AsyncDatabase[Raw], *, after: str | None, limit: int) -> AsyncCursor[Raw]:
    """Find workspaces by ascending id, archived ones too."""
    return _page(db, WorkspaceDocument, [], after, limit)


def customers() -> Raw:
    """Return the filter for the customers that exist at Stripe."""
    return {"type": "customer", **_MIRRORED}


def of_customers(type: str, customer_ids: Collection[str], statuses: Collection[str] = ()) -> Raw:
    """Return the filter for what of this type these customers have at Stripe; empty `statuses` means every status."""
    criteria = {"type": type, "facts.customerId": {"$in": list(customer_ids)}, **_MIRRORED}
    return {**criteria, "facts.status": {"$in": list(statuses)}} if statuses else criteria


def made_before(after: tuple[int, str] | None) -> Raw:
    """Return the filter for what was made at Stripe before that: what follows it where the newest comes first."""
    if after is None:
        return {}
    at, last = to_date(after[0]), after[1]
    # The first is the index's bound, so that no page reads those before it.
    return {
        "facts.createdAt": {"$lte": at},
        "$or": [{"facts.createdAt": {"$lt": at}}, {"_id": {"$lt": last}}],
    }


def disputes_of(charge_ids: Collection[str]) -> Raw:
    """Return the filter for the disputes about these charges."""
    return {"type": "dispute", "facts.chargeId": {"$in": list(charge_ids)}, **_MIRRORED}


def invoices_paid_by(payment_intent_ids: Collection[str]) -> Raw:
    """Return the filter for the invoices that name one of these payment intents."""
    return {"type": "invoice", "facts.payments.paymentIntentId": {"$in": list(payment_intent_ids)}, **_MIRRORED}


def promotion_codes_of(coupon_ids: Collection[str]) -> Raw:
    """Return the filter for the promotion codes that lead to these coupons."""
    return {"type": "promotion_code", "facts.couponId": {"$in": list(coupon_ids)}, **_MIRRORED}


def promotion_codes_named(code: str) -> Raw:
    """Return the filter for the promotion codes that read so; for a search in any case."""
    return {"type": "promotion_code", "facts.code": code, **_MIRRORED}


def prices_named(names: Collection[str]) -> Raw:
    """Return the filter for the prices with one of these ids or lookup keys."""
    named = {"$in": list(names)}
    return {"type": "price", "$or": [{"_id": named}, {"facts.lookupKey": named}], **_MIRRORED}


def unlinked(type: str) -> Raw:
    """Return the filter for what exists at Stripe and no workspace is known for."""
    return {"type": type, "workspaceId": None, **_MIRRORED}


def waiting_subscriptions(customer_ids: Collection[str]) -> Raw:
    """Return the filter for the subscriptions that wait for these customers."""
    return {"parkedUnder": {"$in": list(customer_ids)}, **unlinked("subscription")}


def shared_workspaces() -> list[Mapping[str, Any]]:
    """Return the stages that find the workspaces that several customers are linked to."""
    return [
        {"$match": {**customers(), "workspaceId": {"$type": "string"}}},
        {"$group": {"_id": "$workspaceId", "customers": {"$push": "$_id"}, "count": {"$sum": 1}}},
        {"$match": {"count": {"$gt": 1}}},
    ]


def customers_of(workspace_ids: Collection[str]) -> Raw:
    """Return the filter for the customers that are linked to these workspaces."""
    return {"type": "customer", "workspaceId": {"$in": list(workspace_ids)}, **_MIRRORED}


def owed_invoices(subscription_ids: Collection[str]) -> Raw:
    """Return the filter for the invoices of these subscriptions that are neither paid nor given up."""
    of_subscriptions = {"facts.subscriptionId": {"$in": list(subscription_ids)}}
    return {"type": "invoice", **of_subscriptions, "facts.status": {"$in": OWED}, **_MIRRORED}


def provisional_mirrors(*, after: str) -> Raw:
    """Return the filter for what exists at Stripe, was told by a payload alone and has an id above `after`."""
    return {"source": StripeSource.EVENT.value, "_id": {"$gt": after}, **_MIRRORED}


def outdated_mirrors(norm_version: int, *, after: str) -> Raw:
    """Return the filter for what exists at Stripe, was read before this version and has an id above `after`."""
    return {"normVersion": {"$lt": norm_version}, "_id": {"$gt": after}, **_MIRRORED}


def naming_checkouts(customer_ids: Collection[str]) -> Raw:
    """Return the filter for the checkouts that these customers completed and that name a workspace."""
    of_customers = {"facts.customerId": {"$in": list(customer_ids)}}
    named_one = {"facts.status": "complete", "facts.workspaceRef": {"$type": "string"}}
    return {"type": "checkout.session", **of_customers, **named_one, **_MIRRORED}


def named(refs: Sequence[str]) -> Raw:
    """Return the filter for workspaces with one of these ids or external ids."""
    # The index of external ids holds texts only, and the server uses it only where the question says so too.
    return {"$or": [{"_id": {"$in": refs}}, {"externalId": {"$in": refs, "$type": "string"}}]}


def subscriptions(
    db: AsyncDatabase[Raw],
    *,
    workspace_id: str | None,
    statuses: Collection[SubscriptionStatus],
    after: str | None,
    limit: int,
) -> AsyncCursor[Raw]:
    """Find subscriptions by ascending id; empty `statuses` means every status."""
    criteria: list[Criterion] = []
    if workspace_id is not None:
        criteria.append(SubscriptionDocument.workspace_id == workspace_id)
    if statuses:
        criteria.append(In(SubscriptionDocument.status, [status.value for status in statuses]))
    return _page(db, SubscriptionDocument, criteria, after, limit)


async def count(db: AsyncDatabase[Raw], kind: Kind, equals: Mapping[str, str | tuple[str, ...]]) -> int:
    """Count what is not soft-deleted and whose fields equal the values, or are among a tuple."""
    document = RECORD_DOCUMENTS[kind]
    criteria = [_equals(getattr(document, name), value) for name, value in equals.items()]
    return await db[kind.value].count_documents(_filter(document, criteria))


def in_force(feature_key: str, at: int) -> Raw:
    """Return the filter for grants, or overrides, of the feature that are in force or will be."""
    # An override has no instant of revocation, which equals having none.
    return {"featureKey": feature_key, "deletedAt": None, "revokedAt": None, **_lasts("expiresAt", at)}


def running_trials(plan_ids: Collection[str], at: int) -> Raw:
    """Return the filter for workspaces that try one of these plan versions."""
    # As with external ids, the index holds texts only.
    trial = {"trial.planId": {"$in": list(plan_ids), "$type": "string"}, "trial.endsAt": {"$gt": to_date(at)}}
    return {**trial, "deletedAt": None, "archivedAt": None}


def holders(prices: Collection[str]) -> Raw:
    """Return the filter for subscriptions that are not over and hold one of these prices, by id or lookup key."""
    named = {"$in": list(prices)}
    either = [{"items.priceId": named}, {"items.lookupKey": named}]
    return {"deletedAt": None, "status": {"$in": _GOING_ON}, "$or": either}


def earlier_holders(prices: Collection[str], before_at: int) -> Raw:
    """Return the filter for those of them to whom a price came before this instant."""
    return {**holders(prices), "items.priceSinceAt": {"$lt": to_date(before_at)}}


def migrations(
    db: AsyncDatabase[Raw], *, status: MigrationStatus | None, after: str | None, limit: int
) -> AsyncCursor[Raw]:
    """Find migrations, the newest first; None means every status."""
    criteria: Raw = {"deletedAt": None}
    if status is not None:
        criteria["status"] = status.value
    if after is not None:
        criteria["_id"] = {"$lt": after}
    return db[Kind.MIGRATION.value].find(criteria, sort=_NEWEST_FIRST, limit=limit)


async def tally(collection: AsyncCollection[Raw], criteria: Raw) -> Tally:
    """Count what fits, and name the first few by ascending id."""
    first = await collection.find(criteria, {"_id": 1}, sort=_BY_ID, limit=_TALLIED).to_list()
    count = len(first) if len(first) < _TALLIED else await collection.count_documents(criteria)
    return Tally(count, tuple(raw["_id"] for raw in first))


async def has_admin_key(db: AsyncDatabase[Raw]) -> bool:
    """Tell whether a key with the scope ADMIN was made and not revoked."""
    criteria: list[Criterion] = [In(ApiKeyDocument.scopes, [Scope.ADMIN.value]), ApiKeyDocument.revoked_at == None]  # noqa: E711 - an expression of a query
    return await db[Kind.API_KEY.value].find_one(_filter(ApiKeyDocument, criteria), {"_id": 1}) is not None


def _lasts(field: str, at: int) -> Raw:
    return {"$or": [{field: None}, {field: {"$gt": to_date(at)}}]}


def _equals(field: Any, value: str | tuple[str, ...]) -> Criterion:
    return In(field, list(value)) if isinstance(value, tuple) else field == value


def _page(
    db: AsyncDatabase[Raw], document: type[RecordDocument], criteria: list[Criterion], after: str | None, limit: int
) -> AsyncCursor[Raw]:
    if after is not None:
        criteria = [*criteria, document.id > after]
    return db[document.get_collection_name()].find(_filter(document, criteria), sort=_BY_ID, limit=limit)


def _filter(document: type[RecordDocument], criteria: list[Criterion]) -> Raw:
    """Our own client runs the filter: a document class is bound to the database that was opened last."""
    return document.find(document.deleted_at == None, *criteria).get_filter_query()  # noqa: E711 - as above
