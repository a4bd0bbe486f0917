"""A backup is restored while the service runs: RAM follows, although it holds newer versions."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymongo
import pytest
from support.service import Api, Service, api, eventually_equal, make_catalogue, make_workspace, running

Dump = dict[str, list[dict[str, Any]]]


@pytest.fixture
def service(mongodb_uri: str, database: str, tmp_path: Path) -> Iterator[Service]:
    with running(mongodb_uri, database, tmp_path / "log") as started:
        yield started


def dump(uri: str, database: str) -> Dump:
    with pymongo.MongoClient[dict[str, Any]](uri) as client:
        return {name: list(client[database][name].find()) for name in client[database].list_collection_names()}


def restore(uri: str, database: str, dumped: Dump) -> None:
    """Do as `mongorestore --drop` does."""
    with pymongo.MongoClient[dict[str, Any]](uri) as client:
        for name, documents in dumped.items():
            client[database].drop_collection(name)
            if documents:
                client[database][name].insert_many(documents)


async def test_what_came_after_the_backup_is_gone(service: Service, mongodb_uri: str, database: str) -> None:
    async with api(service) as client:
        await make_catalogue(client)
        before, after = f"before-{uuid.uuid4().hex}", f"after-{uuid.uuid4().hex}"
        workspace_id = await make_workspace(client, before)
        dumped = dump(mongodb_uri, database)
        await make_workspace(client, after)
        await client.mutate(
            "grantEntitlement",
            "... on GrantPayload { grant { id } }",
            workspaceId=workspace_id,
            featureKey="sso",
            reason="after the backup",
        )
        assert await _answers(client, before, after) == [None, "NO_ACTIVE_SUBSCRIPTION"]

        restore(mongodb_uri, database, dumped)

        async def read() -> list[str | None]:
            return await _answers(client, before, after)

        await eventually_equal(read, ["NO_ACTIVE_SUBSCRIPTION", "WORKSPACE_NOT_FOUND"])


async def _answers(client: Api, *workspaces: str) -> list[str | None]:
    return [(await client.check(workspace, "sso"))["accessDeniedReason"] for workspace in workspaces]
