"""Move subscribers to a newer version of their plan, in batches that survive whatever ends the process."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import msgspec

from app.domain import ids
from app.domain.api_key import Principal
from app.domain.audit import Actor, ActorKind
from app.domain.change import Record
from app.domain.errors import ConflictError, NotFoundError
from app.domain.faults import idempotency_key_faults, refuse
from app.domain.migration import Migration, MigrationStatus, advanced, ended, migrated, movable_prices
from app.domain.plan import Plan
from app.runtime import Runtime
from app.services.commit import commit
from app.services.loading import load_record, refresh_catalogue
from app.services.result import Written, until_settled, written

OPERATION: Final = "migratePlan"
_BATCH: Final = 100  # subscriptions; while they are translated and applied, nothing else runs
_RUNNING_MAX: Final = 100
_TRIES: Final = 6  # another writer of the same subscriptions wins each time; more would be a fault


class MigratePlanInput(msgspec.Struct, frozen=True, kw_only=True):
    idempotency_key: str
    plan_key: str


async def migrate_plan(rt: Runtime, principal: Principal, input: MigratePlanInput) -> Written[Migration]:
    """Start to move everybody who has an earlier version of the plan or add-on to the latest one.

    Raises `NotFoundError`, and `ConflictError` while a migration to that version runs.
    """
    refuse(idempotency_key_faults(input.idempotency_key))

    async def decide(_conflicts: int) -> Sequence[Record]:
        await refresh_catalogue(rt)
        target = rt.cache.catalogue().plan(input.plan_key)
        if target is None:
            raise NotFoundError("plan", input.plan_key)
        for running in await _running(rt):
            if running.plan_id == target.id:
                problem = f"{running.id!r} moves everybody to version {target.plan_version} of {target.key!r} already"
                raise ConflictError(problem, current_version=running.version)
        return (await start(rt, target),)

    done = written(await until_settled(rt, principal, OPERATION, input, decide), Migration)
    rt.sync.wake_migrations()
    return done


async def start(rt: Runtime, target: Plan) -> Migration:
    """Return the migration of everybody who has an earlier version to `target`, which may be yet to be written.

    It runs once it is committed: wake the worker with `rt.sync.wake_migrations`, or wait for it to look.
    """
    prices = movable_prices(target, rt.cache.catalogue())
    return Migration(
        id=rt.ids.new(ids.MIGRATION),
        plan_key=target.key,
        plan_id=target.id,
        plan_version=target.plan_version,
        published_at=target.published_at,
        total=await rt.store.count_holders(prices, before_at=target.published_at) if prices else 0,
        started_at=rt.clock.now_at(),
    )


async def pending(rt: Runtime) -> list[Migration]:
    """Return the migrations that can go on: of each plan the newest; those that it supersedes are ended.

    RAM's catalogue is at least as new as they are afterwards.
    """
    running = await _running(rt)
    newest: dict[str, Migration] = {}
    for migration in sorted(running, key=lambda migration: (migration.plan_version, migration.id)):
        newest[migration.plan_key] = migration
    for migration in running:
        if (successor := newest[migration.plan_key]).id != migration.id:
            await _supersede(rt, migration, successor)
    if newest:
        await refresh_catalogue(rt)
    return sorted(newest.values(), key=lambda migration: migration.id)


async def step(rt: Runtime, migration: Migration) -> Migration:
    """Move one batch and note it in the same write; return the migration as it then stands.

    It must be one of `pending`. Raises `ConflictError` where another replica has gone on with it.
    """
    for _ in range(_TRIES - 1):
        with suppress(ConflictError):
            return await _move_batch(rt, migration)
        current = await load_record(rt, Migration, migration.id, "migration")
        if current.version != migration.version:
            raise ConflictError(f"another replica goes on with {migration.id!r}", current_version=current.version)
    return await _move_batch(rt, migration)


async def _move_batch(rt: Runtime, migration: Migration) -> Migration:
    catalogue = rt.cache.catalogue()
    target = catalogue.plan_by_id(migration.plan_id)
    if target is None:
        reason = f"version {migration.plan_version} of {migration.plan_key!r} does not exist any more"
        return await _end(rt, migration, MigrationStatus.FAILED, reason)
    page = await rt.store.holders_page(
        movable_prices(target, catalogue), before_at=target.published_at, after=migration.cursor, first=_BATCH
    )
    moved = [after for sub in page.items if (after := migrated(sub, target, catalogue)) is not sub]
    progress = advanced(
        migration,
        moved=len(moved),
        skipped=len(page.items) - len(moved),
        cursor=page.items[-1].id if page.items else migration.cursor,
        ended_at=None if page.has_next else rt.clock.now_at(),
    )
    return await _commit(rt, progress, moved)


async def _running(rt: Runtime) -> Sequence[Migration]:
    return (await rt.store.migrations_page(status=MigrationStatus.RUNNING, after=None, first=_RUNNING_MAX)).items


async def _supersede(rt: Runtime, migration: Migration, successor: Migration) -> None:
    with suppress(ConflictError):  # another replica was quicker, with this or with one more batch
        reason = f"{successor.id} moves everybody to version {successor.plan_version}"
        await _end(rt, migration, MigrationStatus.SUPERSEDED, reason)


async def _end(rt: Runtime, migration: Migration, status: MigrationStatus, reason: str) -> Migration:
    return await _commit(rt, ended(migration, status, reason, rt.clock.now_at()), ())


async def _commit(rt: Runtime, migration: Migration, moved: Sequence[Record]) -> Migration:
    actor = Actor(ActorKind.SYSTEM, migration.id)
    *_, noted = await commit(rt, actor, OPERATION, [*moved, migration])
    if not isinstance(noted, Migration):
        raise TypeError(f"wrote {noted!r}, not a migration")
    return noted
