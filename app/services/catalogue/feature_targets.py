"""The features of a draft as records: created, changed or left as they are."""

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from app.domain import ids
from app.domain.catalogue_rules import feature_faults
from app.domain.plan import Catalogue, Feature, FeatureType, default_merge
from app.services.catalogue.draft import FeatureDraft
from app.services.catalogue.rule_faults import note_rule_faults
from app.services.catalogue.section import Faults
from app.services.catalogue.syntax import Path
from app.services.catalogue.target import Target, outcome

_FIXED: Final = {"type": "type", "meter_type": "meter", "value_type": "value_type", "credit_key": "credit"}
"""What never changes, and its key in the file; where the first differs, the others do in consequence."""


def feature_targets(
    drafts: Iterable[FeatureDraft], catalogue: Catalogue, faults: Faults, *, at: int, new_id: Callable[[str], str]
) -> list[Target[Feature]]:
    """Return the records of the features that could be read, and note what breaks a rule."""
    targets: dict[str, Target[Feature]] = {}
    for draft in drafts:
        if draft.key in targets:
            faults.at_key(draft.path, "DUPLICATE", "has the key of a credit type of this file; take another")
        elif target := _target(draft, catalogue, faults, at=at, new_id=new_id):
            targets[draft.key] = target
    planned = outcome(catalogue, targets.values(), ())
    ever = Catalogue(msgspec.structs.replace(feature, archived_at=None) for feature in planned.features.values())
    for target in targets.values():
        if target.is_changed:
            # What is archived may go on naming what is archived too.
            known = ever if target.record.archived_at is not None else planned
            note_rule_faults(faults, feature_faults(target.record, known), target.path)
    return list(targets.values())


def _target(
    draft: FeatureDraft, catalogue: Catalogue, faults: Faults, *, at: int, new_id: Callable[[str], str]
) -> Target[Feature] | None:
    before = catalogue.features.get(draft.key)
    if draft.is_bare:
        if before is None:
            problem = f"names no feature that could be archived; {faults.suggest(draft.key, catalogue.features)}"
            faults.at_key(draft.path, "UNKNOWN", problem)
            return None
        record = before
    elif draft.type is None:
        return None
    else:
        record = _record(draft, draft.type, before, new_id)
        _note_fixed(record, before, draft.path, faults)
    archived_at = (record.archived_at or at) if draft.is_archived else None
    wanted = msgspec.structs.replace(record, archived_at=archived_at)
    return Target(path=draft.path, record=wanted, before=before)


def _record(draft: FeatureDraft, type: FeatureType, before: Feature | None, new_id: Callable[[str], str]) -> Feature:
    blank = Feature(id=new_id(ids.FEATURE), key=draft.key, name="", type=type) if before is None else before
    return msgspec.structs.replace(
        blank,
        name=draft.name or "",
        type=type,
        unit=draft.unit,
        meter_type=draft.meter_type,
        value_type=draft.value_type,
        enum_values=draft.enum_values,
        merge=draft.merge or default_merge(type, draft.value_type),
        credit_key=draft.credit_key,
        cost=draft.cost,
    )


def _note_fixed(record: Feature, before: Feature | None, path: Path, faults: Faults) -> None:
    """Note what would change of what never does: plans, grants and usage count on it."""
    if before is None:
        return
    for field, name in _FIXED.items():
        was, wanted = getattr(before, field), getattr(record, field)
        if was != wanted and not faults.is_unread((*path, name)):
            problem = f"is {was or 'not set'} and never changes; give the new feature a key of its own"
            faults.at_value((*path, name), "FIXED", problem)
            return
    gone = [value for value in before.enum_values if value not in record.enum_values]
    if gone and not faults.is_unread((*path, "values")):
        problem = f"lacks {', '.join(gone)}: values may be added and never taken away"
        faults.at_value((*path, "values"), "FIXED", problem)
