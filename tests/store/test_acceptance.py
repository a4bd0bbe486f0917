"""Events that come together are stored together, and each has an answer of its own."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from support.clock import FrozenClock
from support.store import opened
from support.stripe import T0, customer, stored_event

from app.domain.errors import UnavailableError
from app.domain.stripe_event import StripeEvent
from app.store.acceptance import Acceptance
from app.store.mongo import Mongo


@pytest.fixture
async def mongo(mongodb_uri: str, database: str) -> AsyncIterator[Mongo]:
    async with opened(mongodb_uri, database, with_indexes=False) as mongo:
        yield mongo


@pytest.fixture
def acceptance(mongo: Mongo) -> Acceptance:
    return Acceptance(mongo, FrozenClock(T0 * 1000))


def created(number: int) -> StripeEvent:
    return stored_event(f"evt_{number}", "customer.created", customer(f"cus_{number}"))


async def inserts(mongo: Mongo) -> int:
    return (await mongo.db.command("serverStatus"))["metrics"]["commands"]["insert"]["total"]


async def test_many_at_once_share_few_writes(mongo: Mongo, acceptance: Acceptance) -> None:
    before = await inserts(mongo)

    taken = await asyncio.gather(*(acceptance.accept(created(number)) for number in range(100)))

    assert taken == [True] * 100
    assert await inserts(mongo) - before < 20  # other tests may use the server
    assert await mongo.db["stripe_events"].count_documents({}) == 100
    assert await mongo.db["stripe_dirty"].count_documents({"state": "PENDING"}) == 100


async def test_of_the_same_event_among_others_one_is_new(mongo: Mongo, acceptance: Acceptance) -> None:
    await acceptance.accept(created(1))

    taken = await asyncio.gather(*(acceptance.accept(created(number)) for number in (0, 1, 2, 2, 3)))

    assert taken == [True, False, True, False, True]
    dirty = await mongo.db["stripe_dirty"].find({}, {"sequence": 1}).to_list()
    assert {found["_id"]: found["sequence"] for found in dirty} == {f"cus_{number}": 1 for number in range(4)}


async def test_one_that_cannot_be_stored_stops_no_other(mongo: Mongo, acceptance: Acceptance) -> None:
    too_large = stored_event("evt_0", "customer.created", customer("cus_0", name="x" * 17_000_000))

    taken = await asyncio.gather(
        acceptance.accept(too_large), *(acceptance.accept(created(n)) for n in (1, 2)), return_exceptions=True
    )

    assert isinstance(taken[0], Exception)
    assert await mongo.db["stripe_events"].distinct("_id") == ["evt_1", "evt_2"]
    assert await mongo.db["stripe_dirty"].distinct("_id") == ["cus_1", "cus_2"]


async def test_who_is_cancelled_leaves_nobody_without_an_answer(mongo: Mongo, acceptance: Acceptance) -> None:
    waiting = [asyncio.create_task(acceptance.accept(created(number))) for number in range(10)]
    await asyncio.sleep(0)
    waiting[0].cancel()

    await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 10)

    assert await mongo.db["stripe_events"].count_documents({"_id": {"$ne": "evt_0"}}) == 9


async def test_while_the_database_is_away_everybody_hears_it(database: str) -> None:
    away = Mongo("mongodb://127.0.0.1:1/?directConnection=true", database, timeout_s=0.2)
    acceptance = Acceptance(away, FrozenClock())

    taken = await asyncio.gather(*(acceptance.accept(created(number)) for number in range(5)), return_exceptions=True)

    assert [type(found) for found in taken] == [UnavailableError] * 5
    await away.close()
