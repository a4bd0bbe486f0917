"""`node(id)`: anything by its id, found by the id's prefix."""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import strawberry

from app.domain import grant, ids, plan
from app.domain.change import Kind
from app.domain.faults import is_storable
from app.graphql.context import Info
from app.graphql.permissions import check_type, requires
from app.graphql.queries.migrations import find_migration
from app.graphql.types.api_key import ApiKey
from app.graphql.types.audit import AuditEntry
from app.graphql.types.billing_event import BillingEvent
from app.graphql.types.catalogue import AddOn, Feature, Plan, plan_or_add_on
from app.graphql.types.grants import EntitlementGrant, EntitlementOverride
from app.graphql.types.invoice import Invoice
from app.graphql.types.migration import CatalogMigration
from app.graphql.types.node import Node
from app.graphql.types.payment import Payment
from app.graphql.types.stripe_event import StripeEvent, with_queue
from app.graphql.types.usage import UsageEvent
from app.graphql.types.workspace import Subscription, Workspace, workspace_of
from app.services.billing_events import owned
from app.services.invoices import find_invoice
from app.services.payments import find_payment

STRIPE_EVENT: Final = "evt"


@strawberry.type
class NodeQueries:
    @strawberry.field(
        directives=requires(),
        description="Anything by its id. Null where there is none. The type found says which scope is needed.",
    )
    async def node(self, info: Info, id: strawberry.ID) -> Node | None:
        found = _BY_PREFIX.get(ids.prefix_of(id))
        if found is None:
            return None
        found_type, find = found
        check_type(info.context.principal, found_type)
        node = find(info, id)
        return await node if inspect.isawaitable(node) else node


Finder = Callable[[Info, str], Node | Awaitable[Node | None] | None]


def _workspace(info: Info, id: str) -> Workspace | Awaitable[Workspace | None] | None:
    return info.context.from_state(
        id, lambda state: workspace_of(state) if state and state.workspace.id == id else None
    )


def _feature(info: Info, id: str) -> Feature | None:
    record = info.context.loaded().cache.held(Kind.FEATURE, id)
    return Feature.from_domain(record) if isinstance(record, plan.Feature) else None


def _plan(info: Info, id: str) -> Plan | AddOn | None:
    found = info.context.loaded().cache.catalogue().plan_by_id(id)
    return plan_or_add_on(found) if found else None


def _subscription(info: Info, id: str) -> Subscription | None:
    found = info.context.loaded().cache.subscription(id)
    return Subscription.from_domain(found) if found else None


def _grant(info: Info, id: str) -> EntitlementGrant | None:
    record = info.context.loaded().cache.held(Kind.GRANT, id)
    return EntitlementGrant.from_domain(record) if isinstance(record, grant.Grant) else None


def _override(info: Info, id: str) -> EntitlementOverride | None:
    record = info.context.loaded().cache.held(Kind.OVERRIDE, id)
    return EntitlementOverride.from_domain(record) if isinstance(record, grant.Override) else None


def _api_key(info: Info, id: str) -> ApiKey | None:
    found = info.context.loaded().cache.api_key(id)
    return ApiKey.from_domain(found) if found else None


async def _stripe_event(info: Info, id: str) -> StripeEvent | None:
    inbox = info.context.rt.inbox
    found = await inbox.event(id)
    return (await with_queue(inbox, [found]))[0] if found else None


async def _audit_entry(info: Info, id: str) -> AuditEntry | None:
    found = await info.context.rt.audit.entry(id)
    return AuditEntry.from_domain(found) if found else None


async def _billing_event(info: Info, id: str) -> BillingEvent | None:
    found = await info.context.rt.billing_events.event(id) if is_storable(id) else None
    return BillingEvent.from_domain(owned(info.context.rt, found)) if found else None


async def _invoice(info: Info, id: str) -> Invoice | None:
    found = await find_invoice(info.context.rt, id)
    return Invoice.from_domain(found) if found else None


async def _payment(info: Info, id: str) -> Payment | None:
    found = await find_payment(info.context.rt, id)
    return Payment.from_domain(found) if found else None


async def _usage_event(info: Info, id: str) -> UsageEvent | None:
    found = (await info.context.rt.ledger.events((id,))).get(id) if is_storable(id) else None
    return UsageEvent.from_domain(found) if found else None


_BY_PREFIX: Final[Mapping[str, tuple[type[Node], Finder]]] = {
    ids.WORKSPACE: (Workspace, _workspace),
    ids.FEATURE: (Feature, _feature),
    ids.PLAN: (Plan, _plan),
    ids.STRIPE_SUBSCRIPTION: (Subscription, _subscription),
    ids.STRIPE_INVOICE: (Invoice, _invoice),
    ids.STRIPE_PAYMENT_INTENT: (Payment, _payment),
    ids.GRANT: (EntitlementGrant, _grant),
    ids.OVERRIDE: (EntitlementOverride, _override),
    ids.API_KEY: (ApiKey, _api_key),
    ids.AUDIT_ENTRY: (AuditEntry, _audit_entry),
    ids.BILLING_EVENT: (BillingEvent, _billing_event),
    ids.MIGRATION: (CatalogMigration, find_migration),
    ids.USAGE_EVENT: (UsageEvent, _usage_event),
    STRIPE_EVENT: (StripeEvent, _stripe_event),
}
