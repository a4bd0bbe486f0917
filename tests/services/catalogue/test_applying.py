"""Applying a file over the real store: once, all of it or nothing, and never twice."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from support.catalogues import content
from support.clock import SequentialIds
from support.records import DAY, NOW, feature, grant, limit, plan, sub
from support.runtime import ADMIN, fakes_of, put, running

from app.domain.audit import AuditFilter
from app.domain.change import Kind
from app.domain.errors import CatalogueFaultsError, IdempotencyConflictError, ValidationError
from app.domain.plan import PlanStatus
from app.runtime import Runtime
from app.services.catalogue.applying import Applied, ApplyCatalogueInput, apply_catalogue
from app.services.catalogue.difference import ChangeAction, ChangeKind, Part
from app.services.catalogue.export import export_catalogue

FILE = """
default_plan = "free"

[credits.ai]
name = "AI credits"

[features.seats]
name = "Seats"
type = "METERED"
meter = "FLUCTUATING"

[features.images]
name = "Images"
type = "CREDIT"
credit = "ai"
cost = 5

[plans.free]
name = "Free"
features = { seats = 2 }

[plans.pro]
name = "Pro"
prices = [{ lookup_key = "pro_monthly" }]
features = { seats = 25, ai = { limit = 500, reset = "MONTH", rollover_max = 100 } }

