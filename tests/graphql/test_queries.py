"""Reading everything but entitlements: workspaces, subscriptions, the catalogue, events, nodes; pages; scopes."""

from typing import Any

import pytest
from support.api import Api
from support.records import DAY, NOW, add_on, feature, grant, item, limit, override, plan, sub, workspace

from app.domain.api_key import Scope
from app.domain.plan import PlanFeature
from app.domain.stripe_event import StripeEvent, StripeEventStatus
from app.domain.subscription import SubscriptionStatus
from app.domain.workspace import Address, BillingDetails, TaxId, WorkspaceTrial

WORKSPACES = """query($n: Int, $a: String) { workspaces(first: $n, after: $a) {
    edges { cursor node { id } } nodes { id } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""
EVENTS = """query($s: StripeEventStatus, $n: Int, $a: String) { stripeEvents(status: $s, first: $n, after: $a) {
    nodes { id status payload } totalCount pageInfo { hasNextPage endCursor } } }"""


@pytest.fixture
def api() -> Api:
    api = Api()
    api.put(feature(), plan("pro", limit(), PlanFeature(feature_key="ghost")), workspace(external_id="acme"), sub())
    return api


def event(number: int, status: StripeEventStatus = StripeEventStatus.PROCESSED) -> StripeEvent:
    return StripeEvent(
        id=f"evt_{number}",
        type="customer.updated",
        occurred_at=NOW,
        received_at=NOW + number,
        payload="{}",
        status=status,
    )


async def test_a_workspace_is_found_by_either_id_but_not_by_the_other_name(api: Api) -> None:
    found = await api.data(
        '{ a: workspace(id: "ws_1") { id } b: workspace(externalId: "acme") { id } '
        'c: workspace(id: "acme") { id } d: workspace(externalId: "ws_1") { id } e: workspace(id: "ws_9") { id } }'
    )

    assert found == {"a": {"id": "ws_1"}, "b": {"id": "ws_1"}, "c": None, "d": None, "e": None}


@pytest.mark.parametrize("arguments", ["", '(id: "ws_1", externalId: "acme")', "(id: null)"])
async def test_a_workspace_is_asked_for_by_exactly_one_id(api: Api, arguments: str) -> None:
    assert await api.code(f"{{ workspace{arguments} {{ id }} }}") == "BAD_USER_INPUT"


async def test_a_workspace_tells_all_of_itself(api: Api) -> None:
    billing = BillingDetails(legal_name="Acme", address=Address(country="DE"), tax_ids=(TaxId("eu_vat", "DE1"),))
    trial = WorkspaceTrial(plan_id="plan_pro_1", started_at=NOW - DAY, ends_at=NOW + DAY)
    api.put(workspace(version=2, external_id="acme", metadata={"a.b": "$c"}, billing=billing, trial=trial))

    found = await api.data(
        """{ workspace(id: "ws_1") { version metadata stripeCustomerId archivedAt
          billing { legalName address { country city } taxIds { type value } }
          trial { endsAt plan { key version features { featureKey feature { key } limit } prices { lookupKey } } }
          subscriptions(first: 1) { totalCount nodes { id } pageInfo { hasNextPage } }
          entitlements { workspaceId entitlements { featureKey hasAccess isTrial } } } }"""
    )

    assert found["workspace"] == {
        "version": "2",
        "metadata": {"a.b": "$c"},
        "stripeCustomerId": None,
        "archivedAt": None,
        "billing": {
            "legalName": "Acme",
            "address": {"country": "DE", "city": None},
            "taxIds": [{"type": "eu_vat", "value": "DE1"}],
        },
        "trial": {
            "endsAt": "2026-09-22T14:13:20.000Z",
            "plan": {
                "key": "pro",
                "version": 1,
                "features": [
                    {"featureKey": "api_calls", "feature": {"key": "api_calls"}, "limit": "100"},
                    {"featureKey": "ghost", "feature": None, "limit": None},
                ],
                "prices": [{"lookupKey": "pro_monthly"}],
            },
        },
        "subscriptions": {"totalCount": 1, "nodes": [{"id": "sub_1"}], "pageInfo": {"hasNextPage": False}},
        "entitlements": {
            "workspaceId": "ws_1",
            "entitlements": [{"featureKey": "api_calls", "hasAccess": True, "isTrial": False}],
        },
    }


async def test_a_subscription_tells_its_plans_periods_and_grace(api: Api) -> None:
    api.put(
        sub(
            "sub_1",
            SubscriptionStatus.PAST_DUE,
            item("pro"),
            item("unknown", id="si_2", quantity=3),
            version=2,
            past_due_at=NOW - DAY,
            cancel_at_period_end=True,
        )
    )

    found = await api.data(
        """{ subscription(id: "sub_1") { status plan { key } plans { key } cancelAtPeriodEnd graceEndsAt
          currentPeriodEndAt items { quantity plan { key } } workspace { externalId } version provisional } }"""
    )

    assert found["subscription"] == {
        "status": "PAST_DUE",
        "plan": {"key": "pro"},
        "plans": [{"key": "pro"}],
        "cancelAtPeriodEnd": True,
        "graceEndsAt": "2026-09-27T14:13:20.000Z",
        "currentPeriodEndAt": "2026-10-11T14:13:20.000Z",
        "items": [{"quantity": 1, "plan": {"key": "pro"}}, {"quantity": 3, "plan": None}],
        "workspace": {"externalId": "acme"},
        "version": "2",
        "provisional": False,
    }
    assert (await api.data('{ subscription(id: "sub_9") { id } }'))["subscription"] is None


async def test_pages_follow_each_other_without_gap_or_repeat(api: Api) -> None:
    api.store.records = [workspace(f"ws_{i}") for i in range(1, 6)]
    seen: list[str] = []
    after = None

    for _ in range(10):
        page = (await api.data(WORKSPACES, {"n": 2, "a": after}))["workspaces"]
        seen += [node["id"] for node in page["nodes"]]
        assert page["pageInfo"]["hasPreviousPage"] is (after is not None)
        assert page["pageInfo"]["endCursor"] == page["edges"][-1]["cursor"]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break

    assert seen == ["ws_1", "ws_2", "ws_3", "ws_4", "ws_5"]


async def test_the_total_is_counted_only_when_selected(api: Api) -> None:
    api.store.records = [workspace("ws_1")]
    await api.data(WORKSPACES)
    before = api.store.counted

    total = (await api.data("{ workspaces { totalCount } }"))["workspaces"]["totalCount"]

    assert (before, total, api.store.counted) == (0, 1, 1)


@pytest.mark.parametrize("first", [-1, 101, 10**9])
async def test_page_sizes_have_bounds(api: Api, first: int) -> None:
    assert await api.code(WORKSPACES, {"n": first}) == "BAD_USER_INPUT"


async def test_an_empty_page_is_a_page(api: Api) -> None:
    api.store.records = [workspace("ws_1")]

    page = (await api.data(WORKSPACES, {"n": 0}))["workspaces"]

    assert page["nodes"] == []
    assert page["pageInfo"] == {
        "hasNextPage": True,
        "hasPreviousPage": False,
        "startCursor": None,
        "endCursor": None,
    }


async def test_forged_and_foreign_cursors_are_bad_input(api: Api) -> None:
    api.store.records = [workspace("ws_1"), workspace("ws_2"), sub("sub_1"), sub("sub_2")]
    cursor = (await api.data(WORKSPACES, {"n": 1}))["workspaces"]["pageInfo"]["endCursor"]
    flipped = ("A" if cursor[0] != "A" else "B") + cursor[1:]

    for forged in (flipped, "", "ws_1", "!!!", "é", "A" * 5000, cursor[:-4]):
        assert await api.code(WORKSPACES, {"a": forged}) == "BAD_USER_INPUT", forged
    foreign = "query($a: String) { subscriptions(after: $a) { nodes { id } } }"
    assert await api.code(foreign, {"a": cursor}) == "BAD_USER_INPUT"
    assert "ws_1" not in cursor


async def test_subscriptions_are_filtered_by_workspace_and_status(api: Api) -> None:
    ended = sub("sub_2", SubscriptionStatus.CANCELED)
    api.store.records = [workspace(external_id="acme"), sub(), ended, sub("sub_3", workspace_id="ws_2")]
    query = """query($w: ID, $s: [SubscriptionStatus!]) {
        subscriptions(workspaceId: $w, status: $s) { nodes { id } } }"""

    async def ids(**variables: Any) -> list[str]:
        return [node["id"] for node in (await api.data(query, variables))["subscriptions"]["nodes"]]

    assert await ids() == ["sub_1", "sub_2", "sub_3"]
    assert await ids(w="acme") == ["sub_1", "sub_2"]
    assert await ids(w="ws_1", s=["CANCELED", "UNPAID"]) == ["sub_2"]
    assert await ids(w="nobody") == []


async def test_the_catalogue_shows_latest_versions_and_any_by_number(api: Api) -> None:
    api.put(plan("pro", plan_version=2))

    found = await api.data(
        '{ plans { key version } a: plan(key: "pro") { version } b: plan(key: "pro", version: 1) { version } '
        'c: plan(key: "pro", version: 9) { version } d: plan(key: "x") { version } features { key type meterType } }'
    )

    assert found == {
        "plans": [{"key": "pro", "version": 2}],
        "a": {"version": 2},
        "b": {"version": 1},
        "c": None,
        "d": None,
        "features": [{"key": "api_calls", "type": "METERED", "meterType": "INCREMENTAL"}],
    }


async def test_events_come_newest_first_and_by_status(api: Api) -> None:
    for number in range(3):
        await api.inbox.accept(event(number))
    await api.inbox.accept(event(3, StripeEventStatus.DEAD))

    first = (await api.data(EVENTS, {"n": 2}))["stripeEvents"]
    second = (await api.data(EVENTS, {"n": 2, "a": first["pageInfo"]["endCursor"]}))["stripeEvents"]
    dead = (await api.data(EVENTS, {"s": "DEAD"}))["stripeEvents"]

    assert [node["id"] for node in first["nodes"] + second["nodes"]] == ["evt_3", "evt_2", "evt_1", "evt_0"]
    assert (first["pageInfo"]["hasNextPage"], second["pageInfo"]["hasNextPage"]) == (True, False)
    assert [node["id"] for node in dead["nodes"]] == ["evt_3"]
    assert dead["totalCount"] is None


async def test_the_sync_status_answers_while_loading(api: Api) -> None:
    key = api.key()
    api.rt.cache.ready = False
    api.sync.ready = False

    found = await api.data("{ syncStatus { cache { ready } reconcile { running } stripe { mode } } }", key=key)

    assert found["syncStatus"] == {
        "cache": {"ready": False},
        "reconcile": {"running": False},
        "stripe": {"mode": "OFF"},
    }


NODE = "query($i: ID!) { node(id: $i) { __typename id } }"


@pytest.mark.parametrize(
    ("id", "typename"),
    [
        ("ws_1", "Workspace"),
        ("feat_api_calls", "Feature"),
        ("plan_pro_1", "Plan"),
        ("plan_pack_1", "AddOn"),
        ("sub_1", "Subscription"),
        ("grant_1", "EntitlementGrant"),
        ("ovr_1", "EntitlementOverride"),
        ("key_1", "ApiKey"),
        ("evt_1", "StripeEvent"),
    ],
)
async def test_a_node_is_found_by_its_id(api: Api, id: str, typename: str) -> None:
    api.put(grant(), override(), add_on("pack"))
    await api.inbox.accept(event(1))

    assert (await api.data(NODE, {"i": id}))["node"] == {"__typename": typename, "id": id}
    assert (await api.data(NODE, {"i": f"{id}0"}))["node"] is None


@pytest.mark.parametrize("id", ["", "acme", "nope_1", "_", "ws", "ws_", "\x00"])
async def test_what_is_no_id_of_ours_is_no_node(api: Api, id: str) -> None:
    assert (await api.data(NODE, {"i": id}))["node"] is None


@pytest.mark.parametrize(
    ("id", "scope"), [("evt_1", Scope.OPERATOR), ("key_1", Scope.ADMIN), ("ws_1", Scope.BILLING_READ)]
)
async def test_a_node_needs_its_types_scope_whether_it_exists_or_not(api: Api, id: str, scope: Scope) -> None:
    other = api.key(Scope.USAGE_WRITE, id="key_usage")
    await api.inbox.accept(event(1))

    assert await api.code(NODE, {"i": id}, key=other) == "FORBIDDEN"
    assert await api.code(NODE, {"i": f"{id}0"}, key=other) == "FORBIDDEN"
    assert (await api.data(NODE, {"i": id}, key=api.key(scope)))["node"]["id"] == id


async def test_a_fragment_does_not_open_a_type_that_the_scope_lacks(api: Api) -> None:
    query = 'query { node(id: "x") { ...F } } fragment F on Node { ... on StripeEvent { payload } }'

    assert await api.code(query, key=api.key(Scope.ENTITLEMENTS_READ)) == "FORBIDDEN"


async def test_keys_are_listed_by_id_with_those_that_ended(api: Api) -> None:
    api.key(Scope.OPERATOR, id="key_2", revoked_at=NOW)

    found = await api.data("{ apiKeys { id scopes revokedAt } }", key=api.key(Scope.ADMIN))

    assert [(key["id"], key["scopes"], key["revokedAt"] is None) for key in found["apiKeys"]] == [
        ("key_1", ["ADMIN"], True),
        ("key_2", ["OPERATOR"], False),
    ]
