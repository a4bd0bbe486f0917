"""What operators ask of the inbox, over a real database."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from support.clock import FrozenClock
from support.stripe import T0, customer, stored_event, subscription

from app.domain.stripe_event import (
    ObjectName,
    StripeEvent,
    StripeEventFilter,
    StripeEventStatus,
    StripeObjectState,
    StripeTrace,
)
from app.store.inbox import MongoInbox
from app.store.mongo import Mongo

E = StripeEventStatus
AT = T0 * 1000


class Box:
    def __init__(self, mongo: Mongo) -> None:
        self.mongo = mongo
        self.clock = FrozenClock(AT)
        self.inbox = MongoInbox(mongo, self.clock)

    async def listed(self, **wanted: Any) -> list[str]:
        page = await self.inbox.events_page(StripeEventFilter(**wanted), after=None, first=100)
        return [event.id for event in page.items]

    async def fail(self, object_id: str, *, is_final: bool = False) -> None:
        """Take what is due, and let only this object fail; the others are clean."""
        for lease in await self.inbox.lease(limit=100, until_at=self.clock.now_at() + 1000):
            if lease.object.id != object_id:
                await self.inbox.clear(lease)
            elif is_final:
                await self.inbox.bury(lease, error="no")
            else:
                await self.inbox.postpone(lease, until_at=self.clock.now_at() + 60_000, error="no", counted=True)


@pytest.fixture
async def box(mongodb_uri: str, database: str) -> AsyncIterator[Box]:
    mongo = Mongo(mongodb_uri, database)
    await mongo.open(with_indexes=False)
    yield Box(mongo)
    await mongo.close()


def event(number: int, type: str = "customer.updated", **fields: Any) -> StripeEvent:
    made = stored_event(f"evt_{number}", type, customer(f"cus_{number}"), received_at=AT + number)
    return msgspec.structs.replace(made, **fields)


@pytest.mark.parametrize(
    ("type", "found"),
    [
        ("customer.updated", ["evt_1"]),
        ("customer.*", ["evt_2", "evt_1"]),
        ("customer.subscription.*", ["evt_2"]),
        ("customer", []),
        ("*", ["evt_4", "evt_3", "evt_2", "evt_1"]),
        ("customerXupdated", []),
        (".*", []),
    ],
)
async def test_a_type_is_found_whole_or_by_its_beginning(box: Box, type: str, found: list[str]) -> None:
    types = ["customer.updated", "customer.subscription.updated", "price.created", "customers_updated"]
    for number, each in enumerate(types, start=1):
        await box.inbox.accept(event(number, each))

    assert await box.listed(type=type) == found


async def test_filters_narrow_one_another(box: Box) -> None:
    for number in range(4):
        await box.inbox.accept(event(number, object_id="cus_even" if number % 2 == 0 else "cus_odd"))

    assert await box.listed(object_id="cus_even") == ["evt_2", "evt_0"]
    assert await box.listed(from_at=AT + 1, to_at=AT + 3) == ["evt_2", "evt_1"]
    assert await box.listed(object_id="cus_odd", from_at=AT + 2) == ["evt_3"]


async def test_what_failed_is_dead_or_waits_after_a_failure(box: Box) -> None:
    for number in range(5):
        await box.inbox.accept(event(number))
    await box.inbox.note(["evt_0"], E.DEAD, reason="no")
    await box.inbox.note(["evt_1"], E.RECEIVED, reason="no answer")
    await box.inbox.note(["evt_2"], E.PARKED, reason="no workspace")
    await box.inbox.note(["evt_3"], E.PROCESSED, reason="older than what is stored")

    assert await box.listed(failed=True) == ["evt_1", "evt_0"]
    assert await box.listed(failed=True, status=E.DEAD) == ["evt_0"]


async def test_pages_of_a_filter_are_whole_though_some_events_cannot_be_read(box: Box) -> None:
    for number in range(4):
        await box.inbox.accept(event(number))
    await box.mongo.db["stripe_events"].update_many({"_id": {"$in": ["evt_3", "evt_2"]}}, {"$set": {"attempts": "x"}})

    page = await box.inbox.events_page(StripeEventFilter(), after=None, first=1)

    assert [found.id for found in page.items] == ["evt_1"]
    assert page.has_next


async def test_the_first_fetch_is_kept_and_the_last_write(box: Box) -> None:
    await box.inbox.accept(event(1))

    await box.inbox.note(["evt_1"], E.PARKED, trace=StripeTrace(fetched_at=AT + 1, written_at=AT + 2))
    await box.inbox.note(["evt_1"], E.RECEIVED, reason="$lost")
    later = StripeTrace(fetched_at=AT + 5, written_at=AT + 6, applied_at=AT + 7)
    await box.inbox.note(["evt_1"], E.PROCESSED, trace=later)

    found = await box.inbox.event("evt_1")
    assert found is not None
    assert (found.first_fetched_at, found.written_at, found.applied_at) == (AT + 1, AT + 6, AT + 7)
    assert (found.attempts, found.reason, found.processed_at) == (3, None, AT)


async def test_a_reason_that_looks_like_a_field_is_only_a_reason(box: Box) -> None:
    await box.inbox.accept(event(1))

    await box.inbox.note(["evt_1"], E.DEAD, reason="$payload")

    found = await box.inbox.event("evt_1")
    assert found is not None
    assert found.reason == "$payload"


async def test_what_waits_says_since_when_and_what_failed(box: Box) -> None:
    await box.inbox.mark("customer", "cus_1")
    box.clock.advance(10)
    await box.fail("cus_1")
    box.clock.advance(10)
    await box.inbox.mark("customer", "cus_1")

    found = (await box.inbox.queued(["cus_1", "cus_2"]))["cus_1"]

    assert (found.state, found.marked_at, found.attempts) == (StripeObjectState.PENDING, AT, 1)
    assert (found.last_error, found.failed_at) == ("no", AT + 10)
    assert (await box.inbox.backlog()).oldest_pending_at == AT
    assert await box.inbox.queued([]) == {}


async def test_what_is_parked_says_under_what_and_waits_from_its_release(box: Box) -> None:
    await box.inbox.mark("customer", "cus_1")
    (lease,) = await box.inbox.lease(limit=1, until_at=AT + 1000)
    await box.inbox.park(lease, ["ws_1"])
    parked = (await box.inbox.queued(["cus_1"]))["cus_1"]
    assert (parked.state, parked.parked_under) == (StripeObjectState.PARKED, ("ws_1",))
    assert (await box.inbox.backlog()).oldest_pending_at is None

    box.clock.advance(5)
    await box.inbox.release(["ws_1"])

    assert (await box.inbox.backlog()).oldest_pending_at == AT + 5


async def test_what_was_received_is_found_by_objects_each_once(box: Box) -> None:
    await box.inbox.accept(event(1, object_id="cus_a"))
    await box.inbox.accept(event(2, object_id="cus_b"))
    await box.inbox.accept(event(3, object_id="cus_a"))
    await box.inbox.accept(event(4, object_id="cus_c"))

    whole = await box.inbox.received(from_at=AT + 1, to_at=AT + 4, after=None, most=10)
    first = await box.inbox.received(from_at=AT + 1, to_at=AT + 9, after=None, most=3)
    second = await box.inbox.received(from_at=AT + 1, to_at=AT + 9, after=first.end, most=3)

    assert (whole.events, whole.end) == (3, None)
    assert whole.objects == (ObjectName("customer", "cus_a"), ObjectName("customer", "cus_b"))
    assert first.end == (AT + 3, "evt_3")
    assert (second.events, second.objects, second.end) == (1, (ObjectName("customer", "cus_c"),), None)


async def test_what_cannot_be_asked_for_is_passed_over(box: Box) -> None:
    await box.inbox.accept(event(1, status=E.IGNORED, foreign=True))
    await box.inbox.accept(event(2, status=E.IGNORED, object_type="galaxy"))
    await box.inbox.accept(event(3, status=E.IGNORED, object_id=None))
    await box.inbox.accept(event(4, status=E.IGNORED))

    found = await box.inbox.received(from_at=AT, to_at=AT + 9, after=None, most=10)

    assert found.objects == (ObjectName("customer", "cus_4"),)


async def test_what_failed_since_is_found_with_or_without_events(box: Box) -> None:
    for name in ("cus_1", "cus_2", "cus_3"):
        await box.inbox.mark("customer", name)
        box.clock.advance(10)
        await box.fail(name, is_final=name == "cus_2")

    async def failed(since_at: int, after: str | None = None, most: int = 10) -> list[str]:
        return [name.id for name in await box.inbox.failed(since_at=since_at, after=after, most=most)]

    assert await failed(AT) == ["cus_1", "cus_2", "cus_3"]
    assert await failed(AT + 20) == ["cus_2", "cus_3"]
    assert await failed(AT, most=2) == ["cus_1", "cus_2"]
    assert await failed(AT, after="cus_2") == ["cus_3"]


async def test_many_are_marked_and_the_dead_revived(box: Box) -> None:
    await box.inbox.mark("customer", "cus_0")
    await box.fail("cus_0", is_final=True)
    names = [ObjectName("customer", f"cus_{number}") for number in range(1200)]

    await box.inbox.mark_all(names)

    backlog = await box.inbox.backlog()
    assert (backlog.pending, backlog.dead) == (1200, 0)
    assert (await box.inbox.lease(limit=1, until_at=AT + 1000))[0].object.attempts == 0
    await box.inbox.mark_all([])


async def test_subscriptions_are_marked_by_their_own_type(box: Box) -> None:
    await box.inbox.mark_all([ObjectName(subscription()["object"], "sub_1")])

    (lease,) = await box.inbox.lease(limit=1, until_at=AT + 1000)
    assert (lease.object.type, lease.object.id) == ("subscription", "sub_1")
