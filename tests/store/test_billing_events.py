"""Billing events in MongoDB: kept once by id, listed either way, whatever else lies there."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from support.records import NOW, workspace
from support.runtime import running

from app.domain.billing_event import BillingEvent, BillingEventFilter, BillingEventType, event_id
from app.domain.change import Kind
from app.ports.billing_events import BillingEvents
from app.runtime import Runtime
from app.store.billing_events import MongoBillingEvents

T = BillingEventType


@pytest.fixture
async def rt(mongodb_uri: str, database: str) -> AsyncIterator[Runtime]:
    async with running(mongodb_uri, database) as runtime:
        yield runtime


def told(number: int, **fields: Any) -> BillingEvent:
    made: dict[str, Any] = {
        "id": event_id(f"told {number}"),
        "type": T.INVOICE_PAID,
        "occurred_at": NOW,
        "recorded_at": NOW + number,
        "workspace_id": "ws_1",
        "customer_id": "cus_1",
        "object_type": "invoice",
        "object_id": f"in_{number}",
        "data": {"before": None, "after": {"$set.x": [1, None, True]}},
    }
    return BillingEvent(**made | fields)


async def listed(events: BillingEvents, **wanted: Any) -> list[BillingEvent]:
    return list((await events.page(BillingEventFilter(**wanted), after=None, first=50)).items)


async def test_an_event_comes_back_as_it_was_told(rt: Runtime) -> None:
    event = told(1)

    await rt.billing_events.tell([event])

    assert await rt.billing_events.event(event.id) == event
    assert await rt.billing_events.event("bev_none") is None


async def test_what_is_told_again_stays_as_it_was(rt: Runtime) -> None:
    await rt.billing_events.tell([told(1)])

    await rt.billing_events.tell([told(1, recorded_at=NOW + 99), told(2)])
    await rt.billing_events.tell([])

    assert await listed(rt.billing_events) == [told(2), told(1)]


async def test_of_many_that_tell_the_same_at_once_one_is_kept(rt: Runtime) -> None:
    await asyncio.gather(*(rt.billing_events.tell([told(1), told(2), told(n)]) for n in range(3, 13)))

    assert await rt.billing_events.count(BillingEventFilter()) == 12


async def test_beside_records_an_event_that_is_there_stays_and_stops_nobody(rt: Runtime) -> None:
    await rt.billing_events.tell([told(1)])

    await rt.store.write([workspace()], (), None, events=[told(1, recorded_at=NOW + 99), told(2)])

    assert await listed(rt.billing_events) == [told(2), told(1)]
    assert await rt.store.read(Kind.WORKSPACE, ["ws_1"])


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        ({}, [5, 4, 3, 2, 1]),
        ({"workspace_id": "ws_2"}, [2]),
        ({"workspace_id": "ws_2", "customer_id": "cus_1"}, [4, 2]),
        ({"workspace_id": "ws_2", "customer_id": "cus_2"}, [2]),
        ({"types": (T.INVOICE_VOIDED, T.CATALOG_CHANGED)}, [4, 3]),
        ({"from_at": NOW + 2, "to_at": NOW + 4}, [3, 2]),
        ({"workspace_id": "ws_1", "types": (T.INVOICE_PAID,), "to_at": NOW + 5}, [1]),
    ],
)
async def test_filters_narrow(rt: Runtime, wanted: dict[str, Any], numbers: list[int]) -> None:
    fields: list[dict[str, Any]] = [
        {},
        {"workspace_id": "ws_2"},
        {"type": T.INVOICE_VOIDED},
        {"type": T.CATALOG_CHANGED, "workspace_id": None},
        {},
    ]
    await rt.billing_events.tell([told(number, **given) for number, given in enumerate(fields, 1)])

    assert [event.recorded_at - NOW for event in await listed(rt.billing_events, **wanted)] == numbers
    assert await rt.billing_events.count(BillingEventFilter(**wanted)) == len(numbers)


@pytest.mark.parametrize("newest_first", [True, False])
async def test_pages_go_on_where_one_ended_also_within_a_millisecond(rt: Runtime, *, newest_first: bool) -> None:
    await rt.billing_events.tell([told(number, recorded_at=NOW + number // 4) for number in range(11)])
    found: list[BillingEvent] = []
    after: tuple[int, str] | None = None

    for _ in range(4):
        page = await rt.billing_events.page(BillingEventFilter(), after=after, first=3, newest_first=newest_first)
        found.extend(page.items)
        after = (found[-1].recorded_at, found[-1].id)

    order = [(event.recorded_at, event.id) for event in found]
    assert (len(found), page.has_next) == (11, False)
    assert order == sorted(order, reverse=newest_first)


async def test_one_broken_document_hides_no_other(rt: Runtime) -> None:
    await rt.billing_events.tell([told(1), told(2)])
    events = rt.billing_events
    assert isinstance(events, MongoBillingEvents)
    await events._events.update_one({"_id": told(2).id}, {"$set": {"data": "{"}})

    assert await listed(events) == [told(1)]
    assert await events.event(told(2).id) is None
