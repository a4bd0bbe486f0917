"""Plans, add-ons, credits and what archiving does to them, as a caller sees it."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from support.api import Api
from support.records import DAY, NOW, add_on, feature, grant, item, limit, plan, sub, workspace
from support.runtime import put, running

from app.domain.grant import GrantSource
from app.domain.plan import FeatureType, PlanFeature, PlanStatus, ResetPeriod
from app.domain.subscription import SubscriptionStatus

CREDITS = feature("credits", FeatureType.CREDIT)
EXPORTS = feature("exports", FeatureType.CREDIT, credit_key="credits", cost=Decimal("2.5"))
ACTIVE = SubscriptionStatus.ACTIVE


@pytest.fixture
def api() -> Api:
    api = Api()
    calls = PlanFeature(
        feature_key="api_calls",
        limit=Decimal(100),
        reset_period=ResetPeriod.MONTH,
        rollover_max=Decimal(20),
        thresholds=(80, 100),
    )
    api.put(
        feature(),
        CREDITS,
        EXPORTS,
        feature("old", archived_at=NOW),
        plan("pro", calls),
        plan("gone", status=PlanStatus.ARCHIVED),
        plan("free", prices=(), is_default=True),
        add_on("pack", limit(amount=10), max_quantity=5),
        add_on("pack_gone", status=PlanStatus.ARCHIVED),
        workspace(),
    )
    return api


async def test_plans_and_add_ons_are_listed_apart_and_by_status(api: Api) -> None:
    found = await api.data(
        """{ plans { key isDefault } gone: plans(status: ARCHIVED) { key } all: plans(status: null) { key }
          addOns { key } goneAddOns: addOns(status: ARCHIVED) { key } }"""
    )

    assert found == {
        "plans": [{"key": "free", "isDefault": True}, {"key": "pro", "isDefault": False}],
        "gone": [{"key": "gone"}],
        "all": [{"key": "free"}, {"key": "gone"}, {"key": "pro"}],
        "addOns": [{"key": "pack"}],
        "goneAddOns": [{"key": "pack_gone"}],
    }


async def test_a_plan_is_no_add_on_and_an_add_on_no_plan(api: Api) -> None:
    found = await api.data(
        """{ a: plan(key: "pack") { id } b: addOn(key: "pro") { id } c: addOn(key: "pack", version: 2) { id }
          d: addOn(key: "pack", version: 1) { id version status maxQuantity prices { lookupKey }
            features { featureKey limit rolloverMax thresholds } } }"""
    )

    assert found == {
        "a": None,
        "b": None,
        "c": None,
        "d": {
            "id": "plan_pack_1",
            "version": 1,
            "status": "ACTIVE",
            "maxQuantity": 5,
            "prices": [{"lookupKey": "pack_monthly"}],
            "features": [{"featureKey": "api_calls", "limit": "10", "rolloverMax": None, "thresholds": []}],
        },
    }


async def test_features_tell_costs_credit_types_and_archiving(api: Api) -> None:
    features = (await api.data("{ features { key type cost archivedAt creditType { key cost } } }"))["features"]

    by_key = {found.pop("key"): found for found in features}
    assert by_key["exports"] == {
        "type": "CREDIT",
        "cost": "2.5",
        "archivedAt": None,
        "creditType": {"key": "credits", "cost": None},
    }
    assert by_key["credits"] == {"type": "CREDIT", "cost": None, "archivedAt": None, "creditType": None}
    assert by_key["old"]["archivedAt"] == "2026-09-21T14:13:20.000Z"


async def test_rows_tell_rollover_and_thresholds(api: Api) -> None:
    found = await api.data('{ plan(key: "pro") { features { rolloverMax thresholds } } }')

    assert found["plan"]["features"] == [{"rolloverMax": "20", "thresholds": [80, 100]}]


async def test_a_subscription_tells_its_plan_from_its_add_ons(api: Api) -> None:
    yearly = item("pack", id="si_2", price_id="price_yearly", quantity=2)
    api.put(sub("sub_1", ACTIVE, item("pack", quantity=3), yearly, item("pro"), item("nothing")))

    found = await api.data(
        """{ subscription(id: "sub_1") { plan { key } plans { key } addOns { quantity addOn { key version } }
          items { plan { key } addOn { key } } } }"""
    )

    assert found["subscription"] == {
        "plan": {"key": "pro"},
        "plans": [{"key": "pro"}],
        "addOns": [{"quantity": 5, "addOn": {"key": "pack", "version": 1}}],
        "items": [
            {"plan": None, "addOn": {"key": "pack"}},
            {"plan": None, "addOn": {"key": "pack"}},
            {"plan": {"key": "pro"}, "addOn": None},
            {"plan": None, "addOn": None},
        ],
    }


async def test_an_answer_tells_what_is_left_of_each_grant(api: Api) -> None:
    top_up = grant("grant_1", source=GrantSource.TOP_UP, amount=Decimal(50), priority=10)
    daily = grant("grant_2", amount=Decimal(5), reset_period=ResetPeriod.DAY, effective_at=NOW - DAY // 2)
    api.put(sub(), top_up, daily)

    found = await api.data(
        """{ checkEntitlement(input: {workspaceId: "ws_1", featureKey: "api_calls", requestedUsage: 175}) {
          entitlement { hasAccess usage { limit remaining reserved }
            grants { source amount remaining priority resetPeriod resetsAt } } }
          grant: node(id: "grant_1") { ... on EntitlementGrant { source amount remaining priority resetPeriod } } }"""
    )

    answer = found["checkEntitlement"]["entitlement"]
    assert (answer["hasAccess"], answer["usage"]) == (True, {"limit": "175", "remaining": "175", "reserved": "0"})
    assert answer["grants"] == [
        {
            "source": "PLAN",
            "amount": "100",
            "remaining": None,
            "priority": None,
            "resetPeriod": "MONTH",
            "resetsAt": None,
        },
        {
            "source": "TOP_UP",
            "amount": "50",
            "remaining": "50",
            "priority": 10,
            "resetPeriod": "NEVER",
            "resetsAt": None,
        },
        {
            "source": "PROMOTIONAL",
            "amount": "5",
            "remaining": "5",
            "priority": 100,
            "resetPeriod": "DAY",
            "resetsAt": "2026-09-22T02:13:20.000Z",
        },
        {
            "source": "ROLLOVER",
            "amount": "20",
            "remaining": "20",
            "priority": 100,
            "resetPeriod": "NEVER",
            "resetsAt": None,
        },
    ]
    assert found["grant"] == {
        "source": "TOP_UP",
        "amount": "50",
        "remaining": None,
        "priority": 10,
        "resetPeriod": "NEVER",
    }


async def test_too_few_credits_are_a_reason_of_their_own(api: Api) -> None:
    api.put(grant(key="credits", amount=Decimal(10)))
    query = """query($n: Decimal) { checkEntitlement(input: {workspaceId: "ws_1", featureKey: "exports",
      requestedUsage: $n}) { entitlement { hasAccess accessDeniedReason } } }"""

    enough = (await api.data(query, {"n": "4"}))["checkEntitlement"]["entitlement"]
    short = (await api.data(query, {"n": "5"}))["checkEntitlement"]["entitlement"]

    assert enough == {"hasAccess": True, "accessDeniedReason": None}
    assert short == {"hasAccess": False, "accessDeniedReason": "INSUFFICIENT_CREDITS"}
    assert await api.code(query, {"n": "-1"}) == "BAD_USER_INPUT"


FEATURE = "... on FeaturePayload { replayed feature { key type merge cost archivedAt creditType { key } } }"
PLAN = "... on PlanPayload { replayed plan { key version status isDefault features { rolloverMax thresholds } } }"
ADD_ON = "... on AddOnPayload { replayed addOn { key version status maxQuantity } }"
REFUSALS = """... on ValidationError { fields { path code } } ... on ConflictError { message }
  ... on NotFoundError { resource id }"""


class Caller:
    """Sends mutations with fresh idempotency keys."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.count = 0

    async def __call__(self, name: str, selection: str, /, **fields: Any) -> dict[str, Any]:
        self.count += 1
        query = f"""mutation($i: {name[0].upper()}{name[1:]}Input!) {{ {name}(input: $i) {{ __typename
            {selection} {REFUSALS} }} }}"""
        return (await self.api.data(query, {"i": {"idempotencyKey": f"k{self.count}", **fields}}))[name]


