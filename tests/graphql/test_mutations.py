"""Mutations end to end: from the operation to the real store and back to what RAM answers."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from support.api import Api, closed, greet, served, socket
from support.records import NOW
from support.runtime import fakes_of, running

from app.domain.api_key import Scope
from app.domain.change import Kind
from app.domain.stripe_event import StripeEvent, StripeEventStatus

REFUSALS = """... on UserError { code message path } ... on ValidationError { fields { path code } }
  ... on NotFoundError { resource id } ... on ConflictError { currentVersion }
  ... on IdempotencyConflictError { originalRequestAt }"""
SELECT = {
    "Workspace": "... on WorkspacePayload { replayed workspace { id externalId name email metadata version archivedAt "
    "trial { endsAt plan { key } } billing { legalName taxIds { value } } } }",
    "Feature": "... on FeaturePayload { replayed feature { id key type merge meterType } }",
    "Plan": "... on PlanPayload { replayed plan { key version graceDays: grace { days } "
    "features { featureKey limit value } } }",
    "Grant": "... on GrantPayload { replayed grant { id source amount value expiresAt revokedAt reason } }",
    "Override": "... on OverridePayload { replayed override { id limit revoked removedAt } }",
    "RecordUsage": "... on RecordUsagePayload { replayed eventId entitlement { usage { used remaining overage } } }",
    "Resync": "... on ResyncPayload { compared repaired dropped divergent result { dryRun } }",
    "ReplayStripeEvent": "... on ReplayStripeEventPayload { event { id status } }",
    "CreateApiKey": "... on CreateApiKeyPayload { replayed credential apiKey { id scopes } }",
    "RevokeApiKey": "... on RevokeApiKeyPayload { replayed apiKey { id revokedAt } }",
}
RESULT = {
    **dict.fromkeys(("createWorkspace", "updateWorkspace", "archiveWorkspace", "startTrial"), "Workspace"),
    "createFeature": "Feature",
    "createPlan": "Plan",
    "grantEntitlement": "Grant",
    "revokeGrant": "Grant",
    "setOverride": "Override",
    "removeOverride": "Override",
}


class Caller:
    """Sends mutations with fresh idempotency keys."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.key = api.key()
        self.count = 0

    async def __call__(self, name: str, /, **fields: Any) -> dict[str, Any]:
        type_name = name[0].upper() + name[1:]
        self.count += 1
        keyed = {} if name == "resync" else {"idempotencyKey": f"k{self.count}"}
        query = f"""mutation($i: {type_name}Input!) {{ {name}(input: $i) {{ __typename
            {SELECT[RESULT.get(name, type_name)]} {REFUSALS} }} }}"""
        return (await self.api.data(query, {"i": {**keyed, **fields}}, key=self.key))[name]


@pytest.fixture
async def call(mongodb_uri: str, database: str) -> AsyncIterator[Caller]:
    async with running(mongodb_uri, database) as rt:
        yield Caller(Api(rt))


async def catalogue(call: Caller) -> None:
    await call("createFeature", key="api_calls", name="Calls", type="METERED")
    await call("createFeature", key="regions", name="Regions", type="CONFIG", valueType="ENUM", enumValues=["eu", "us"])
    await call(
        "createPlan",
        key="pro",
        name="Pro",
        prices=[{"lookupKey": "pro_monthly"}],
        features=[
            {"featureKey": "api_calls", "limit": "100", "resetPeriod": "MONTH"},
            {"featureKey": "regions", "value": ["eu"]},
        ],
    )


