"""The roles: one process answers and takes webhooks, another one works; what is asked of the first is done by both."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.service import Api, Service, api, eventually_equal, make_catalogue, make_workspace, running
from support.stripe_account import Account, deliver, stripe_settings

from app.sandbox.process import StripeSandboxProcess

STATUS = """{ syncStatus { workers { name state }
    stripe { mode pending trouble backoff { reason } drift workerSeenAt lastReconcileAt } } }"""
SHARED = {"stripe", "migrations", "backfill", "stripe_reconcile"}
BACKFILL = "{ stripeBackfill { id status } }"


@contextmanager
def process(like: Service, log: Path, **environment: str) -> Iterator[Service]:
    """Run another process on the same database."""
    given = {**like.environment, **environment}
    names = given.pop("MONGODB_URI"), given.pop("MONGODB_DATABASE")
    given.pop("PORT")
    service = Service(*names, log, **given)
    service.key = like.key
    try:
        yield service.start().wait_until_ready()
    finally:
        service.stop()


async def status(client: Api) -> dict[str, Any]:
    return (await client.query(STATUS))["syncStatus"]


async def workers(client: Api) -> set[str]:
    return {worker["name"] for worker in (await status(client))["workers"]}


async def pending(client: Api) -> int:
    return (await status(client))["stripe"]["pending"]


async def access(client: Api) -> bool:
    return (await client.check("acme", "sso"))["hasAccess"]


@pytest.mark.timeout(180)
async def test_what_is_asked_of_an_api_process_is_done_by_a_worker_process(
    mongodb_uri: str, database: str, tmp_path: Path, sandbox: StripeSandboxProcess, account: Account
) -> None:
    account.subscribe(account.price(), "acme")
    events = account.events()
    stripe = stripe_settings(sandbox)
    with running(mongodb_uri, database, tmp_path / "api", ROLE="api", **stripe) as front:
        async with api(front) as client, httpx.AsyncClient(timeout=10) as sender:
            await make_catalogue(client)
            await make_workspace(client, "acme")
            assert not SHARED & await workers(client)

            assert {await deliver(sender, front, event) for event in events} == {httpx.codes.OK}
            alone = (await status(client))["stripe"]
            assert alone["pending"] > 0
            assert alone["workerSeenAt"] is None
            assert "start one with the role worker" in alone["trouble"]
            run = (await client.mutate("backfillStripe", "... on BackfillStripePayload { backfill { id } }"))[
                "backfill"
            ]

            with process(front, tmp_path / "worker", ROLE="worker") as back:
                await eventually_equal(lambda: pending(client), 0)
                await eventually_equal(lambda: access(client), expected=True)
                await eventually_equal(
                    lambda: client.query(BACKFILL), {"stripeBackfill": {**run, "status": "FINISHED"}}
                )
                shared = (await status(client))["stripe"]
                assert (shared["mode"], shared["trouble"], shared["drift"]) == ("FETCH", None, 0)
                assert shared["workerSeenAt"] is not None
                async with api(back) as operators:
                    assert await workers(operators) >= SHARED
                    assert (await status(operators))["stripe"]["trouble"] is None
                assert await deliver(sender, back, events[0]) == httpx.codes.NOT_FOUND
                for path in ("/livez", "/readyz", "/metrics"):
                    assert (await sender.get(f"{back.url}{path}")).status_code == httpx.codes.OK


@pytest.mark.timeout(120)
async def test_the_mode_is_the_workers(
    mongodb_uri: str, database: str, tmp_path: Path, sandbox: StripeSandboxProcess
) -> None:
    with running(mongodb_uri, database, tmp_path / "api", ROLE="api", STRIPE_WEBHOOK_SECRET="whsec_x") as front:
        async with api(front) as client:
            assert (await status(client))["stripe"]["mode"] == "PROVISIONAL"
            with process(front, tmp_path / "worker", **stripe_settings(sandbox), ROLE="worker"):

                async def mode() -> str:
                    return (await status(client))["stripe"]["mode"]

                await eventually_equal(mode, "FETCH")
