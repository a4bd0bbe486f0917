"""From Stripe's event to an answer and to an open socket."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
from support.service import Api, Service, api, eventually_equal, live, make_workspace
from support.stripe_account import Account, deliver

OK = httpx.codes.OK
WATCH = """subscription($id: ID!) { entitlementsChanged(workspaceId: $id) {
    version entitlements { featureKey hasAccess accessDeniedReason } } }"""


def sso(pushed: dict[str, Any]) -> tuple[bool, str | None]:
    found = {entry["featureKey"]: entry for entry in pushed["entitlementsChanged"]["entitlements"]}["sso"]
    return found["hasAccess"], found["accessDeniedReason"]


async def until(pushed: Callable[[], Awaitable[dict[str, Any]]], expected: tuple[bool, str | None]) -> None:
    """Read what is pushed until it is what is expected: versions and other features may change on the way."""
    while sso(await pushed()) != expected:
        pass


async def answer(client: Api, name: str) -> tuple[bool, str | None]:
    found = await client.check(name, "sso")
    return found["hasAccess"], found["accessDeniedReason"]


async def no_event_waits(client: Api) -> int:
    return (await client.query("{ syncStatus { stripe { pending } } }"))["syncStatus"]["stripe"]["pending"]


async def test_a_change_at_stripe_is_answered_and_pushed(with_stripe: Service, account: Account, name: str) -> None:
    async with api(with_stripe) as client:
        await make_workspace(client, name)
        subscription = account.subscribe(account.price(), name)
        async with live(with_stripe, WATCH, id=name) as pushed:
            await until(pushed, (False, "NO_ACTIVE_SUBSCRIPTION"))

            for event in account.events():
                assert await deliver(client.client, with_stripe, event) == OK
            await until(pushed, (True, None))

            month_ago = {"items": {"data": {"0": {"current_period_start": 1_600_000_000}}}, "status": "past_due"}
            past_due = account.change(subscription, month_ago, deliver=False)
            await deliver(client.client, with_stripe, past_due)
            await until(pushed, (False, "SUBSCRIPTION_PAST_DUE"))

            canceled = account.change(subscription, {"status": "canceled", "ended_at": 1_700_000_000}, deliver=False)
            await deliver(client.client, with_stripe, canceled)
            await until(pushed, (False, "NO_ACTIVE_SUBSCRIPTION"))
        assert await answer(client, name) == (False, "NO_ACTIVE_SUBSCRIPTION")


async def test_the_same_event_again_and_an_older_one_change_nothing(
    with_stripe: Service, account: Account, name: str
) -> None:
    async with api(with_stripe) as client:
        await make_workspace(client, name)
        subscription = account.subscribe(account.price(), name)
        canceled = account.change(subscription, {"status": "canceled", "ended_at": 1_700_000_000}, deliver=False)
        older = account.events()
        await deliver(client.client, with_stripe, canceled)
        await eventually_equal(lambda: no_event_waits(client), 0)
        before = await client.check(name, "sso")

        for event in (canceled, *older, {**older[-1], "id": "evt_again"}):
            assert await deliver(client.client, with_stripe, event) == OK
        await eventually_equal(lambda: no_event_waits(client), 0)
        document = "query($id: ID!) { subscription(id: $id) { status version } }"
        found = await client.query(document, id=subscription)

        assert (await client.check(name, "sso"))["accessDeniedReason"] == before["accessDeniedReason"]
        assert found["subscription"] == {"status": "CANCELED", "version": "1"}


async def test_without_a_stripe_key_signed_payloads_apply(provisional: Service, account: Account, name: str) -> None:
    async with api(provisional) as client:
        await make_workspace(client, name)
        subscription = account.subscribe(account.price(), name)
        created = account.events()
        async with live(provisional, WATCH, id=name) as pushed:
            await pushed()
            for event in created:
                assert await deliver(client.client, provisional, event) == OK
            await until(pushed, (True, None))
            later = {"status": "canceled", "ended_at": 1_700_000_000}
            canceled = account.change(subscription, later, deliver=False, created=created[-1]["created"] + 60)
            await deliver(client.client, provisional, canceled)
            await until(pushed, (False, "NO_ACTIVE_SUBSCRIPTION"))

        for event in (*created, {**created[-1], "id": "evt_again"}):
            await deliver(client.client, provisional, event)
        await eventually_equal(lambda: no_event_waits(client), 0)

        assert await answer(client, name) == (False, "NO_ACTIVE_SUBSCRIPTION")
        assert (await client.query("{ syncStatus { stripe { mode } } }"))["syncStatus"]["stripe"][
            "mode"
        ] == "PROVISIONAL"


async def test_an_unclaimed_subscription_waits_for_its_workspace(
    with_stripe: Service, account: Account, name: str
) -> None:
    async with api(with_stripe) as client:
        earlier = account.events()
        account.subscribe(account.price(), name)

        async def parked() -> int:
            return (await client.query("{ syncStatus { stripe { parked } } }"))["syncStatus"]["stripe"]["parked"]

        before = await parked()
        for event in (event for event in account.events() if event not in earlier):
            await deliver(client.client, with_stripe, event)
        await eventually_equal(lambda: no_event_waits(client), 0)
        assert await parked() > before

        await make_workspace(client, name)

        await eventually_equal(lambda: answer(client, name), (True, None))
        await eventually_equal(parked, before)


async def test_a_price_that_no_plan_names_grants_nothing_and_is_named(
    with_stripe: Service, account: Account, name: str
) -> None:
    async with api(with_stripe) as client:
        await make_workspace(client, name)
        price = account.price("nobody_knows")
        account.subscribe(price, name)
        for event in account.events():
            await deliver(client.client, with_stripe, event)

        await eventually_equal(lambda: answer(client, name), (False, "PRICE_NOT_IN_CATALOG"))
        found = await client.query("{ syncStatus { stripe { unmappedPrices } } }")

        assert found["syncStatus"]["stripe"]["unmappedPrices"] == [price]
