"""The role in MongoDB that RUNBOOK names: enough for all that the service does, and nothing to spare."""

import json
import re
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pymongo
import pytest
from pymongo.errors import OperationFailure
from support.clock import FrozenClock
from support.service import (
    COMMAND,
    ROOT,
    Service,
    api,
    eventually,
    eventually_equal,
    make_catalogue,
    make_workspace,
    running,
)
from support.stripe_account import SECRET, deliver

from app.domain.change import Kind
from app.sandbox.mongod import EmbeddedMongod
from app.store import probe
from app.store.inbox import MongoInbox
from app.store.mongo import Mongo, RefusedError, Retention
from app.store.watch import StreamPausedError, Watch

Raw = dict[str, Any]

RUNBOOK = (ROOT / "RUNBOOK.md").read_text()
ROLE: Raw = json.loads(re.findall(r"db\.createRole\((\{.*?\n\})\)", RUNBOOK, re.DOTALL)[0])
ACTIONS: list[str] = ROLE["privileges"][0]["actions"]
PASSWORD = "open-sesame"
EVENT: Raw = {
    "id": "evt_runbook",
    "object": "event",
    "type": "customer.created",
    "created": 1_790_000_000,
    "livemode": False,
    "api_version": "2025-06-30.basil",
    "data": {"object": {"id": "cus_runbook", "object": "customer", "metadata": {}, "livemode": False}},
}


class Secured:
    """A MongoDB that asks who you are. `root` may do everything."""

    def __init__(self, address: str) -> None:
        self.address = address
        with pymongo.MongoClient[Raw](f"mongodb://{address}") as nobody:  # it lets the first user be made from here
            nobody.admin.command("createUser", "root", pwd=PASSWORD, roles=["root"])
        self.root = pymongo.MongoClient[Raw](self.uri("root", "admin"))

    def uri(self, user: str, database: str) -> str:
        return f"mongodb://{user}:{PASSWORD}@{self.address}&authSource={database}"

    def grant(self, database: str, actions: list[str]) -> str:
        """Make the runbook's role with these actions in a database, and a user of it; return the user's address."""
        resource = {**ROLE["privileges"][0]["resource"], "db": database}
        privileges = [{"resource": resource, "actions": actions}]
        self.root[database].command("createRole", ROLE["role"], privileges=privileges, roles=ROLE["roles"])
        self.root[database].command("createUser", "entitled", pwd=PASSWORD, roles=[ROLE["role"]])
        return self.uri("entitled", database)


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    directory = tmp_path_factory.mktemp("secured")
    key_file = directory / "key"
    key_file.write_text(uuid.uuid4().hex)
    key_file.chmod(0o600)
    mongod = EmbeddedMongod.start(directory / "mongod", extra_args=["--keyFile", str(key_file)])
    server = Secured(mongod.uri.removeprefix("mongodb://"))
    yield server
    server.root.close()
    mongod.stop()


@pytest.fixture
def name() -> str:
    """Give the name of a database."""
    return f"t_{uuid.uuid4().hex[:16]}"


def test_the_role_is_for_the_default_database_and_for_nothing_else() -> None:
    assert [privilege["resource"] for privilege in ROLE["privileges"]] == [{"db": "entitled", "collection": ""}]
    assert ROLE["roles"] == []


async def exercise(uri: str, database: str) -> None:
    """Do whatever needs an action of its own; raises as soon as one is refused."""
    mongo = Mongo(uri, database)
    try:
        await mongo.open()
        await mongo.open(retention=Retention(audit_s=1000))
        await probe.write(mongo)
        await MongoInbox(mongo, FrozenClock()).mark("customer", "cus_1")
        await (await Watch.open(mongo.stream_client(), database, list(Kind))).close()
    finally:
        await mongo.close()


async def test_the_role_is_enough(secured: Secured, name: str) -> None:
    await exercise(secured.grant(name, ACTIONS), name)


@pytest.mark.parametrize("action", ACTIONS)
async def test_no_action_of_the_role_is_too_much(secured: Secured, name: str, action: str) -> None:
    uri = secured.grant(name, [other for other in ACTIONS if other != action])

    with pytest.raises((RefusedError, StreamPausedError, OperationFailure), match="not authorized"):
        await exercise(uri, name)


async def test_the_service_does_all_its_work_under_the_role(secured: Secured, name: str, tmp_path: Path) -> None:
    uri = secured.grant(name, ACTIONS)
    with running(uri, name, tmp_path / "log", STRIPE_WEBHOOK_SECRET=SECRET) as service:
        async with api(service) as client:
            await make_catalogue(client)
            await make_workspace(client, "acme")
            await client.mutate(
                "grantEntitlement",
                "... on GrantPayload { grant { id } }",
                workspaceId="acme",
                featureKey="api_calls",
                amount="10",
            )
            used = {"featureKey": "api_calls", "amount": "3"}
            await client.mutate("recordUsage", "... on RecordUsagePayload { replayed }", workspaceId="acme", **used)
            await client.mutate("reserve", "... on ReservationPayload { replayed }", workspaceId="acme", lines=[used])
            assert (await client.check("acme", "api_calls"))["usage"]["used"] == "3"
            assert await deliver(client.client, service, EVENT) == httpx.codes.OK
            by_another = {"$set": {"externalId": "renamed"}, "$inc": {"version": 1}}
            secured.root[name].workspaces.update_one({"externalId": "acme"}, by_another)

            async def settled() -> tuple[str | None, bool]:
                event = secured.root[name].stripe_events.find_one({"_id": EVENT["id"]})
                answer = await client.check("renamed", "api_calls", "1")
                return event and event["status"], answer["hasAccess"]

            await eventually_equal(settled, ("PROCESSED", True))

        assert _resync(service) == {"repaired": 0, "dropped": 0, "divergent": []}
        assert "not authorized" not in service.log.read_text()


def _resync(service: Service) -> Raw:
    environment = {**service.environment, "ENTITLED_URL": f"{service.url}/graphql", "ENTITLED_API_KEY": service.key}
    ran = subprocess.run([COMMAND, "resync", "--json"], env=environment, capture_output=True, check=True, text=True)
    found = json.loads(ran.stdout)
    assert found.pop("compared") > 0
    return found


def test_doctor_finds_nothing_to_mend_under_the_role(secured: Secured, name: str) -> None:
    environment = {"MONGODB_URI": secured.grant(name, ACTIONS), "MONGODB_DATABASE": name, "PORT": "0"}
    ran = subprocess.run([COMMAND, "doctor", "--json"], env=environment, capture_output=True, check=False, text=True)

    assert [finding for finding in json.loads(ran.stdout) if finding["verdict"] == "FAIL"] == []


async def test_a_key_that_is_ended_by_hand_is_refused_and_another_first_one_can_be_made(
    mongodb_uri: str, database: str, tmp_path: Path
) -> None:
    assert "{ $set: { revokedAt: new Date() }, $inc: { version: 1 } }" in RUNBOOK
    with running(mongodb_uri, database, tmp_path / "log") as service, pymongo.MongoClient[Raw](mongodb_uri) as client:
        client[database].api_keys.update_many(
            {}, [{"$set": {"revokedAt": "$$NOW", "version": {"$add": ["$version", 1]}}}]
        )

        def status() -> int:
            headers = {"Authorization": f"Bearer {service.key}"}
            return httpx.post(f"{service.url}/graphql", json={"query": "{ __typename }"}, headers=headers).status_code

        eventually(lambda: status() == httpx.codes.UNAUTHORIZED, why=service.tail)
        service.bootstrap()
        eventually(lambda: status() == httpx.codes.OK, why=service.tail)
