"""What no webhook told: found by its event, by a fetch of the customer, and said in the status."""

import json
import subprocess
from datetime import UTC, datetime, timedelta
from typing import Any

from support.service import COMMAND, Api, Service, api, eventually_equal, make_workspace
from support.stripe_account import Account, deliver


async def access(client: Api, name: str) -> bool:
    return (await client.check(name, "sso"))["hasAccess"]


async def pending(client: Api) -> int | None:
    return (await client.query("{ syncStatus { stripe { pending } } }"))["syncStatus"]["stripe"]["pending"]


def minutes_ago(minutes: int) -> str:
    return (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat()  # noqa: TID251 - as an operator would say it


async def test_events_that_were_lost_are_brought_when_somebody_asks(
    with_stripe: Service, account: Account, name: str
) -> None:
    async with api(with_stripe) as client:
        await make_workspace(client, name)
        account.subscribe(account.price(), name)
        assert not await access(client, name)

        await client.mutate("reconcileStripe", "... on ReconcileStripePayload { sinceAt }", since=minutes_ago(10))

        await eventually_equal(lambda: access(client, name), expected=True)
        told = await client.query("{ syncStatus { stripe { drift lastReconcileAt } } stripeReconcile { listed } }")
        assert told["syncStatus"]["stripe"]["drift"] == 0
        assert told["syncStatus"]["stripe"]["lastReconcileAt"] is not None
        assert told["stripeReconcile"]["listed"] >= 1


async def test_a_customer_is_fetched_and_the_next_check_answers_by_it(
    with_stripe: Service, account: Account, name: str
) -> None:
    async with api(with_stripe) as client:
        await make_workspace(client, name)
        subscription = account.subscribe(account.price(), name)
        for event in account.events():
            await deliver(client.client, with_stripe, event)
        await eventually_equal(lambda: access(client, name), expected=True)
        await eventually_equal(lambda: pending(client), 0)  # nobody looks at the subscription any more
        account.change(subscription, {"status": "canceled", "ended_at": 1_700_000_000}, deliver=False)

        found = await client.mutate(
            "syncCustomer", "... on SyncCustomerPayload { counts { type listed changed } }", workspaceId=name
        )

        assert not await access(client, name)
        assert found["counts"][1] == {"type": "subscription", "listed": 1, "changed": 1}


async def test_the_catalogue_is_fetched(with_stripe: Service, account: Account) -> None:
    async with api(with_stripe) as client:
        account.price("quite_new")

        found = await client.mutate("syncCatalog", "... on SyncCatalogPayload { counts { type listed changed } }")

        changed = {count["type"]: count["changed"] for count in found["counts"]}
        assert set(changed) == {"product", "price", "coupon", "promotion_code", "billing.meter"}
        assert min(changed["product"], changed["price"]) >= 1


def entitled(service: Service, *arguments: str) -> dict[str, Any]:
    """Run a command at the service and return the JSON that it printed."""
    environment = {**service.environment, "ENTITLED_URL": f"{service.url}/graphql", "ENTITLED_API_KEY": service.key}
    ran = subprocess.run(
        [COMMAND, *arguments, "--json"], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


async def test_the_commands_start_it_and_wait_for_the_end(with_stripe: Service, account: Account, name: str) -> None:
    async with api(with_stripe) as client:
        await make_workspace(client, name)
        account.subscribe(account.price(), name)

        foreseen = entitled(with_stripe, "stripe", "backfill", "--dry-run")
        assert not await access(client, name)
        done = entitled(with_stripe, "stripe", "backfill")
        reconciled = entitled(with_stripe, "stripe", "reconcile")

        assert await access(client, name)
        assert (foreseen["status"], foreseen["dryRun"]) == ("FINISHED", True)
        assert {changed["type"] for changed in foreseen["changed"]} >= {"customer", "subscription"}
        assert (done["status"], done["listed"]) == ("FINISHED", foreseen["listed"])
        assert reconciled["listed"] >= 1
        assert reconciled["askedSinceAt"] is None
