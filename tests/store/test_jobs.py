"""The states of long jobs over a real database."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import pytest
from support.clock import FrozenClock
from support.stripe import T0

from app.domain.errors import UnavailableError
from app.store.jobs import MongoJobStates
from app.store.journals import JobDocument
from app.store.mapping import MappingError
from app.store.mongo import Mongo
from app.store.writes import checked


class Counting(msgspec.Struct, frozen=True):
    cursor: str | None
    seen: tuple[str, ...] = ()


class Box:
    def __init__(self, mongo: Mongo) -> None:
        self.mongo = mongo
        self.clock = FrozenClock(T0 * 1000)
        self.jobs = MongoJobStates(mongo, self.clock)

    async def take(self, token: str) -> bool:
        return await self.jobs.lease("count", token, until_at=self.clock.now_at() + 1000)


@pytest.fixture
async def box(mongodb_uri: str, database: str) -> AsyncIterator[Box]:
    mongo = Mongo(mongodb_uri, database)
    await mongo.open(with_indexes=False)
    yield Box(mongo)
    await mongo.close()


async def test_a_state_is_what_was_written_last(box: Box) -> None:
    assert await box.jobs.read("count", Counting) == (None, 0)

    assert await box.jobs.write("count", Counting("a"), revision=0)
    assert await box.jobs.write("count", Counting("b", ("x", "y")), revision=1)

    assert await box.jobs.read("count", Counting) == (Counting("b", ("x", "y")), 2)
    assert await box.jobs.read("other", Counting) == (None, 0)


async def test_of_two_who_go_on_from_one_revision_one_is_told_that_it_came_second(box: Box) -> None:
    await box.jobs.write("count", Counting("a"), revision=0)

    written = await asyncio.gather(*(box.jobs.write("count", Counting(str(n)), revision=1) for n in range(8)))

    assert sorted(written) == [False] * 7 + [True]
    assert not await box.jobs.write("new", Counting("a"), revision=3)


async def test_many_begin_at_once_and_one_is_first(box: Box) -> None:
    written = await asyncio.gather(*(box.jobs.write("count", Counting(str(n)), revision=0) for n in range(8)))

    assert sum(written) == 1


async def test_a_lease_is_one_replicas_until_it_ends(box: Box) -> None:
    taken = await asyncio.gather(*(box.take(f"t{n}") for n in range(8)))
    assert sum(taken) == 1
    holder = f"t{taken.index(True)}"

    box.clock.advance(900)
    assert await box.take(holder)
    box.clock.advance(900)
    assert not await box.take("other")
    box.clock.advance(100)
    assert await box.take("other")
    assert not await box.take(holder)


async def test_a_lease_is_given_up_by_its_holder_alone(box: Box) -> None:
    await box.take("a")

    await box.jobs.give_up("count", "b")
    assert not await box.take("b")
    await box.jobs.give_up("count", "a")

    assert await box.take("b")


async def test_a_lease_leaves_the_state_alone(box: Box) -> None:
    await box.jobs.write("count", Counting("a"), revision=0)

    await box.take("a")

    assert await box.jobs.read("count", Counting) == (Counting("a"), 1)


async def test_the_stored_document_is_what_its_class_says(box: Box) -> None:
    await box.jobs.write("count", Counting("a", ("x",)), revision=0)
    await box.take("a")

    document = await box.mongo.db["jobs"].find_one({"_id": "count"})

    assert document is not None
    assert checked(JobDocument, document) == document


async def test_a_state_that_somebody_broke_is_named(box: Box) -> None:
    await box.jobs.write("count", Counting("a"), revision=0)
    await box.mongo.db["jobs"].update_one({"_id": "count"}, {"$set": {"state": {"cursor": 5}}})

    with pytest.raises(MappingError, match="jobs 'count'"):
        await box.jobs.read("count", Counting)


async def test_a_database_that_is_away_is_told() -> None:
    mongo = Mongo("mongodb://127.0.0.1:9/?directConnection=true", "nowhere", timeout_s=0.2)
    with pytest.raises(UnavailableError):
        await MongoJobStates(mongo, FrozenClock()).read("count", Counting)
    await mongo.close()
