"""Entries and balances are written together or not at all, and entries come back as they were written."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import pytest
from support.records import NOW
from support.service import eventually_equal
from support.store import frozen, opened

from app.domain.change import Kind
from app.domain.errors import ConflictError, UnavailableError
from app.domain.plan import ResetPeriod
from app.domain.usage import (
    Balance,
    Draw,
    Meter,
    Pot,
    Reservation,
    UsageEvent,
    UsageKind,
    UsageLine,
    WindowRef,
)
from app.ports.store import ResultExistsError
from app.sandbox.mongod import EmbeddedMongod
from app.store.ledger import MongoLedger
from app.store.mongo import Mongo
from app.store.records import MongoStore

LINE = UsageLine(
    feature_key="images",
    balance_key="ai",
    amount=Decimal("0.123456789"),
    charge=Decimal("2.5"),
    draws=(
        Draw(amount=Decimal(2), windows=(WindowRef(ResetPeriod.MONTH, NOW),)),
        Draw(amount=Decimal("0.5"), pot="grant_1", pot_start_at=NOW),
    ),
)


@pytest.fixture
async def mongo(mongodb_uri: str, database: str) -> AsyncIterator[Mongo]:
    async with opened(mongodb_uri, database) as mongo:
        yield mongo


def event(id: str, **fields: object) -> UsageEvent:
    base = {"kind": UsageKind.CONSUME, "lines": (LINE,), "occurred_at": NOW - 1, "recorded_at": NOW}
    return UsageEvent(**{"id": id, "workspace_id": "ws_1", "principal": "key_1", "input_digest": "d", **base, **fields})


def balance(version: int = 1, workspace_id: str = "ws_1", incarnation: str = "i") -> Balance:
    meter = Meter(
        reset_period=ResetPeriod.MONTH,
        start_at=NOW,
        end_at=NOW + 1,
        used=Decimal(version),
        limit=Decimal(9),
        rollover_max=Decimal(3),
        carried=Decimal("0.5"),
    )
    return Balance(
        id=workspace_id,
        version=version,
        incarnation=incarnation,
        meters={"ai": (meter,)},
        pots={"ai": (Pot(id="grant_1", start_at=NOW, end_at=None, used=Decimal("0.5")),)},
        reservations=(Reservation(id="rsv_1", lines=(LINE,), principal="key_1", created_at=NOW, expires_at=NOW + 5),),
    )


async def test_entries_and_balances_come_back_as_they_were_written(mongo: Mongo) -> None:
    ledger = MongoLedger(mongo)
    odd = event(
        "use_2",
        kind=UsageKind.RESERVE,
        properties={"region": "eu"},
        reservation_id="rsv_1",
        expires_at=NOW + 5,
    )

    await ledger.write([balance(), balance(workspace_id="ws_2")], [event("use_1"), odd])

    assert await ledger.events(("use_1", "use_2", "use_3")) == {"use_1": event("use_1"), "use_2": odd}
    assert await MongoStore(mongo).read(Kind.BALANCE, ("ws_1",)) == {"ws_1": balance()}


@pytest.mark.parametrize(
    ("balances", "error"),
    [
        pytest.param([balance(2), balance(3, "ws_2")], ConflictError, id="one-is-too-old"),
        pytest.param([balance(2), balance(1, "ws_2")], ConflictError, id="one-exists"),
        pytest.param([balance(2, incarnation="other")], ConflictError, id="another-life"),
        pytest.param([balance(2)], ResultExistsError, id="an-entry-exists"),
    ],
)
async def test_all_or_nothing(mongo: Mongo, balances: list[Balance], error: type[Exception]) -> None:
    ledger = MongoLedger(mongo)
    await ledger.write([balance(), balance(workspace_id="ws_2")], [event("use_1")])
    repeated = [event("use_1")] if error is ResultExistsError else []

    with pytest.raises(error):
        await ledger.write(balances, [event("use_2"), *repeated])

    assert await ledger.events(("use_2",)) == {}
    assert await MongoStore(mongo).read(Kind.BALANCE, ("ws_1",)) == {"ws_1": balance()}


@pytest.mark.parametrize("taken", ["a balance", "an entry"])
async def test_what_an_open_transaction_holds_is_a_conflict_at_once(mongo: Mongo, taken: str) -> None:
    ledger = MongoLedger(mongo)
    await ledger.write([balance()], [])

    async with mongo.client.start_session() as session, await session.start_transaction():
        if taken == "a balance":
            await mongo.db["balances"].update_one({"_id": "ws_1"}, {"$inc": {"version": 1}}, session=session)
        else:
            await mongo.db["usage_events"].insert_one({"_id": "use_1"}, session=session)
        async with asyncio.timeout(2):  # less than the deadline, until which a transaction is usually tried again
            with pytest.raises(ConflictError):
                await ledger.write([balance(2)], [event("use_1")])


async def test_a_write_that_was_given_up_locks_nobody_out(tmp_path: Path) -> None:
    mongod = EmbeddedMongod.start(tmp_path)
    assert mongod.pid is not None
    try:
        async with opened(mongod.uri, "ledger", timeout_s=1) as mongo:
            await mongo.client.admin.command("setParameter", 1, transactionLifetimeLimitSeconds=60)
            ledger = MongoLedger(mongo)
            await ledger.write([balance()], [])

            with frozen(mongod.pid), pytest.raises(UnavailableError):
                await ledger.write([balance(2)], [event("use_1")])

            async def written() -> bool:
                with suppress(ConflictError, UnavailableError):
                    with suppress(ResultExistsError):  # one that was given up before, and came about all the same
                        await ledger.write([balance(2)], [event("use_1")])
                    return True
                return False

            await eventually_equal(written, expected=True)
    finally:
        mongod.stop()


async def test_corrections_come_in_their_order(mongo: Mongo) -> None:
    ledger = MongoLedger(mongo)
    later = event("use_2", kind=UsageKind.CORRECT, corrects="use_1", reason="typo", recorded_at=NOW + 2)
    earlier = event("use_3", kind=UsageKind.CORRECT, corrects="use_1", reason="typo", recorded_at=NOW + 1)

    await ledger.write([balance()], [event("use_1"), later, earlier, event("use_4")])

    assert await ledger.corrections("use_1") == [earlier, later]
