"""Sealing and verification over a real database, while somebody meddles with it."""

import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace as replaced
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support.api import Api
from support.audit import Stored, append, entry, sealed, stored
from support.records import DAY, NOW, workspace
from support.runtime import fakes_of, running
from support.service import ROOT, eventually, eventually_equal

from app.domain.audit import Actor, ActorKind
from app.domain.audit_chain import ChainReport
from app.domain.errors import ValidationError
from app.runtime import Runtime
from app.services.audit import seal_entries, verify_chain
from app.services.commit import commit
from app.store.mapping import RECORD_TYPES

MANY = 5000
SECRET = re.compile("secret|password|credential|token|hash|cipher", re.IGNORECASE)
FIFTY_YEARS = 50 * 365 * DAY


@pytest.fixture
async def rt(mongodb_uri: str, database: str) -> AsyncIterator[Runtime]:
    async with running(mongodb_uri, database) as runtime:
        yield runtime


@pytest.fixture
def db(mongodb_uri: str, database: str) -> Iterator[Stored]:
    with stored(mongodb_uri, database) as opened:
        yield opened


def faults(report: ChainReport) -> list[tuple[str, str | None]]:
    """Return what was found: the code, and the entry or the seal."""
    return [(fault.code.value, fault.entry_id or str(fault.seal)) for fault in report.faults]


async def test_what_is_committed_joins_the_chain(rt: Runtime) -> None:
    actor = Actor(ActorKind.API_KEY, "key_1")
    await commit(rt, actor, "createWorkspace", [workspace("ws_1", version=0), workspace("ws_2", version=0)])

    before = await verify_chain(rt)
    count = await seal_entries(rt)
    after = await verify_chain(rt)

    assert (before.head, before.entries, before.unsealed) == (None, 0, 2)
    assert count == 2
    assert (after.seals, after.entries, after.unsealed, after.fault_count) == (1, 2, 0, 0)
    assert (rt.metrics.value("audit_sealed"), rt.metrics.value("audit_unsealed")) == (2, 0)


async def test_a_backlog_is_drained_in_batches_and_five_thousand_entries_are_verified(rt: Runtime) -> None:
    await append(rt, *(entry(n) for n in range(1, MANY + 1)))

    assert await seal_entries(rt) == MANY

    report = await verify_chain(rt)
    assert (report.seals, report.entries, report.fault_count) == (25, MANY, 0)
    assert await seal_entries(rt) == 0


MEDDLING: dict[str, tuple[Callable[[Stored], object], list[tuple[str, str]]]] = {
    "an entry is edited": (
        lambda db: db["audit"].update_one({"_id": "audit_00004"}, {"$set": {"after.version": 2}}),
        [("ENTRY_EDITED", "audit_00004")],
    ),
    "another actor is blamed": (
        lambda db: db["audit"].update_one({"_id": "audit_00004"}, {"$set": {"actor.id": "key_2"}}),
        [("ENTRY_EDITED", "audit_00004")],
    ),
    "an entry is removed": (
        lambda db: db["audit"].delete_one({"_id": "audit_00004"}),
        [("ENTRY_REMOVED", "audit_00004")],
    ),
    "two entries change places": (
        lambda db: change_places(db, "audit_00003", "audit_00004"),
        [("ENTRY_EDITED", "audit_00003"), ("ENTRY_EDITED", "audit_00004")],
    ),
    "a forgery is inserted": (
        lambda db: db["audit"].insert_one({"_id": "audit_00004b", "recordedAt": date(NOW), "seal": 2}),
        [("ENTRY_UNLISTED", "audit_00004b")],
    ),
    "a forgery claims a seal to come": (
        lambda db: db["audit"].insert_one({"_id": "audit_00004b", "recordedAt": date(NOW), "seal": 99}),
        [("ENTRY_UNLISTED", "audit_00004b")],
    ),
    "an entry is to be sealed anew": (
        lambda db: db["audit"].update_one({"_id": "audit_00004"}, {"$set": {"seal": None, "after": {}}}),
        [("ENTRY_MOVED", "audit_00004")],
    ),
    "a seal is removed": (
        lambda db: db["audit_seals"].delete_one({"_id": 2}),
        [("SEAL_REMOVED", "2"), *(("ENTRY_UNLISTED", f"audit_0000{n}") for n in (3, 4))],
    ),
    "a seal is edited": (
        lambda db: db["audit_seals"].update_one({"_id": 2}, {"$set": {"entries.1.digest": "0" * 64}}),
        [("SEAL_EDITED", "2"), ("ENTRY_EDITED", "audit_00004")],
    ),
    "a seal is spoilt": (
        lambda db: db["audit_seals"].update_one({"_id": 2}, {"$set": {"entries": 5}}),
        [("SEAL_UNREADABLE", "2")],
    ),
}


