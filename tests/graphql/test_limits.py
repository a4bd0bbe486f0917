"""Hostile operations: refused with a code, for little work, and without harm to the next caller."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
from graphql import get_introspection_query
from support.api import MODERN, Api
from support.records import add_on, feature, grant, limit, plan, sub, workspace
from support.work import counted

from app.graphql.limits import BODY_LIMIT_BYTES

LIMIT = "OPERATION_LIMIT_EXCEEDED"
MOST_CALLS = 500_000
"""What any one operation may cost, in calls of functions: hardly more than the standard introspection does."""
CHECK = '{workspaceId: "ws_1", featureKey: "api_calls"}'


def _doubling(levels: int) -> str:
    doubled = " ".join(f"fragment F{i} on Workspace {{ ...F{i + 1} ...F{i + 1} }}" for i in range(levels))
    return f'{{ workspace(id: "a") {{ ...F0 }} }} {doubled} fragment F{levels} on Workspace {{ id }}'


def _deep_doubling(levels: int) -> str:
    parts = [
        f"fragment F{i} on Workspace {{ a: subscriptions {{ nodes {{ workspace {{ ...F{i + 1} ...F{i + 1} }} }} }} "
        f"b: subscriptions {{ nodes {{ workspace {{ ...F{i + 1} }} }} }} }}"
        for i in range(levels)
    ]
    return f'{{ workspace(id: "a") {{ ...F0 }} }} {" ".join(parts)} fragment F{levels} on Workspace {{ id }}'


def _repeating(listing: str, type: str) -> str:
    return f"{{ {listing} {{ nodes {{ {'...F ' * 40} }} }} }} fragment F on {type} {{ {'id ' * 30} }}"


HOSTILE = {
    "depth": (
        '{ workspace(id: "a") ' + "{ subscriptions { nodes { workspace " * 6 + "{ id }" + " } } }" * 6 + " }",
        LIMIT,
    ),
    "nesting beyond the parser": ("{ a " * 1400, LIMIT),
    "a literal beyond the parser": ("{ a(b: " + "[" * 1400, LIMIT),
    "aliases": ("{ " + " ".join(f"a{i}: syncStatus {{ cache {{ ready }} }}" for i in range(61)) + " }", LIMIT),
    "repeated fields": ("{ " + "syncStatus { cache { ready } } " * 300 + "}", LIMIT),
    "directives": ("{ plans { id " + "@include(if: true) " * 61 + "} }", LIMIT),
    "directives on the operation": ("query " + "@x " * 61 + "{ plans { id } }", LIMIT),
    "tokens": ("{ " + "a " * 3000 + "}", LIMIT),
    "comments": ("#\n" * 4000 + "{ plans { id } }", LIMIT),
    "definitions": (" ".join(f"query Q{i} {{ plans {{ id }} }}" for i in range(41)), LIMIT),
    "a cycle": ("{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }", LIMIT),
    "fragments that double, flat": (_doubling(30), None),
    "fragments that double, deep": (_deep_doubling(30), LIMIT),
    "cost of lists": (
        "{ workspaces(first: 100) { nodes { subscriptions(first: 100) { nodes { id plan { id key name } } } } } }",
        LIMIT,
    ),
    "cost of lists by variables": (
        "query($n: Int) { workspaces(first: $n) { nodes { subscriptions(first: $n) { nodes { "
        + " ".join(f"a{i}: id" for i in range(6))
        + " } } } } }",
        LIMIT,
    ),
    "cost of many checks": (
        "query($i: [CheckInput!]!) { "
        + " ".join(
            f"c{i}: checkEntitlements(inputs: $i) {{ entitlement {{ hasAccess validUntil version value }} }}"
            for i in range(10)
        )
        + " }",
        LIMIT,
    ),
    "cost of the audit": (_repeating("auditLog", "AuditEntry"), LIMIT),
    "cost of migrations": (_repeating("migrations", "CatalogMigration"), LIMIT),
    "cost of the ledger": (_repeating('usageEvents(workspaceId: "a")', "UsageEvent"), LIMIT),
    "unknown fields": ("{ " + " ".join(f"x{i}" for i in range(300)) + " }", "GRAPHQL_VALIDATION_FAILED"),
    "no operation": ("fragment F on Query { plans { id } }", None),
    "not GraphQL": ("}{", "GRAPHQL_PARSE_FAILED"),
    "a huge string": ('{ workspace(id: "' + "x" * 200_000 + '") { id } }', None),
}


@pytest.fixture
def api() -> Api:
    api = Api()
    api.put(feature(), plan("pro", limit()), workspace(), sub())
    return api


@pytest.mark.parametrize(("query", "code"), HOSTILE.values(), ids=HOSTILE)
async def test_a_hostile_operation_costs_little_and_the_next_is_answered(
    api: Api, query: str, code: str | None
) -> None:
    key = api.key()

    with counted() as work:
        response = await api.post({"query": query}, key=key)

    assert response.status_code < 500
    assert len(response.content) < 20_000
    assert work.calls < MOST_CALLS
    if code is not None:
        answer = response.json()
        assert "data" not in answer
        assert answer["errors"][0]["extensions"]["code"] == code
        assert len(answer["errors"]) <= 3
    assert (await api.ask(f"{{ checkEntitlement(input: {CHECK}) {{ entitlement {{ hasAccess }} }} }}"))["data"]


async def test_overlapping_fields_within_the_limits_are_validated_with_little_work(api: Api) -> None:
    query = "{ " + 'w: workspace(id: "ws_1") { id name } ' * 100 + "}"
    key = api.key()

    with counted() as work:
        response = await api.post({"query": query}, key=key)

    assert work.calls < MOST_CALLS
    assert response.status_code in (200, 400)


async def test_the_standard_introspection_passes(api: Api) -> None:
    response = await api.post({"query": get_introspection_query()}, key=api.key())

    assert response.json()["data"]["__schema"]["queryType"]["name"] == "Query"


async def test_introspection_needs_a_key(api: Api) -> None:
    assert (await api.post({"query": get_introspection_query()}, key=None)).status_code == 401


async def test_at_most_three_faults_are_told_and_nothing_is_suggested(api: Api) -> None:
    answer = await api.ask("{ plan1 plan2 plan3 plan4 plans { i } }")

    assert len(answer["errors"]) == 3
    assert "Did you mean" not in str(answer)


async def test_enum_values_are_not_suggested_either(api: Api) -> None:
    answer = await api.ask(
        "query($s: [SubscriptionStatus!]) { subscriptions(status: $s) { nodes { id } } }", {"s": ["ACTIV"]}
    )

    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
    assert "Did you mean" not in str(answer)


async def test_a_long_name_is_not_echoed_at_length(api: Api) -> None:
    response = await api.post({"query": "{ " + "x" * 100_000 + " }"}, key=api.key())

    assert len(response.content) < 2_000


async def test_a_body_at_the_limit_is_read_and_one_beyond_is_refused_while_streaming(api: Api) -> None:
    key, query = api.key(), b'{"query": "{ plans { id } }"}'
    at_limit = query + b" " * (BODY_LIMIT_BYTES - len(query))
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 64 * 1024
            yield b" " * 64 * 1024

    headers = {"authorization": key, "content-type": "application/json", "accept": MODERN}
    refused = await api.http.post("/graphql", content=endless(), headers=headers)

    assert (await api.post(at_limit, key=key)).status_code == 200
    assert (await api.post(at_limit + b" ", key=key)).status_code == 413
    assert refused.status_code == 413
    assert refused.json()["errors"][0]["extensions"]["code"] == "PAYLOAD_TOO_LARGE"


async def test_a_thousand_checks_may_select_everything(api: Api) -> None:
    query = """query($i: [CheckInput!]!) { checkEntitlements(inputs: $i) { entitlement { featureKey hasAccess
      accessDeniedReason limitBehavior readOnly inGrace graceEndsAt isTrial trialEndsAt value validUntil version
      feature { id key name type unit meterType valueType enumValues merge createdAt }
      usage { used limit remaining overage periodStart resetsAt }
      grants { id featureKey source sourceId limitBehavior amount value resetPeriod effectiveAt expiresAt } } } }"""

    answer = await api.ask(query, {"i": [{"workspaceId": "ws_1", "featureKey": "api_calls"}] * 1000})

    assert len(answer["data"]["checkEntitlements"]) == 1000


async def test_many_remedies_leave_room_for_others(api: Api) -> None:
    denied = {"workspaceId": "ws_1", "featureKey": "api_calls", "requestedUsage": "1000000000"}
    query = "query($i: [CheckInput!]!) { checkEntitlements(inputs: $i) { remedies { kind } } }"
    others = 0

    async with asyncio.TaskGroup() as tasks:
        asked = tasks.create_task(api.ask(query, {"i": [denied] * 100}))
        while not asked.done():
            await api.ask(f"{{ checkEntitlement(input: {CHECK}) {{ entitlement {{ hasAccess }} }} }}")
            await asyncio.sleep(0)  # over a socket every answer waits
            others += 1

    assert len(asked.result()["data"]["checkEntitlements"]) == 100
    assert others > 10


async def test_one_denial_with_much_to_try_leaves_room_for_others(api: Api) -> None:
    packs = [add_on(f"pack_{number}", limit(amount=1)) for number in range(20)]
    api.put(*packs, *(grant(f"grant_{number}", amount=Decimal(1)) for number in range(50)))
    denied = '{workspaceId: "ws_1", featureKey: "api_calls", requestedUsage: "5000"}'
    others = 0

    async with asyncio.TaskGroup() as tasks:
        asked = tasks.create_task(
            api.ask(f"{{ checkEntitlement(input: {denied}) {{ explanation {{ rule }} remedies {{ kind }} }} }}")
        )
        while not asked.done():
            await api.ask(f"{{ checkEntitlement(input: {CHECK}) {{ entitlement {{ hasAccess }} }} }}")
            await asyncio.sleep(0)  # over a socket every answer waits
            others += 1

    assert len(asked.result()["data"]["checkEntitlement"]["remedies"]) > 20
    assert others > 10


async def test_many_explanations_leave_room_for_others(api: Api) -> None:
    query = "query($i: [CheckInput!]!) { checkEntitlements(inputs: $i) { explanation { rule } } }"
    others = 0

    async with asyncio.TaskGroup() as tasks:
        asked = tasks.create_task(api.ask(query, {"i": [{"workspaceId": "ws_1", "featureKey": "api_calls"}] * 100}))
        while not asked.done():
            await api.ask(f"{{ checkEntitlement(input: {CHECK}) {{ entitlement {{ hasAccess }} }} }}")
            await asyncio.sleep(0)  # over a socket every answer waits
            others += 1

    assert len(asked.result()["data"]["checkEntitlements"]) == 100
    assert others > 10
