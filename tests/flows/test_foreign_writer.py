"""Another application writes to MongoDB through motor; RAM follows without any call."""

import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from bson.decimal128 import Decimal128
from support.service import Service, api, eventually_equal, make_workspace

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    from motor.motor_asyncio import AsyncIOMotorClient

MANY = 10_000


@pytest.fixture
def foreign(mongodb_uri: str, shared_database: str) -> Iterator[Any]:
    client: Any = AsyncIOMotorClient(mongodb_uri)
    yield client[shared_database]
    client.close()


async def test_an_edited_limit_and_workspace_are_answered(service: Service, foreign: Any, name: str) -> None:
    async with api(service) as client:
        workspace = await make_workspace(client, name)
        await client.mutate(
            "setOverride",
            "... on OverridePayload { override { id } }",
            workspaceId=name,
            featureKey="api_calls",
            limit="5",
        )

        async def limit() -> str | None:
            usage = (await client.check(name, "api_calls"))["usage"]
            return usage and usage["limit"]

        assert await limit() == "5"

        await foreign.overrides.update_one({"workspaceId": workspace}, {"$set": {"limit": Decimal128("77")}})
        await eventually_equal(limit, "77")

        await foreign.workspaces.update_one(
            {"_id": workspace}, {"$set": {"externalId": f"{name}-2"}, "$inc": {"version": 1}}
        )

        async def reason(ref: str) -> str | None:
            return (await client.check(ref, "sso"))["accessDeniedReason"]

        await eventually_equal(lambda: reason(name), "WORKSPACE_NOT_FOUND")
        await eventually_equal(lambda: reason(f"{name}-2"), "NO_ACTIVE_SUBSCRIPTION")


async def test_a_bulk_change_of_ten_thousand_documents(service: Service, foreign: Any) -> None:
    documents = [{"_id": f"ws_{n:05d}", "externalId": f"bulk-{n}", "name": "before"} for n in range(MANY)]
    async with api(service) as client:

        async def held() -> int:
            return (await client.query("{ syncStatus { cache { workspaces } } }"))["syncStatus"]["cache"]["workspaces"]

        before = await held()
        await foreign.workspaces.insert_many(documents)
        await foreign.workspaces.update_many({"name": "before"}, {"$set": {"name": "after"}})
        asked = " ".join(f'w{n}: workspace(externalId: "bulk-{n}") {{ name }}' for n in range(0, MANY, 500))

        async def names() -> set[str | None]:
            found = await client.query(f"{{ {asked} }}")
            return {entry and entry["name"] for entry in found.values()}

        await eventually_equal(held, before + MANY)  # before asking: a miss would bring what it asks for
        await eventually_equal(names, {"after"})


async def test_a_document_that_cannot_be_read_keeps_its_last_good_state_and_is_named(
    service: Service, foreign: Any, name: str
) -> None:
    async with api(service) as client:
        workspace = await make_workspace(client, name)
        await foreign.workspaces.update_one({"_id": workspace}, {"$set": {"name": {"not": "a name"}}})

        async def malformed() -> int:
            status = await client.query("{ syncStatus { cache { malformed } } }")
            return len([name for name in status["syncStatus"]["cache"]["malformed"] if workspace in name])

        async def called() -> str:
            document = "query($id: String!) { workspace(externalId: $id) { name } }"
            return (await client.query(document, id=name))["workspace"]["name"]

        await eventually_equal(malformed, 1)
        assert await called() == name

        await foreign.workspaces.update_one({"_id": workspace}, {"$set": {"name": "better"}})

        await eventually_equal(malformed, 0)
        assert await called() == "better"
