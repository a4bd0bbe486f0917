"""The inbox over a real database."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from support.clock import FrozenClock
from support.stripe import T0, customer, stored_event, subscription

from app.domain.errors import UnavailableError
from app.domain.stripe_event import StripeEvent, StripeEventFilter, StripeEventStatus
from app.ports.stripe import Lease
from app.store.inbox import MongoInbox
from app.store.mongo import Mongo

E = StripeEventStatus
SOON_MS = 15_000
EVERY = StripeEventFilter()


class Box:
    def __init__(self, mongo: Mongo) -> None:
        self.mongo = mongo
        self.clock = FrozenClock(T0 * 1000)
        self.inbox = MongoInbox(mongo, self.clock)

    async def take(self, limit: int = 10) -> list[Lease]:
        return await self.inbox.lease(limit=limit, until_at=self.clock.now_at() + SOON_MS)

    async def take_one(self) -> Lease:
        (lease,) = await self.take()
        return lease


@pytest.fixture
async def box(mongodb_uri: str, database: str) -> AsyncIterator[Box]:
    mongo = Mongo(mongodb_uri, database)
    await mongo.open(with_indexes=False)
    yield Box(mongo)
    await mongo.close()


def created(id: str = "evt_1", **fields: int) -> StripeEvent:
    return stored_event(id, "customer.created", customer(), **fields)


async def test_an_event_is_stored_once_and_as_it_came(box: Box) -> None:
    assert await box.inbox.accept(created())
    assert not await box.inbox.accept(created())

    assert await box.inbox.event("evt_1") == created()
    assert await box.inbox.event("evt_2") is None


async def test_twenty_at_once_are_one(box: Box) -> None:
    accepted = await asyncio.gather(*(box.inbox.accept(created()) for _ in range(20)))

    assert accepted.count(True) == 1
    assert (await box.take_one()).object.sequence == 1


async def test_many_first_marks_at_once_are_all_counted(box: Box) -> None:
    await asyncio.gather(*(box.inbox.accept(created(f"evt_{n}")) for n in range(20)))

    assert (await box.take_one()).object.sequence == 20


async def test_an_ignored_event_marks_nothing(box: Box) -> None:
    ignored = StripeEvent(
        id="evt_1",
        type="charge.succeeded",
        occurred_at=T0 * 1000,
        received_at=T0 * 1000,
        payload="{}",
        status=E.IGNORED,
        object_type="charge",
        object_id="ch_1",
    )

    await box.inbox.accept(ignored)

    assert await box.take() == []
    stored = await box.inbox.event("evt_1")
    assert stored is not None
    assert stored.processed_at == T0 * 1000  # so that it expires


async def test_names_that_look_like_operators_are_only_names(box: Box) -> None:
    await box.inbox.mark("$type", "$id")

    lease = await box.take_one()

    assert (lease.object.type, lease.object.id) == ("$type", "$id")


async def test_a_leased_object_is_not_leased_again_until_its_lease_ends(box: Box) -> None:
    await box.inbox.accept(created())
    await box.take_one()

    assert await box.take() == []
    box.clock.advance(SOON_MS)
    assert len(await box.take()) == 1


async def test_a_renewed_lease_lasts(box: Box) -> None:
    await box.inbox.accept(created())
    lease = await box.take_one()

    await box.inbox.renew([lease], until_at=box.clock.now_at() + 2 * SOON_MS)
    box.clock.advance(SOON_MS)

    assert await box.take() == []


async def test_concurrent_takers_never_share_an_object(box: Box) -> None:
    for n in range(40):
        await box.inbox.mark("customer", f"cus_{n}")

    taken = await asyncio.gather(*(box.take(10) for _ in range(8)))

    ids = [lease.object.id for leases in taken for lease in leases]
    assert len(ids) == len(set(ids))


async def test_a_clean_object_is_forgotten(box: Box) -> None:
    await box.inbox.accept(created())

    await box.inbox.clear(await box.take_one())

    assert (await box.inbox.backlog()).pending == 0
    box.clock.advance(SOON_MS)
    assert await box.take() == []


@pytest.mark.parametrize("settle", ["clear", "park", "bury"])
async def test_a_mark_during_work_makes_it_due_again(box: Box, settle: str) -> None:
    await box.inbox.accept(created())
    lease = await box.take_one()

    await box.inbox.accept(created("evt_2"))
    match settle:
        case "clear":
            await box.inbox.clear(lease)
        case "park":
            await box.inbox.park(lease, ["ws_1"])
        case _:
            await box.inbox.bury(lease, error="no")

    assert (await box.take_one()).object.sequence == 2


async def test_who_lost_the_lease_settles_nothing(box: Box) -> None:
    await box.inbox.accept(created())
    lost = await box.take_one()
    box.clock.advance(SOON_MS)
    held = await box.take_one()

    await box.inbox.clear(lost)
    await box.inbox.park(lost, ["ws_1"])
    await box.inbox.bury(lost, error="no")
    await box.inbox.postpone(lost, until_at=box.clock.now_at(), error="no", counted=True)

    backlog = await box.inbox.backlog()
    assert (backlog.pending, backlog.parked, backlog.dead) == (1, 0, 0)
    assert await box.take() == []
    await box.inbox.clear(held)
    assert (await box.inbox.backlog()).pending == 0


async def test_a_lost_lease_does_not_clear_an_object_that_came_anew(box: Box) -> None:
    await box.inbox.accept(created())
    lost = await box.take_one()
    box.clock.advance(SOON_MS)
    await box.inbox.clear(await box.take_one())
    await box.inbox.accept(created("evt_2"))  # counts from one again, like the first

    await box.inbox.clear(lost)

    assert (await box.inbox.backlog()).pending == 1


async def test_a_postponed_object_waits_and_counts_its_attempts(box: Box) -> None:
    await box.inbox.accept(created())
    await box.inbox.postpone(await box.take_one(), until_at=T0 * 1000 + 5000, error="status 500", counted=True)
    assert await box.take() == []

    box.clock.advance(5000)
    lease = await box.take_one()

    assert (lease.object.attempts, lease.object.last_error) == (1, "status 500")


async def test_a_mark_hurries_what_was_postponed(box: Box) -> None:
    await box.inbox.accept(created())
    await box.inbox.postpone(await box.take_one(), until_at=T0 * 1000 + 5000, error="status 500", counted=True)

    await box.inbox.mark("customer", "cus_1")

    assert (await box.take_one()).object.attempts == 1


async def test_a_parked_object_is_released_under_any_of_its_parents(box: Box) -> None:
    await box.inbox.accept(created())
    await box.inbox.park(await box.take_one(), ["ws_1", "acme"])
    assert await box.take() == []
    assert [batch async for batch in box.inbox.parents()] in ([["ws_1", "acme"]], [["acme", "ws_1"]])

    assert await box.inbox.release(["other"]) == 0
    assert await box.inbox.release(["acme", "other"]) == 1

    assert (await box.take_one()).object.id == "cus_1"


async def test_a_dead_letter_is_listed_and_a_mark_revives_it(box: Box) -> None:
    await box.inbox.accept(created())
    await box.inbox.note(["evt_1"], E.DEAD, reason="unknown status")
    await box.inbox.bury(await box.take_one(), error="unknown status")
    listed = await box.inbox.events_page(StripeEventFilter(status=E.DEAD), after=None, first=10)
    assert [(event.id, event.reason) for event in listed.items] == [("evt_1", "unknown status")]
    assert (await box.inbox.backlog()).dead == 1

    await box.inbox.mark("customer", "cus_1")

    assert (await box.take_one()).object.attempts == 0


async def test_unsettled_events_come_oldest_first(box: Box) -> None:
    for name, second in (("evt_b", 2), ("evt_a", 3), ("evt_c", 1)):
        await box.inbox.accept(created(name, created=T0 + second))
    await box.inbox.note(["evt_b"], E.PROCESSED)

    assert [event.id for event in await box.inbox.unsettled("cus_1", payloads=False)] == ["evt_c", "evt_a"]
    assert all(event.payload for event in await box.inbox.unsettled("cus_1", payloads=True))


async def test_an_event_whose_object_was_never_marked_is_found_exactly(box: Box) -> None:
    await box.inbox.accept(created())
    await box.inbox.accept(stored_event("evt_2", "customer.subscription.updated", subscription()))
    await box.mongo.db["stripe_dirty"].delete_one({"_id": "sub_1"})  # as after a crash between the two writes
    box.clock.advance(1)

    assert await box.inbox.mark_forgotten(received_before_at=box.clock.now_at()) == 1
    assert await box.inbox.mark_forgotten(received_before_at=box.clock.now_at()) == 0
    assert sorted(lease.object.id for lease in await box.take()) == ["cus_1", "sub_1"]


async def test_a_fresh_event_is_not_taken_for_a_forgotten_one(box: Box) -> None:
    await box.inbox.accept(created())
    await box.mongo.db["stripe_dirty"].delete_many({})

    assert await box.inbox.mark_forgotten(received_before_at=box.clock.now_at() - 1) == 0


async def test_a_parked_object_with_a_new_unmarked_event_is_found_too(box: Box) -> None:
    await box.inbox.accept(created())
    await box.inbox.note(["evt_1"], E.PARKED)
    await box.inbox.park(await box.take_one(), ["ws_1"])
    assert await box.inbox.mark_forgotten(received_before_at=box.clock.now_at()) == 0
    await box.mongo.db["stripe_events"].update_one({"_id": "evt_1"}, {"$set": {"status": "RECEIVED"}})

    assert await box.inbox.mark_forgotten(received_before_at=box.clock.now_at()) == 1


async def test_fetch_sequences_are_one_line_for_all(box: Box) -> None:
    drawn = await asyncio.gather(*(box.inbox.fetch_sequence() for _ in range(20)))

    assert sorted(drawn) == list(range(1, 21))


async def test_pages_go_from_the_newest_received(box: Box) -> None:
    for n in range(5):
        await box.inbox.accept(created(f"evt_{n}", received_at=T0 * 1000 + n // 2))  # pairs share a millisecond

    first = await box.inbox.events_page(EVERY, after=None, first=2)
    last = first.items[-1]
    second = await box.inbox.events_page(EVERY, after=(last.received_at, last.id), first=3)

    assert [event.id for event in first.items + second.items] == ["evt_4", "evt_3", "evt_2", "evt_1", "evt_0"]
    assert (first.has_next, second.has_next) == (True, False)
    assert (await box.inbox.backlog()).last_event_at == T0 * 1000 + 2


async def test_only_what_is_done_ever_expires(mongodb_uri: str, database: str) -> None:
    mongo = Mongo(mongodb_uri, database)
    await mongo.open()
    indexes = await mongo.db["stripe_events"].index_information()
    await mongo.close()

    # the server leaves documents alone whose field is no date: RECEIVED, PARKED and DEAD ones have null
    assert [name for name, index in indexes.items() if "expireAfterSeconds" in index] == ["retention"]
    assert indexes["retention"]["key"] == [("processedAt", 1)]


async def test_a_database_that_does_not_answer_is_unavailable_within_the_deadline() -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        mongo = Mongo(f"mongodb://127.0.0.1:{port}/?replicaSet=none", "x", timeout_s=0.2)

        with pytest.raises(UnavailableError):
            await MongoInbox(mongo, FrozenClock()).accept(created())
        await mongo.close()


async def test_what_cannot_be_read_is_dead_and_holds_nobody_up(box: Box) -> None:
    await box.inbox.accept(created())
    broken = {"_id": "cus_broken", "state": "PENDING", "dueAt": datetime(2020, 1, 1, tzinfo=UTC)}
    await box.mongo.db["stripe_dirty"].insert_many([broken, {**broken, "_id": {"odd": 1}}])

    assert (await box.take_one()).object.id == "cus_1"

    assert (await box.inbox.backlog()).dead == 2
    box.clock.advance(SOON_MS)
    assert [lease.object.id for lease in await box.take()] == ["cus_1"]
    await box.inbox.mark("customer", "cus_broken")
    assert [lease.object.id for lease in await box.take()] == ["cus_broken"]


async def test_events_that_cannot_be_read_are_left_out(box: Box) -> None:
    await box.inbox.accept(created())
    broken = {"_id": "evt_broken", "objectId": "cus_1", "status": "RECEIVED", "receivedAt": "yesterday"}
    await box.mongo.db["stripe_events"].insert_one(broken)
    await box.mongo.db["stripe_events"].insert_one({"_id": "evt_empty", "status": "RECEIVED"})

    page = await box.inbox.events_page(EVERY, after=None, first=10)
    unsettled = await box.inbox.unsettled("cus_1", payloads=True)
    forgotten = await box.inbox.mark_forgotten(received_before_at=box.clock.now_at() + 1)

    assert [event.id for event in page.items] == ["evt_1"]
    assert [event.id for event in unsettled] == ["evt_1"]
    assert forgotten == 0
    noted = await box.mongo.db["stripe_events"].find_one({"_id": "evt_broken"})
    assert noted is not None
    assert (noted["status"], noted["reason"]) == ("DEAD", "the document cannot be read")
    assert (await box.inbox.backlog()).last_event_at == T0 * 1000


async def test_a_backlog_without_a_readable_event_has_no_last_one(box: Box) -> None:
    await box.mongo.db["stripe_events"].insert_one({"_id": "evt_empty"})

    assert (await box.inbox.backlog()).last_event_at is None
