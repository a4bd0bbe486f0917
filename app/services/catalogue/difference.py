"""What would change, field by field, in the file's own words."""

from collections.abc import Iterator
from enum import StrEnum

import msgspec

from app.domain.plan import Feature, Plan, PlanKind, PlanStatus
from app.services.catalogue.tables import Table, feature_table, plan_table, without_defaults
from app.services.catalogue.target import Target
from app.services.catalogue.writing import inline


class ChangeKind(StrEnum):
    """What a part of the catalogue is."""

    CREDIT_TYPE = "CREDIT_TYPE"
    FEATURE = "FEATURE"
    PLAN = "PLAN"
    ADD_ON = "ADD_ON"


class ChangeAction(StrEnum):
    """CREATE it; CHANGE it in place; publish a NEW_VERSION; ARCHIVE it; RESTORE what was archived."""

    CREATE = "CREATE"
    CHANGE = "CHANGE"
    NEW_VERSION = "NEW_VERSION"
    ARCHIVE = "ARCHIVE"
    RESTORE = "RESTORE"


class Part(msgspec.Struct, frozen=True, order=True):
    """A part of the catalogue by its name."""

    kind: ChangeKind
    key: str


class FieldChange(msgspec.Struct, frozen=True):
    """A key of the part's table; `before` and `after` are TOML, None where the key is not there."""

    path: str
    before: str | None
    after: str | None


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of one part. `version` is the version a plan will then have; `record_id` names what is written.

    `moves` are the subscriptions that are to be moved to the new version, None where they stay where they are.
    """

    part: Part
    action: ChangeAction
    fields: tuple[FieldChange, ...]
    version: int | None
    record_id: str
    moves: int | None = None


def change_of(target: Target[Feature] | Target[Plan]) -> Change:
    """Describe what changes of the target."""
    record, before = target.record, target.before
    return Change(
        part=part_of(record),
        action=_action(target),
        fields=tuple(_fields(record, before)),
        version=record.plan_version if isinstance(record, Plan) else None,
        record_id=record.id,
    )


def part_of(record: Feature | Plan) -> Part:
    """Name the part of the catalogue that the record is."""
    match record:
        case Feature():
            return Part(ChangeKind.CREDIT_TYPE if record.is_credit_type else ChangeKind.FEATURE, record.key)
        case Plan():
            return Part(ChangeKind.PLAN if record.kind is PlanKind.PLAN else ChangeKind.ADD_ON, record.key)


def is_archived(record: Feature | Plan) -> bool:
    """Tell whether nothing new may have it."""
    return record.archived_at is not None if isinstance(record, Feature) else record.status is PlanStatus.ARCHIVED


def _action(target: Target[Feature] | Target[Plan]) -> ChangeAction:
    record, before = target.record, target.before
    if before is None:
        return ChangeAction.CREATE
    if record.id != before.id:
        return ChangeAction.NEW_VERSION
    if is_archived(record) == is_archived(before):
        return ChangeAction.CHANGE
    return ChangeAction.ARCHIVE if is_archived(record) else ChangeAction.RESTORE


def _fields(record: Feature | Plan, before: Feature | Plan | None) -> Iterator[FieldChange]:
    if before is None:
        yield from (FieldChange(path, None, inline(value)) for path, value in _new(record).items())
        return
    was, will = _flat(before, _table(before)), _flat(record, _table(record))
    for path in [*will, *(path for path in was if path not in will)]:
        old, new = (inline(table[path]) if path in table else None for table in (was, will))
        if old != new:
            yield FieldChange(path, old, new)


def _new(record: Feature | Plan) -> Table:
    """Return what is worth telling of something new: not what holds of everything that says nothing else."""
    table = _flat(record, without_defaults(record, _table(record)))
    return {path: value for path, value in table.items() if (path, value) != ("default_plan", False)}


def _table(record: Feature | Plan) -> Table:
    return feature_table(record) if isinstance(record, Feature) else plan_table(record)


def _flat(record: Feature | Plan, table: Table) -> Table:
    """Return the table without tables of tables: what a plan gives stands under `features.KEY`. Prices are sorted."""
    if isinstance(record, Feature):
        return table
    rows: Table = table.get("features", {})
    flat = {key: value for key, value in table.items() if key != "features"}
    if prices := flat.get("prices"):
        flat["prices"] = sorted(prices, key=inline)
    return {**flat, "default_plan": record.is_default, **{f"features.{key}": row for key, row in rows.items()}}
