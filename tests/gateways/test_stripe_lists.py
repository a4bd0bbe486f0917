"""Stripe's lists over real HTTP on the loopback, page by page."""

import asyncio
import json
from typing import Any

import pytest
from support.stripe import customer, item, subscription
from support.stripe_api import Answer, answer, fault, listed, serving

from app.ports.stripe import (
    CursorGoneError,
    ListedPage,
    Listing,
    ProcessorLists,
    ProcessorRefusedError,
    ProcessorUnavailableError,
)

CUSTOMERS = Listing("customer")
SUBSCRIPTIONS = Listing("subscription", (("status", "all"),))


async def whole(stripe: ProcessorLists, listing: Listing) -> list[ListedPage]:
    pages = [await stripe.list_page(listing, after=None)]
    while pages[-1].after:
        pages.append(await stripe.list_page(listing, after=pages[-1].after))
    return pages


async def test_a_list_is_read_page_by_page_and_each_object_is_the_json_that_came() -> None:
    customers = [customer(f"cus_{n}", name="Zoë  GmbH") for n in range(250)]

    def respond(path: str, query: dict[str, list[str]]) -> Answer:
        assert (path, query["limit"]) == ("/v1/customers", ["100"])
        start = [found["id"] for found in customers].index(query["starting_after"][0]) + 1 if len(query) > 1 else 0
        more = start + 100 < len(customers)
        body = json.dumps({"object": "list", "data": customers[start : start + 100], "has_more": more}, indent=2)
        return answer(body.encode(), **{"stripe-version": "2026-10-28.endive"})

    async with serving(respond) as (stripe, server):
        pages = await whole(stripe, CUSTOMERS)

    assert [len(page.objects) for page in pages] == [100, 100, 50]
    assert [found.id for page in pages for found in page.objects] == [found["id"] for found in customers]
    first = pages[0].objects[0]
    assert (first.type, first.gone, first.api_version) == ("customer", False, "2026-10-28.endive")
    assert json.loads(first.raw) == customers[0]
    assert "\n" in first.raw
    assert len(server.seen) == 3


async def test_subscriptions_of_every_status_come_with_every_page_of_their_items() -> None:
    items = [item(f"si_{n}") for n in range(150)]
    large, small = subscription("sub_1", items=items[:10]), subscription("sub_2", "canceled")
    large["items"]["has_more"] = True

    def respond(path: str, query: dict[str, list[str]]) -> Answer:
        if path == "/v1/subscriptions":
            assert query["status"] == ["all"]
            return listed(large, small)
        assert query["subscription"] == ["sub_1"]
        start = [it["id"] for it in items].index(query["starting_after"][0]) + 1
        return listed(*items[start : start + 100], has_more=start + 100 < len(items))

    async with serving(respond) as (stripe, _):
        [page] = await whole(stripe, SUBSCRIPTIONS)

    assert [it["id"] for it in json.loads(page.objects[0].raw)["items"]["data"]] == [it["id"] for it in items]
    assert json.loads(page.objects[1].raw) == small


async def test_events_are_listed_since_a_time() -> None:
    asked: list[dict[str, list[str]]] = []

    def respond(path: str, query: dict[str, list[str]]) -> Answer:
        asked.append(query)
        return listed({"id": "evt_1"}) if path == "/v1/events" else fault(404)

    async with serving(respond) as (stripe, _):
        page = await stripe.list_page(Listing("event", (("created[gte]", "1780000000"),)), after=None)

    assert [found.id for found in page.objects] == ["evt_1"]
    assert asked == [{"limit": ["100"], "created[gte]": ["1780000000"]}]


async def test_a_cursor_that_has_left_the_list_is_told_apart() -> None:
    async with serving(lambda _path, _query: fault(400, "resource_missing")) as (stripe, _):
        with pytest.raises(CursorGoneError):
            await stripe.list_page(CUSTOMERS, after="cus_1")
        with pytest.raises(ProcessorRefusedError):
            await stripe.list_page(Listing("subscription", (("customer", "cus_1"),)), after=None)


async def test_a_page_may_be_larger_than_an_object() -> None:
    large: dict[str, Any] = customer(description="x" * 5_000_000)

    async with serving(lambda _path, _query: listed(large)) as (stripe, _):
        page = await stripe.list_page(CUSTOMERS, after=None)

    assert len(page.objects[0].raw) > 5_000_000


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(answer({"object": "list"}), id="no list"),
        pytest.param(answer([]), id="an array"),
        pytest.param(answer({"data": {}}), id="an object for a list"),
        pytest.param(answer({"data": ["cus_1"]}), id="ids"),
        pytest.param(listed({"object": "customer"}), id="without an id"),
        pytest.param(listed({"id": 5}), id="a number for an id"),
        pytest.param(listed(has_more=True), id="more behind nothing"),
        pytest.param(listed(customer("cus_0"), has_more=True), id="the page that was asked to follow"),
        pytest.param(fault(429), id="429"),
        pytest.param(answer(b'{"data": [' + b"[" * 100_000), id="deep"),
    ],
)
async def test_a_page_that_cannot_be_is_not_believed(given: Answer) -> None:
    async with serving(lambda _path, _query: given) as (stripe, _):
        with pytest.raises(ProcessorUnavailableError):
            await stripe.list_page(CUSTOMERS, after="cus_0")


async def test_pages_keep_to_the_rate_of_their_endpoint() -> None:
    async with serving(lambda _path, _query: listed(customer()), endpoint_rate_per_s=5) as (stripe, _):
        loop = asyncio.get_running_loop()
        started = loop.time()
        await asyncio.gather(*(stripe.list_page(CUSTOMERS, after=None) for _ in range(6)))

    assert loop.time() - started >= 0.15
