"""Rate limits that processes share."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from app.store.mongo import Mongo
from app.store.rates import MongoRates

RATE = 20
"""Per second; what was not used for a second may be used at once."""


@pytest.fixture
async def mongo(mongodb_uri: str, database: str) -> AsyncIterator[Mongo]:
    mongo = Mongo(mongodb_uri, database)
    await mongo.open(with_indexes=False)
    yield mongo
    await mongo.close()


async def took_s(*requests: tuple[MongoRates, int], name: str = "stripe") -> float:
    """Return how long so many requests of each process take, all begun now."""
    clock = asyncio.get_running_loop().time
    started = clock()
    await asyncio.gather(*(rates.acquire(name, per_s=RATE) for rates, count in requests for _ in range(count)))
    return clock() - started


async def test_processes_share_a_limit(mongo: Mongo) -> None:
    assert await took_s((MongoRates(mongo), 20), (MongoRates(mongo), 10)) >= 10 / RATE - 0.06


async def test_each_name_has_its_own(mongo: Mongo) -> None:
    rates = MongoRates(mongo)
    clock = asyncio.get_running_loop().time
    started = clock()

    await took_s((rates, RATE + 10), name="products")
    took = clock() - started
    await rates.acquire("prices", per_s=RATE)

    assert took >= 10 / RATE - 0.06
    prices = await mongo.db["counters"].find_one({"_id": "rate:prices"})
    assert prices is not None
    assert prices["wait"] <= 0


async def test_a_limit_may_be_less_than_one_a_second(mongo: Mongo) -> None:
    clock, rates = asyncio.get_running_loop().time, MongoRates(mongo)
    started = clock()
    await rates.acquire("slow", per_s=0.8)
    await rates.acquire("slow", per_s=0.8)

    assert clock() - started >= 1.2


async def test_a_fast_limit_costs_few_writes(mongo: Mongo) -> None:
    rates = MongoRates(mongo)
    await asyncio.gather(*(rates.acquire("stripe", per_s=1000) for _ in range(50)))
    before = await mongo.db["counters"].find_one({"_id": "rate:stripe"})
    await rates.acquire("stripe", per_s=1000)
    after = await mongo.db["counters"].find_one({"_id": "rate:stripe"})

    assert before is not None
    assert after is not None
    assert after["at"] - before["at"] == 50


async def test_a_clock_that_was_set_back_holds_nobody_up(mongo: Mongo) -> None:
    rates = MongoRates(mongo)
    await rates.acquire("stripe", per_s=RATE)
    await mongo.db["counters"].update_one({"_id": "rate:stripe"}, {"$inc": {"at": 3_600_000}})

    assert await took_s((rates, 1)) < 30


async def test_many_processes_may_begin_at_the_same_time(mongo: Mongo) -> None:
    await took_s(*((MongoRates(mongo), 1) for _ in range(10)))

    assert await mongo.db["counters"].count_documents({}) == 1
