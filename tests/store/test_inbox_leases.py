"""Who may work on what: the order, and several processes at one queue, whose clocks may differ."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from support.clock import FrozenClock
from support.stripe import T0, customer, stored_event

from app.domain.stripe_event import StripeEventStatus
from app.ports.stripe import Lease
from app.store.inbox import MongoInbox
from app.store.mongo import Mongo

LEASE_MS = 15_000
RENEWED_MS = 5_000


class Process:
    """One process's view of the queue, by a clock of its own."""

    def __init__(self, mongo: Mongo, *, ahead_ms: int = 0) -> None:
        self.clock = FrozenClock(T0 * 1000 + ahead_ms)
        self.inbox = MongoInbox(mongo, self.clock)

    async def take(self, limit: int = 100, *, in_turn: bool = False) -> list[Lease]:
        return await self.inbox.lease(limit=limit, until_at=self.clock.now_at() + LEASE_MS, in_turn=in_turn)

    async def renew(self, leases: Sequence[Lease]) -> None:
        await self.inbox.renew(leases, until_at=self.clock.now_at() + LEASE_MS)

    async def settled(self, leases: Sequence[Lease]) -> set[str]:
        """Settle, and return those that this process could."""
        before = await self.pending()
        for lease in leases:
            await self.inbox.clear(lease)
        return before - await self.pending()

    async def pending(self) -> set[str]:
        return set(await self.inbox.queued([f"cus_{n}" for n in range(100)]))


@pytest.fixture
async def mongo(mongodb_uri: str, database: str) -> AsyncIterator[Mongo]:
    mongo = Mongo(mongodb_uri, database)
    await mongo.open(with_indexes=False)
    yield mongo
    await mongo.close()


async def mark(process: Process, count: int) -> None:
    """Mark so many objects, a second apart."""
    for number in range(count):
        await process.inbox.mark("customer", f"cus_{number}")
        process.clock.advance(1000)


def ids(leases: Sequence[Lease]) -> list[str]:
    return [lease.object.id for lease in leases]


async def test_what_waits_the_longest_comes_first_also_after_a_failure(mongo: Mongo) -> None:
    process = Process(mongo)
    await mark(process, 3)
    (first,) = await process.take(1)
    await process.inbox.postpone(first, until_at=process.clock.now_at() + 1, error="no", counted=True)
    process.clock.advance(1)

    assert ids(await process.take(1)) == ["cus_0"]


async def test_in_turn_what_was_tried_lately_comes_last(mongo: Mongo) -> None:
    process = Process(mongo)
    await mark(process, 3)
    turns: list[str] = []
    for _ in range(4):
        (lease,) = await process.take(1, in_turn=True)
        turns += ids([lease])
        await process.inbox.postpone(lease, until_at=process.clock.now_at() + 1, error="no", counted=False)
        process.clock.advance(1)

    assert turns == ["cus_0", "cus_1", "cus_2", "cus_0"]


async def test_types_that_are_left_alone_are_passed_over(mongo: Mongo) -> None:
    process = Process(mongo)
    await mark(process, 1)
    await process.inbox.mark("invoice", "in_1")

    leases = await process.inbox.lease(limit=5, until_at=process.clock.now_at() + LEASE_MS, without=["customer"])

    assert ids(leases) == ["in_1"]


async def test_what_is_put_back_is_as_it_was(mongo: Mongo) -> None:
    process = Process(mongo)
    await mark(process, 1)
    (lease,) = await process.take()
    before = (await process.inbox.queued(["cus_0"]))["cus_0"]

    await process.inbox.put_back(lease)

    after = (await process.inbox.queued(["cus_0"]))["cus_0"]
    (again,) = await process.take()
    assert (after.attempts, after.last_error, after.marked_at) == (0, None, before.marked_at)
    assert again.object == lease.object


async def test_of_a_renewal_and_a_takeover_at_the_same_time_one_holds_each_object(mongo: Mongo) -> None:
    slow, other = Process(mongo), Process(mongo)
    await mark(slow, 40)
    other.clock.at = slow.clock.at
    held = await slow.take()
    slow.clock.advance(LEASE_MS)
    other.clock.advance(LEASE_MS)

    _, taken = await asyncio.gather(slow.renew(held), other.take())

    by_slow, by_other = await slow.settled(held), await other.settled(taken)
    assert by_other == set(ids(taken))
    assert by_slow | by_other == set(ids(held))
    assert not by_slow & by_other


async def test_what_was_taken_over_cannot_be_renewed(mongo: Mongo) -> None:
    slow, other = Process(mongo), Process(mongo)
    await mark(slow, 1)
    held = await slow.take()
    other.clock.at = slow.clock.at + LEASE_MS
    taken = await other.take()

    slow.clock.advance(3 * LEASE_MS)
    await slow.renew(held)
    other.clock.advance(LEASE_MS)

    assert ids(taken) == ids(held)
    assert ids(await other.take()) == ids(held)  # by the other's own lease, which was not prolonged


@pytest.mark.parametrize(
    ("ahead_ms", "taken"),
    [
        pytest.param(9_999, [], id="within what a renewal leaves"),
        pytest.param(-60_000, [], id="behind"),
        pytest.param(10_001, ["cus_0"], id="ahead by more"),
    ],
)
async def test_clocks_may_differ_by_ten_seconds(mongo: Mongo, ahead_ms: int, taken: list[str]) -> None:
    holder = Process(mongo)
    await mark(holder, 1)
    held = await holder.take()
    holder.clock.advance(RENEWED_MS)
    await holder.renew(held)
    holder.clock.advance(RENEWED_MS)  # just before the next renewal

    other = Process(mongo)
    other.clock.at = holder.clock.at + ahead_ms

    assert ids(await other.take()) == taken


async def test_a_clock_that_is_behind_sees_what_was_marked_that_much_later(mongo: Mongo) -> None:
    await mark(Process(mongo), 1)
    behind = Process(mongo, ahead_ms=-3000)

    assert await behind.take() == []
    behind.clock.advance(3000)
    assert ids(await behind.take()) == ["cus_0"]


async def test_two_sweepers_at_once_find_what_was_forgotten_and_it_is_worked_on_once(mongo: Mongo) -> None:
    one, two = Process(mongo), Process(mongo)
    for number in range(30):
        event = stored_event(f"evt_{number}", "customer.created", customer(f"cus_{number}"))
        await one.inbox.accept(event)
    await mongo.db["stripe_dirty"].delete_many({})

    found = await asyncio.gather(
        *(process.inbox.mark_forgotten(received_before_at=T0 * 1000) for process in (one, two))
    )
    first, second = await asyncio.gather(one.take(), two.take())

    assert max(found) == 30
    assert sorted(ids(first) + ids(second)) == sorted(f"cus_{number}" for number in range(30))
    assert await one.settled(first) | await two.settled(second) == set(ids(first) + ids(second))
    assert await one.pending() == set()


async def test_who_was_overtaken_does_not_undo_what_the_other_noted(mongo: Mongo) -> None:
    slow, other = Process(mongo), Process(mongo)
    await slow.inbox.accept(stored_event("evt_1", "customer.created", customer("cus_0")))
    await slow.take()
    other.clock.advance(LEASE_MS)
    taken = await other.take()
    await other.inbox.note(["evt_1"], StripeEventStatus.PROCESSED)
    await other.settled(taken)

    await slow.inbox.note(["evt_1"], StripeEventStatus.PARKED, reason="no workspace is known")

    found = await slow.inbox.event("evt_1")
    assert found is not None
    assert (found.status, found.attempts) == (StripeEventStatus.PROCESSED, 1)