@pytest.fixture
async def call(mongodb_uri: str, database: str) -> AsyncIterator[Caller]:
    async with running(mongodb_uri, database) as rt:
        await put(rt, workspace(), CREDITS, EXPORTS, feature(), plan("pro", limit(), version=1))
        yield Caller(Api(rt))


async def test_a_feature_with_a_cost_draws_on_a_credit_type(call: Caller) -> None:
    made = await call("createFeature", FEATURE, key="mails", name="Mails", type="CREDIT", creditKey="credits", cost="1")
    refused = await call("createFeature", FEATURE, key="x", name="X", type="CREDIT", creditKey="exports")

    assert made["feature"] == {
        "key": "mails",
        "type": "CREDIT",
        "merge": "SUM",
        "cost": "1",
        "archivedAt": None,
        "creditType": {"key": "credits"},
    }
    assert {(".".join(field["path"]), field["code"]) for field in refused["fields"]} == {
        ("input.creditKey", "NOT_ALLOWED"),
        ("input.cost", "REQUIRED"),
    }


async def test_a_plan_is_published_with_all_it_says(call: Caller) -> None:
    row = {"featureKey": "credits", "limit": "10", "resetPeriod": "MONTH", "rolloverMax": "5", "thresholds": [50, 90]}

    made = await call("createPlan", PLAN, key="free", name="Free", features=[row], isDefault=True)

    assert made["plan"] == {
        "key": "free",
        "version": 1,
        "status": "ACTIVE",
        "isDefault": True,
        "features": [{"rolloverMax": "5", "thresholds": [50, 90]}],
    }


