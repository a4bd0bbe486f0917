"""Listings and counts, on a database in this process: they need neither streams nor transactions."""

from typing import Any

import pytest
from support.mongomock import mock_database
from support.records import DAY, NOW, grant, item, migration, override, sub, workspace

from app.domain.api_key import ApiKey, Scope
from app.domain.change import Kind, Record
from app.domain.migration import MigrationStatus
from app.domain.stripe_facts import CheckoutSessionFacts, InvoiceFacts
from app.domain.stripe_object import StripeObject, StripeSource
from app.domain.subscription import SubscriptionStatus
from app.domain.workspace import WorkspaceTrial
from app.store import queries
from app.store.mapping import to_document

ACTIVE, PAUSED = SubscriptionStatus.ACTIVE, SubscriptionStatus.PAUSED


async def holding(*records: Record) -> Any:
    database = await mock_database()
    for record in records:
        await database[record.KIND.value].insert_one(to_document(record))
    return database


async def ids(cursor: Any) -> list[str]:
    return [raw["_id"] for raw in await cursor.to_list(None)]


def key(id: str, *scopes: Scope, **fields: Any) -> ApiKey:
    return ApiKey(id=id, version=1, incarnation="i", name=id, secret_hash="h", scopes=scopes, **fields)


async def test_workspaces_come_by_ascending_id_and_go_on_after_one() -> None:
    database = await holding(*(workspace(name) for name in ("ws_3", "ws_1", "ws_2")))

    assert await ids(queries.workspaces(database, after=None, limit=2)) == ["ws_1", "ws_2"]
    assert await ids(queries.workspaces(database, after="ws_2", limit=2)) == ["ws_3"]


async def test_archived_workspaces_are_listed_and_deleted_ones_are_not() -> None:
    database = await holding(workspace("ws_1", archived_at=NOW), workspace("ws_2", deleted_at=NOW))

    assert await ids(queries.workspaces(database, after=None, limit=9)) == ["ws_1"]


@pytest.mark.parametrize(
    ("workspace_id", "statuses", "after", "found"),
    [
        pytest.param(None, (), None, ["sub_1", "sub_2", "sub_3"], id="all"),
        pytest.param("ws_1", (), None, ["sub_1", "sub_2"], id="of a workspace"),
        pytest.param(None, (PAUSED,), None, ["sub_2"], id="of a status"),
        pytest.param(None, (ACTIVE, PAUSED), "sub_1", ["sub_2", "sub_3"], id="of statuses, after one"),
        pytest.param("ws_2", (PAUSED,), None, [], id="none"),
    ],
)
async def test_subscriptions_are_filtered(
    workspace_id: str | None, statuses: tuple[SubscriptionStatus, ...], after: str | None, found: list[str]
) -> None:
    database = await holding(
        sub("sub_1"), sub("sub_2", PAUSED), sub("sub_3", workspace_id="ws_2"), sub("sub_4", deleted_at=NOW)
    )

    cursor = queries.subscriptions(database, workspace_id=workspace_id, statuses=statuses, after=after, limit=9)

    assert await ids(cursor) == found


async def test_count_takes_a_value_or_several_and_leaves_out_the_deleted() -> None:
    database = await holding(sub("sub_1"), sub("sub_2", PAUSED), sub("sub_3", deleted_at=NOW))

    assert await queries.count(database, Kind.SUBSCRIPTION, {}) == 2
    assert await queries.count(database, Kind.SUBSCRIPTION, {"status": "paused"}) == 1
    assert await queries.count(database, Kind.SUBSCRIPTION, {"status": ("paused", "active")}) == 2
    assert await queries.count(database, Kind.SUBSCRIPTION, {"workspace_id": "ws_1", "status": "unpaid"}) == 0


async def test_what_is_in_force_lasts_and_is_neither_revoked_nor_removed() -> None:
    database = await holding(
        grant("grant_1"),
        grant("grant_2", effective_at=NOW + DAY, expires_at=NOW + 2 * DAY),
        grant("grant_3", expires_at=NOW),
        grant("grant_4", revoked_at=NOW - DAY),
        grant("grant_5", key="sso"),
        override("ovr_1"),
        override("ovr_2", workspace_id="ws_2", revoked=True, expires_at=NOW + 1),
        override("ovr_3", workspace_id="ws_3", expires_at=NOW),
        override("ovr_4", workspace_id="ws_4", deleted_at=NOW),
    )
    criteria = queries.in_force("api_calls", NOW)

    assert await ids(database[Kind.GRANT.value].find(criteria)) == ["grant_1", "grant_2"]
    assert await ids(database[Kind.OVERRIDE.value].find(criteria)) == ["ovr_1", "ovr_2"]


async def test_a_trial_runs_until_its_end_and_not_in_an_archived_workspace() -> None:
    def trying(id: str, ends_at: int, plan_id: str = "plan_pro_1", **fields: Any) -> Record:
        trial = WorkspaceTrial(plan_id=plan_id, started_at=NOW - DAY, ends_at=ends_at)
        return workspace(id, trial=trial, **fields)

    database = await holding(
        trying("ws_1", NOW + 1),
        trying("ws_2", NOW),
        trying("ws_3", NOW + 1, archived_at=NOW),
        trying("ws_4", NOW + 1, plan_id="plan_pro_2"),
        trying("ws_5", NOW + 1, plan_id="plan_team_1"),
        workspace("ws_6"),
    )

    found = database[Kind.WORKSPACE.value].find(queries.running_trials(["plan_pro_1", "plan_pro_2"], NOW))
    assert await ids(found) == ["ws_1", "ws_4"]


