"""Migrations as callers see them: started, listed, found, and who may."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from support.api import Api
from support.records import DAY, NOW, migration, plan, sub, workspace
from support.runtime import put, running

from app.domain.migration import MigrationStatus
from app.services.migrations import pending, step

FIELDS = "id planKey planVersion status total moved skipped progress failure startedAt finishedAt"
START = f"""mutation($key: String!, $plan: String!) {{ migratePlan(input: {{ idempotencyKey: $key, planKey: $plan }}) {{
    __typename ... on MigratePlanPayload {{ replayed migration {{ {FIELDS} }} }}
    ... on UserError {{ code message }} }} }}"""
LIST = """query($first: Int, $after: String) { migrations(first: $first, after: $after) {
    nodes { id } totalCount pageInfo { hasNextPage endCursor } } }"""
SHOW = f"query($id: ID!) {{ migration(id: $id) {{ {FIELDS} }} node(id: $id) {{ __typename id }} }}"


@pytest.fixture
async def api(mongodb_uri: str, database: str) -> AsyncIterator[Api]:
    async with running(mongodb_uri, database) as rt:
        await put(rt, workspace(), plan("pro"), plan("pro", plan_version=2, published_at=NOW - DAY), sub())
        yield Api(rt)


async def started(api: Api, plan: str = "pro", key: str = "k1") -> dict[str, Any]:
    return (await api.data(START, {"key": key, "plan": plan}))["migratePlan"]


async def test_a_migration_is_started_and_followed_to_its_end(api: Api) -> None:
    first = await started(api)
    again = await started(api)
    [running] = await pending(api.rt)
    await step(api.rt, running)

    found = await api.data(SHOW, {"id": first["migration"]["id"]})

    assert first == {
        "__typename": "MigratePlanPayload",
        "replayed": False,
        "migration": {
            "id": running.id,
            "planKey": "pro",
            "planVersion": 2,
            "status": "RUNNING",
            "total": 1,
            "moved": 0,
            "skipped": 0,
            "progress": "0",
            "failure": None,
            "startedAt": "2026-09-21T14:13:20.000Z",
            "finishedAt": None,
        },
    }
    assert again == {**first, "replayed": True}
    assert found["migration"] == {
        **first["migration"],
        "status": "FINISHED",
        "moved": 1,
        "progress": "1",
        "finishedAt": "2026-09-21T14:13:20.000Z",
    }
    assert found["node"] == {"__typename": "CatalogMigration", "id": running.id}


async def test_what_cannot_be_started_is_refused_by_name(api: Api) -> None:
    unknown = await started(api, "gold")
    await started(api)
    twice = await started(api, key="k2")

    assert (unknown["__typename"], unknown["code"]) == ("NotFoundError", "NOT_FOUND")
    assert twice["__typename"] == "ConflictError"
    assert "moves everybody to version 2 of 'pro' already" in twice["message"]


async def test_migrations_are_listed_the_newest_first(api: Api) -> None:
    over = MigrationStatus.SUPERSEDED
    await put(api.rt, *(migration(f"mig_{number}", status=over) for number in range(3)))

    first = (await api.data(LIST, {"first": 2}))["migrations"]
    rest = (await api.data(LIST, {"first": 2, "after": first["pageInfo"]["endCursor"]}))["migrations"]

    assert [node["id"] for node in [*first["nodes"], *rest["nodes"]]] == ["mig_2", "mig_1", "mig_0"]
    assert (first["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasNextPage"], first["totalCount"]) == (True, False, 3)


@pytest.mark.parametrize("id", ["mig_9", "", "x" * 300, "mig_\x00"])
async def test_what_is_no_migration_is_null(api: Api, id: str) -> None:
    assert (await api.data(SHOW, {"id": id}))["migration"] is None
