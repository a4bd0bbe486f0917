"""Features, plans and add-ons."""

from decimal import Decimal

import strawberry

from app.domain import plan as domain
from app.graphql.context import Info
from app.graphql.permissions import SEES_CATALOG, requires
from app.graphql.scalars import DateTime, Json
from app.graphql.types.node import Node


@strawberry.type(directives=requires(*SEES_CATALOG), description="A thing that plans give.")
class Feature(Node):
    credit_key: strawberry.Private[str | None]
    key: str = strawberry.field(description="Unique; what checks are made with. Never changes.")
    name: str = strawberry.field(description="For people.")
    type: domain.FeatureType = strawberry.field(description="Never changes.")
    unit: str | None = strawberry.field(description="What a METERED or CREDIT feature counts, for people: `call`.")
    meter_type: domain.MeterType | None = strawberry.field(description="METERED features only.")
    value_type: domain.ValueType | None = strawberry.field(description="CONFIG features only.")
    enum_values: list[str] = strawberry.field(description="The values an ENUM feature can have; else empty.")
    merge: domain.MergeRule = strawberry.field(description="How several plans' words become one.")
    cost: Decimal | None = strawberry.field(
        description="The credits that one unit takes: CREDIT features that draw on a credit type; else null."
    )
    created_at: DateTime = strawberry.field(description="When it was created.")
    archived_at: DateTime | None = strawberry.field(
        description="Since when no plan, grant or override can name it any more; null while they can."
    )

    @strawberry.field(
        graphql_type="Feature | None",
        description="The CREDIT feature whose balance this one draws on; null where it has its own, or none.",
    )
    def credit_type(self, info: Info) -> "Feature | None":
        return feature_of(info, self.credit_key) if self.credit_key else None

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
            credit_key=feature.credit_key,
            cost=feature.cost,
            created_at=DateTime(feature.created_at),
            archived_at=None if feature.archived_at is None else DateTime(feature.archived_at),
        )


def feature_of(info: Info, key: str) -> Feature | None:
    """Find the feature with this key in RAM."""
    feature = info.context.loaded().cache.catalogue().features.get(key)
    return Feature.from_domain(feature) if feature else None


@strawberry.type(directives=requires(*SEES_CATALOG), description="What a plan or an add-on says of one feature.")
class PlanFeature:
    feature_key: str = strawberry.field(
        description="The feature. A METERED or CREDIT one may stand several times with different reset periods; "
        "in a plan each must pass."
    )
    limit: Decimal | None = strawberry.field(
        description="METERED and CREDIT only; null where limitBehavior is UNLIMITED. An add-on's is per piece."
    )
    limit_behavior: domain.LimitBehavior = strawberry.field(description="What happens beyond the limit.")
    reset_period: domain.ResetPeriod = strawberry.field(description="When usage starts from zero again.")
    value: Json | None = strawberry.field(description="CONFIG only: integer, string or list of strings by valueType.")
    rollover_max: Decimal | None = strawberry.field(
        description="How much of what is left at a period's end goes into the next one, at most; null is nothing."
    )
    thresholds: list[int] = strawberry.field(
        description="Percentages of the limit, ascending, each told of once per period when usage reaches it."
    )

    @strawberry.field(description="The feature itself; null where the catalogue lacks it.")
    def feature(self, info: Info) -> Feature | None:
        return feature_of(info, self.feature_key)

    @classmethod
    def from_domain(cls, said: domain.PlanFeature) -> "PlanFeature":
        """Translate."""
        return cls(
            feature_key=said.feature_key,
            limit=said.limit,
            limit_behavior=said.limit_behavior,
            reset_period=said.reset_period,
            value=None if said.value is None else Json(said.value),
            rollover_max=said.rollover_max,
            thresholds=list(said.thresholds),
        )


@strawberry.type(directives=requires(*SEES_CATALOG), description="A Stripe price that buys the plan or add-on.")
class PlanPrice:
    lookup_key: str | None = strawberry.field(description="Stripe's lookup key: the same in test and live mode.")
    stripe_price_id: str | None = strawberry.field(description="Stripe's id of the price.")


