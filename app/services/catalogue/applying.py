"""Apply a file to the catalogue: load, review, commit; or only tell what would change."""

import asyncio
from collections.abc import Sequence

import msgspec

from app.domain.api_key import Principal
from app.domain.change import Record
from app.domain.errors import CatalogueFaultsError
from app.domain.faults import INPUT, idempotency_key_faults, refuse, text_faults
from app.domain.migration import Migration
from app.domain.plan import Catalogue, Feature, Plan
from app.runtime import Runtime
from app.services import migrations
from app.services.archiving import uses_of_feature, uses_of_plan
from app.services.catalogue.difference import Change, Part, is_archived
from app.services.catalogue.edition import write_catalogue
from app.services.catalogue.review import Review, review
from app.services.catalogue.syntax import Document, parse
from app.services.catalogue.target import Target
from app.services.loading import refresh_catalogue


class ApplyCatalogueInput(msgspec.Struct, frozen=True, kw_only=True):
    """`source` is the file's text, `file_name` what faults call it. A dry run writes nothing."""

    idempotency_key: str
    source: str
    file_name: str = "catalog.toml"
    dry_run: bool = False


class Report(msgspec.Struct, frozen=True):
    """What changes, what is as the file says already, and what is offered without the file naming it."""

    changes: tuple[Change, ...]
    unchanged: tuple[Part, ...]
    unmanaged: tuple[Part, ...]


class Applied(msgspec.Struct, frozen=True):
    """The report, and the migrations as they were started: none by a dry run."""

    report: Report
    migrations: tuple[Migration, ...]
    replayed: bool


async def apply_catalogue(rt: Runtime, principal: Principal, input: ApplyCatalogueInput) -> Applied:
    """Make the catalogue what the file says, all of it or nothing, and leave alone what the file does not name.

    A dry run stores nothing under its idempotency key, so that the key is free for applying the file. Raises
    `CatalogueFaultsError` with every fault of the file.
    """
    refuse(idempotency_key_faults(input.idempotency_key), text_faults((*INPUT, "fileName"), input.file_name))
    try:
        return await _apply(rt, principal, input)
    except CatalogueFaultsError as error:
        raise CatalogueFaultsError(error.faults, file_name=input.file_name) from error


async def _apply(rt: Runtime, principal: Principal, input: ApplyCatalogueInput) -> Applied:
    document = await asyncio.to_thread(parse, input.source)
    if input.dry_run:
        await refresh_catalogue(rt)
        decided = await _decide(rt, document, rt.cache.catalogue())
        return Applied(decided.report, (), replayed=False)
    reports: list[str] = []

    async def decide(catalogue: Catalogue) -> Sequence[Record]:
        decided = await _decide(rt, document, catalogue)
        reports.append(msgspec.json.encode(decided.report).decode())
        return decided.records

    done = await write_catalogue(rt, principal, "applyCatalog", input, decide, answer=lambda: reports[-1])
    started = tuple(record for record in done.records if isinstance(record, Migration))
    if started:
        rt.sync.wake_migrations()
    return Applied(msgspec.json.decode(done.answer, type=Report), started, done.replayed)


class _Decided(msgspec.Struct, frozen=True):
    report: Report
    records: tuple[Record, ...]


async def _decide(rt: Runtime, document: Document, catalogue: Catalogue) -> _Decided:
    at = rt.clock.now_at()
    reviewed = await asyncio.to_thread(review, document, catalogue, at=at, new_id=rt.ids.new)
    for target in reviewed.targets():
        await _note_uses(rt, target, reviewed, at)
    if reviewed.faults.found:
        raise CatalogueFaultsError(reviewed.faults.found)
    started = {target.record.id: await migrations.start(rt, target.record) for target in _migrating(reviewed)}
    return await asyncio.to_thread(_summed_up, reviewed, started)


def _summed_up(reviewed: Review, started: dict[str, Migration]) -> _Decided:
    changes = tuple(_with_moves(change, started) for change in reviewed.changes())
    records = (*(target.record for target in reviewed.targets() if target.is_changed), *started.values())
    return _Decided(Report(changes, reviewed.unchanged(), reviewed.unmanaged), records)


async def _note_uses(rt: Runtime, target: Target[Feature] | Target[Plan], reviewed: Review, at: int) -> None:
    """Note what stands in the way of archiving the target."""
    record, before = target.record, target.before
    if before is None or is_archived(before) or not is_archived(record):
        return
    ask = uses_of_feature if isinstance(record, Feature) else uses_of_plan
    if uses := await ask(rt, record.key, reviewed.planned, at):
        problem = f"must wait: it is in use {', '.join(uses)}"
        reviewed.faults.at_value((*target.path, "archived"), "IN_USE", problem)


def _migrating(reviewed: Review) -> list[Target[Plan]]:
    """Return the plans of which a new version is published that subscribers shall have."""
    return [
        target
        for target in reviewed.plans
        if target.migrates and target.before is not None and target.record.id != target.before.id
    ]


def _with_moves(change: Change, started: dict[str, Migration]) -> Change:
    migration = started.get(change.record_id)
    return change if migration is None else msgspec.structs.replace(change, moves=migration.total)
