"""The audit in a real MongoDB: listed, sealed, and read back byte for byte."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import bson
import pytest
from bson.int64 import Int64
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from pymongo.errors import OperationFailure
from support.audit import Stored, append, entry, sealed, stored
from support.records import DAY, NOW, grant, workspace
from support.runtime import running
from support.shapes import texts, user_keys

from app.domain.audit import Actor, ActorKind, AuditFilter
from app.domain.audit_chain import BrokenSeal, Claim, Seal
from app.domain.change import Kind
from app.runtime import Runtime
from app.services.audit import verify_chain
from app.services.commit import commit
from app.store.audit import listing
from app.store.journals import NEWEST_FIRST

ACTOR = Actor(ActorKind.SYSTEM, "tests")


@pytest.fixture
async def rt(mongodb_uri: str, database: str) -> AsyncIterator[Runtime]:
    async with running(mongodb_uri, database) as runtime:
        yield runtime


@pytest.fixture
def db(mongodb_uri: str, database: str) -> Iterator[Stored]:
    with stored(mongodb_uri, database) as opened:
        yield opened


async def listed(rt: Runtime, **wanted: Any) -> list[str]:
    page = await rt.audit.page(AuditFilter(**wanted), after=None, first=100)
    assert await rt.audit.count(AuditFilter(**wanted)) == len(page.items)
    return [item.id for item in page.items]


async def seals_of(rt: Runtime) -> list[Seal | BrokenSeal]:
    return [seal async for seals in rt.audit.seals(upto=await rt.audit.last_seal()) for seal in seals]


async def claims_of(rt: Runtime, *, after: int = 0, upto: int | None = None) -> list[Claim]:
    return [claim async for claims in rt.audit.claims(after=after, upto=upto) for claim in claims]


async def test_entries_are_listed_by_what_is_asked_for(rt: Runtime) -> None:
    await append(
        rt,
        entry(1),
        entry(2, actor=Actor(ActorKind.STRIPE, "sub_1"), record_id="sub_1", kind=Kind.SUBSCRIPTION),
        entry(3, operation="revokeGrant", record_id="grant_1"),
    )

    assert await listed(rt) == ["audit_00003", "audit_00002", "audit_00001"]
    assert await listed(rt, actor="key_1") == ["audit_00003", "audit_00001"]
    assert await listed(rt, record_id="grant_1") == ["audit_00003", "audit_00001"]
    assert await listed(rt, kind=Kind.SUBSCRIPTION) == ["audit_00002"]
    assert await listed(rt, operation="revokeGrant") == ["audit_00003"]
    assert await listed(rt, from_at=NOW + 2000) == ["audit_00003", "audit_00002"]
    assert await listed(rt, to_at=NOW + 2000) == ["audit_00001"]
    assert await listed(rt, actor="key_1", from_at=NOW + 1000, to_at=NOW + 3000) == ["audit_00001"]
    assert await listed(rt, actor="key_1", kind=Kind.SUBSCRIPTION) == []


async def test_pages_follow_each_other_within_one_millisecond_too(rt: Runtime) -> None:
    await append(rt, *(entry(n, recorded_at=NOW + n // 3) for n in range(1, 8)))
    seen: list[str] = []
    after = None

    for _ in range(9):
        page = await rt.audit.page(AuditFilter(), after=after, first=2)
        seen += [item.id for item in page.items]
        after = (page.items[-1].recorded_at, page.items[-1].id)
        if not page.has_next:
            break

    assert seen == [f"audit_{n:05}" for n in range(7, 0, -1)]


async def test_an_entry_that_cannot_be_read_hides_no_other(rt: Runtime, db: Stored) -> None:
    await append(rt, *(entry(n) for n in range(1, 5)))
    db["audit"].update_many({"_id": {"$in": ["audit_00002", "audit_00003"]}}, {"$set": {"actor": "nobody"}})

    page = await rt.audit.page(AuditFilter(), after=None, first=2)

    assert [item.id for item in page.items] == ["audit_00004", "audit_00001"]
    assert not page.has_next


async def test_an_entry_with_an_odd_seal_is_listed_as_not_sealed(rt: Runtime, db: Stored) -> None:
    await append(rt, *(entry(n) for n in range(1, 4)))
    for number, seal in enumerate(("1", 2**40, 1.5), 1):
        db["audit"].update_one({"_id": f"audit_{number:05}"}, {"$set": {"seal": seal}})

    page = await rt.audit.page(AuditFilter(), after=None, first=9)

    assert [item.seal for item in page.items] == [None, None, None]


async def test_what_an_entry_holds_of_records_is_shown_as_json(rt: Runtime) -> None:
    [made] = await commit(rt, ACTOR, "grant", [grant(version=0, amount=Decimal("0.10"), expires_at=NOW + DAY)])
    await commit(rt, ACTOR, "revoke", [replace(made, revoked_at=NOW)])

    newest, oldest = (await rt.audit.page(AuditFilter(), after=None, first=2)).items

    assert oldest.before is None
    assert newest.before == oldest.after
    assert (newest.after["amount"], newest.after["expiresAt"]) == ("0.10", "2026-09-22T14:13:20.000Z")
    assert (newest.after["version"], newest.after["deletedAt"]) == (2, None)
    assert await rt.audit.entry(newest.id) == newest
    assert await rt.audit.entry("audit_none") is None


async def test_a_page_reads_no_more_than_it_shows(rt: Runtime, db: Stored) -> None:
    await append(rt, *(entry(n, record_id="grant_1") for n in range(1, 101)))
    questions: list[dict[str, Any]] = [
        {},
        {"actor": "key_1"},
        {"record_id": "grant_1"},
        {"kind": Kind.GRANT},
        {"operation": "grantEntitlement"},
        {"from_at": NOW, "to_at": NOW + DAY},
        {"actor": "key_1", "kind": Kind.GRANT, "to_at": NOW + DAY},
    ]

    for wanted, after in itertools.product(questions, (None, (NOW + 60_000, "audit_00060"))):
        plan = explained(db, listing(AuditFilter(**wanted), after=after), limit=3)
        assert stages(plan["queryPlanner"]["winningPlan"]) <= {"LIMIT", "FETCH", "IXSCAN"}, wanted
        assert plan["executionStats"]["nReturned"] == 3
        assert plan["executionStats"]["totalDocsExamined"] <= 4, wanted  # the one that the cursor names


async def test_what_waits_for_its_seal_is_found_by_index(rt: Runtime, db: Stored) -> None:
    await sealed(rt, 50, 50)
    await append(rt, entry(200))

    plan = explained(db, {"seal": None}, sort={"_id": 1}, limit=100)

    assert stages(plan["queryPlanner"]["winningPlan"]) <= {"LIMIT", "FETCH", "SORT_MERGE", "IXSCAN"}
    assert plan["executionStats"]["totalDocsExamined"] == 1


def explained(db: Stored, wanted: Mapping[str, Any], **find: Any) -> Any:
    asked = {"find": "audit", "filter": wanted, "sort": dict(NEWEST_FIRST), **find}
    return db.command("explain", asked, verbosity="executionStats")


def stages(plan: Mapping[str, Any]) -> set[str]:
    inputs = [*plan.get("inputStages", ()), *(plan[name] for name in ("inputStage",) if name in plan)]
    return {plan["stage"]}.union(*map(stages, inputs))


async def test_entries_are_sealed_by_ascending_id_some_at_a_time(rt: Runtime) -> None:
    await append(rt, *(entry(n) for n in (3, 1, 2)))

    counts = [await rt.audit.seal(at=NOW, most=2) for _ in range(3)]

    assert counts == [2, 1, 0]
    one, two = await seals_of(rt)
    assert isinstance(one, Seal)
    assert isinstance(two, Seal)
    assert [item.id for item in one.entries] == ["audit_00001", "audit_00002"]
    assert [item.recorded_at for item in one.entries] == [NOW + 1000, NOW + 2000]
    assert (two.number, two.previous, two.previous_at) == (2, one.hash, one.sealed_at)
    assert {claim.id: claim.seal for claim in await claims_of(rt)} == {
        "audit_00001": 1,
        "audit_00002": 1,
        "audit_00003": 2,
    }
    assert (await rt.audit.unsealed(), await rt.audit.last_seal()) == (0, 2)


async def test_the_seal_is_all_that_changes_of_an_entry(rt: Runtime, db: Stored) -> None:
    await append(rt, entry(1))
    before = db["audit"].find_one()

    await rt.audit.seal(at=NOW, most=10)

    assert db["audit"].find_one() == {**(before or {}), "seal": 1}
    assert (await rt.audit.page(AuditFilter(), after=None, first=1)).items[0].seal == 1


async def test_entries_written_before_there_were_seals_are_sealed_too(rt: Runtime, db: Stored) -> None:
    await append(rt, entry(1))
    db["audit"].update_one({}, {"$unset": {"seal": 1}})

    assert await rt.audit.seal(at=NOW, most=10) == 1
    assert (await verify_chain(rt)).fault_count == 0


async def test_a_seal_comes_with_its_marks_or_not_at_all(rt: Runtime, db: Stored) -> None:
    await append(rt, entry(1))
    db.command("collMod", "audit", validator={"seal": None})

    with pytest.raises(OperationFailure, match="failed validation"):
        await rt.audit.seal(at=NOW, most=10)

    assert (await rt.audit.last_seal(), await rt.audit.unsealed()) == (0, 1)


async def test_of_two_sealers_that_meet_one_stops(mongodb_uri: str, database: str) -> None:
    async with running(mongodb_uri, database) as one, running(mongodb_uri, database) as other:
        await append(one, *(entry(n) for n in range(1, 101)))
        turns = 0

        while await one.audit.unsealed():
            turns += 1
            counts = await asyncio.gather(*(rt.audit.seal(at=NOW, most=5) for rt in (one, other, one, other)))
            assert set(counts) <= {0, 5}
            assert any(counts)
            assert turns <= 20

        seals = await seals_of(one)
        report = await verify_chain(one)
        assert [seal.number for seal in seals] == list(range(1, 21))
        assert (report.entries, report.fault_count) == (100, 0)


async def test_commits_go_on_while_sealing(rt: Runtime) -> None:
    done = False

    async def seal() -> None:
        while not done or await rt.audit.unsealed():
            await rt.audit.seal(at=NOW, most=7)

    async with asyncio.TaskGroup() as group:
        group.create_task(seal())
        async with asyncio.TaskGroup() as writers:
            for n in range(60):
                writers.create_task(commit(rt, ACTOR, "create", [workspace(f"ws_{n}", version=0)]))
        done = True

    report = await verify_chain(rt)
    assert (report.entries, report.unsealed, report.fault_count) == (60, 0, 0)


odd_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**31), 2**31 - 1)
    | st.integers(-(2**63), 2**63 - 1).map(Int64)
    | st.floats()
    | st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31))  # noqa: DTZ001 - the driver takes them as UTC
    | st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**9), max_value=10**9).map(
        bson.Decimal128
    )
    | st.sampled_from([bson.Decimal128("NaN"), bson.Decimal128("1E+6144"), bson.Decimal128("0.000"), bson.ObjectId()])
    | st.binary(max_size=4)
    | texts.filter(lambda text: text.isprintable()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(user_keys.filter(bool), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.dictionaries(st.text("abcz$._", min_size=1, max_size=4), odd_values, max_size=4), min_size=1, max_size=4
    )
)
async def test_whatever_an_entry_holds_it_is_read_back_as_it_was_sealed(
    rt: Runtime, db: Stored, contents: list[dict[str, Any]]
) -> None:
    db["audit"].delete_many({})
    db["audit_seals"].delete_many({})
    raw = {"recordedAt": datetime(2026, 9, 21, 1, 2, 3, 999_999, UTC), "schemaVersion": 1}
    db["audit"].insert_many([{"_id": f"audit_{n}", **raw, "after": content} for n, content in enumerate(contents)])

    await rt.audit.seal(at=NOW, most=10)

    report = await verify_chain(rt)
    assert (report.entries, report.fault_count) == (len(contents), 0)


async def test_the_smallest_edit_is_noticed(rt: Runtime, db: Stored) -> None:
    await append(rt, entry(1, after={"value": 1}))
    await rt.audit.seal(at=NOW, most=10)

    for edit in ({"value": 1.0}, {"value": Int64(1)}, {"value": "1"}, {"value": 1, "x": None}, {}):
        db["audit"].update_one({}, {"$set": {"after": edit}})
        assert [fault.code for fault in (await verify_chain(rt)).faults] == ["ENTRY_EDITED"], edit

    db["audit"].update_one({}, {"$set": {"after": {"value": 1}}})
    assert (await verify_chain(rt)).fault_count == 0


async def test_a_claim_of_any_type_is_seen(rt: Runtime, db: Stored) -> None:
    await sealed(rt, 2)
    odd = [
        2**40,
        -1,
        0,
        2.5,
        7,
        float("nan"),
        float("inf"),
        "1",
        True,
        [],
        [1],
        {"a": 1},
        bson.ObjectId(),
        b"1",
        bson.MinKey(),
    ]
    db["audit"].insert_many([{"_id": f"audit_odd_{n}", "seal": seal} for n, seal in enumerate(odd)])

    report = await verify_chain(rt)

    assert {fault.entry_id for fault in report.faults} == {f"audit_odd_{n}" for n in range(len(odd))}
    assert {fault.code for fault in report.faults} == {"ENTRY_UNLISTED"}
    assert (report.entries, report.fault_count) == (2, len(odd))


async def test_entries_of_other_people_are_sealed_as_they_are(rt: Runtime, db: Stored) -> None:
    db["audit"].insert_many([{"_id": 5, "recordedAt": "yesterday"}, {"_id": bson.ObjectId(), "after": "nothing"}])

    assert await rt.audit.seal(at=NOW, most=10) == 2
    assert (await verify_chain(rt)).entries == 2


async def test_a_spoilt_seal_does_not_stop_the_sealing(rt: Runtime, db: Stored) -> None:
    await sealed(rt, 1)
    db["audit_seals"].update_one({"_id": 1}, {"$set": {"sealedAt": "never"}})
    await append(rt, entry(2))

    assert await rt.audit.seal(at=NOW + 5, most=10) == 1

    spoilt, made = await seals_of(rt)
    assert isinstance(spoilt, BrokenSeal)
    assert "sealedAt" in spoilt.problem
    assert isinstance(made, Seal)
    assert (made.number, made.previous) == (2, spoilt.hash)


async def test_an_edited_date_does_not_let_what_was_sealed_pass_for_expired(rt: Runtime, db: Stored) -> None:
    await sealed(rt, 1)
    db["audit_seals"].update_one({"_id": 1}, {"$set": {"sealedAt": datetime(1980, 1, 1, tzinfo=UTC)}})
    await append(rt, entry(2))
    await rt.audit.seal(at=NOW, most=10)
    db["audit_seals"].delete_one({"_id": 1})
    db["audit"].delete_one({"_id": "audit_00001"})

    assert [fault.code for fault in (await verify_chain(rt)).faults] == ["SEAL_REMOVED"]


async def test_what_has_no_number_is_no_seal(rt: Runtime, db: Stored) -> None:
    db["audit_seals"].insert_many([{"_id": "1"}, {"_id": 7.5}, {"_id": -3}, {"_id": 2**40}])

    await sealed(rt, 1, 1)

    assert [seal.number for seal in await seals_of(rt)] == [1, 2]
    assert (await verify_chain(rt)).fault_count == 0


async def test_old_seals_are_pruned_and_the_last_one_stays(rt: Runtime) -> None:
    for n in range(1, 5):
        await append(rt, entry(n))
        await rt.audit.seal(at=NOW + n * DAY, most=10)

    assert await rt.audit.prune(before_at=NOW + DAY) == 0
    assert await rt.audit.prune(before_at=NOW + 2 * DAY + 1) == 2
    assert [seal.number for seal in await seals_of(rt)] == [3, 4]
    assert await rt.audit.prune(before_at=NOW + 99 * DAY) == 1
    assert [seal.number for seal in await seals_of(rt)] == [4]
    await append(rt, entry(5))
    await rt.audit.seal(at=NOW + 100 * DAY, most=10)
    assert await rt.audit.last_seal() == 5