async def test_a_workspace_lives_and_is_archived(call: Caller) -> None:
    billing = {"legalName": "Acme", "taxIds": [{"type": "eu_vat", "value": "DE1"}]}
    made = await call("createWorkspace", name="Acme", externalId="acme", metadata={"a": "b"}, billing=billing)
    changed = await call("updateWorkspace", workspaceId="acme", ifVersion="1", name="Acme GmbH", email=None)
    archived = await call("archiveWorkspace", workspaceId="acme")

    assert made["workspace"] == {
        "id": made["workspace"]["id"],
        "externalId": "acme",
        "name": "Acme",
        "email": None,
        "metadata": {"a": "b"},
        "version": "1",
        "archivedAt": None,
        "trial": None,
        "billing": {"legalName": "Acme", "taxIds": [{"value": "DE1"}]},
    }
    assert (changed["workspace"]["name"], changed["workspace"]["metadata"]) == ("Acme GmbH", {"a": "b"})
    assert changed["workspace"]["version"] == "2"
    assert archived["workspace"]["archivedAt"] is not None


async def test_null_clears_and_absence_keeps(call: Caller) -> None:
    await call("createWorkspace", name="Acme", externalId="acme", email="a@example.com", metadata={"a": "b"})

    changed = await call("updateWorkspace", workspaceId="acme", email=None, metadata=None)

    assert changed["workspace"]["name"] == "Acme"
    assert (changed["workspace"]["email"], changed["workspace"]["metadata"]) == (None, {})


async def test_the_same_request_again_is_replayed_and_another_is_refused(call: Caller) -> None:
    first = await call("createWorkspace", name="Acme", idempotencyKey="same")
    again = await call("createWorkspace", name="Acme", idempotencyKey="same")
    other = await call("createWorkspace", name="Other", idempotencyKey="same")

    assert (first["replayed"], again["replayed"]) == (False, True)
    assert again["workspace"] == first["workspace"]
    assert (other["__typename"], other["code"]) == ("IdempotencyConflictError", "IDEMPOTENCY_CONFLICT")
    assert other["originalRequestAt"] == "2026-09-21T14:13:20.000Z"


async def test_each_refusal_is_a_member_of_the_union(call: Caller) -> None:
    await call("createWorkspace", name="Acme", externalId="acme")

    conflict = await call("updateWorkspace", workspaceId="acme", ifVersion="7", name="x")
    missing = await call("archiveWorkspace", workspaceId="nobody")
    faulty = await call("updateWorkspace", workspaceId="acme", email="no address", name="")
    single = await call("createWorkspace", name="")

    assert (conflict["__typename"], conflict["currentVersion"]) == ("ConflictError", "1")
    assert (missing["__typename"], missing["resource"], missing["id"]) == ("NotFoundError", "workspace", "nobody")
    assert {fault["path"][-1] for fault in faulty["fields"]} == {"email", "name"}
    assert (single["__typename"], single["path"]) == ("ValidationError", ["input", "name"])


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"metadata": {"a": 1}}, "metadata"),
        ({"metadata": ["a"]}, "metadata"),
        ({"metadata": {"$a": "b", "": "c"}}, "metadata"),
        ({"idempotencyKey": ""}, "idempotencyKey"),
        ({"externalId": ""}, "externalId"),
    ],
)
async def test_odd_inputs_are_named(call: Caller, fields: dict[str, Any], path: str) -> None:
    refused = await call("createWorkspace", **fields)

    assert refused["__typename"] == "ValidationError"
    assert refused["fields"][0]["path"][1] == path


@pytest.mark.parametrize("version", ["", "1.0", "-1", "v1", "9" * 40])
async def test_a_version_is_digits(call: Caller, version: str) -> None:
    refused = await call("archiveWorkspace", workspaceId="a", ifVersion=version)

    assert refused["fields"] == [{"path": ["input", "ifVersion"], "code": "INVALID_FORMAT"}]


async def test_plans_are_versioned_and_decide_at_once(call: Caller) -> None:
    await catalogue(call)
    second = await call("createPlan", key="pro", name="Pro", grace={"days": 3}, features=[])
    await call("createWorkspace", externalId="acme")
    trial = await call("startTrial", workspaceId="acme", planKey="pro", days=2)
    again = await call("startTrial", workspaceId="acme", planKey="pro")

    assert (second["plan"]["version"], second["plan"]["graceDays"]) == (2, {"days": 3})
    assert trial["workspace"]["trial"] == {"endsAt": "2026-09-23T14:13:20.000Z", "plan": {"key": "pro"}}
    assert again["__typename"] == "ConflictError"


