"""Checks and entitlement sets over HTTP."""

import asyncio

import pytest
from support.api import Api
from support.records import NOW, feature, item, limit, plan, sub, workspace

from app.domain.api_key import Scope
from app.domain.plan import FeatureType, MeterType, PlanFeature, PlanKind, ValueType
from app.domain.subscription import SubscriptionStatus

CHECK = """query($w: ID!, $f: String!, $u: Decimal, $v: [String!]) {
  checkEntitlement(input: {workspaceId: $w, featureKey: $f, requestedUsage: $u, requestedValues: $v}) {
    entitlement { featureKey hasAccess accessDeniedReason value validUntil isTrial inGrace readOnly limitBehavior
      feature { id key type } usage { used limit remaining overage periodStart resetsAt }
      grants { id source sourceId amount } } } }"""
SET = """query($w: ID!, $k: [String!]) { entitlements(workspaceId: $w, featureKeys: $k) {
    workspaceId version accessDeniedReason entitlements { featureKey hasAccess accessDeniedReason } } }"""


@pytest.fixture
def api() -> Api:
    api = Api()
    api.put(feature(), feature("sso", FeatureType.BOOLEAN), feature("seats", meter_type=MeterType.FLUCTUATING))
    api.put(plan("pro", limit(), PlanFeature(feature_key="sso"), limit("seats")))
    api.put(workspace(external_id="acme"), sub())
    return api


async def check(api: Api, w: str = "ws_1", f: str = "api_calls", **variables: object) -> dict:
    return (await api.data(CHECK, {"w": w, "f": f, **variables}))["checkEntitlement"]["entitlement"]


async def test_a_held_workspace_is_answered_without_the_store(api: Api) -> None:
    answer = await check(api, f="api_calls", u="100")

    assert answer["hasAccess"] is True
    assert answer["accessDeniedReason"] is None
    assert answer["usage"] == {
        "used": "0",
        "limit": "100",
        "remaining": "100",
        "overage": "0",
        "periodStart": "2026-09-12T14:13:20.000Z",
        "resetsAt": "2026-10-12T14:13:20.000Z",
    }
    assert answer["validUntil"] == answer["usage"]["resetsAt"]
    assert answer["feature"] == {"id": "feat_api_calls", "key": "api_calls", "type": "METERED"}
    assert answer["grants"] == [{"id": "sub_1:api_calls", "source": "PLAN", "sourceId": "sub_1", "amount": "100"}]
    assert api.store.reads == 0


async def test_beyond_the_limit_is_denied(api: Api) -> None:
    answer = await check(api, u=101)

    assert (answer["hasAccess"], answer["accessDeniedReason"]) == (False, "USAGE_LIMIT_EXCEEDED")


async def test_the_external_id_serves_as_well(api: Api) -> None:
    assert (await check(api, "acme"))["hasAccess"] is True


@pytest.mark.parametrize(
    ("workspace_id", "feature_key", "reason"),
    [
        pytest.param("nobody", "api_calls", "WORKSPACE_NOT_FOUND", id="workspace"),
        pytest.param("", "api_calls", "WORKSPACE_NOT_FOUND", id="empty"),
        pytest.param("a\x00b", "api_calls", "WORKSPACE_NOT_FOUND", id="nul"),
        pytest.param("x" * 5000, "api_calls", "WORKSPACE_NOT_FOUND", id="long"),
        pytest.param("ws_1", "nothing", "FEATURE_NOT_FOUND", id="feature"),
        pytest.param("ws_1", "", "FEATURE_NOT_FOUND", id="empty-feature"),
    ],
)
async def test_what_is_unknown_is_a_reason(api: Api, workspace_id: str, feature_key: str, reason: str) -> None:
    answer = await check(api, workspace_id, feature_key)

    assert (answer["hasAccess"], answer["accessDeniedReason"]) == (False, reason)


