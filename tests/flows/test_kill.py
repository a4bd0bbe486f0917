"""kill -9 in the middle of a thousand webhook deliveries."""

import asyncio
import signal
from pathlib import Path

import httpx
import pymongo
import pytest
from support.service import Service, api, eventually_equal, make_catalogue, make_workspace, running
from support.stripe_account import Account, deliver, stripe_settings

from app.sandbox.process import StripeSandboxProcess

SUBSCRIPTIONS = 1000
AT_A_TIME = 20


async def deliver_all(service: Service, events: list[dict[str, object]], *, kill_after: int | None = None) -> set[str]:
    """Deliver as Stripe would, several at a time; return the ids of the subscriptions that were acknowledged."""
    acknowledged: set[str] = set()
    queue = list(events)

    async def sender(client: httpx.AsyncClient) -> None:
        while queue:
            event = queue.pop()
            try:
                if await deliver(client, service, event) == httpx.codes.OK:
                    acknowledged.add(event["data"]["object"]["id"])  # type: ignore[index]
            except httpx.TransportError:
                pass
            if kill_after is not None and len(acknowledged) >= kill_after and service.process is not None:
                service.process.send_signal(signal.SIGKILL)

    async with httpx.AsyncClient(timeout=10) as client, asyncio.TaskGroup() as group:
        for _ in range(AT_A_TIME):
            group.create_task(sender(client))
    return acknowledged


@pytest.mark.timeout(300)
async def test_every_acknowledged_event_has_its_effect_exactly_once(
    mongodb_uri: str, database: str, tmp_path: Path, sandbox: StripeSandboxProcess, account: Account
) -> None:
    price = account.price()
    customer = account.create("customers", **{"metadata[workspace_id]": "acme"})["id"]
    for _ in range(SUBSCRIPTIONS):
        fields = {"customer": customer, "items[0][price]": price, "metadata[workspace_id]": "acme"}
        account.create("subscriptions", **fields)
    created = [event for event in account.events() if event["type"] == "customer.subscription.created"]
    stripe = stripe_settings(sandbox)
    with (
        running(mongodb_uri, database, tmp_path / "log", **stripe) as service,
        pymongo.MongoClient(mongodb_uri) as mongo,
    ):
        async with api(service) as client:
            await make_catalogue(client)
            await make_workspace(client, "acme")
        stored = mongo[database]

        async def missing() -> int:
            return len(acknowledged - {row["_id"] for row in stored.subscriptions.find({}, {"_id": 1})})

        async def versions() -> dict[int, int]:
            rows = stored.subscriptions.aggregate([{"$group": {"_id": "$version", "n": {"$sum": 1}}}])
            return {row["_id"]: row["n"] for row in rows}

        acknowledged = await deliver_all(service, created, kill_after=SUBSCRIPTIONS // 2)
        assert service.process is not None
        service.process.wait(10)
        assert SUBSCRIPTIONS // 2 <= len(acknowledged) < SUBSCRIPTIONS

        service.start().wait_until_ready()
        await eventually_equal(missing, 0, within_s=90)

        assert await deliver_all(service, created) == {event["data"]["object"]["id"] for event in created}
        await eventually_equal(versions, {1: SUBSCRIPTIONS}, within_s=90)
        written = stored.audit.aggregate(
            [{"$match": {"kind": "subscriptions"}}, {"$group": {"_id": "$recordId", "n": {"$sum": 1}}}]
        )
        assert {row["n"] for row in written} == {1}
        told = stored.billing_events.aggregate(
            [
                {"$match": {"objectType": "subscription"}},
                {"$group": {"_id": {"type": "$type", "of": "$objectId"}, "n": {"$sum": 1}}},
                {"$group": {"_id": {"type": "$_id.type", "times": "$n"}, "n": {"$sum": 1}}},
            ]
        )
        once = {(row["_id"]["type"], row["_id"]["times"]): row["n"] for row in told}
        assert once == {("subscription.created", 1): SUBSCRIPTIONS, ("subscription.activated", 1): SUBSCRIPTIONS}
        async with api(service) as client:
            assert (await client.check("acme", "sso"))["hasAccess"]
