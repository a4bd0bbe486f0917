"""`billingEvents` and `billingEventOccurred`, from the operation to the real store."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace as replace_in
from typing import Any

import pytest
from msgspec.structs import replace
from support.api import Api, greet, read, served, socket, subscribe
from support.records import NOW, sub, workspace
from support.runtime import fakes_of, put, running

from app.domain.api_key import Scope
from app.domain.audit import Actor, ActorKind
from app.domain.billing_event import BillingEvent, BillingEventFilter, BillingEventType, event_id
from app.domain.errors import UnavailableError
from app.domain.subscription import SubscriptionStatus
from app.ports.store import Page
from app.services.billing_events import follow, tell
from app.services.commit import commit

T = BillingEventType
S = SubscriptionStatus
LIST = """query($w: ID, $t: [BillingEventType!], $from: DateTime, $to: DateTime, $first: Int, $after: String) {
  billingEvents(workspaceId: $w, types: $t, from: $from, to: $to, first: $first, after: $after) {
    totalCount nodes { id type objectId } pageInfo { hasNextPage endCursor } } }"""
FIELDS = "id type occurredAt recordedAt workspaceId customerId objectType objectId data"
LIVE = f"""subscription($w: ID, $t: [BillingEventType!]) {{
  billingEventOccurred(workspaceId: $w, types: $t) {{ {FIELDS} }} }}"""
SYSTEM = Actor(ActorKind.SYSTEM, "test")


@pytest.fixture
async def api(mongodb_uri: str, database: str) -> AsyncIterator[Api]:
    async with running(mongodb_uri, database) as rt:
        await put(rt, workspace(external_id="acme"), workspace("ws_2"))
        yield Api(rt)


def told(number: int, **fields: Any) -> BillingEvent:
    made: dict[str, Any] = {
        "id": event_id(f"told {number}"),
        "type": T.INVOICE_PAID,
        "occurred_at": NOW,
        "recorded_at": NOW + number,
        "workspace_id": "ws_1",
        "object_type": "invoice",
        "object_id": f"in_{number}",
        "data": {"before": None, "after": {"total": 1000}},
    }
    return BillingEvent(**made | fields)


async def listed(api: Api, **wanted: Any) -> list[str]:
    return [node["objectId"] for node in (await api.data(LIST, wanted))["billingEvents"]["nodes"]]


async def test_what_happened_is_listed_the_newest_first(api: Api) -> None:
    await tell(api.rt, [told(1), told(2, workspace_id="ws_2"), told(3, type=T.INVOICE_VOIDED), told(4)])

    assert await listed(api) == ["in_4", "in_3", "in_2", "in_1"]
    assert await listed(api, w="acme") == await listed(api, w="ws_1") == ["in_4", "in_3", "in_1"]
    assert await listed(api, w="nobody") == []
    assert await listed(api, w="acme", t=["INVOICE_VOIDED", "CATALOG_CHANGED"]) == ["in_3"]
    window = {"from": "2026-09-21T14:13:20.002Z", "to": "2026-09-21T14:13:20.004Z"}
    assert await listed(api, **window) == ["in_3", "in_2"]


async def test_what_was_recorded_before_its_workspace_was_known_is_the_workspaces_once_it_is(api: Api) -> None:
    await tell(api.rt, [told(1, workspace_id=None, customer_id="cus_1"), told(2, workspace_id="ws_2")])
    assert await listed(api, w="acme") == []

    await commit(api.rt, SYSTEM, "link", [workspace("ws_3", external_id="new", version=0, stripe_customer_id="cus_1")])

    assert await listed(api, w="new", t=["INVOICE_PAID"]) == ["in_1"]
    assert await listed(api, w="acme") == []
    whose = (await api.data("{ billingEvents(types: INVOICE_PAID) { nodes { workspaceId } } }"))["billingEvents"]
    assert [node["workspaceId"] for node in whose["nodes"]] == ["ws_2", "ws_3"]


async def test_pages_follow_one_another_and_know_their_listing(api: Api) -> None:
    await tell(api.rt, [told(number, recorded_at=NOW) for number in range(5)])

    one = (await api.data(LIST, {"w": "acme", "first": 3}))["billingEvents"]
    cursor = one["pageInfo"]["endCursor"]
    two = (await api.data(LIST, {"w": "acme", "first": 3, "after": cursor}))["billingEvents"]

    assert (one["totalCount"], one["pageInfo"]["hasNextPage"], two["pageInfo"]["hasNextPage"]) == (5, True, False)
    assert len({node["id"] for node in [*one["nodes"], *two["nodes"]]}) == 5
    assert await api.code(LIST, {"w": "ws_2", "after": cursor}) == "BAD_USER_INPUT"


async def test_a_window_that_ends_before_it_begins_is_refused(api: Api) -> None:
    window = {"from": "2026-09-21T14:13:20.002Z", "to": "2026-09-21T14:13:20.002Z"}

    assert await api.code(LIST, window) == "BAD_USER_INPUT"


async def test_an_event_tells_what_it_is_about_and_is_a_node(api: Api) -> None:
    [created] = await commit(api.rt, SYSTEM, "create", [replace(sub(), version=0)])
    await commit(api.rt, SYSTEM, "update", [replace(created, status=S.CANCELED, ended_at=NOW - 5)])

    [node] = (await api.data(f"{{ billingEvents {{ nodes {{ {FIELDS} }} }} }}"))["billingEvents"]["nodes"]

    assert (node["type"], node["occurredAt"]) == ("SUBSCRIPTION_CANCELED", "2026-09-21T14:13:19.995Z")
    assert (node["workspaceId"], node["customerId"], node["objectId"]) == ("ws_1", "cus_1", "sub_1")
    assert node["data"]["before"] == {"status": "active", "endedAt": None}
    assert node["data"]["after"]["endedAt"] == "2026-09-21T14:13:19.995Z"
    query = f"query($id: ID!) {{ node(id: $id) {{ ... on BillingEvent {{ {FIELDS} }} }} }}"
    assert (await api.data(query, {"id": node["id"]}))["node"] == node
    assert (await api.data(query, {"id": "bev_none"}))["node"] is None


async def test_who_reads_entitlements_only_does_not_see_them(api: Api) -> None:
    answer = await api.ask("{ billingEvents { nodes { id } } }", key=api.key(Scope.ENTITLEMENTS_READ, id="key_2"))

    assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def pushed(ws: Any) -> dict[str, Any]:
    message = await read(ws)
    assert message["type"] == "next", message
    return message["payload"]["data"]["billingEventOccurred"]


async def test_what_happens_from_now_on_is_pushed_once(api: Api) -> None:
    await tell(api.rt, [told(1)])
    fakes_of(api.rt).clock.advance(1000)
    at = api.rt.clock.now_at()
    async with served(api.app) as host, socket(host) as ws:
        await greet(ws, api.key())
        await subscribe(ws, LIVE, w="acme", t=["INVOICE_PAID", "INVOICE_VOIDED"])

        await tell(api.rt, [told(2, recorded_at=at), told(3, recorded_at=at, workspace_id="ws_2")])
        first = await pushed(ws)
        await tell(api.rt, [told(2, recorded_at=at), told(4, recorded_at=at, type=T.INVOICE_CREATED)])
        await tell(api.rt, [told(5, recorded_at=at - 500, type=T.INVOICE_VOIDED)])
        second = await pushed(ws)

    assert (first["type"], first["objectId"], first["workspaceId"]) == ("INVOICE_PAID", "in_2", "ws_1")
    assert first["data"] == {"before": None, "after": {"total": 1000}}
    assert second["objectId"] == "in_5"  # of a write that took its time


async def test_what_another_replica_records_is_found_without_a_word(api: Api) -> None:
    async with served(api.app) as host, socket(host) as ws:
        await greet(ws, api.key())
        await subscribe(ws, LIVE)

        await api.rt.billing_events.tell([told(1, workspace_id=None)])

        assert (await pushed(ws))["objectId"] == "in_1"


async def test_a_workspace_that_is_unknown_is_waited_for(api: Api) -> None:
    async with served(api.app) as host, socket(host) as ws:
        await greet(ws, api.key())
        await subscribe(ws, LIVE, w="late")

        await put(api.rt, workspace("ws_3", external_id="late"))
        await tell(api.rt, [told(1, workspace_id="ws_3", recorded_at=NOW + 60_000)])

        assert (await pushed(ws))["workspaceId"] == "ws_3"


async def test_a_slow_reader_gets_every_event(api: Api) -> None:
    following = follow(api.rt, BillingEventFilter(workspace_id="ws_1"))
    await tell(api.rt, [told(0)])
    found = [await anext(following)]

    for number in range(1, 301):
        fakes_of(api.rt).clock.advance(100)
        await api.rt.billing_events.tell([told(number, recorded_at=NOW + number * 100)])
    async with asyncio.timeout(20):
        while len(found) < 301:
            found.append(await anext(following))
    await following.aclose()

    assert [event.object_id for event in found] == [f"in_{number}" for number in range(301)]


class _Flaky:
    """The events of a store, which does not answer every other time."""

    def __init__(self, events: Any) -> None:
        self._events = events
        self._asked = 0

    async def page(self, *arguments: Any, **named: Any) -> Page[BillingEvent]:
        self._asked += 1
        if self._asked % 2:
            raise UnavailableError
        return await self._events.page(*arguments, **named)


async def test_what_happens_while_the_database_is_away_comes_once_it_answers(api: Api) -> None:
    events: Any = _Flaky(api.rt.billing_events)
    following = follow(replace_in(api.rt, billing_events=events), BillingEventFilter())
    waiting = asyncio.ensure_future(anext(following))

    await tell(api.rt, [told(1)])

    assert (await asyncio.wait_for(waiting, 20)).object_id == "in_1"
    await following.aclose()
