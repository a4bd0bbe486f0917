"""The plans and add-ons of a draft as records: first versions, next versions, or left as they are."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec

from app.domain import ids
from app.domain.catalogue_rules import plan_faults
from app.domain.errors import FieldError
from app.domain.plan import Catalogue, Plan, PlanFeature, PlanKind, PlanStatus, next_version
from app.services.catalogue.allowances import to_row
from app.services.catalogue.draft import NO_DEFAULT, Draft, PlanDraft
from app.services.catalogue.rule_faults import note_rule_faults
from app.services.catalogue.section import Faults
from app.services.catalogue.syntax import Path
from app.services.catalogue.target import Target, outcome

_DEFAULT_PLAN: Final[Path] = ("default_plan",)
_OFFERED_ONLY: Final = frozenset({"ARCHIVED", "TAKEN"})
"""Rules that hold for what is offered: an archived plan may name archived features, and prices that moved on."""


class PlanTargets:
    """Turns a file's plans into records, and notes what breaks a rule.

    `catalogue` has the features as the file wants them; `unread` are keys of features that the file names and
    whose type could not be read: of what plans say of them nothing can be said.
    """

    def __init__(
        self,
        draft: Draft,
        catalogue: Catalogue,
        faults: Faults,
        *,
        at: int,
        new_id: Callable[[str], str],
        unread: frozenset[str],
    ) -> None:
        self._draft = draft
        self._catalogue = catalogue
        self._faults = faults
        self._at = at
        self._new_id = new_id
        self._unread = unread
        self._rows: dict[Path, tuple[Path, ...]] = {}

    def resolve(self) -> list[Target[Plan]]:
        """Return a target per plan of the file, and of every other plan that its `default_plan` changes."""
        targets = [target for plan in self._draft.plans if (target := self._target(plan))]
        targets = [*targets, *self._changed_by_default({plan.key for plan in self._draft.plans})]
        planned = outcome(self._catalogue, (), targets)
        self._check_default(planned)
        for target in targets:
            self._check(target, planned)
        return targets

    def _target(self, draft: PlanDraft) -> Target[Plan] | None:
        before = self._catalogue.plan(draft.key)
        if draft.is_bare and before is None:
            known = (plan.key for plan in self._catalogue.plans(draft.kind))
            self._faults.at_key(
                draft.path, "UNKNOWN", f"names nothing that could be archived; {self._faults.suggest(draft.key, known)}"
            )
            return None
        if draft.is_bare and before is not None:
            record = msgspec.structs.replace(before, status=PlanStatus.ARCHIVED)
        else:
            record = self._version(draft, before)
        return Target(path=draft.path, record=record, before=before, migrates=draft.migrates)

    def _version(self, draft: PlanDraft, before: Plan | None) -> Plan:
        """Return the version that exists where the file says nothing else, or else the next one."""
        rows = list(self._resolved_rows(draft))
        self._rows[draft.path] = tuple(path for path, _ in rows)
        wanted = Plan(
            id="",
            key=draft.key,
            plan_version=1,
            name=draft.name or "",
            published_at=0,
            status=PlanStatus.ARCHIVED if draft.is_archived else PlanStatus.ACTIVE,
            prices=draft.prices,
            features=tuple(row for _, row in rows),
            trial_days=draft.trial_days,
            grace=draft.grace,
            paused_access=draft.paused_access,
            kind=draft.kind,
            max_quantity=draft.max_quantity,
            is_default=self._is_default(draft.key, before),
        )
        if before is not None and _content(wanted) == _content(before):
            return msgspec.structs.replace(before, status=wanted.status)
        return self._next(wanted, before)

    def _next(self, wanted: Plan, before: Plan | None) -> Plan:
        draft = msgspec.structs.replace(wanted, id=self._new_id(ids.PLAN), version=0, incarnation="")
        return next_version(draft, before, self._at)

    def _is_default(self, key: str, before: Plan | None) -> bool:
        if self._draft.default_plan is None:
            return before is not None and before.is_default
        return key == self._draft.default_plan

    def _resolved_rows(self, draft: PlanDraft) -> Iterator[tuple[Path, PlanFeature]]:
        for row in draft.rows:
            feature = self._catalogue.features.get(row.feature_key)
            if row.feature_key in self._unread:
                continue
            if feature is None:
                near = self._faults.suggest(row.feature_key, self._catalogue.features)
                self._faults.at_key(row.path, "UNKNOWN", f"names no feature; {near}")
            elif resolved := to_row(row, feature, self._faults):
                yield row.path, resolved

    def _changed_by_default(self, named: set[str]) -> Iterator[Target[Plan]]:
        if self._draft.default_plan is None:
            return
        for plan in self._catalogue.plans(PlanKind.PLAN):
            is_default = plan.key == self._draft.default_plan
            if plan.key not in named and plan.is_default != is_default:
                changed = self._next(msgspec.structs.replace(plan, is_default=is_default), plan)
                yield Target(path=_DEFAULT_PLAN, record=changed, before=plan)

    def _check_default(self, planned: Catalogue) -> None:
        key = self._draft.default_plan
        if key in (None, NO_DEFAULT):
            return
        plan = planned.plan(key)
        if plan is None or plan.kind is not PlanKind.PLAN:
            known = [plan.key for plan in planned.plans(PlanKind.PLAN)]
            self._faults.at_value(
                _DEFAULT_PLAN, "UNKNOWN", f"names no plan: {key!r}; {self._faults.suggest(key, known)}"
            )
        elif plan.status is PlanStatus.ARCHIVED:
            self._faults.at_value(_DEFAULT_PLAN, "ARCHIVED", f"names {key!r}, which is archived")

    def _check(self, target: Target[Plan], planned: Catalogue) -> None:
        plan = target.record
        if not target.is_changed:
            return
        is_archived = plan.status is PlanStatus.ARCHIVED
        found = plan_faults(plan, planned)
        rows = {("features", str(n)): path for n, path in enumerate(self._rows.get(target.path, ()))}
        note_rule_faults(self._faults, _of_archived(found) if is_archived else found, target.path, rows)
        if is_archived and plan.is_default and self._draft.default_plan is None:
            problem = "must not be: it is the default plan; name another one as default_plan"
            self._faults.at_value((*target.path, "archived"), "IN_USE", problem)


def _of_archived(found: Iterable[FieldError]) -> Iterator[FieldError]:
    return (fault for fault in found if fault.code not in _OFFERED_ONLY)


def _content(plan: Plan) -> tuple[object, ...]:
    """Return what makes a version: neither the order of prices and features does, nor whether it is still offered."""
    return (
        plan.kind,
        plan.name,
        frozenset(plan.prices),
        frozenset(plan.features),
        plan.trial_days,
        plan.grace,
        plan.paused_access,
        plan.max_quantity,
        plan.is_default,
    )