def change_places(db: Stored, *ids: str) -> None:
    one, other = (db["audit"].find_one({"_id": id}) or {} for id in ids)  # noqa: A001 - the word
    db["audit"].replace_one({"_id": ids[0]}, {**other, "_id": ids[0]})
    db["audit"].replace_one({"_id": ids[1]}, {**one, "_id": ids[1]})


def date(at: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)


@pytest.mark.parametrize("name", MEDDLING)
async def test_meddling_is_named(rt: Runtime, db: Stored, name: str) -> None:
    meddle, expected = MEDDLING[name]
    await sealed(rt, 2, 2, 2)

    meddle(db)

    report = await verify_chain(rt)
    assert faults(report) == expected
    assert report.fault_count == len(expected)


async def test_what_was_freed_from_its_seal_is_sealed_again_and_still_noticed(rt: Runtime, db: Stored) -> None:
    await sealed(rt, 2, 2)
    db["audit"].update_one({"_id": "audit_00002"}, {"$set": {"seal": None, "operation": "nothing"}})

    await seal_entries(rt)

    assert faults(await verify_chain(rt)) == [("ENTRY_MOVED", "audit_00002")]


async def test_a_tail_cut_off_cleanly_is_noticed_by_a_noted_head(rt: Runtime, db: Stored) -> None:
    await sealed(rt, 2, 2, 2)
    noted = (await verify_chain(rt)).head
    assert noted
    db["audit_seals"].delete_one({"_id": 3})
    db["audit"].delete_many({"seal": 3})

    assert faults(await verify_chain(rt)) == []
    assert faults(await verify_chain(rt, expect=f"{noted.number}:{noted.hash}")) == [("HEAD_DIFFERS", "3")]


async def test_a_noted_head_holds_while_the_chain_grows(rt: Runtime) -> None:
    await sealed(rt, 2)
    noted = (await verify_chain(rt)).head
    assert noted
    await append(rt, entry(90))
    await seal_entries(rt)

    report = await verify_chain(rt, expect=f"{noted.number}:{noted.hash}")

    assert (report.fault_count, report.head and report.head.number) == (0, 2)


async def test_a_chain_made_anew_is_noticed_by_a_noted_head(rt: Runtime, db: Stored) -> None:
    await sealed(rt, 2, 2)
    noted = (await verify_chain(rt)).head
    assert noted
    db["audit_seals"].delete_many({})
    db["audit"].update_many({}, {"$set": {"seal": None, "operation": "nothing"}})
    await rt.audit.seal(at=NOW, most=2)
    await rt.audit.seal(at=NOW, most=2)

    assert faults(await verify_chain(rt)) == []
    assert faults(await verify_chain(rt, expect=f"{noted.number}:{noted.hash}")) == [("HEAD_DIFFERS", "2")]


@pytest.mark.parametrize("expect", ["", "1", "1:", "0:" + "a" * 64, "1:" + "A" * 64, "1:" + "a" * 63, "x:" + "a" * 64])
async def test_what_can_be_no_head_is_refused(expect: str) -> None:
    with pytest.raises(ValidationError, match="NUMBER:HASH"):
        await verify_chain(Api().rt, expect=expect)


