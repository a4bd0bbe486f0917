"""Reads see what a majority has; a write is all or nothing, and of writers that compete one wins."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import bson
import pydantic
import pytest
from motor.motor_asyncio import AsyncIOMotorClient
from support.records import NOW, feature, grant, limit, override, plan, sub, workspace
from support.store import storing

from app.domain.audit import Actor, ActorKind, AuditEntry
from app.domain.change import Kind, Record, Tombstone
from app.domain.errors import ConflictError, ValidationError
from app.domain.plan import ResetPeriod
from app.domain.stripe_object import StripeObject, StripeSource
from app.domain.subscription import SubscriptionStatus
from app.domain.usage import Balance, Meter
from app.ports.store import RecordStore, StoredResult
from app.store.mapping import MappingError, to_document
from app.store.queries import named
from app.store.records import MongoStore


def entry(id: str = "audit_1") -> AuditEntry:
    return AuditEntry(
        id=id,
        recorded_at=NOW,
        actor=Actor(ActorKind.SYSTEM, "test"),
        operation="test",
        kind=Kind.WORKSPACE,
        record_id="ws_1",
        before=None,
        after={"_id": "ws_1"},
    )


def result(*records: Record, id: str = "key_1:test:k") -> StoredResult:
    return StoredResult(id=id, input_digest="d", created_at=NOW, records=records)


def balance(version: int = 1, used: str = "2.5") -> Balance:
    meter = Meter(reset_period=ResetPeriod.MONTH, start_at=NOW, end_at=None, used=Decimal(used))
    return Balance(id="ws_1", version=version, incarnation="i", meters={"api_calls": (meter,)})


async def stored(store: RecordStore, kind: Kind, *ids: str) -> list[Record]:
    found = await store.read(kind, ids)
    return [found[name] for name in ids if name in found]


async def insert(uri: str, database: str, collection: str, *documents: dict[str, Any]) -> None:
    """Write as another application would, with its own client."""
    client: Any = AsyncIOMotorClient(uri)
    await client[database][collection].insert_many(documents)
    client.close()


async def test_records_of_several_kinds_are_written_and_read(mongodb_uri: str, database: str) -> None:
    records: list[Record] = [
        workspace(metadata={"$a": "1", "b.c": "2", "": "3", "$ref": "4", "$id": "5"}),
        sub(metadata={"fooAt": "1"}),
        grant(amount=Decimal("0.10")),
        plan("pro", limit()),
    ]
    async with storing(mongodb_uri, database) as store:
        await store.write(records, [entry()], result(*records))
        await store.write([workspace(version=2, metadata={"$set": "x"})], [], None)

        assert await store.read(Kind.SUBSCRIPTION, ["sub_1", "sub_none"]) == {"sub_1": sub(metadata={"fooAt": "1"})}
        assert await stored(store, Kind.GRANT, "grant_1") == [grant(amount=Decimal("0.10"))]
        assert await stored(store, Kind.PLAN, "plan_pro_1") == [plan("pro", limit())]
        assert await stored(store, Kind.WORKSPACE, "ws_1") == [workspace(version=2, metadata={"$set": "x"})]
        assert await store.result("key_1:test:k") == result(*records)
        assert await store.result("key_1:test:other") is None


async def test_soft_deleted_records_are_read_by_id(mongodb_uri: str, database: str) -> None:
    async with storing(mongodb_uri, database) as store:
        await store.write([grant(deleted_at=NOW)], [], None)

        assert await stored(store, Kind.GRANT, "grant_1") == [grant(deleted_at=NOW)]


async def test_more_ids_than_fit_one_batch_are_all_read(mongodb_uri: str, database: str) -> None:
    records = [workspace(f"ws_{n}") for n in range(2_100)]
    async with storing(mongodb_uri, database) as store:
        await store.write(records, [], None)

        assert len(await store.read(Kind.WORKSPACE, [record.id for record in records])) == 2_100


@pytest.mark.parametrize("ref", ["ws_1", "acme"])
async def test_a_workspace_is_read_with_all_that_it_owns(mongodb_uri: str, database: str, ref: str) -> None:
    own: list[Record] = [
        workspace(external_id="acme"),
        sub(),
        grant(),
        grant("grant_2", deleted_at=NOW),
        override(),
        balance(),
    ]
    async with storing(mongodb_uri, database) as store:
        await store.write([*own, workspace("ws_2"), sub("sub_2", workspace_id="ws_2")], [], None)

        found = await store.read_workspace(ref)

    assert sorted(found, key=lambda record: (record.KIND, record.id)) == sorted(
        own, key=lambda record: (record.KIND, record.id)
    )


async def test_an_unknown_workspace_is_empty(mongodb_uri: str, database: str) -> None:
    async with storing(mongodb_uri, database) as store:
        assert await store.read_workspace("ws_none") == []


async def test_our_id_goes_before_an_external_id_of_the_same_text(mongodb_uri: str, database: str) -> None:
    async with storing(mongodb_uri, database) as store:
        await store.write([workspace("ws_1", external_id="ws_2"), workspace("ws_2")], [], None)

        assert await store.read_workspace("ws_2") == [workspace("ws_2")]


async def test_names_are_ids_and_external_ids_that_exist(mongodb_uri: str, database: str) -> None:
    async with storing(mongodb_uri, database) as store:
        await store.write([workspace("ws_1", external_id="acme"), workspace("ws_2")], [], None)

        unknown = [f"unknown_{n}" for n in range(2500)]
        assert await store.names(["acme", *unknown, "ws_2"]) == {"acme", "ws_2"}
        assert await store.names([]) == set()


async def test_customers_that_are_linked_are_told_from_others(mongodb_uri: str, database: str) -> None:
    def mirror(id: str, type: str, owner: str | None) -> StripeObject:
        return StripeObject(id=id, version=1, type=type, raw="{}", source=StripeSource.FETCH, workspace_id=owner)

    async with storing(mongodb_uri, database) as store:
        linked, free = mirror("cus_1", "customer", "ws_1"), mirror("cus_2", "customer", None)
        await store.write([linked, free, mirror("sub_1", "subscription", "ws_1")], (), None)

        assert await store.linked_customers(["cus_1", "cus_2", "sub_1", "cus_9"]) == {"cus_1"}


async def test_a_workspace_is_looked_for_by_index_alone(mongodb_uri: str, database: str) -> None:
    async with storing(mongodb_uri, database) as store:
        await store.write([workspace(f"ws_{n}", external_id=f"acme_{n}") for n in range(50)], [], None)
        client: Any = AsyncIOMotorClient(mongodb_uri)
        explained = await client[database]["workspaces"].find(named(["ws_1", "acme_2", "nobody"])).explain()
        client.close()

    assert explained["executionStats"]["nReturned"] == 2
    assert explained["executionStats"]["totalDocsExamined"] == 2


@pytest.mark.parametrize(
    ("attempt", "message", "current_version"),
    [
        pytest.param([workspace(version=2)], "version 1 was expected, 2 is stored", 2, id="older"),
        pytest.param([workspace(version=4)], "version 3 was expected, 2 is stored", 2, id="newer"),
        pytest.param([workspace(version=3, incarnation="j")], "deleted and made anew", 2, id="another life"),
        pytest.param([workspace("ws_9", version=2)], "'ws_9' does not exist any more", None, id="gone"),
        pytest.param([workspace()], "workspace 'ws_1' exists already", 2, id="id taken"),
        pytest.param(
            [workspace("ws_9", external_id="acme")], "externalId 'acme' is taken by another workspace", None, id="name"
        ),
        pytest.param([override("ovr_2")], "is taken by another override", None, id="second override"),
        pytest.param(
            [feature("f"), feature("f", id="feat_other")], "key 'f' is taken by another feature", None, id="key"
        ),
        pytest.param(
            [plan("p"), plan("p", id="plan_x")], "key 'p', planVersion 1 is taken by another plan", None, id="plan"
        ),
    ],
)
async def test_a_conflict_says_what_is_stored_and_writes_nothing(
    mongodb_uri: str, database: str, attempt: list[Record], message: str, current_version: int | None
) -> None:
    before: list[Record] = [workspace(version=2, external_id="acme"), override()]
    async with storing(mongodb_uri, database) as store:
        await store.write([workspace(), override()], [], None)
        await store.write([before[0]], [], None)

        with pytest.raises(ConflictError, match=message) as raised:
            await store.write([grant("grant_new"), *attempt], [entry()], result())

        assert raised.value.current_version == current_version
        assert await stored(store, Kind.GRANT, "grant_new") == []
        assert await stored(store, Kind.WORKSPACE, "ws_1", "ws_9") == [before[0]]
        assert await store.result(result().id) is None


async def test_what_fails_last_undoes_what_was_written_first(mongodb_uri: str, database: str) -> None:
    async with storing(mongodb_uri, database) as store:
        await store.write([], [entry()], None)

        with pytest.raises(ConflictError):
            await store.write([workspace()], [entry()], None)

        assert await stored(store, Kind.WORKSPACE, "ws_1") == []


async def test_many_workspaces_may_lack_an_external_id(mongodb_uri: str, database: str) -> None:
    async with storing(mongodb_uri, database) as store:
        await store.write([workspace("ws_1"), workspace("ws_2")], [], None)

        assert len(await stored(store, Kind.WORKSPACE, "ws_1", "ws_2")) == 2


async def test_a_unique_key_given_up_is_free_for_another_in_the_same_write(mongodb_uri: str, database: str) -> None:
    async with storing(mongodb_uri, database) as store:
        await store.write([override("ovr_1")], [], None)

        await store.write([override("ovr_2"), override("ovr_1", version=2, deleted_at=NOW)], [], None)

        assert await stored(store, Kind.OVERRIDE, "ovr_2") == [override("ovr_2")]


async def test_of_concurrent_writers_exactly_one_wins(mongodb_uri: str, database: str) -> None:
    async with storing(mongodb_uri, database) as store:
        await store.write([workspace(), sub()], [], None)

        outcomes = await asyncio.gather(
            *(store.write([sub(version=2), workspace(version=2, name=str(n))], [], None) for n in range(8)),
            return_exceptions=True,
        )

        lost = [outcome for outcome in outcomes if isinstance(outcome, ConflictError)]
        assert (len(lost), outcomes.count(None)) == (7, 1)
        assert {error.current_version for error in lost} == {2}
        assert await stored(store, Kind.WORKSPACE, "ws_1") == [workspace(version=2, name=str(outcomes.index(None)))]


async def test_of_concurrent_twins_the_later_learns_that_there_is_a_result(mongodb_uri: str, database: str) -> None:
    async with storing(mongodb_uri, database) as store:
        await store.write([workspace()], [], None)

        outcomes = await asyncio.gather(
            *(store.write([workspace(version=2)], [], result()) for _ in range(4)), return_exceptions=True
        )

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NoneType", *["ResultExistsError"] * 3]


async def test_a_record_of_a_wrong_shape_is_a_bug_and_is_not_written(mongodb_uri: str, database: str) -> None:
    async with storing(mongodb_uri, database) as store:
        with pytest.raises(pydantic.ValidationError):
            await store.write([workspace(name=5)], [], None)
        with pytest.raises(ValidationError):
            await store.write([workspace(name="\ud800")], [], None)

        assert await stored(store, Kind.WORKSPACE, "ws_1") == []


async def scanned(store: MongoStore, kind: Kind) -> list[Sequence[Record | Tombstone]]:
    return [batch async for batch in store.scan(kind) if batch]


async def test_a_scan_gives_everything_in_batches_and_the_deleted_as_tombstones(
    mongodb_uri: str, database: str
) -> None:
    records = [grant(f"grant_{n}", deleted_at=NOW if n == 7 else None) for n in range(2_500)]
    async with storing(mongodb_uri, database) as store:
        await store.write(records, [], None)

        batches = await scanned(store, Kind.GRANT)

        assert len(batches) == 3
        assert {found.id for batch in batches for found in batch} == {record.id for record in records}
        assert Tombstone(Kind.GRANT, "grant_7", 1, "i", "ws_1") in [found for batch in batches for found in batch]
        assert await scanned(store, Kind.FEATURE) == []


async def test_a_malformed_document_is_told_and_the_others_are_read(mongodb_uri: str, database: str) -> None:
    malformed: list[MappingError] = []
    async with storing(mongodb_uri, database, malformed=malformed) as store:
        await store.write([workspace("ws_2")], [], None)
        await insert(mongodb_uri, database, "workspaces", {"_id": "ws_1", "name": 5}, {"_id": bson.ObjectId("0" * 24)})

        assert await scanned(store, Kind.WORKSPACE) == [[workspace("ws_2")]]
        assert await stored(store, Kind.WORKSPACE, "ws_1", "ws_2") == [workspace("ws_2")]
        assert [(error.kind, error.id) for error in malformed] == [
            (Kind.WORKSPACE, "ws_1"),
            (Kind.WORKSPACE, "0" * 24),
            (Kind.WORKSPACE, "ws_1"),
        ]


async def test_holders_come_page_by_page_past_what_cannot_be_read(mongodb_uri: str, database: str) -> None:
    async with storing(mongodb_uri, database) as store:
        await store.write([sub("sub_1"), sub("sub_5"), sub("sub_6")], [], None)
        broken = [{**to_document(sub(f"sub_{number}")), "startedAt": "rubbish"} for number in (2, 3, 4, 7)]
        await insert(mongodb_uri, database, "subscriptions", *broken)
        pages: list[tuple[list[str], bool]] = []
        after = None

        while not pages or pages[-1][1]:
            page = await store.holders_page(["pro_monthly"], before_at=NOW, after=after, first=2)
            pages.append(([found.id for found in page.items], page.has_next))
            after = page.items[-1].id if page.items else after

        assert pages == [(["sub_1"], True), (["sub_5"], True), (["sub_6"], False)]
        assert await store.count_holders(["pro_monthly"], before_at=NOW) == 7
        assert await store.count_holders(["pro_yearly"], before_at=NOW) == 0


async def test_what_another_application_inserts_is_read_and_can_be_changed(mongodb_uri: str, database: str) -> None:
    async with storing(mongodb_uri, database) as store:
        await insert(mongodb_uri, database, "workspaces", {"_id": "ws_1", "externalId": "acme"})
        [found] = await store.read_workspace("acme")

        await store.write([workspace(version=2, incarnation=found.incarnation)], [], None)

        assert (found.version, found.incarnation) == (1, "")
        assert (await stored(store, Kind.WORKSPACE, "ws_1"))[0].version == 2


async def test_what_another_application_sets_is_read(mongodb_uri: str, database: str) -> None:
    async with storing(mongodb_uri, database) as store:
        await store.write([override()], [], None)
        client: Any = AsyncIOMotorClient(mongodb_uri)
        await client[database]["overrides"].update_one({"_id": "ovr_1"}, {"$set": {"limit": 5}, "$inc": {"version": 1}})
        client.close()

        assert await stored(store, Kind.OVERRIDE, "ovr_1") == [override(version=2, limit=Decimal(5))]


async def test_pages_say_whether_there_is_more(mongodb_uri: str, database: str) -> None:
    async with storing(mongodb_uri, database) as store:
        await store.write([workspace(f"ws_{n}") for n in range(3)], [], None)
        await store.write([sub("sub_1"), sub("sub_2", SubscriptionStatus.PAUSED)], [], None)

        first = await store.workspaces_page(after=None, first=2)
        last = await store.workspaces_page(after="ws_1", first=2)
        paused = await store.subscriptions_page(
            workspace_id="ws_1", statuses=[SubscriptionStatus.PAUSED], after=None, first=2
        )

        assert ([found.id for found in first.items], first.has_next) == (["ws_0", "ws_1"], True)
        assert ([found.id for found in last.items], last.has_next) == (["ws_2"], False)
        assert ([found.id for found in paused.items], paused.has_next) == (["sub_2"], False)
        assert await store.count(Kind.SUBSCRIPTION, status=("active", "paused"), workspace_id="ws_1") == 2
        assert not await store.has_admin_key()
