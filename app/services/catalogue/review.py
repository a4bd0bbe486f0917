"""What a file would make of a catalogue: its targets and its faults. Pure; nothing is asked but the two."""

from collections.abc import Callable, Iterator

import msgspec

from app.domain.plan import Catalogue, Feature, Plan
from app.services.catalogue.difference import Change, Part, change_of, is_archived, part_of
from app.services.catalogue.draft import Draft, FeatureDraft
from app.services.catalogue.feature_targets import feature_targets
from app.services.catalogue.plan_targets import PlanTargets
from app.services.catalogue.reading import read_draft
from app.services.catalogue.section import Faults, Section
from app.services.catalogue.syntax import Document
from app.services.catalogue.target import Target, outcome


class Review(msgspec.Struct, frozen=True):
    """A reviewed file. Where there are faults, the targets are only what could be made of it."""

    faults: Faults
    features: tuple[Target[Feature], ...]
    plans: tuple[Target[Plan], ...]
    planned: Catalogue
    unmanaged: tuple[Part, ...]
    """What the catalogue offers and the file does not name."""

    def targets(self) -> Iterator[Target[Feature] | Target[Plan]]:
        """Yield all targets, features first."""
        yield from self.features
        yield from self.plans

    def changes(self) -> tuple[Change, ...]:
        """Return what is to be written, in the order of the targets."""
        return tuple(change_of(target) for target in self.targets() if target.is_changed)

    def unchanged(self) -> tuple[Part, ...]:
        """Return what is as the file says already."""
        return tuple(part_of(target.record) for target in self.targets() if not target.is_changed)


def review(document: Document, catalogue: Catalogue, *, at: int, new_id: Callable[[str], str]) -> Review:
    """Compare a file with the catalogue, and note every fault of it."""
    faults = Faults(document)
    draft = read_draft(Section(faults, (), document.values))
    features = tuple(feature_targets(draft.features, catalogue, faults, at=at, new_id=new_id))
    with_features = outcome(catalogue, features, ())
    unread = frozenset(feature.key for feature in draft.features if _is_unread(feature, faults))
    plans = PlanTargets(draft, with_features, faults, at=at, new_id=new_id, unread=unread).resolve()
    planned = outcome(with_features, (), plans)
    return Review(faults, features, tuple(plans), planned, tuple(_unmanaged(draft, catalogue)))


def _is_unread(feature: FeatureDraft, faults: Faults) -> bool:
    """Tell whether nothing can be said of what plans say of the feature."""
    return any(faults.is_unread((*feature.path, name)) for name in ("type", "value_type", "values"))


def _unmanaged(draft: Draft, catalogue: Catalogue) -> Iterator[Part]:
    features, plans = ({part.key for part in parts} for parts in (draft.features, draft.plans))
    for feature in catalogue.features.values():
        if feature.key not in features and not is_archived(feature):
            yield part_of(feature)
    for plan in catalogue.plans():
        if plan.key not in plans and not is_archived(plan):
            yield part_of(plan)