async def test_holders_have_a_price_by_either_name_and_are_not_over() -> None:
    database = await holding(
        sub("sub_1"),
        sub("sub_2", PAUSED, item("team"), item("pack", lookup_key=None)),
        sub("sub_3", SubscriptionStatus.CANCELED),
        sub("sub_4", SubscriptionStatus.INCOMPLETE_EXPIRED),
        sub("sub_5", ACTIVE, item("team")),
        sub("sub_6", deleted_at=NOW),
    )

    found = database[Kind.SUBSCRIPTION.value].find(queries.holders(["pro_monthly", "price_pack"]))
    assert await ids(found) == ["sub_1", "sub_2"]


async def test_earlier_holders_had_a_price_before_an_instant() -> None:
    database = await holding(
        sub("sub_1", ACTIVE, item(price_since_at=NOW - 1)),
        sub("sub_2", ACTIVE, item(price_since_at=NOW)),
        sub("sub_3", SubscriptionStatus.CANCELED, item(price_since_at=NOW - 1)),
        sub("sub_4", PAUSED, item("team", price_since_at=NOW - 1)),
    )

    found = database[Kind.SUBSCRIPTION.value].find(queries.earlier_holders(["pro_monthly"], NOW))
    assert await ids(found) == ["sub_1"]


async def test_migrations_come_the_newest_first_and_by_status() -> None:
    over = MigrationStatus.FINISHED
    database = await holding(
        migration("mig_1"), migration("mig_2", status=over), migration("mig_3"), migration("mig_4", deleted_at=NOW)
    )

    def asked(status: MigrationStatus | None, after: str | None) -> Any:
        return queries.migrations(database, status=status, after=after, limit=2)

    assert await ids(asked(None, None)) == ["mig_3", "mig_2"]
    assert await ids(asked(None, "mig_2")) == ["mig_1"]
    assert await ids(asked(MigrationStatus.RUNNING, None)) == ["mig_3", "mig_1"]


@pytest.mark.parametrize(
    ("keys", "has_one"),
    [
        pytest.param([], False, id="no key"),
        pytest.param([key("key_1", Scope.OPERATOR)], False, id="another scope"),
        pytest.param([key("key_1", Scope.OPERATOR, Scope.ADMIN)], True, id="among scopes"),
        pytest.param([key("key_1", Scope.ADMIN, revoked_at=NOW)], False, id="revoked"),
        pytest.param([key("key_1", Scope.ADMIN, expires_at=1)], True, id="expired"),
    ],
)
async def test_has_admin_key(keys: list[ApiKey], *, has_one: bool) -> None:
    assert await queries.has_admin_key(await holding(*keys)) is has_one


def mirror(id: str, facts: CheckoutSessionFacts | InvoiceFacts, **fields: Any) -> StripeObject:
    known = {"version": 1, "incarnation": "i", "raw": "{}", "source": StripeSource.FETCH}
    kind = "invoice" if isinstance(facts, InvoiceFacts) else "checkout.session"
    return StripeObject(id=id, type=kind, facts=facts, **{**known, **fields})


async def mirrored(criteria: Any, *mirrors: StripeObject) -> list[str]:
    database = await holding(*mirrors)
    return sorted([raw["_id"] async for raw in database[Kind.STRIPE_OBJECT.value].find(criteria)])


async def test_invoices_that_are_owed_are_found_by_subscription() -> None:
    def invoice(id: str, status: str | None, of: str | None = "sub_1", **fields: Any) -> StripeObject:
        return mirror(id, InvoiceFacts(currency="usd", subscription_id=of, status=status), **fields)

    assert await mirrored(
        queries.owed_invoices(["sub_1", "sub_2"]),
        invoice("in_1", "open"),
        invoice("in_2", "uncollectible", "sub_2"),
        invoice("in_3", "paid"),
        invoice("in_4", "void"),
        invoice("in_5", "draft"),
        invoice("in_6", None),
        invoice("in_7", "open", "sub_3"),
        invoice("in_8", "open", None),
        invoice("in_9", "open", gone=True),
    ) == ["in_1", "in_2"]


async def test_checkouts_that_name_a_workspace_are_found_by_customer() -> None:
    def checkout(id: str, customer: str | None = "cus_1", **fields: Any) -> StripeObject:
        known = {"mode": "payment", "status": "complete", "workspace_ref": "acme"}
        return mirror(id, CheckoutSessionFacts(customer_id=customer, **{**known, **fields}))

    assert await mirrored(
        queries.naming_checkouts(["cus_1"]),
        checkout("cs_1"),
        checkout("cs_2", "cus_2"),
        checkout("cs_3", None),
        checkout("cs_4", status="open"),
        checkout("cs_5", workspace_ref=None),
    ) == ["cs_1"]


async def test_the_customers_of_workspaces_are_found() -> None:
    def customer(id: str, owner: str | None, **fields: Any) -> StripeObject:
        known = {"version": 1, "incarnation": "i", "raw": "{}", "source": StripeSource.FETCH, "type": "customer"}
        return StripeObject(id=id, workspace_id=owner, **{**known, **fields})

    assert await mirrored(
        queries.customers_of(["ws_1", "ws_2"]),
        customer("cus_1", "ws_1"),
        customer("cus_2", "ws_2"),
        customer("cus_3", "ws_3"),
        customer("cus_4", None),
        customer("cus_5", "ws_1", gone=True),
        customer("sub_1", "ws_1", type="subscription"),
    ) == ["cus_1", "cus_2"]