async def test_a_prefix_past_retention_is_no_fault_and_its_seals_go(rt: Runtime, db: Stored) -> None:
    clock = fakes_of(rt).clock
    await sealed(rt, 2, 3)
    clock.advance(FIFTY_YEARS)
    await append(rt, entry(10, recorded_at=clock.now_at()))
    await seal_entries(rt)
    clock.advance(FIFTY_YEARS + DAY)
    db["audit"].delete_many({"_id": {"$lt": "audit_00004"}})  # the server's deletion lags, as it may

    lagging = await verify_chain(rt)
    db["audit"].delete_many({"_id": {"$lt": "audit_00010"}})
    gone = await verify_chain(rt)
    await seal_entries(rt)
    pruned = await verify_chain(rt)

    assert (faults(lagging), lagging.seals, lagging.expired) == ([], 3, 3)
    assert (faults(gone), gone.seals, gone.expired) == ([], 3, 5)
    assert (faults(pruned), pruned.seals, pruned.entries, pruned.expired) == ([], 1, 1, 0)


async def test_what_is_within_retention_may_not_be_gone(rt: Runtime, db: Stored) -> None:
    await sealed(rt, 2, 2)
    fakes_of(rt).clock.advance(FIFTY_YEARS)
    db["audit"].delete_many({"seal": 1})
    db["audit_seals"].delete_one({"_id": 1})

    assert faults(await verify_chain(rt)) == [("SEAL_REMOVED", "1")]


async def test_a_retention_that_was_shorter_once_can_be_told(rt: Runtime, db: Stored) -> None:
    await sealed(rt, 2, 2)
    db["audit"].delete_many({"seal": 1})

    assert len((await verify_chain(rt)).faults) == 2
    report = await verify_chain(rt, expired_before_at=NOW + 3000)
    assert (faults(report), report.expired, report.expired_before_at) == ([], 2, NOW + 3000)


async def test_the_last_seal_stays_however_old_it_is(rt: Runtime, db: Stored) -> None:
    await sealed(rt, 2)
    fakes_of(rt).clock.advance(3 * FIFTY_YEARS)
    db["audit"].delete_many({})
    await seal_entries(rt)
    await append(rt, entry(7, recorded_at=rt.clock.now_at()))
    await seal_entries(rt)

    report = await verify_chain(rt)

    assert (faults(report), report.head and report.head.number) == ([], 2)


async def test_sealing_meanwhile_is_no_fault(rt: Runtime) -> None:
    await sealed(rt, 2)
    await append(rt, *(entry(n) for n in range(50, 60)))

    class Meanwhile:
        """The trail, in which somebody seals while the first claims are read."""

        def __getattr__(self, name: str) -> Any:
            return getattr(rt.audit, name)

        async def claims(self, **between: Any) -> AsyncIterator[Any]:
            async for found in rt.audit.claims(**between):
                yield found
            await rt.audit.seal(at=NOW, most=3)

    report = await verify_chain(replaced(rt, audit=Meanwhile()))

    assert (faults(report), report.seals) == ([], 1)


def test_a_secret_that_records_get_must_be_kept_out_of_the_audit() -> None:
    names = {name for record in RECORD_TYPES.values() for name in record.__struct_encode_fields__}

    assert {name for name in names if SECRET.search(name)} == {"secretHash"}  # which `audited` leaves out


SEALER = """
import asyncio, sys
from app.store.audit import MongoAuditTrail
from app.store.mongo import Mongo

async def seal():
    mongo = Mongo(sys.argv[1], sys.argv[2])
    await mongo.open(with_indexes=False)
    trail = MongoAuditTrail(mongo, retention_ms=0)
    while True:
        await trail.seal(at=0, most=10)

asyncio.run(seal())
"""


@pytest.mark.timeout(300)
async def test_a_sealer_that_is_killed_leaves_no_half_a_seal(
    rt: Runtime, db: Stored, mongodb_uri: str, database: str
) -> None:
    await append(rt, *(entry(n) for n in range(1, 1001)))
    sealer = subprocess.Popen([sys.executable, "-c", SEALER, mongodb_uri, database], cwd=ROOT)
    eventually(lambda: db["audit_seals"].estimated_document_count() >= 20)
    sealer.kill()
    sealer.wait()

    report = await verify_chain(rt)
    assert faults(report) == []
    assert (report.entries, report.unsealed) == (report.seals * 10, 1000 - report.seals * 10)

    async def unsealed() -> int:
        await seal_entries(rt)
        return await rt.audit.unsealed()

    await eventually_equal(unsealed, 0, within_s=90)  # the server ends what a killed process left open
    assert (await verify_chain(rt)).entries == 1000