async def test_an_add_on_is_published_archived_and_offered_again(call: Caller) -> None:
    new = {"key": "pack", "name": "Pack", "prices": [{"lookupKey": "pack_monthly"}], "maxQuantity": 3}

    made = await call("createAddOn", ADD_ON, **new)
    archived = await call("archiveAddOn", ADD_ON, addOnKey="pack")
    again = await call("archiveAddOn", ADD_ON, addOnKey="pack")
    revived = await call("createAddOn", ADD_ON, **new)
    as_plan = await call("archivePlan", PLAN, planKey="pack")

    assert made["addOn"] == {"key": "pack", "version": 1, "status": "ACTIVE", "maxQuantity": 3}
    assert archived["addOn"] == {**made["addOn"], "status": "ARCHIVED"}
    assert again == archived
    assert revived["addOn"] == {**made["addOn"], "version": 2}
    assert as_plan == {"__typename": "NotFoundError", "resource": "plan", "id": "pack"}


async def test_what_is_in_use_is_not_archived_and_the_refusal_says_by_what(call: Caller) -> None:
    await call("startTrial", "... on WorkspacePayload { replayed }", workspaceId="ws_1", planKey="pro")

    tried = await call("archivePlan", PLAN, planKey="pro")
    named = await call("archiveFeature", FEATURE, featureKey="credits")

    assert (tried["__typename"], named["__typename"]) == ("ConflictError", "ConflictError")
    assert "in use by 1 running trial (ws_1)" in tried["message"]
    assert "in use by 1 drawing feature (exports)" in named["message"]


async def test_an_archived_feature_can_be_named_no_more(call: Caller) -> None:
    archived = await call("archiveFeature", FEATURE, featureKey="exports")
    grant = await call("grantEntitlement", "... on GrantPayload { replayed }", workspaceId="ws_1", featureKey="exports")

    assert archived["feature"]["archivedAt"] == "2026-09-21T14:13:20.000Z"
    assert {field["code"] for field in grant["fields"]} == {"ARCHIVED", "NOT_ALLOWED"}


async def test_a_trial_is_of_a_plan_that_is_offered(call: Caller) -> None:
    trial = "... on WorkspacePayload { replayed }"
    await call("createAddOn", ADD_ON, key="pack", name="Pack")
    await call("createPlan", PLAN, key="team", name="Team", prices=[])
    await call("archivePlan", PLAN, planKey="team")

    of_add_on = await call("startTrial", trial, workspaceId="ws_1", planKey="pack")
    of_archived = await call("startTrial", trial, workspaceId="ws_1", planKey="team")

    assert of_add_on["fields"] == [{"path": ["input", "planKey"], "code": "NOT_ALLOWED"}]
    assert of_archived["__typename"] == "ConflictError"


async def test_a_top_up_has_a_priority_and_a_period(call: Caller) -> None:
    selection = "... on GrantPayload { replayed grant { source amount priority resetPeriod } }"
    asked = {"workspaceId": "ws_1", "featureKey": "credits", "amount": "50", "priority": 5, "resetPeriod": "WEEK"}

    given = await call("grantEntitlement", selection, source="TOP_UP", **asked)
    refused = await call("grantEntitlement", selection, source="ROLLOVER", **{**asked, "priority": 1001})

    assert given["grant"] == {"source": "TOP_UP", "amount": "50", "priority": 5, "resetPeriod": "WEEK"}
    assert {(".".join(field["path"]), field["code"]) for field in refused["fields"]} == {
        ("input.source", "NOT_ALLOWED"),
        ("input.priority", "OUT_OF_RANGE"),
    }