async def test_while_loading_the_state_is_unknown_and_nothing_is_read(api: Api) -> None:
    key = api.key()
    api.rt.cache.ready = False

    answer = await check(api)
    whole = (await api.data(SET, {"w": "ws_1", "k": ["sso"]}))["entitlements"]

    assert answer["accessDeniedReason"] == "STATE_UNKNOWN"
    assert whole["accessDeniedReason"] == "STATE_UNKNOWN"
    assert whole["entitlements"][0]["accessDeniedReason"] == "STATE_UNKNOWN"
    assert await api.code("{ plans { id } }", key=key) == "NOT_READY"
    assert api.store.reads == 0


async def test_a_miss_with_the_database_down_is_unknown_while_held_ones_answer(api: Api) -> None:
    api.store.down = True

    missed, held = await check(api, "ws_other"), await check(api)

    assert missed["accessDeniedReason"] == "STATE_UNKNOWN"
    assert held["hasAccess"] is True
    assert (await api.data(SET, {"w": "ws_other"}))["entitlements"]["accessDeniedReason"] == "STATE_UNKNOWN"


async def test_a_miss_is_read_once_however_many_ask(api: Api) -> None:
    api.store.records = [workspace("ws_2", external_id="late"), sub("sub_2", workspace_id="ws_2")]

    answers = await asyncio.gather(*(check(api, "late") for _ in range(5)))

    assert all(answer["hasAccess"] for answer in answers)
    assert api.store.reads == 1


@pytest.mark.parametrize("value", ["-1", -1, "-0.5"])
async def test_a_negative_amount_of_what_only_counts_up_is_bad_input(api: Api, value: object) -> None:
    assert await api.code(CHECK, {"w": "ws_1", "f": "api_calls", "u": value}) == "BAD_USER_INPUT"


async def test_seats_may_be_freed(api: Api) -> None:
    assert (await check(api, f="seats", u=-1))["hasAccess"] is True


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999", "1e-999", 1.5, True, "9" * 31, "", "0x1", "١٢"])
async def test_amounts_that_are_no_decimals_are_bad_input(api: Api, value: object) -> None:
    assert await api.code(CHECK, {"w": "ws_1", "f": "api_calls", "u": value}) == "BAD_USER_INPUT"


async def test_config_values_keep_their_types(api: Api) -> None:
    api.put(
        feature("regions", FeatureType.CONFIG, value_type=ValueType.ENUM, enum_values=("eu", "us")),
        feature("depth", FeatureType.CONFIG, value_type=ValueType.INTEGER),
        plan(
            "max",
            PlanFeature(feature_key="regions", value=("eu",)),
            PlanFeature(feature_key="depth", value=2**40),
        ),
        workspace("ws_2"),
        sub("sub_2", SubscriptionStatus.ACTIVE, item("max"), workspace_id="ws_2"),
    )

    assert (await check(api, "ws_2", "regions", v=["eu"]))["value"] == ["eu"]
    assert (await check(api, "ws_2", "regions", v=["us"]))["accessDeniedReason"] == "REQUESTED_VALUE_NOT_ALLOWED"
    assert (await check(api, "ws_2", "depth"))["value"] == 2**40


MANY = """query($i: [CheckInput!]!) { checkEntitlements(inputs: $i) {
    entitlement { featureKey hasAccess accessDeniedReason } } }"""


async def test_many_checks_answer_in_the_order_of_the_inputs(api: Api) -> None:
    api.store.records = [workspace("ws_2"), sub("sub_2", workspace_id="ws_2")]
    pairs = [("ws_1", "sso"), ("ws_2", "api_calls"), ("gone", "sso"), ("acme", "nope"), ("ws_1", "sso")]

    found = await api.data(MANY, {"i": [{"workspaceId": w, "featureKey": f} for w, f in pairs]})

    answers = [decision["entitlement"] for decision in found["checkEntitlements"]]
    assert [a["featureKey"] for a in answers] == [f for _, f in pairs]
    assert [a["accessDeniedReason"] for a in answers] == [
        None,
        None,
        "WORKSPACE_NOT_FOUND",
        "FEATURE_NOT_FOUND",
        None,
    ]


async def test_a_thousand_checks_are_answered_and_one_more_is_refused(api: Api) -> None:
    inputs = [{"workspaceId": "ws_1", "featureKey": "sso"}] * 1000

    assert len((await api.data(MANY, {"i": inputs}))["checkEntitlements"]) == 1000
    assert await api.code(MANY, {"i": [*inputs, inputs[0]]}) == "BAD_USER_INPUT"
    assert (await api.data(MANY, {"i": []}))["checkEntitlements"] == []