@strawberry.type(directives=requires(*SEES_CATALOG), description="What a past-due subscription still gives.")
class GracePolicy:
    days: int = strawberry.field(description="Days since the start of the unpaid period.")
    access: domain.AccessLevel = strawberry.field(description="What is given on these days.")


_PUBLISHED_AT = "Subscriptions that had the price before keep the earlier version."


@strawberry.type(
    directives=requires(*SEES_CATALOG),
    description="One published version of a plan. Versions never change; a subscription keeps the one it bought.",
)
class Plan(Node):
    key: str = strawberry.field(description="The same for all versions of the plan.")
    version: int = strawberry.field(description="From 1.")
    name: str = strawberry.field(description="For people.")
    status: domain.PlanStatus = strawberry.field(description="Whether it is offered; the latest version's counts.")
    prices: list[PlanPrice] = strawberry.field(description="The Stripe prices that buy it.")
    features: list[PlanFeature] = strawberry.field(description="What it gives.")
    trial_days: int = strawberry.field(description="How long `startTrial` lasts unless told otherwise.")
    grace: GracePolicy = strawberry.field(description="What it gives while payment is overdue.")
    paused_access: domain.AccessLevel = strawberry.field(description="What it gives while paused.")
    is_default: bool = strawberry.field(
        description="Whether workspaces without an entitling subscription have it, "
        "unless the service's setting DEFAULT_PLAN names another plan. The latest version's counts."
    )
    published_at: DateTime = strawberry.field(description=_PUBLISHED_AT)

    @classmethod
    def from_domain(cls, plan: domain.Plan) -> "Plan":
        """Translate."""
        return cls(
            id=strawberry.ID(plan.id),
            key=plan.key,
            version=plan.plan_version,
            name=plan.name,
            status=plan.status,
            prices=_prices(plan),
            features=_features(plan),
            trial_days=plan.trial_days,
            grace=GracePolicy(days=plan.grace.days, access=plan.grace.access),
            paused_access=plan.paused_access,
            is_default=plan.is_default,
            published_at=DateTime(plan.published_at),
        )


@strawberry.type(
    directives=requires(*SEES_CATALOG),
    description="One published version of an add-on: bought beside a plan, in a quantity that multiplies its limits. "
    "Versions never change; a subscription keeps the one it bought.",
)
class AddOn(Node):
    key: str = strawberry.field(description="The same for all versions of the add-on, and no plan's.")
    version: int = strawberry.field(description="From 1.")
    name: str = strawberry.field(description="For people.")
    status: domain.PlanStatus = strawberry.field(description="Whether it is offered; the latest version's counts.")
    prices: list[PlanPrice] = strawberry.field(description="The Stripe prices that buy it.")
    features: list[PlanFeature] = strawberry.field(description="What one piece of it adds.")
    max_quantity: int | None = strawberry.field(
        description="How many a workspace may buy; null is any number. What Stripe bills counts, whatever stands here."
    )
    published_at: DateTime = strawberry.field(description=_PUBLISHED_AT)

    @classmethod
    def from_domain(cls, plan: domain.Plan) -> "AddOn":
        """Translate."""
        return cls(
            id=strawberry.ID(plan.id),
            key=plan.key,
            version=plan.plan_version,
            name=plan.name,
            status=plan.status,
            prices=_prices(plan),
            features=_features(plan),
            max_quantity=plan.max_quantity,
            published_at=DateTime(plan.published_at),
        )


def plan_or_add_on(plan: domain.Plan) -> Plan | AddOn:
    """Translate by kind."""
    return Plan.from_domain(plan) if plan.kind is domain.PlanKind.PLAN else AddOn.from_domain(plan)


def _prices(plan: domain.Plan) -> list[PlanPrice]:
    return [PlanPrice(lookup_key=price.lookup_key, stripe_price_id=price.stripe_price_id) for price in plan.prices]


def _features(plan: domain.Plan) -> list[PlanFeature]:
    return [PlanFeature.from_domain(row) for row in plan.features]
