"""Objects that were read without a lease, and wait for a parent."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from support.clock import FrozenClock
from support.stripe import T0

from app.domain.stripe_event import ObjectName, QueuedObject, StripeObjectState
from app.store.inbox import MongoInbox
from app.store.mongo import Mongo

SUB = ObjectName("subscription", "sub_1")
PARENT = "cus_1"


class Box:
    def __init__(self, mongo: Mongo) -> None:
        self.clock = FrozenClock(T0 * 1000)
        self.inbox = MongoInbox(mongo, self.clock)

    async def queued(self) -> QueuedObject:
        return (await self.inbox.queued([SUB.id]))[SUB.id]


@pytest.fixture
async def box(mongodb_uri: str, database: str) -> AsyncIterator[Box]:
    mongo = Mongo(mongodb_uri, database)
    await mongo.open(with_indexes=False)
    yield Box(mongo)
    await mongo.close()


async def test_it_waits_under_any_of_its_parents_and_is_due_when_one_comes(box: Box) -> None:
    await box.inbox.park_all({SUB: ["acme", PARENT]})
    waiting = await box.queued()

    assert (waiting.state, waiting.parked_under) == (StripeObjectState.PARKED, ("acme", PARENT))
    assert await box.inbox.lease(limit=1, until_at=T0 * 1000 + 1) == []
    assert [parent async for batch in box.inbox.parents() for parent in sorted(batch)] == ["acme", PARENT]
    assert await box.inbox.release([PARENT]) == 1
    (lease,) = await box.inbox.lease(limit=1, until_at=T0 * 1000 + 1)
    assert lease.object.type == "subscription"


async def test_twice_is_as_good_as_once_and_the_last_parents_count(box: Box) -> None:
    await box.inbox.park_all({SUB: ["acme"]})
    await box.inbox.park_all({SUB: [PARENT]})

    assert (await box.queued()).parked_under == (PARENT,)
    assert await box.inbox.release(["acme"]) == 0
    assert (await box.inbox.backlog()).parked == 1


async def test_what_waits_for_its_turn_keeps_it(box: Box) -> None:
    await box.inbox.mark(SUB.type, SUB.id)
    (lease,) = await box.inbox.lease(limit=1, until_at=T0 * 1000 + 15_000)

    await box.inbox.park_all({SUB: [PARENT]})
    await box.inbox.clear(lease)  # of what it has seen; it was marked since

    assert (await box.queued()).state is StripeObjectState.PENDING


async def test_a_dead_letter_has_its_events_settled_first(box: Box) -> None:
    await box.inbox.mark(SUB.type, SUB.id)
    (lease,) = await box.inbox.lease(limit=1, until_at=T0 * 1000 + 15_000)
    await box.inbox.bury(lease, error="no")

    await box.inbox.park_all({SUB: [PARENT]})

    assert (await box.queued()).state is StripeObjectState.PENDING


async def test_a_name_that_looks_like_an_operator_is_only_a_name(box: Box) -> None:
    await box.inbox.park_all({SUB: ["$state"]})

    assert (await box.queued()).parked_under == ("$state",)


async def test_many_at_once_by_several_processes(box: Box) -> None:
    many = {ObjectName("subscription", f"sub_{n}"): [PARENT] for n in range(1200)}

    await asyncio.gather(*(box.inbox.park_all(many) for _ in range(3)))

    assert (await box.inbox.backlog()).parked == 1200
    assert await box.inbox.release([PARENT]) == 1200
