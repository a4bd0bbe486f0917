"""Plans, add-ons and features, from RAM."""

from typing import Final

import strawberry

from app.domain import plan as domain
from app.graphql.context import Info
from app.graphql.permissions import READS_CATALOG, requires
from app.graphql.types.catalogue import AddOn, Feature, Plan

_LATEST: Final = "ACTIVE unless told otherwise; null is every status."


@strawberry.type
class CatalogueQueries:
    @strawberry.field(
        directives=requires(*READS_CATALOG),
        description=f"The latest version of every plan of this status, by key. {_LATEST}",
    )
    def plans(self, info: Info, status: domain.PlanStatus | None = domain.PlanStatus.ACTIVE) -> list[Plan]:
        return [Plan.from_domain(plan) for plan in _latest(info, domain.PlanKind.PLAN, status)]

    @strawberry.field(
        directives=requires(*READS_CATALOG), description="A plan's version, or its latest. Null where there is none."
    )
    def plan(self, info: Info, key: str, version: int | None = None) -> Plan | None:
        plan = _version(info, domain.PlanKind.PLAN, key, version)
        return Plan.from_domain(plan) if plan else None

    @strawberry.field(
        directives=requires(*READS_CATALOG),
        description=f"The latest version of every add-on of this status, by key. {_LATEST}",
    )
    def add_ons(self, info: Info, status: domain.PlanStatus | None = domain.PlanStatus.ACTIVE) -> list[AddOn]:
        return [AddOn.from_domain(plan) for plan in _latest(info, domain.PlanKind.ADD_ON, status)]

    @strawberry.field(
        directives=requires(*READS_CATALOG), description="An add-on's version, or its latest. Null where there is none."
    )
    def add_on(self, info: Info, key: str, version: int | None = None) -> AddOn | None:
        plan = _version(info, domain.PlanKind.ADD_ON, key, version)
        return AddOn.from_domain(plan) if plan else None

    @strawberry.field(directives=requires(*READS_CATALOG), description="Every feature, archived ones too, by key.")
    def features(self, info: Info) -> list[Feature]:
        return [Feature.from_domain(feature) for feature in info.context.loaded().cache.catalogue().features.values()]


def _latest(info: Info, kind: domain.PlanKind, status: domain.PlanStatus | None) -> list[domain.Plan]:
    plans = info.context.loaded().cache.catalogue().plans(kind)
    return [plan for plan in plans if status in (None, plan.status)]


def _version(info: Info, kind: domain.PlanKind, key: str, version: int | None) -> domain.Plan | None:
    plan = info.context.loaded().cache.catalogue().plan(key, version)
    return plan if plan and plan.kind is kind else None
