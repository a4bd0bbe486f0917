"""An account that existed before, brought from the sandbox's lists; the process is killed in the middle."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pymongo
import pytest
from support.service import Api, Service, api, eventually_equal, make_catalogue, make_workspace, running
from support.stripe_account import SECRET, Account, stripe_settings

from app.sandbox.process import StripeSandboxProcess

OTHERS = 220
"""Customers of the account that have nothing to do with us: with ours three pages."""
SHOW = "{ stripeBackfill { id status counts { type listed changed } failure } }"
STARTED = "... on BackfillStripePayload { backfill { id status } }"
TAKEN_OVER_S = 60
"""A killed process holds its lease for 20 s."""


@pytest.fixture
def sandbox() -> Iterator[StripeSandboxProcess]:
    process = StripeSandboxProcess.start(webhook_url=None, webhook_secret=SECRET)
    yield process
    process.stop()


@pytest.fixture
def account(sandbox: StripeSandboxProcess) -> Iterator[Account]:
    opened = Account(sandbox.url)
    yield opened
    opened.http.close()


def slow_lists(account: Account) -> None:
    rule = {"method": "GET", "path": "/v1/customers", "kind": "delay", "delayMs": 1500, "times": 3}
    assert account.http.post("/_sandbox/faults", json=rule).status_code == httpx.codes.OK


async def backfill(client: Api) -> dict[str, Any]:
    return (await client.query(SHOW))["stripeBackfill"]


async def listed(client: Api) -> dict[str, int]:
    return {count["type"]: count["listed"] for count in (await backfill(client))["counts"]}


async def has_read_customers(client: Api) -> bool:
    return (await listed(client)).get("customer", 0) > 0


async def status(client: Api) -> str:
    return (await backfill(client))["status"]


async def access(client: Api, name: str) -> bool:
    return (await client.check(name, "sso"))["hasAccess"]


@pytest.mark.timeout(180)
async def test_a_backfill_survives_a_kill_and_brings_what_no_event_told(
    mongodb_uri: str, database: str, tmp_path: Path, sandbox: StripeSandboxProcess, account: Account
) -> None:
    ours, ended = account.subscribe(account.price(), "acme"), account.subscribe(account.price(), "gone")
    for number in range(OTHERS):
        account.create("customers", name=f"other {number}")
    account.change(ended, {"status": "canceled", "ended_at": 1_700_000_000}, deliver=False)
    settings = stripe_settings(sandbox)

    with running(mongodb_uri, database, tmp_path / "log", **settings) as first:
        async with api(first) as client:
            await make_catalogue(client)
            for name in ("acme", "gone"):
                await make_workspace(client, name)
            assert not await access(client, "acme")
            slow_lists(account)
            run = (await client.mutate("backfillStripe", STARTED))["backfill"]
            await eventually_equal(lambda: has_read_customers(client), expected=True)
            before = await backfill(client)
        kill(first)
        assert before["status"] == "RUNNING"
        assert 0 < {count["type"]: count["listed"] for count in before["counts"]}["customer"] < OTHERS + 2

        second = Service(mongodb_uri, database, tmp_path / "second", **settings)
        second.key = first.key
        try:
            second.start().wait_until_ready()
            async with api(second) as client:
                await eventually_equal(lambda: status(client), "FINISHED", within_s=TAKEN_OVER_S)
                assert (await backfill(client))["id"] == run["id"]
                found, expected = (
                    await listed(client),
                    {"product": 1, "price": 1, "customer": OTHERS + 2, "subscription": 2},
                )
                assert {type: found[type] for type in expected} == expected  # noqa: A001 - Stripe's word
                await eventually_equal(lambda: access(client, "acme"), expected=True)
                assert not await access(client, "gone")
        finally:
            second.stop()
    check_stored(mongodb_uri, database, {ours: "active", ended: "canceled"})


def kill(service: Service) -> None:
    assert service.process is not None
    service.process.send_signal(signal.SIGKILL)
    service.process.wait(10)


def check_stored(mongodb_uri: str, database: str, subscriptions: dict[str, str]) -> None:
    with pymongo.MongoClient[dict[str, Any]](mongodb_uri) as mongo:
        stored = mongo[database]
        assert stored.stripe_objects.count_documents({"type": "customer", "source": "FETCH"}) == OTHERS + 2
        found = {sub["_id"]: sub["status"] for sub in stored.subscriptions.find({})}
    assert found == subscriptions
