"""Features and plans."""

from decimal import Decimal

import strawberry

from app.domain import plan as domain
from app.graphql.context import Info
from app.graphql.permissions import SEES_CATALOG, requires
from app.graphql.scalars import DateTime, Json
from app.graphql.types.node import Node


@strawberry.type(directives=requires(*SEES_CATALOG), description="A thing that plans give.")
class Feature(Node):
    key: str = strawberry.field(description="Unique; what checks are made with. Never changes.")
    name: str = strawberry.field(description="For people.")
    type: domain.FeatureType = strawberry.field(description="Never changes.")
    unit: str | None = strawberry.field(description="What a METERED feature counts, for people: `call`.")
    meter_type: domain.MeterType | None = strawberry.field(description="METERED features only.")
    value_type: domain.ValueType | None = strawberry.field(description="CONFIG features only.")
    enum_values: list[str] = strawberry.field(description="The values an ENUM feature can have; else empty.")
    merge: domain.MergeRule = strawberry.field(description="How several plans' words become one.")
    created_at: DateTime = strawberry.field(description="When it was created.")

    @classmethod
    def from_domain(cls, feature: domain.Feature) -> "Feature":
        """Translate."""
        return cls(
            id=strawberry.ID(feature.id),
            key=feature.key,
            name=feature.name,
            type=feature.type,
            unit=feature.unit,
            meter_type=feature.meter_type,
            value_type=feature.value_type,
            enum_values=list(feature.enum_values),
            merge=feature.merge,
            created_at=DateTime(feature.created_at),
        )


@strawberry.type(directives=requires(*SEES_CATALOG), description="What a plan says of one feature.")
class PlanFeature:
    feature_key: str = strawberry.field(
        description="The feature. A METERED one may stand several times with different reset periods; each must pass."
    )
    limit: Decimal | None = strawberry.field(description="METERED only; null where limitBehavior is UNLIMITED.")
    limit_behavior: domain.LimitBehavior = strawberry.field(description="What happens beyond the limit.")
    reset_period: domain.ResetPeriod = strawberry.field(description="When usage starts from zero again.")
    value: Json | None = strawberry.field(description="CONFIG only: integer, string or list of strings by valueType.")

    @strawberry.field(description="The feature itself; null where the catalogue lacks it.")
    def feature(self, info: Info) -> Feature | None:
        feature = info.context.loaded().cache.catalogue().features.get(self.feature_key)
        return Feature.from_domain(feature) if feature else None


@strawberry.type(directives=requires(*SEES_CATALOG), description="A Stripe price that buys the plan.")
class PlanPrice:
    lookup_key: str | None = strawberry.field(description="Stripe's lookup key: the same in test and live mode.")
    stripe_price_id: str | None = strawberry.field(description="Stripe's id of the price.")


@strawberry.type(directives=requires(*SEES_CATALOG), description="What a past-due subscription still gives.")
class GracePolicy:
    days: int = strawberry.field(description="Days since the start of the unpaid period.")
    access: domain.AccessLevel = strawberry.field(description="What is given on these days.")


@strawberry.type(
    directives=requires(*SEES_CATALOG),
    description="One published version of a plan. Versions never change; a subscription keeps the one it bought.",
)
class Plan(Node):
    key: str = strawberry.field(description="The same for all versions of the plan.")
    version: int = strawberry.field(description="From 1.")
    name: str = strawberry.field(description="For people.")
    status: domain.PlanStatus = strawberry.field(description="Whether it is offered.")
    prices: list[PlanPrice] = strawberry.field(description="The Stripe prices that buy it.")
    features: list[PlanFeature] = strawberry.field(description="What it gives.")
    trial_days: int = strawberry.field(description="How long `startTrial` lasts unless told otherwise.")
    grace: GracePolicy = strawberry.field(description="What it gives while payment is overdue.")
    paused_access: domain.AccessLevel = strawberry.field(description="What it gives while paused.")
    published_at: DateTime = strawberry.field(
        description="Subscriptions that had the price before keep the earlier version."
    )

    @classmethod
    def from_domain(cls, plan: domain.Plan) -> "Plan":
        """Translate."""
        return cls(
            id=strawberry.ID(plan.id),
            key=plan.key,
            version=plan.plan_version,
            name=plan.name,
            status=plan.status,
            prices=[PlanPrice(lookup_key=p.lookup_key, stripe_price_id=p.stripe_price_id) for p in plan.prices],
            features=[_plan_feature(row) for row in plan.features],
            trial_days=plan.trial_days,
            grace=GracePolicy(days=plan.grace.days, access=plan.grace.access),
            paused_access=plan.paused_access,
            published_at=DateTime(plan.published_at),
        )


def _plan_feature(row: domain.PlanFeature) -> PlanFeature:
    return PlanFeature(
        feature_key=row.feature_key,
        limit=row.limit,
        limit_behavior=row.limit_behavior,
        reset_period=row.reset_period,
        value=None if row.value is None else Json(row.value),
    )