async def test_grants_and_overrides_come_and_go(call: Caller) -> None:
    await catalogue(call)
    await call("createWorkspace", externalId="acme")
    given = await call("grantEntitlement", workspaceId="acme", featureKey="api_calls", amount=5, reason="sorry")
    value = await call("grantEntitlement", workspaceId="acme", featureKey="regions", value=["us"], source="PROMOTIONAL")
    wrong = await call("grantEntitlement", workspaceId="acme", featureKey="regions", value={"a": 1})
    plans = await call("grantEntitlement", workspaceId="acme", featureKey="regions", value=["us"], source="PLAN")
    taken = await call("revokeGrant", grantId=given["grant"]["id"])
    override = await call("setOverride", workspaceId="acme", featureKey="api_calls", limit="7", resetPeriod="DAY")
    removed = await call("removeOverride", overrideId=override["override"]["id"])

    assert (given["grant"]["source"], given["grant"]["amount"], given["grant"]["reason"]) == ("MANUAL", "5", "sorry")
    assert value["grant"]["value"] == ["us"]
    assert (wrong["__typename"], wrong["path"]) == ("ValidationError", ["input", "value"])
    assert (plans["__typename"], plans["path"]) == ("ValidationError", ["input", "source"])
    assert taken["grant"]["revokedAt"] is not None
    assert (override["override"]["limit"], override["override"]["removedAt"]) == ("7", None)
    assert removed["override"]["removedAt"] is not None


async def test_an_answer_tells_why_what_contributes_was_given(call: Caller) -> None:
    await catalogue(call)
    await call("createWorkspace", externalId="acme")
    await call("startTrial", workspaceId="acme", planKey="pro")
    await call("grantEntitlement", workspaceId="acme", featureKey="api_calls", amount=5, reason="sorry")
    asked = """{ checkEntitlement(input: {workspaceId: "acme", featureKey: "api_calls"}) {
        entitlement { grants { source reason } } } }"""

    given = (await call.api.data(asked, {}, key=call.key))["checkEntitlement"]["entitlement"]["grants"]
    await call("setOverride", workspaceId="acme", featureKey="api_calls", limit="7", reason="contract 12")
    overridden = (await call.api.data(asked, {}, key=call.key))["checkEntitlement"]["entitlement"]["grants"]

    assert [(each["source"], each["reason"]) for each in given] == [("TRIAL", None), ("MANUAL", "sorry")]
    assert [(each["source"], each["reason"]) for each in overridden] == [
        ("OVERRIDE", "contract 12"),
        ("MANUAL", "sorry"),
    ]


async def test_usage_is_recorded_beyond_the_limit_and_once(call: Caller) -> None:
    await catalogue(call)
    await call("createWorkspace", externalId="acme")
    await call("startTrial", workspaceId="acme", planKey="pro")
    usage = {"workspaceId": "acme", "featureKey": "api_calls"}

    first = await call("recordUsage", **usage, amount="60.5")
    beyond = await call("recordUsage", **usage, amount=50, idempotencyKey="u")
    again = await call("recordUsage", **usage, amount=50, idempotencyKey="u")
    other = await call("recordUsage", **usage, amount=51, idempotencyKey="u")
    negative = await call("recordUsage", **usage, amount=-1)

    assert first["entitlement"]["usage"] == {"used": "60.5", "remaining": "39.5", "overage": "0"}
    assert beyond["entitlement"]["usage"] == {"used": "110.5", "remaining": "0", "overage": "10.5"}
    assert (again["replayed"], again["entitlement"]) == (True, beyond["entitlement"])
    assert other["__typename"] == "IdempotencyConflictError"
    assert negative["__typename"] == "ValidationError"


