"""Two worker processes on one inbox; one is killed in the middle of its work."""

import asyncio
import signal
from pathlib import Path
from typing import Any

import httpx
import pymongo
import pytest
from support.service import Service, api, eventually, eventually_equal, make_catalogue, make_workspace, running
from support.stripe_account import Account, deliver, stripe_settings

from app.sandbox.process import StripeSandboxProcess

SUBSCRIPTIONS = 60
AT_A_TIME = 4
TAKEN_OVER_S = 150
"""A killed process holds its leases for 15 s."""


def subscribe(account: Account) -> list[dict[str, Any]]:
    price = account.price()
    customer = account.create("customers", **{"metadata[workspace_id]": "acme"})["id"]
    for _ in range(SUBSCRIPTIONS):
        account.create("subscriptions", customer=customer, **{"items[0][price]": price})
    return account.events()


def slow_reads(account: Account) -> None:
    rule = {"method": "GET", "path": "/v1/subscriptions/*", "kind": "delay", "delayMs": 1000, "times": None}
    assert account.http.post("/_sandbox/faults", json=rule).status_code == httpx.codes.OK


@pytest.mark.timeout(240)
async def test_a_killed_workers_share_is_taken_over_and_has_its_effect_once(
    mongodb_uri: str, database: str, tmp_path: Path, sandbox: StripeSandboxProcess, account: Account
) -> None:
    events = subscribe(account)
    settings = {**stripe_settings(sandbox), "STRIPE_WORKERS": str(AT_A_TIME)}
    with (
        running(mongodb_uri, database, tmp_path / "api", ROLE="api", **settings) as front,
        pymongo.MongoClient[dict[str, Any]](mongodb_uri) as mongo,
    ):
        stored = mongo[database]
        async with api(front) as client, httpx.AsyncClient(timeout=60) as sender:
            await make_catalogue(client)
            await make_workspace(client, "acme")
            slow_reads(account)
            acknowledged = await asyncio.gather(*(deliver(sender, front, event) for event in events))
            assert set(acknowledged) == {httpx.codes.OK}

            workers = [
                Service(mongodb_uri, database, tmp_path / f"worker{number}", ROLE="worker", **settings)
                for number in (1, 2)
            ]
            try:
                for worker in workers:
                    worker.start()
                for worker in workers:
                    worker.wait_until_ready()

                def leased() -> int:
                    return stored.stripe_dirty.count_documents({"leaseToken": {"$type": "string"}})

                # more than one of them can hold: the one that is killed is in the middle of some
                eventually(lambda: leased() > AT_A_TIME and stored.subscriptions.count_documents({}) > 0)
                kill(workers[0])
                assert account.http.delete("/_sandbox/faults").is_success
                assert leased() > 0

                async def pending() -> int:
                    return stored.stripe_dirty.count_documents({})

                await eventually_equal(pending, 0, within_s=TAKEN_OVER_S)
            finally:
                for worker in workers:
                    worker.stop()
            assert (await client.check("acme", "sso"))["hasAccess"]
        check_once(stored)


def kill(service: Service) -> None:
    assert service.process is not None
    service.process.send_signal(signal.SIGKILL)
    service.process.wait(10)


def check_once(stored: Any) -> None:
    assert {sub["version"] for sub in stored.subscriptions.find({})} == {1}
    assert stored.subscriptions.count_documents({}) == SUBSCRIPTIONS
    written = stored.audit.aggregate(
        [{"$match": {"kind": "subscriptions"}}, {"$group": {"_id": "$recordId", "n": {"$sum": 1}}}]
    )
    assert [row["n"] for row in written] == [1] * SUBSCRIPTIONS
    assert stored.stripe_events.count_documents({"status": {"$nin": ["PROCESSED", "IGNORED"]}}) == 0
