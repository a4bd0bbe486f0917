"""Who may use which root field."""

import re

import pytest
from support.api import Api
from support.records import feature, limit, plan, sub, workspace

from app.domain.api_key import Scope
from app.graphql.schema import SCHEMA


@pytest.fixture
def api() -> Api:
    api = Api()
    api.put(feature(), plan("pro", limit()), workspace(external_id="acme"), sub())
    return api


READS_USAGE = {Scope.ENTITLEMENTS_READ, Scope.BILLING_READ, Scope.USAGE_WRITE}
ROOTS = {
    '{ checkEntitlement(input: {workspaceId: "a", featureKey: "b"}) { entitlement { hasAccess } } }': {
        Scope.ENTITLEMENTS_READ
    },
    "{ checkEntitlements(inputs: []) { entitlement { hasAccess } } }": {Scope.ENTITLEMENTS_READ},
    '{ entitlements(workspaceId: "a") { version } }': {Scope.ENTITLEMENTS_READ},
    '{ workspace(id: "a") { id } }': {Scope.ENTITLEMENTS_READ, Scope.BILLING_READ},
    "{ workspaces { nodes { id } } }": {Scope.ENTITLEMENTS_READ, Scope.BILLING_READ},
    '{ subscription(id: "a") { id } }': {Scope.ENTITLEMENTS_READ, Scope.BILLING_READ},
    "{ subscriptions { nodes { id } } }": {Scope.ENTITLEMENTS_READ, Scope.BILLING_READ},
    '{ invoices(workspaceId: "a") { nodes { id } } }': {Scope.BILLING_READ},
    '{ invoice(id: "in_1") { id } }': {Scope.BILLING_READ},
    '{ payments(workspaceId: "a") { nodes { id } } }': {Scope.BILLING_READ},
    "{ coupons { nodes { id } } }": {Scope.BILLING_READ},
    '{ validateCoupon(code: "a", planKey: "b") { valid } }': {Scope.BILLING_READ},
    "{ plans { id } }": {Scope.ENTITLEMENTS_READ, Scope.BILLING_READ, Scope.CATALOG_WRITE},
    '{ plan(key: "a") { id } }': {Scope.ENTITLEMENTS_READ, Scope.BILLING_READ, Scope.CATALOG_WRITE},
    "{ comparePlans(keys: []) { rows { featureKey } } }": {
        Scope.ENTITLEMENTS_READ,
        Scope.BILLING_READ,
        Scope.CATALOG_WRITE,
    },
    "{ addOns { id } }": {Scope.ENTITLEMENTS_READ, Scope.BILLING_READ, Scope.CATALOG_WRITE},
    '{ addOn(key: "a") { id } }': {Scope.ENTITLEMENTS_READ, Scope.BILLING_READ, Scope.CATALOG_WRITE},
    "{ features { id } }": {Scope.ENTITLEMENTS_READ, Scope.BILLING_READ, Scope.CATALOG_WRITE},
    "{ migrations { nodes { id } } }": {Scope.CATALOG_WRITE, Scope.OPERATOR, Scope.BILLING_READ},
    '{ migration(id: "a") { id } }': {Scope.CATALOG_WRITE, Scope.OPERATOR, Scope.BILLING_READ},
    "{ stripeBackfill { id } }": {Scope.OPERATOR},
    "{ stripeReconcile { drift } }": {Scope.OPERATOR},
    "{ stripeAdoption { unmappedPrices } }": {Scope.OPERATOR},
    "{ stripeAdoptionIssues(kind: UNMAPPED_PRICE) { totalCount } }": {Scope.OPERATOR},
    "{ stripeEvents { nodes { id } } }": {Scope.OPERATOR},
    '{ stripeEvent(id: "evt_1") { id } }': {Scope.OPERATOR},
    "{ syncStatus { cache { ready } } }": {Scope.OPERATOR},
    '{ usageEvents(workspaceId: "a") { nodes { id } } }': READS_USAGE,
    '{ usageSummary(workspaceId: "a", featureKey: "a", granularity: DAY, from: "2026-01-01T00:00:00Z", '
    'to: "2026-01-02T00:00:00Z") { amount } }': READS_USAGE,
    "{ catalogFile }": {Scope.ENTITLEMENTS_READ, Scope.BILLING_READ, Scope.CATALOG_WRITE},
    "{ stripeCatalogFile }": {Scope.CATALOG_WRITE},
    "{ billingEvents { nodes { id } } }": {Scope.BILLING_READ, Scope.OPERATOR},
    "{ auditLog { nodes { id } } }": {Scope.OPERATOR},
    "{ auditChain { intact } }": {Scope.OPERATOR},
    "{ apiKeys { id } }": {Scope.ADMIN},
    "mutation { resync(input: {scope: ALL}) { __typename } }": {Scope.OPERATOR},
    'mutation { replayStripeEvent(input: {idempotencyKey: "k", eventId: "e"}) { __typename } }': {Scope.OPERATOR},
    'mutation { syncCustomer(input: {idempotencyKey: "", workspaceId: "a"}) { __typename } }': {
        Scope.OPERATOR,
        Scope.BILLING_WRITE,
    },
    'mutation { syncCatalog(input: {idempotencyKey: ""}) { __typename } }': {Scope.OPERATOR, Scope.CATALOG_WRITE},
    "mutation { recordUsageBatch(input: {records: ["
    '{idempotencyKey: "", workspaceId: "a", featureKey: "a", amount: 1}]}) '
    "{ results { __typename } } }": {Scope.USAGE_WRITE},
    **{
        f'mutation {{ {name}(input: {{idempotencyKey: "", {rest}}}) {{ __typename }} }}': {scope}
        for name, rest, scope in [
            ("createWorkspace", "", Scope.BILLING_WRITE),
            ("updateWorkspace", 'workspaceId: "a"', Scope.BILLING_WRITE),
            ("archiveWorkspace", 'workspaceId: "a"', Scope.BILLING_WRITE),
            ("startTrial", 'workspaceId: "a", planKey: "a"', Scope.BILLING_WRITE),
            ("grantEntitlement", 'workspaceId: "a", featureKey: "a"', Scope.BILLING_WRITE),
            ("revokeGrant", 'grantId: "a"', Scope.BILLING_WRITE),
            ("setOverride", 'workspaceId: "a", featureKey: "a"', Scope.BILLING_WRITE),
            ("removeOverride", 'overrideId: "a"', Scope.BILLING_WRITE),
            ("createFeature", 'key: "a", name: "a", type: BOOLEAN', Scope.CATALOG_WRITE),
            ("archiveFeature", 'featureKey: "a"', Scope.CATALOG_WRITE),
            ("createPlan", 'key: "a", name: "a"', Scope.CATALOG_WRITE),
            ("archivePlan", 'planKey: "a"', Scope.CATALOG_WRITE),
            ("createAddOn", 'key: "a", name: "a"', Scope.CATALOG_WRITE),
            ("archiveAddOn", 'addOnKey: "a"', Scope.CATALOG_WRITE),
            ("applyCatalog", 'source: ""', Scope.CATALOG_WRITE),
            ("migratePlan", 'planKey: "a"', Scope.CATALOG_WRITE),
            ("recordUsage", 'workspaceId: "a", featureKey: "a", amount: 1', Scope.USAGE_WRITE),
            ("setUsage", 'workspaceId: "a", featureKey: "a", level: 1', Scope.USAGE_WRITE),
            ("consume", 'workspaceId: "a", lines: []', Scope.USAGE_WRITE),
            ("reserve", 'workspaceId: "a", lines: []', Scope.USAGE_WRITE),
            ("settle", 'reservationId: "a"', Scope.USAGE_WRITE),
            ("release", 'reservationId: "a"', Scope.USAGE_WRITE),
            (
                "correctUsage",
                'workspaceId: "a", eventId: "a", featureKey: "a", amount: 1, reason: ""',
                Scope.USAGE_WRITE,
            ),
            ("replayStripeEvents", "", Scope.OPERATOR),
            ("discardStripeEvents", 'reason: "a"', Scope.OPERATOR),
            ("reconcileStripe", 'since: "2026-01-01T00:00:00Z"', Scope.OPERATOR),
            ("backfillStripe", "dryRun: true", Scope.OPERATOR),
            ("setUpStripe", 'url: "a"', Scope.OPERATOR),
            ("linkStripeCustomer", 'customerId: "a", workspaceId: "a"', Scope.OPERATOR),
            ("unlinkStripeCustomer", 'customerId: "a"', Scope.OPERATOR),
            ("linkStripeCustomers", "links: []", Scope.OPERATOR),
            ("linkStripeCustomersByEmail", "", Scope.OPERATOR),
            ("createApiKey", 'name: "a", scopes: []', Scope.ADMIN),
            ("revokeApiKey", 'apiKeyId: "a"', Scope.ADMIN),
        ]
    },
}


@pytest.mark.parametrize(("query", "scopes"), [pytest.param(*row, id=row[0][:40]) for row in ROOTS.items()])
async def test_every_root_field_opens_to_its_scopes_only(api: Api, query: str, scopes: set[Scope]) -> None:
    opened: set[Scope] = set()
    for number, scope in enumerate(Scope):
        answer = await api.ask(query, key=api.key(scope, id=f"key_{number}"))
        codes = {error["extensions"]["code"] for error in answer.get("errors", ())}
        if "FORBIDDEN" not in codes:
            assert codes == set(), answer
            opened.add(scope)

    assert opened == scopes


def test_the_table_of_scopes_names_every_root_field() -> None:
    named = {re.findall(r"\w+", query.removeprefix("mutation"))[0] for query in ROOTS}

    assert named | {"node"} == {*SCHEMA.graphql.query_type.fields, *SCHEMA.graphql.mutation_type.fields}
