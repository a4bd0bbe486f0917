"""Listings and counts, on a database in this process: they need neither streams nor transactions."""

from typing import Any

import pytest
from support.mongomock import mock_database
from support.records import NOW, sub, workspace

from app.domain.api_key import ApiKey, Scope
from app.domain.change import Kind, Record
from app.domain.subscription import SubscriptionStatus
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
