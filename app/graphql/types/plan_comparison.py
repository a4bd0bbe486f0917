"""Plans side by side as GraphQL shows them."""

import strawberry

from app.domain import plan_comparison as domain
from app.domain.plan import Plan as DomainPlan
from app.domain.plan import PlanFeature as DomainPlanFeature
from app.graphql.context import Info
from app.graphql.permissions import SEES_CATALOG, requires
from app.graphql.types.catalogue import Feature, Plan, PlanFeature, feature_of


@strawberry.type(directives=requires(*SEES_CATALOG), description="What one plan says of the row's feature.")
class PlanComparisonCell:
    plan_key: str = strawberry.field(description="The plan.")
    included: bool = strawberry.field(description="Whether the plan gives the feature.")
    terms: list[PlanFeature] = strawberry.field(
        description="Limits and values: one, or several where a METERED or CREDIT feature has several reset periods. "
        "Empty where the plan does not give it."
    )

    @classmethod
    def from_domain(cls, plan: DomainPlan, said: tuple[DomainPlanFeature, ...]) -> "PlanComparisonCell":
        """Translate."""
        return cls(plan_key=plan.key, included=bool(said), terms=[PlanFeature.from_domain(each) for each in said])


@strawberry.type(directives=requires(*SEES_CATALOG), description="One feature, over all plans that are compared.")
class PlanComparisonRow:
    feature_key: str = strawberry.field(description="The feature.")
    cells: list[PlanComparisonCell] = strawberry.field(description="One per plan, in the order of `plans`.")

    @strawberry.field(description="The feature itself; null where the catalogue lacks it.")
    def feature(self, info: Info) -> Feature | None:
        return feature_of(info, self.feature_key)


@strawberry.type(directives=requires(*SEES_CATALOG), description="Plans side by side.")
class PlanComparison:
    plans: list[Plan] = strawberry.field(
        description="The columns: the plans asked for, each once, in that order. Keys of no plan are left out."
    )
    rows: list[PlanComparisonRow] = strawberry.field(
        description="One per feature that any of them gives, by the features' keys: the same order every time."
    )

    @classmethod
    def from_domain(cls, comparison: domain.Comparison) -> "PlanComparison":
        """Translate."""
        return cls(
            plans=[Plan.from_domain(plan) for plan in comparison.plans],
            rows=[
                PlanComparisonRow(
                    feature_key=row.feature_key,
                    cells=[
                        PlanComparisonCell.from_domain(plan, said)
                        for plan, said in zip(comparison.plans, row.cells, strict=True)
                    ],
                )
                for row in comparison.rows
            ],
        )