async def test_the_set_has_every_feature_by_key_or_those_named(api: Api) -> None:
    whole = (await api.data(SET, {"w": "acme"}))["entitlements"]
    named = (await api.data(SET, {"w": "ws_1", "k": ["sso", "nope", "sso"]}))["entitlements"]

    assert whole["workspaceId"] == "ws_1"
    assert [e["featureKey"] for e in whole["entitlements"]] == ["api_calls", "seats", "sso"]
    assert [e["accessDeniedReason"] for e in named["entitlements"]] == [None, "FEATURE_NOT_FOUND"]
    assert whole["version"] == "2"


async def test_the_set_of_an_unknown_and_of_an_archived_workspace_says_so(api: Api) -> None:
    api.put(workspace("ws_2", archived_at=NOW))

    unknown = (await api.data(SET, {"w": "nobody"}))["entitlements"]
    archived = (await api.data(SET, {"w": "ws_2"}))["entitlements"]

    assert unknown == {
        "workspaceId": "nobody",
        "version": "0",
        "accessDeniedReason": "WORKSPACE_NOT_FOUND",
        "entitlements": [],
    }
    assert archived["accessDeniedReason"] == "WORKSPACE_ARCHIVED"
    assert {e["accessDeniedReason"] for e in archived["entitlements"]} == {"WORKSPACE_ARCHIVED"}


async def test_a_deleted_subscription_no_longer_counts(api: Api) -> None:
    api.put(sub(version=2, deleted_at=NOW))

    assert (await check(api, f="sso"))["accessDeniedReason"] == "NO_ACTIVE_SUBSCRIPTION"


async def test_usage_keys_may_not_check(api: Api) -> None:
    answer = await api.post(
        {"query": CHECK, "variables": {"w": "ws_1", "f": "sso"}}, key=api.key(Scope.USAGE_WRITE, id="key_2")
    )

    assert answer.status_code == 403
    assert answer.json()["errors"][0]["extensions"]["code"] == "FORBIDDEN"


WHY = """query($w: ID!, $f: String!, $u: Decimal) {
  checkEntitlement(input: {workspaceId: $w, featureKey: $f, requestedUsage: $u}) {
    entitlement { accessDeniedReason }
    explanation { rule input outcome decisive }
    remedies { kind plan { key } addOn { key } quantity at subscriptionId } } }"""


async def test_a_denial_says_why_and_what_to_do(api: Api) -> None:
    api.put(plan("max", limit(amount=500)), plan("more", limit(amount=10), kind=PlanKind.ADD_ON))

    found = (await api.data(WHY, {"w": "acme", "f": "api_calls", "u": "120"}))["checkEntitlement"]

    assert [(step["rule"], step["outcome"]) for step in found["explanation"]][-1] == (
        "WITHIN_LIMITS",
        found["entitlement"]["accessDeniedReason"],
    )
    assert [step["decisive"] for step in found["explanation"]].count(True) == 1
    nothing = {"plan": None, "addOn": None, "quantity": None, "at": None, "subscriptionId": None}
    assert found["remedies"] == [
        {**nothing, "kind": "PLAN", "plan": {"key": "max"}},
        {**nothing, "kind": "ADD_ON", "addOn": {"key": "more"}, "quantity": "2"},
        {**nothing, "kind": "TOP_UP", "quantity": "20"},
    ]


async def test_access_has_an_explanation_and_needs_no_remedy(api: Api) -> None:
    found = (await api.data(WHY, {"w": "acme", "f": "api_calls"}))["checkEntitlement"]

    assert found["explanation"][-1]["outcome"] == "PASSED"
    assert found["remedies"] == []


async def test_what_is_unknown_has_neither(api: Api) -> None:
    api.rt.cache.ready = False

    found = (await api.data(WHY, {"w": "acme", "f": "api_calls"}))["checkEntitlement"]

    assert (found["explanation"], found["remedies"]) == ([], [])
