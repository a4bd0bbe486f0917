"""A record as the file wants it, beside the record as it is."""

from collections.abc import Iterable
from typing import Generic, TypeVar

import msgspec

from app.domain.plan import Catalogue, Feature, Plan
from app.services.catalogue.syntax import Path

R = TypeVar("R", Feature, Plan)


class Target(msgspec.Struct, Generic[R], frozen=True, kw_only=True):
    """`before` is None where the record is to be created, and equals the record where nothing is to change.

    Of a plan `before` is the latest version, and `record` may be the next one. `migrates` where subscribers shall move
    to it.
    """

    path: Path
    record: R
    before: R | None
    migrates: bool = False

    @property
    def is_changed(self) -> bool:
        """Whether there is anything to write."""
        return self.record != self.before


def outcome(catalogue: Catalogue, features: Iterable[Target[Feature]], plans: Iterable[Target[Plan]]) -> Catalogue:
    """Return the catalogue as it will be."""
    all_features = {**catalogue.features, **{target.record.key: target.record for target in features}}
    versions = {plan.id: plan for latest in catalogue.plans() for plan in catalogue.versions(latest.key)}
    versions |= {target.record.id: target.record for target in plans}
    return Catalogue(all_features.values(), versions.values(), default_plan_key=catalogue.default_plan_key)
