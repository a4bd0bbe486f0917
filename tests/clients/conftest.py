"""One service for a module's tests, with a catalogue and a workspace `acme` that tries the plan `pro`."""

import asyncio
import uuid
from collections.abc import Iterator

import pymongo
import pytest
from support.service import Service, api, make_catalogue, make_workspace, running


async def _fill(service: Service) -> None:
    async with api(service) as client:
        await make_catalogue(client)
        for name in ("acme", "bare"):
            await make_workspace(client, name)
        await client.mutate("startTrial", "... on WorkspacePayload { replayed }", workspaceId="acme", planKey="pro")


@pytest.fixture(scope="module")
def service(mongodb_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    database = f"t_{uuid.uuid4().hex[:16]}"
    with running(mongodb_uri, database, tmp_path_factory.mktemp("service") / "log") as started:
        asyncio.run(_fill(started))
        yield started
    with pymongo.MongoClient(mongodb_uri) as client:
        client.drop_database(database)
