"""Create features, publish plans."""

from decimal import Decimal
from typing import Annotated

import strawberry

from app.domain import plan as domain
from app.graphql.context import Info
from app.graphql.mutations.inputs import KEY, REPLAYED, to_value
from app.graphql.permissions import WRITES_CATALOG, follows, requires
from app.graphql.scalars import Json
from app.graphql.types.catalogue import Feature, Plan
from app.graphql.types.errors import ConflictError, IdempotencyConflictError, NotFoundError, ValidationError
from app.services import plans


@strawberry.input(description="A new feature.")
class CreateFeatureInput:
    idempotency_key: str = strawberry.field(description=KEY)
    key: str = strawberry.field(
        description="Unique: a-z, 0-9 and _, starting with a letter, at most 64. Never changes."
    )
    name: str = strawberry.field(description="For people.")
    type: domain.FeatureType = strawberry.field(description="Never changes.")
    unit: str | None = strawberry.field(default=None, description="METERED only: what is counted, for people.")
    meter_type: domain.MeterType | None = strawberry.field(
        default=None, description="METERED only; INCREMENTAL unless given."
    )
    value_type: domain.ValueType | None = strawberry.field(default=None, description="CONFIG only, and needed there.")
    enum_values: list[str] | None = strawberry.field(default=None, description="ENUM only: the values there are.")
    merge: domain.MergeRule | None = strawberry.field(
        default=None, description="How several plans' words become one; the type's own rule unless given."
    )


@strawberry.input(description="What the plan says of one feature.")
class PlanFeatureInput:
    feature_key: str = strawberry.field(
        description="The feature. A METERED one may stand several times with different reset periods."
    )
    limit: Decimal | None = strawberry.field(
        default=None, description="METERED: needed unless limitBehavior is UNLIMITED."
    )
    limit_behavior: domain.LimitBehavior = strawberry.field(
        default=domain.LimitBehavior.HARD, description="What happens beyond the limit."
    )
    reset_period: domain.ResetPeriod = strawberry.field(
        default=domain.ResetPeriod.NEVER, description="When usage starts from zero again."
    )
    value: Json | None = strawberry.field(
        default=None, description="CONFIG: an integer, a string (also for DECIMAL) or a list of strings."
    )


@strawberry.input(description="A Stripe price that buys the plan. Give exactly one of the two names.")
class PlanPriceInput:
    lookup_key: str | None = strawberry.field(default=None, description="Stripe's lookup key.")
    stripe_price_id: str | None = strawberry.field(default=None, description="Stripe's id of the price.")


@strawberry.input(description="What a past-due subscription still gives.")
class GracePolicyInput:
    days: int = strawberry.field(default=7, description="Days since the start of the unpaid period.")
    access: domain.AccessLevel = strawberry.field(
        default=domain.AccessLevel.FULL, description="What is given on these days."
    )


@strawberry.input(description="A new version of a plan; of a new key, version 1.")
class CreatePlanInput:
    idempotency_key: str = strawberry.field(description=KEY)
    key: str = strawberry.field(description="The plan: a-z, 0-9 and _, starting with a letter, at most 64.")
    name: str = strawberry.field(description="For people.")
    prices: list[PlanPriceInput] | None = strawberry.field(default=None, description="The Stripe prices that buy it.")
    features: list[PlanFeatureInput] | None = strawberry.field(default=None, description="What it gives.")
    trial_days: int = strawberry.field(default=14, description="How long `startTrial` lasts unless told otherwise.")
    grace: GracePolicyInput | None = strawberry.field(
        default=None, description="While payment is overdue: 7 days of FULL access unless given."
    )
    paused_access: domain.AccessLevel = strawberry.field(
        default=domain.AccessLevel.NONE, description="What it gives while paused."
    )


@strawberry.type(directives=follows(), description="The feature as created.")
class FeaturePayload:
    feature: Feature = strawberry.field(description="As written.")
    replayed: bool = strawberry.field(description=REPLAYED)


@strawberry.type(directives=follows(), description="The plan version as published.")
class PlanPayload:
    plan: Plan = strawberry.field(description="As written.")
    replayed: bool = strawberry.field(description=REPLAYED)


FeatureResult = Annotated[
    FeaturePayload | ValidationError | NotFoundError | ConflictError | IdempotencyConflictError,
    strawberry.union("FeatureResult", description="The feature, or why nothing was changed."),
]
PlanResult = Annotated[
    PlanPayload | ValidationError | NotFoundError | ConflictError | IdempotencyConflictError,
    strawberry.union("PlanResult", description="The plan version, or why nothing was changed."),
]


@strawberry.type
class CatalogueMutations:
    @strawberry.mutation(directives=requires(*WRITES_CATALOG), description="Create a feature.")
    async def create_feature(self, info: Info, input: CreateFeatureInput) -> FeatureResult:
        command = plans.CreateFeatureInput(
            idempotency_key=input.idempotency_key,
            key=input.key,
            name=input.name,
            type=input.type,
            unit=input.unit,
            meter_type=input.meter_type,
            value_type=input.value_type,
            enum_values=tuple(input.enum_values or ()),
            merge=input.merge,
        )
        done = await plans.create_feature(info.context.loaded(), info.context.principal, command)
        return FeaturePayload(feature=Feature.from_domain(done.record), replayed=done.replayed)

    @strawberry.mutation(
        directives=requires(*WRITES_CATALOG),
        description="Publish a new version of a plan. Subscriptions that hold its price keep the version they have.",
    )
    async def create_plan(self, info: Info, input: CreatePlanInput) -> PlanResult:
        grace = input.grace or GracePolicyInput()
        command = plans.CreatePlanInput(
            idempotency_key=input.idempotency_key,
            key=input.key,
            name=input.name,
            prices=tuple(
                domain.PlanPrice(lookup_key=price.lookup_key, stripe_price_id=price.stripe_price_id)
                for price in input.prices or ()
            ),
            features=tuple(_row(row, position) for position, row in enumerate(input.features or ())),
            trial_days=input.trial_days,
            grace=domain.GracePolicy(days=grace.days, access=grace.access),
            paused_access=input.paused_access,
        )
        done = await plans.create_plan(info.context.loaded(), info.context.principal, command)
        return PlanPayload(plan=Plan.from_domain(done.record), replayed=done.replayed)


def _row(row: PlanFeatureInput, position: int) -> domain.PlanFeature:
    return domain.PlanFeature(
        feature_key=row.feature_key,
        limit=row.limit,
        limit_behavior=row.limit_behavior,
        reset_period=row.reset_period,
        value=to_value(row.value, f"input.features.{position}.value"),
    )
