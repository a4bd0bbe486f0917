"""10,000 subscribers are moved to a new version of their plan, with a kill -9 in the middle."""

import asyncio
import signal
from pathlib import Path
from typing import Any

import pymongo
import pytest
from pymongo.database import Database
from support.records import grant, item, sub, workspace
from support.service import Api, Service, api, eventually_equal, make_catalogue, running

from app.domain.subscription import SubscriptionStatus
from app.store.mapping import to_document

Raw = dict[str, Any]

SUBSCRIBERS = 10_000
KILLED_AT = 4_000
REVOKED = 40
FINISHED_WITHIN_S = 90
"""A killed batch holds its documents for as long as the server lets a transaction live: 10 s embedded, else 60."""
LONG_AGO = 1_500_000_000_000
STATE = "query($id: ID!) { migration(id: $id) { status total moved skipped progress failure } }"
FINISHED = {
    "status": "FINISHED",
    "total": SUBSCRIBERS,
    "moved": SUBSCRIBERS,
    "skipped": 0,
    "progress": "1",
    "failure": None,
}
COMPARE = """mutation { resync(input: { scope: ALL, dryRun: true }) {
    ... on ResyncPayload { compared repaired dropped } } }"""
VERSION = "query($id: ID!) { subscription(id: $id) { plan { version } } }"


@pytest.fixture
def stored(mongodb_uri: str, database: str) -> Any:
    with pymongo.MongoClient[Raw](mongodb_uri) as client:
        yield client[database]


def fill(stored: Database[Raw]) -> None:
    """Insert the subscribers, and workspaces with a grant that can be revoked, as another application would."""
    ids = range(SUBSCRIBERS)
    stored.workspaces.insert_many([to_document(workspace(f"ws_{number}")) for number in ids])
    held = item(price_since_at=LONG_AGO)
    subs = [sub(f"sub_{number}", SubscriptionStatus.ACTIVE, held, workspace_id=f"ws_{number}") for number in ids]
    stored.subscriptions.insert_many([to_document(record) for record in subs])
    for number in range(REVOKED):
        given = grant(f"grant_{number}", "beta", workspace_id=f"ws_{number}", effective_at=LONG_AGO)
        stored.grants.insert_one(to_document(given))


async def publish(client: Api) -> None:
    """Publish the version to move to, and the feature that is revoked meanwhile."""
    selection = "... on FeaturePayload { feature { id } }"
    await client.mutate("createFeature", selection, key="beta", name="Beta", type="BOOLEAN")
    rows = [{"featureKey": "sso"}, {"featureKey": "api_calls", "limit": "200", "resetPeriod": "MONTH"}]
    price = [{"lookupKey": "pro_monthly"}]
    await client.mutate(
        "createPlan", "... on PlanPayload { plan { id } }", key="pro", name="Pro", prices=price, features=rows
    )


async def revoke(client: Api, stored: Database[Raw], number: int) -> None:
    """Revoke a grant behind the service's back, and wait until it denies."""
    assert (await client.check(f"ws_{number}", "beta"))["hasAccess"]
    revoked = {"$set": {"revokedAt": to_document(grant(revoked_at=LONG_AGO + 1))["revokedAt"]}, "$inc": {"version": 1}}
    await asyncio.to_thread(stored.grants.update_one, {"_id": f"grant_{number}"}, revoked)
    async with asyncio.timeout(10):
        while (await client.check(f"ws_{number}", "beta"))["hasAccess"]:
            await asyncio.sleep(0.002)


async def migrate(client: Api) -> Raw:
    selection = "... on MigratePlanPayload { migration { id total } }"
    return (await client.mutate("migratePlan", selection, planKey="pro"))["migration"]


async def state_of(client: Api, id: str) -> Raw:
    return (await client.query(STATE, id=id))["migration"]


def moved(stored: Database[Raw]) -> int:
    return stored.migrations.find_one({})["moved"]


async def has_moved(stored: Database[Raw], number: int) -> bool:
    return moved(stored) >= number


@pytest.mark.timeout(300)
async def test_every_subscriber_is_moved_once_through_a_kill(
    mongodb_uri: str, database: str, tmp_path: Path, stored: Database[Raw]
) -> None:
    fill(stored)
    with running(mongodb_uri, database, tmp_path / "log") as service:
        async with api(service) as client:
            await make_catalogue(client)
            await publish(client)
            migration = await migrate(client)
            assert migration["total"] == SUBSCRIBERS
            for number in range(REVOKED):
                await revoke(client, stored, number)
            await eventually_equal(lambda: has_moved(stored, KILLED_AT), expected=True)
        kill(service)
        assert KILLED_AT <= moved(stored) < SUBSCRIBERS

        service.start().wait_until_ready()
        async with api(service) as client:
            await eventually_equal(lambda: state_of(client, migration["id"]), FINISHED, within_s=FINISHED_WITHIN_S)
            check_moved(stored)
            await check_ram(client)


def kill(service: Service) -> None:
    assert service.process is not None
    service.process.send_signal(signal.SIGKILL)
    service.process.wait(10)


def check_moved(stored: Database[Raw]) -> None:
    published = stored.plans.find_one({"planVersion": 2})["publishedAt"]
    assert stored.subscriptions.count_documents({"version": 2, "items.priceSinceAt": published}) == SUBSCRIBERS
    entries = stored.audit.aggregate(
        [{"$match": {"kind": "subscriptions"}}, {"$group": {"_id": "$recordId", "n": {"$sum": 1}}}]
    )
    assert [row["n"] for row in entries] == [1] * SUBSCRIBERS


async def check_ram(client: Api) -> None:
    for number in (0, SUBSCRIBERS // 2, SUBSCRIBERS - 1):
        found = await client.query(VERSION, id=f"sub_{number}")
        assert found["subscription"]["plan"]["version"] == 2
    found = (await client.query(COMPARE))["resync"]
    assert found["compared"] > 2 * SUBSCRIBERS
    assert (found["repaired"], found["dropped"]) == (0, 0)