[add_ons.seats]
name = "Five seats"
max_quantity = 20
features = { seats = 5 }
"""


@pytest.fixture
async def rt(mongodb_uri: str, database: str) -> AsyncIterator[Runtime]:
    async with running(mongodb_uri, database) as rt:
        yield rt


async def apply(rt: Runtime, source: str = FILE, key: str = "k", *, dry_run: bool = False) -> Applied:
    return await apply_catalogue(rt, ADMIN, ApplyCatalogueInput(idempotency_key=key, source=source, dry_run=dry_run))


def actions(applied: Applied) -> dict[str, ChangeAction]:
    return {change.part.key: change.action for change in applied.report.changes}


async def test_a_file_makes_the_catalogue(rt: Runtime) -> None:
    applied = await apply(rt)

    assert [(c.part.kind, c.part.key) for c in applied.report.changes] == [
        (ChangeKind.CREDIT_TYPE, "ai"),
        (ChangeKind.FEATURE, "seats"),
        (ChangeKind.FEATURE, "images"),
        (ChangeKind.PLAN, "free"),
        (ChangeKind.PLAN, "pro"),
        (ChangeKind.ADD_ON, "seats"),
    ]
    default = rt.cache.catalogue().default_plan()
    assert default is not None
    assert default.key == "free"
    assert await rt.store.count(Kind.PLAN) == 3


async def test_a_file_of_hundreds_is_written_with_an_audit_entry_for_each(rt: Runtime) -> None:
    file = "".join(f'features.f{n} = {{ name = "F{n}", type = "BOOLEAN" }}\n' for n in range(300))

    await apply(rt, file)
    await apply(rt, file.replace('"F', '"G'), "k2")

    stored = [record async for batch in rt.store.scan(Kind.FEATURE) for record in batch]
    assert {record.version for record in stored} == {2}
    assert len(stored) == len(rt.cache.catalogue().features) == 300
    entries = await rt.audit.page(AuditFilter(operation="applyCatalog"), after=None, first=1000)
    assert {entry.kind for entry in entries.items} == {Kind.FEATURE}
    assert len(entries.items) == 600


async def test_applied_twice_it_changes_nothing_the_second_time(rt: Runtime) -> None:
    await apply(rt)

    again = await apply(rt, key="k2")

    assert (again.report.changes, again.report.unmanaged, again.replayed) == ((), (), False)
    assert len(again.report.unchanged) == 6
    assert await rt.store.count(Kind.PLAN) == 3


async def test_an_export_applies_without_change(rt: Runtime) -> None:
    await apply(rt)
    before = content(rt.cache.catalogue())

    again = await apply(rt, export_catalogue(rt.cache.catalogue()), "k2")

    assert again.report.changes == ()
    assert content(rt.cache.catalogue()) == before


async def test_a_dry_run_tells_the_same_and_writes_nothing(rt: Runtime) -> None:
    tried = await apply(rt, dry_run=True)

    assert await rt.store.count(Kind.FEATURE) == 0
    assert rt.cache.catalogue().plans() == []
    applied = await apply(rt)
    assert [(c.part, c.action, c.fields) for c in tried.report.changes] == [
        (c.part, c.action, c.fields) for c in applied.report.changes
    ]
    assert (tried.replayed, applied.replayed) == (False, False)


async def test_a_replay_answers_what_was_changed_then(rt: Runtime) -> None:
    first = await apply(rt)
    await apply(rt, FILE.replace("seats = 25", "seats = 30"), "k2")

    again = await apply(rt)

    assert again.replayed
    assert again.report == first.report


async def test_another_file_under_the_same_key_is_a_conflict(rt: Runtime) -> None:
    await apply(rt)

    with pytest.raises(IdempotencyConflictError):
        await apply(rt, FILE + "# more\n")


async def test_only_what_differs_is_written(rt: Runtime) -> None:
    await apply(rt)
    fakes_of(rt).clock.advance(DAY)

    changed = FILE.replace("seats = 25", "seats = 30").replace("cost = 5", "cost = 4")
    applied = await apply(rt, changed, "k2")

    assert actions(applied) == {"images": ChangeAction.CHANGE, "pro": ChangeAction.NEW_VERSION}
    assert [plan.plan_version for plan in rt.cache.catalogue().versions("pro")] == [1, 2]
    assert rt.cache.catalogue().features["images"].version == 2


async def test_one_fault_and_nothing_of_the_file_is_applied(rt: Runtime) -> None:
    with pytest.raises(CatalogueFaultsError) as caught:
        await apply(rt, FILE.replace('"METERED"', '"METRED"').replace("max_quantity = 20", "max_quantity = 0"))

    assert [(f.line, f.code) for f in caught.value.faults] == [(9, "UNKNOWN_WORD"), (29, "OUT_OF_RANGE")]
    assert await rt.store.count(Kind.FEATURE) == 0


@pytest.mark.parametrize("source", ["plans = 1", "plans"], ids=["fault", "no TOML"])
async def test_faults_call_the_file_by_its_name(rt: Runtime, source: str) -> None:
    with pytest.raises(CatalogueFaultsError, match=r"^shop\.toml:1:"):
        await apply_catalogue(rt, ADMIN, ApplyCatalogueInput(idempotency_key="k", source=source, file_name="shop.toml"))


async def test_a_key_that_failed_may_be_used_for_the_mended_file(rt: Runtime) -> None:
    with pytest.raises(CatalogueFaultsError):
        await apply(rt, "no TOML")

    assert not (await apply(rt)).replayed


async def test_what_the_file_does_not_name_is_left_alone(rt: Runtime) -> None:
    await put(rt, feature("other"), plan("other", limit("other")))

    applied = await apply(rt)

    assert applied.report.unmanaged == (Part(ChangeKind.FEATURE, "other"), Part(ChangeKind.PLAN, "other"))
    assert rt.cache.catalogue().plan("other") == plan("other", limit("other"))


async def test_what_is_in_use_is_not_archived_and_the_user_is_named(rt: Runtime) -> None:
    await put(rt, sub("sub_1"), grant(key="images", amount=1))
    await apply(rt)

    archiving = FILE.replace("cost = 5", "cost = 5\narchived = true").replace('"Pro"', '"Pro"\narchived = true')
    with pytest.raises(CatalogueFaultsError) as caught:
        await apply(rt, archiving, "k2")

    [of_feature, of_plan] = caught.value.faults
    assert (of_feature.line, of_feature.column, of_feature.code) == (17, 12, "IN_USE")
    assert "by 1 grant (grant_1)" in of_feature.message
    assert of_plan.path == ("plans", "pro", "archived")
    assert "by 1 subscription (sub_1)" in of_plan.message


async def test_a_feature_and_the_plans_that_name_it_go_in_one_file(rt: Runtime) -> None:
    await apply(rt)

    without = FILE.replace("seats = 25, ", "").replace("seats = 2 ", " ").replace("{ seats = 5 }", "{}")
    applied = await apply(rt, without.replace('"FLUCTUATING"', '"FLUCTUATING"\narchived = true'), "k2")

    assert rt.cache.catalogue().features["seats"].archived_at == NOW
    assert actions(applied)["free"] is ChangeAction.NEW_VERSION


async def test_an_archived_plan_is_offered_again(rt: Runtime) -> None:
    await apply(rt)
    await apply(rt, "plans.pro.archived = true", "k2")
    archived = rt.cache.catalogue().plan("pro")
    assert archived is not None
    assert archived.status is PlanStatus.ARCHIVED

    assert actions(await apply(rt, key="k3")) == {"pro": ChangeAction.RESTORE}


async def test_migrate_moves_subscribers_to_the_version_that_is_published(rt: Runtime) -> None:
    await apply(rt)
    await put(rt, *(sub(f"sub_{n}") for n in range(3)))
    fakes_of(rt).clock.advance(DAY)
    moving = FILE.replace("seats = 25", "seats = 30").replace('"Pro"', '"Pro"\nmigrate = true')

    tried = await apply(rt, moving, dry_run=True)
    applied = await apply(rt, moving, "k2")

    assert [change.moves for change in tried.report.changes] == [3]
    assert (tried.migrations, applied.report.changes[0].moves) == ((), 3)
    [migration] = applied.migrations
    assert (migration.plan_key, migration.plan_version, migration.total) == ("pro", 2, 3)
    assert fakes_of(rt).sync.woken_for_migrations == 1


async def test_migrate_moves_nobody_where_nothing_changes(rt: Runtime) -> None:
    await apply(rt)

    applied = await apply(rt, FILE.replace('"Pro"', '"Pro"\nmigrate = true'), "k2")

    assert (applied.report.changes, applied.migrations) == ((), ())


async def test_two_files_at_once_follow_each_other(rt: Runtime) -> None:
    await apply(rt)

    files = {seats: FILE.replace("seats = 25", f"seats = {seats}") for seats in (30, 40, 50)}
    applied = await asyncio.gather(*(apply(rt, file, f"seats {seats}") for seats, file in files.items()))

    assert sorted(change.version for done in applied for change in done.report.changes) == [2, 3, 4]
    assert [p.plan_version for p in rt.cache.catalogue().versions("pro")] == [1, 2, 3, 4]


async def test_the_same_file_at_once_on_two_replicas_is_applied_once(mongodb_uri: str, database: str) -> None:
    ids = SequentialIds()
    async with running(mongodb_uri, database, ids=ids) as here, running(mongodb_uri, database, ids=ids) as there:
        applied = await asyncio.gather(apply(here, key="a"), apply(there, key="b"))

        assert sorted(len(done.report.changes) for done in applied) == [0, 6]
        assert await here.store.count(Kind.PLAN) == 3


async def test_what_another_replica_has_written_is_known(mongodb_uri: str, database: str) -> None:
    ids = SequentialIds()
    async with running(mongodb_uri, database, ids=ids) as here, running(mongodb_uri, database, ids=ids) as there:
        await apply(here)

        assert (await apply(there, key="k2")).report.changes == ()


@pytest.mark.parametrize("fields", [{"idempotency_key": ""}, {"file_name": " "}])
async def test_a_request_that_cannot_be_one_is_refused(rt: Runtime, fields: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        await apply_catalogue(rt, ADMIN, ApplyCatalogueInput(**{"idempotency_key": "k", "source": FILE, **fields}))
