"""The schema as published: up to date, described and declared throughout."""

from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    build_schema,
    find_breaking_changes,
)

from app.graphql.permissions import undeclared
from app.graphql.schema import SCHEMA, sdl

ROOT = Path(__file__).parents[2]
OURS = [graphql_type for name, graphql_type in SCHEMA.graphql.type_map.items() if not name.startswith("__")]
CORE = """
scalar DateTime  scalar Decimal  scalar JSON
interface Node { id: ID! }
type Query {
  checkEntitlement(input: CheckInput!): EntitlementDecision!
  checkEntitlements(inputs: [CheckInput!]!): [EntitlementDecision!]!
  entitlements(workspaceId: ID!, featureKeys: [String!]): EntitlementSet!
  workspace(id: ID, externalId: String): Workspace
  workspaces(first: Int = 50, after: String): WorkspaceConnection!
  subscription(id: ID!): Subscription
  subscriptions(workspaceId: ID, status: [SubscriptionStatus!], first: Int = 50, after: String): SubscriptionConnection!
  plans: [Plan!]!   plan(key: String!, version: Int): Plan   features: [Feature!]!
  stripeEvents(status: StripeEventStatus, first: Int = 50, after: String): StripeEventConnection!
  syncStatus: SyncStatus!   node(id: ID!): Node
}
input CheckInput { workspaceId: ID!  featureKey: String!  requestedUsage: Decimal  requestedValues: [String!] }
type EntitlementDecision { entitlement: Entitlement! }
type Entitlement { featureKey: String!  feature: Feature  hasAccess: Boolean!  accessDeniedReason: AccessDeniedReason
  limitBehavior: LimitBehavior!  readOnly: Boolean!  inGrace: Boolean!  graceEndsAt: DateTime  isTrial: Boolean!
  trialEndsAt: DateTime  value: JSON  usage: Usage  grants: [EntitlementGrant!]!  validUntil: DateTime
  version: String! }
type Usage { used: Decimal!  limit: Decimal  remaining: Decimal  overage: Decimal!  periodStart: DateTime
  resetsAt: DateTime }
type EntitlementSet { workspaceId: ID!  version: String!  entitlements: [Entitlement!]!
  accessDeniedReason: AccessDeniedReason }
type Live { entitlementsChanged(workspaceId: ID!): EntitlementSet!   syncStatusChanged: SyncStatus! }
enum SubscriptionStatus { INCOMPLETE INCOMPLETE_EXPIRED TRIALING ACTIVE PAST_DUE UNPAID PAUSED CANCELED }
type Workspace implements Node { id: ID! }  type Subscription implements Node { id: ID! }
type Plan implements Node { id: ID! }  type Feature implements Node { id: ID! }
type WorkspaceConnection { totalCount: Int }  type SubscriptionConnection { totalCount: Int }
type StripeEventConnection { edges: [StripeEventEdge!]! }  type StripeEventEdge { cursor: String! }
type EntitlementGrant implements Node { id: ID! }  type SyncStatus { cache: CacheStatus! }
type CacheStatus { ready: Boolean! }
enum StripeEventStatus { RECEIVED PROCESSED IGNORED PARKED DEAD }  enum AccessDeniedReason { STATE_UNKNOWN }
enum LimitBehavior { HARD SOFT OVERAGE UNLIMITED }
schema { query: Query subscription: Live }
"""
UNKEYED = {"resync", "recordUsageBatch"}
"""Mutations without a key of their own: a resync changes no records, a batch has a key for each of its entries."""


def test_the_published_file_is_what_the_code_says() -> None:
    assert (ROOT / "schema.graphql").read_text() == sdl()


def test_the_core_is_as_agreed() -> None:
    assert find_breaking_changes(build_schema(CORE), SCHEMA.graphql) == []


def test_every_mutation_takes_one_input_and_answers_a_union_with_the_four_refusals() -> None:
    fields = SCHEMA.graphql.mutation_type.fields

    for name, field in fields.items():
        assert list(field.args) == ["input"], name
        keyed = "idempotencyKey" in field.args["input"].type.of_type.fields
        assert keyed is (name not in UNKEYED), name
        if name == "recordUsageBatch":  # a union for each of its entries
            continue
        members = {member.name for member in field.type.of_type.types}
        assert {"ValidationError", "NotFoundError", "ConflictError", "IdempotencyConflictError"} < members, name


def test_every_root_field_and_type_declares_who_may_see_it() -> None:
    assert list(undeclared(SCHEMA.graphql)) == []


def test_what_is_not_declared_is_noticed() -> None:
    assert list(undeclared(build_schema("type Query { a: B } type B { c: Int }"))) == ["Query.a", "B"]


@pytest.mark.parametrize("graphql_type", OURS, ids=lambda t: t.name)
def test_everything_is_described(graphql_type: object) -> None:
    assert graphql_type.description, graphql_type
    if isinstance(graphql_type, (GraphQLObjectType, GraphQLInterfaceType, GraphQLInputObjectType)):
        for name, field in graphql_type.fields.items():
            assert field.description, f"{graphql_type}.{name}"
    if isinstance(graphql_type, GraphQLEnumType):
        for name, value in graphql_type.values.items():
            assert value.description, f"{graphql_type}.{name}"
