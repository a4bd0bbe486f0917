"""Giving dead letters up, over a real database."""

from collections.abc import AsyncIterator

import pytest
from support.clock import FrozenClock
from support.stripe import T0, customer, stored_event

from app.domain.stripe_event import Discard, Discarded, StripeEventFilter, StripeEventStatus
from app.store.inbox import MongoInbox
from app.store.mongo import Mongo

E = StripeEventStatus
AT = T0 * 1000


@pytest.fixture
async def inbox(mongodb_uri: str, database: str) -> AsyncIterator[MongoInbox]:
    mongo = Mongo(mongodb_uri, database)
    await mongo.open(with_indexes=False)
    yield MongoInbox(mongo, FrozenClock(AT))
    await mongo.close()


async def bury(inbox: MongoInbox, *events: str, object_id: str = "cus_1") -> None:
    for event_id in events:
        await inbox.accept(stored_event(event_id, "customer.updated", customer(object_id)))
    await inbox.note(events, E.DEAD, reason="unknown status")
    for lease in await inbox.lease(limit=10, until_at=AT + 1000):
        await inbox.bury(lease, error="unknown status")


def by_event(*ids: str) -> Discard:
    return Discard(by="key_1", reason="a test account", event_ids=ids)


async def status_of(inbox: MongoInbox, id: str) -> StripeEventStatus | None:
    found = await inbox.event(id)
    return found.status if found else None


async def test_a_discarded_event_stays_listed_with_who_and_why(inbox: MongoInbox) -> None:
    await bury(inbox, "evt_1")

    assert await inbox.discard(by_event("evt_1")) == Discarded(events=1, objects=1)

    (found,) = (await inbox.events_page(StripeEventFilter(status=E.DISCARDED), after=None, first=10)).items
    assert (found.discarded_by, found.discard_reason) == ("key_1", "a test account")
    assert (found.reason, found.processed_at) == ("unknown status", AT)  # so that it expires
    assert (await inbox.backlog()).dead == 0


async def test_an_object_stays_dead_while_another_event_of_it_is(inbox: MongoInbox) -> None:
    await bury(inbox, "evt_1", "evt_2")

    assert await inbox.discard(by_event("evt_1")) == Discarded(events=1, objects=0)
    assert (await inbox.backlog()).dead == 1
    assert await inbox.discard(by_event("evt_2")) == Discarded(events=1, objects=1)


async def test_an_object_is_discarded_with_all_its_dead_events(inbox: MongoInbox) -> None:
    await bury(inbox, "evt_1", "evt_2")
    await bury(inbox, "evt_3", object_id="cus_2")

    discarded = await inbox.discard(Discard(by="key_1", reason="gone", object_id="cus_1"))

    assert discarded == Discarded(events=2, objects=1)
    assert await status_of(inbox, "evt_3") is E.DEAD
    assert (await inbox.backlog()).dead == 1


async def test_a_dead_object_without_events_is_discarded_too(inbox: MongoInbox) -> None:
    await inbox.mark("customer", "cus_1")
    await bury(inbox)

    assert await inbox.discard(Discard(by="key_1", reason="gone", object_id="cus_1")) == Discarded(0, 1)


async def test_what_is_not_dead_is_left_alone(inbox: MongoInbox) -> None:
    await inbox.accept(stored_event("evt_1", "customer.updated", customer()))

    assert await inbox.discard(by_event("evt_1")) == Discarded(0, 0)
    assert await inbox.discard(Discard(by="key_1", reason="gone", object_id="cus_1")) == Discarded(0, 0)
    assert await status_of(inbox, "evt_1") is E.RECEIVED
    assert (await inbox.backlog()).pending == 1


async def test_a_worker_that_was_at_it_does_not_bring_it_back(inbox: MongoInbox) -> None:
    await bury(inbox, "evt_1")
    await inbox.discard(by_event("evt_1"))

    await inbox.note(["evt_1"], E.PROCESSED)

    assert await status_of(inbox, "evt_1") is E.DISCARDED


async def test_a_new_event_brings_a_discarded_object_back_to_work(inbox: MongoInbox) -> None:
    await bury(inbox, "evt_1")
    await inbox.discard(by_event("evt_1"))

    await inbox.accept(stored_event("evt_2", "customer.updated", customer()))

    (lease,) = await inbox.lease(limit=10, until_at=AT + 1000)
    assert [event.id for event in await inbox.unsettled(lease.object.id, payloads=False)] == ["evt_2"]
