"""Live operations over real sockets: the state first, then every change, from whatever made it."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from support.api import Api, closed, greet, read, send, served, socket, subscribe, until
from support.records import DAY, NOW, feature, grant, limit, plan, sub, workspace
from websockets.asyncio.client import ClientConnection

from app.domain.api_key import Scope
from app.domain.plan import ResetPeriod
from app.domain.subscription import SubscriptionStatus
from app.domain.usage import Balance, Meter

CHANGED = """subscription($w: ID!) { entitlementsChanged(workspaceId: $w) {
    workspaceId version accessDeniedReason entitlements { featureKey hasAccess accessDeniedReason } } }"""
STATUS = "subscription { syncStatusChanged { cache { ready } } }"


@pytest.fixture
def api() -> Api:
    api = Api()
    api.put(feature(), plan("pro", limit()), workspace(external_id="acme"), sub())
    return api


@pytest.fixture
async def host(api: Api) -> AsyncIterator[str]:
    async with served(api.app) as host:
        yield host


async def pushed(ws: ClientConnection) -> dict[str, Any]:
    message = await read(ws)
    assert message["type"] == "next", message
    return message["payload"]["data"]["entitlementsChanged"]


async def test_the_state_comes_first_and_then_each_change(api: Api, host: str) -> None:
    async with socket(host) as ws:
        await greet(ws, api.key())
        await subscribe(ws, CHANGED, w="acme")
        first = await pushed(ws)

        api.put(sub(status=SubscriptionStatus.CANCELED, version=2))
        second = await pushed(ws)

    assert (first["workspaceId"], first["entitlements"][0]["hasAccess"]) == ("ws_1", True)
    assert second["entitlements"][0]["accessDeniedReason"] == "NO_ACTIVE_SUBSCRIPTION"
    assert int(second["version"]) > int(first["version"])


async def test_what_changes_nothing_is_not_pushed(api: Api, host: str) -> None:
    async with socket(host) as ws:
        await greet(ws, api.key())
        await subscribe(ws, CHANGED, w="ws_1")
        await pushed(ws)

        api.put(sub())
        api.rt.cache.feed.publish("ws_1")
        api.put(workspace("ws_2"))
        await send(ws, {"type": "ping"})

        assert await read(ws) == {"type": "pong"}


async def test_many_changes_at_once_arrive_as_the_last(api: Api, host: str) -> None:
    async with socket(host) as ws:
        await greet(ws, api.key())
        await subscribe(ws, CHANGED, w="ws_1")
        await pushed(ws)

        for version in range(2, 50):
            api.put(workspace(external_id="acme", version=version))

        assert (await pushed(ws))["version"] == str(49 + 1)


async def test_the_clock_alone_pushes(api: Api, host: str) -> None:
    api.put(grant(expires_at=NOW + 30, unlimited=True), sub(status=SubscriptionStatus.CANCELED, version=2))
    async with socket(host) as ws:
        await greet(ws, api.key())
        await subscribe(ws, CHANGED, w="ws_1")
        before = await pushed(ws)

        api.clock.advance(30)
        after = await pushed(ws)

    assert (before["entitlements"][0]["hasAccess"], after["entitlements"][0]["hasAccess"]) == (True, False)
    assert before["version"] == after["version"]


async def test_a_change_of_the_catalogue_is_pushed(api: Api, host: str) -> None:
    async with socket(host) as ws:
        await greet(ws, api.key())
        await subscribe(ws, CHANGED, w="ws_1")
        await pushed(ws)

        api.put(feature("sso"))

        assert [e["featureKey"] for e in (await pushed(ws))["entitlements"]] == ["api_calls", "sso"]


@pytest.mark.parametrize("ref", ["late", "ws_2"])
async def test_an_unknown_workspace_is_answered_and_again_once_it_exists(api: Api, host: str, ref: str) -> None:
    async with socket(host) as ws:
        await greet(ws, api.key())
        await subscribe(ws, CHANGED, w=ref)
        unknown = await pushed(ws)

        api.put(workspace("ws_2", external_id="late"))
        known = await pushed(ws)
        api.put(sub("sub_2", workspace_id="ws_2"))
        subscribed = await pushed(ws)

    assert (unknown["workspaceId"], unknown["accessDeniedReason"]) == (ref, "WORKSPACE_NOT_FOUND")
    assert (known["workspaceId"], known["accessDeniedReason"]) == ("ws_2", None)
    assert subscribed["entitlements"][0]["hasAccess"] is True


async def test_while_loading_the_state_is_unknown_and_is_told_when_loaded(api: Api, host: str) -> None:
    key = api.key()
    api.rt.cache.ready = False
    async with socket(host) as ws:
        await greet(ws, key)
        await subscribe(ws, CHANGED, w="ws_1")
        loading = await pushed(ws)

        api.rt.cache.mark_ready()

        assert loading["accessDeniedReason"] == "STATE_UNKNOWN"
        assert (await pushed(ws))["accessDeniedReason"] is None


async def test_the_sync_status_is_pushed_when_it_differs(api: Api, host: str) -> None:
    async with socket(host) as ws:
        await greet(ws, api.key())
        await subscribe(ws, STATUS)
        first = await read(ws)

        api.sync.ready = False
        api.rt.cache.feed.publish("sync")
        second = await read(ws)

    ready = [message["payload"]["data"]["syncStatusChanged"]["cache"]["ready"] for message in (first, second)]
    assert ready == [True, False]


async def test_a_live_operation_needs_its_scope(api: Api, host: str) -> None:
    async with socket(host) as ws:
        await greet(ws, api.key(Scope.BILLING_READ))
        await subscribe(ws, CHANGED, w="ws_1")

        message = await read(ws)

    assert message["type"] == "error"
    assert message["payload"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_revocation_ends_an_open_socket_at_once(api: Api, host: str) -> None:
    async with socket(host) as ws:
        await greet(ws, api.key())
        await subscribe(ws, CHANGED, w="ws_1")
        await pushed(ws)

        api.key(version=2, revoked_at=NOW)

        assert await closed(ws) == 4403


async def test_another_keys_end_leaves_the_socket_open(api: Api, host: str) -> None:
    async with socket(host) as ws:
        await greet(ws, api.key())
        api.key(id="key_2")
        api.key(id="key_2", version=2, revoked_at=NOW)
        await send(ws, {"type": "ping"})

        assert await read(ws) == {"type": "pong"}


async def test_a_key_that_loses_a_scope_ends_its_sockets(api: Api, host: str) -> None:
    async with socket(host) as ws:
        await greet(ws, api.key())

        api.key(Scope.ENTITLEMENTS_READ, version=2)

        assert await closed(ws) == 4403


async def test_expiry_ends_an_open_socket_at_its_instant(api: Api, host: str) -> None:
    async with socket(host) as ws:
        await greet(ws, api.key(expires_at=NOW + 20))

        api.clock.advance(20)

        assert await closed(ws) == 4403


async def test_what_is_left_behind_is_put_away(api: Api, host: str) -> None:
    feed = api.rt.cache.feed
    async with socket(host) as ws:
        await greet(ws, api.key())
        await subscribe(ws, CHANGED, "a", w="ws_1")
        await subscribe(ws, CHANGED, "b", w="ws_1")
        await pushed(ws)
        await pushed(ws)
        assert api.rt.metrics.value("live_subscribers") == 2

        await send(ws, {"id": "a", "type": "complete"})
        await until(lambda: api.rt.metrics.value("live_subscribers") == 1)
    await until(lambda: not feed._by_topic)

    assert api.rt.metrics.value("live_subscribers") == 0


async def test_a_trial_that_ends_in_days_waits_without_turning(api: Api, host: str) -> None:
    api.put(grant(expires_at=NOW + 30 * DAY, amount=None, unlimited=True))
    async with socket(host) as ws:
        await greet(ws, api.key())
        await subscribe(ws, CHANGED, w="ws_1")
        await pushed(ws)
        await send(ws, {"type": "ping"})

        assert await read(ws) == {"type": "pong"}


THRESHOLD = """subscription($w: ID!) { usageThresholdReached(workspaceId: $w) {
    threshold resetPeriod entitlement { featureKey usage { used } } } }"""


def used(amount: int, version: int, start_at: int = NOW - 10 * DAY) -> Balance:
    meter = Meter(reset_period=ResetPeriod.MONTH, start_at=start_at, end_at=start_at + 30 * DAY, used=Decimal(amount))
    return Balance(id="ws_1", version=version, incarnation="i", meters={"api_calls": (meter,)})


def marked(api: Api) -> None:
    """Bring a plan whose thresholds are 50, 80 and 100 percent."""
    row = msgspec.structs.replace(limit(), thresholds=(50, 80, 100))
    start_at = NOW - 10 * DAY
    api.put(plan("pro", row, version=2), sub(version=2, billing_anchor_at=start_at, started_at=start_at))


async def test_a_flood_of_usage_arrives_in_few_steps_and_a_revocation_at_once(api: Api, host: str) -> None:
    marked(api)
    seen: list[dict[str, Any]] = []
    async with socket(host) as ws:
        await greet(ws, api.key())
        await subscribe(ws, CHANGED, w="ws_1")
        before = int((await pushed(ws))["version"])

        for version in range(1, 201):
            api.put(used(version % 100, version))
            await asyncio.sleep(0)
        api.put(sub(status=SubscriptionStatus.CANCELED, version=3))
        while not seen or int(seen[-1]["version"]) < before + 201:
            seen.append(await pushed(ws))

    assert len(seen) < 20
    assert seen[-1]["entitlements"][0]["accessDeniedReason"] == "NO_ACTIVE_SUBSCRIPTION"


async def test_a_threshold_is_told_of_once_per_period(api: Api, host: str) -> None:
    async def reached(ws: ClientConnection) -> tuple[int, str]:
        message = await read(ws)
        assert message["type"] == "next", message
        found = message["payload"]["data"]["usageThresholdReached"]
        assert found["resetPeriod"] == "MONTH"
        return found["threshold"], found["entitlement"]["usage"]["used"]

    marked(api)
    api.put(used(60, 1))
    async with socket(host) as ws:
        await greet(ws, api.key())
        await subscribe(ws, THRESHOLD, w="acme")
        first = await reached(ws)
        for version, amount in enumerate((40, 60, 79, 81), start=2):
            api.put(used(amount, version))
        second = await reached(ws)
        api.put(used(120, 9))
        third = await reached(ws)

    assert [first, second, third] == [(50, "60"), (80, "81"), (100, "120")]