async def test_keys_are_created_used_and_revoked_with_their_sockets(call: Caller) -> None:
    made = await call("createApiKey", name="reader", scopes=["CATALOG_WRITE"], idempotencyKey="k")
    again = await call("createApiKey", name="reader", scopes=["CATALOG_WRITE"], idempotencyKey="k")
    header = f"Bearer {made['credential']}"
    seen = await call.api.data("{ features { key } }", key=header)

    async with served(call.api.app) as host, socket(host) as ws:
        await greet(ws, header)
        revoked = await call("revokeApiKey", apiKeyId=made["apiKey"]["id"])
        ended = await closed(ws)

    assert seen == {"features": []}
    assert (again["replayed"], again["credential"]) == (True, None)
    assert revoked["apiKey"]["revokedAt"] is not None
    assert ended == 4403
    assert (await call.api.post({"query": "{ features { key } }"}, key=header)).status_code == 401


async def test_resync_asks_the_service_with_our_id(call: Caller) -> None:
    made = await call("createWorkspace", externalId="acme")
    sync = fakes_of(call.api.rt).sync

    whole = await call("resync", scope="ALL", dryRun=True)
    one = await call("resync", scope="WORKSPACE", workspaceId="acme")
    missing = await call("resync", scope="WORKSPACE", workspaceId="nobody")
    without = await call("resync", scope="WORKSPACE")
    both = await call("resync", scope="ALL", workspaceId="acme")

    assert sync.resynced == [(None, True), (made["workspace"]["id"], False)]
    assert whole == {
        "__typename": "ResyncPayload",
        "compared": 0,
        "repaired": 0,
        "dropped": 0,
        "divergent": [],
        "result": {"dryRun": True},
    }
    assert one["__typename"] == "ResyncPayload"
    assert missing["__typename"] == "NotFoundError"
    assert without["__typename"] == both["__typename"] == "ValidationError"


async def test_an_event_is_replayed(call: Caller) -> None:
    inbox = fakes_of(call.api.rt).inbox
    await inbox.accept(
        StripeEvent(
            id="evt_1",
            type="customer.updated",
            occurred_at=NOW,
            received_at=NOW,
            payload="{}",
            status=StripeEventStatus.DEAD,
            object_type="customer",
            object_id="cus_1",
        )
    )

    replayed = await call("replayStripeEvent", eventId="evt_1")
    missing = await call("replayStripeEvent", eventId="evt_2")

    assert replayed["event"]["id"] == "evt_1"
    assert inbox.marked == [("customer", "cus_1")]
    assert missing["__typename"] == "NotFoundError"


async def test_nothing_is_changed_while_loading(call: Caller) -> None:
    call.api.rt.cache.ready = False

    code = await call.api.code(
        'mutation { createWorkspace(input: {idempotencyKey: "k"}) { __typename } }', key=call.key
    )

    assert code == "NOT_READY"
    assert not [page async for page in call.api.rt.store.scan(Kind.WORKSPACE) if page]


async def test_two_mutations_of_one_operation_run_in_order(call: Caller) -> None:
    query = """mutation {
      a: createWorkspace(input: {idempotencyKey: "a", externalId: "acme"}) { __typename }
      b: createWorkspace(input: {idempotencyKey: "b", externalId: "acme"}) { __typename } }"""

    assert await call.api.data(query, key=call.key) == {
        "a": {"__typename": "WorkspacePayload"},
        "b": {"__typename": "ConflictError"},
    }


async def test_an_admin_may_give_what_it_lacks(call: Caller) -> None:
    call.key = call.api.key(Scope.ADMIN, id="key_admin")

    made = await call("createApiKey", name="ops", scopes=["OPERATOR"])

    assert made["apiKey"]["scopes"] == ["OPERATOR"]
