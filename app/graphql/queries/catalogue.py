"""Plans, add-ons and features, from RAM."""

from typing import Annotated, Final

import strawberry

from app.domain import plan as domain
from app.domain.plan_comparison import compare
from app.graphql.context import Info
from app.graphql.errors import bad_input
from app.graphql.permissions import READS_CATALOG, requires
from app.graphql.types.catalogue import AddOn, Feature, Plan
from app.graphql.types.plan_comparison import PlanComparison

COMPARED_LIMIT: Final = 20
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
        description="Plans side by side, a row per feature: for a page of prices. The latest version of each, archived "
        f"ones too; at most {COMPARED_LIMIT} keys.",
    )
    def compare_plans(
        self,
        info: Info,
        keys: Annotated[
            list[str], strawberry.argument(description="Keys of plans, in the order in which to show them.")
        ],
    ) -> PlanComparison:
        if len(keys) > COMPARED_LIMIT:
            raise bad_input(f"at most {COMPARED_LIMIT} plans are compared at once")
        return PlanComparison.from_domain(compare(info.context.loaded().cache.catalogue(), keys))

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
