"""Plans and features, from RAM."""

import strawberry

from app.graphql.context import Info
from app.graphql.permissions import READS_CATALOG, requires
from app.graphql.types.catalogue import Feature, Plan


@strawberry.type
class CatalogueQueries:
    @strawberry.field(directives=requires(*READS_CATALOG), description="The latest version of every plan, by key.")
    def plans(self, info: Info) -> list[Plan]:
        return [Plan.from_domain(plan) for plan in info.context.loaded().cache.catalogue().plans()]

    @strawberry.field(
        directives=requires(*READS_CATALOG), description="A plan's version, or its latest. Null where there is none."
    )
    def plan(self, info: Info, key: str, version: int | None = None) -> Plan | None:
        plan = info.context.loaded().cache.catalogue().plan(key, version)
        return Plan.from_domain(plan) if plan else None

    @strawberry.field(directives=requires(*READS_CATALOG), description="Every feature, by key.")
    def features(self, info: Info) -> list[Feature]:
        return [Feature.from_domain(feature) for feature in info.context.loaded().cache.catalogue().features.values()]
