"""Create features, publish plans and add-ons, archive them."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated

import strawberry

from app.domain import plan as domain
from app.graphql.context import Info
from app.graphql.mutations.inputs import KEY, REPLAYED, to_value
from app.graphql.permissions import WRITES_CATALOG, follows, requires
from app.graphql.scalars import Json
from app.graphql.types.catalogue import AddOn, Feature, Plan
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
    unit: str | None = strawberry.field(default=None, description="METERED and CREDIT: what is counted, for people.")
    meter_type: domain.MeterType | None = strawberry.field(
        default=None, description="METERED only; INCREMENTAL unless given."
    )
    value_type: domain.ValueType | None = strawberry.field(default=None, description="CONFIG only, and needed there.")
    enum_values: list[str] | None = strawberry.field(default=None, description="ENUM only: the values there are.")
    merge: domain.MergeRule | None = strawberry.field(
        default=None, description="How several plans' words become one; the type's own rule unless given."
    )
    credit_key: str | None = strawberry.field(
        default=None,
        description="CREDIT only: the credit type it draws on, a CREDIT feature without this. Left out, the feature "
        "is a credit type itself: a balance that plans and grants fill.",
    )
    cost: Decimal | None = strawberry.field(
        default=None,
        description="With creditKey, and needed there: the credits that one unit takes. Above 0, at most 9 decimal "
        "places.",
    )


@strawberry.input(description="Which feature is to be archived.")
class ArchiveFeatureInput:
    idempotency_key: str = strawberry.field(description=KEY)
    feature_key: str = strawberry.field(description="The feature.")


@strawberry.input(description="What the plan or add-on says of one feature.")
class PlanFeatureInput:
    feature_key: str = strawberry.field(
        description="The feature, neither archived nor one that draws on credits. A METERED or CREDIT one may stand "
        "several times with different reset periods."
    )
    limit: Decimal | None = strawberry.field(
        default=None,
        description="METERED and CREDIT: needed unless limitBehavior is UNLIMITED. An add-on's is per piece.",
    )
    limit_behavior: domain.LimitBehavior = strawberry.field(
        default=domain.LimitBehavior.HARD,
        description="What happens beyond the limit. HARD or UNLIMITED in an add-on.",
    )
    reset_period: domain.ResetPeriod = strawberry.field(
        default=domain.ResetPeriod.NEVER, description="When usage starts from zero again."
    )
    value: Json | None = strawberry.field(
        default=None, description="CONFIG: an integer, a string (also for DECIMAL) or a list of strings."
    )
    rollover_max: Decimal | None = strawberry.field(
        default=None,
        description="Plans only, with a limit that resets: how much of what is left goes into the next period, at "
        "most. Nothing unless given.",
    )
    thresholds: list[int] | None = strawberry.field(
        default=None,
        description="Plans only, with a limit: up to 10 percentages of it, each from 1 to 1000, ascending.",
    )


@strawberry.input(description="A Stripe price that buys the plan or add-on. Give exactly one of the two names.")
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
    key: str = strawberry.field(
        description="The plan: a-z, 0-9 and _, starting with a letter, at most 64. No add-on's key."
    )
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
    is_default: bool = strawberry.field(
        default=False,
        description="Whether workspaces without an entitling subscription have it; of one active plan only.",
    )


@strawberry.input(description="A new version of an add-on; of a new key, version 1.")
class CreateAddOnInput:
    idempotency_key: str = strawberry.field(description=KEY)
    key: str = strawberry.field(
        description="The add-on: a-z, 0-9 and _, starting with a letter, at most 64. No plan's key."
    )
    name: str = strawberry.field(description="For people.")
    prices: list[PlanPriceInput] | None = strawberry.field(default=None, description="The Stripe prices that buy it.")
    features: list[PlanFeatureInput] | None = strawberry.field(
        default=None, description="What one piece of it adds. Nothing of rolloverMax and thresholds."
    )
    max_quantity: int | None = strawberry.field(
        default=None, description="How many a workspace may buy, from 1; any number unless given."
    )


@strawberry.input(description="Which plan is to be archived.")
class ArchivePlanInput:
    idempotency_key: str = strawberry.field(description=KEY)
    plan_key: str = strawberry.field(description="The plan.")


@strawberry.input(description="Which add-on is to be archived.")
class ArchiveAddOnInput:
    idempotency_key: str = strawberry.field(description=KEY)
    add_on_key: str = strawberry.field(description="The add-on.")


@strawberry.type(directives=follows(), description="The feature as it now stands.")
class FeaturePayload:
    feature: Feature = strawberry.field(description="As written.")
    replayed: bool = strawberry.field(description=REPLAYED)


@strawberry.type(directives=follows(), description="The plan version as it now stands.")
class PlanPayload:
    plan: Plan = strawberry.field(description="As written.")
    replayed: bool = strawberry.field(description=REPLAYED)


@strawberry.type(directives=follows(), description="The add-on version as it now stands.")
class AddOnPayload:
    add_on: AddOn = strawberry.field(description="As written.")
    replayed: bool = strawberry.field(description=REPLAYED)


FeatureResult = Annotated[
    FeaturePayload | ValidationError | NotFoundError | ConflictError | IdempotencyConflictError,
    strawberry.union("FeatureResult", description="The feature, or why nothing was changed."),
]
PlanResult = Annotated[
    PlanPayload | ValidationError | NotFoundError | ConflictError | IdempotencyConflictError,
    strawberry.union("PlanResult", description="The plan version, or why nothing was changed."),
]
AddOnResult = Annotated[
    AddOnPayload | ValidationError | NotFoundError | ConflictError | IdempotencyConflictError,
    strawberry.union("AddOnResult", description="The add-on version, or why nothing was changed."),
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
            credit_key=input.credit_key,
            cost=input.cost,
        )
        return _feature(await plans.create_feature(info.context.loaded(), info.context.principal, command))

    @strawberry.mutation(
        directives=requires(*WRITES_CATALOG),
        description="Let nothing new name a feature. A conflict where an active plan's or add-on's latest version, a "
        "grant, an override or a feature that draws on it does. Doing so again changes nothing.",
    )
    async def archive_feature(self, info: Info, input: ArchiveFeatureInput) -> FeatureResult:
        command = plans.ArchiveFeatureInput(idempotency_key=input.idempotency_key, feature_key=input.feature_key)
        return _feature(await plans.archive_feature(info.context.loaded(), info.context.principal, command))

    @strawberry.mutation(
        directives=requires(*WRITES_CATALOG),
        description="Publish a new version of a plan; an archived one is offered again. Subscriptions that hold its "
        "price keep the version they have.",
    )
    async def create_plan(self, info: Info, input: CreatePlanInput) -> PlanResult:
        grace = input.grace or GracePolicyInput()
        command = plans.CreatePlanInput(
            idempotency_key=input.idempotency_key,
            key=input.key,
            name=input.name,
            prices=_prices(input.prices),
            features=_rows(input.features),
            trial_days=input.trial_days,
            grace=domain.GracePolicy(days=grace.days, access=grace.access),
            paused_access=input.paused_access,
            is_default=input.is_default,
        )
        return _plan(await plans.create_plan(info.context.loaded(), info.context.principal, command))

    @strawberry.mutation(
        directives=requires(*WRITES_CATALOG),
        description="Offer a plan no more. A conflict where it is the default plan, or a subscription or a running "
        "trial has it. Doing so again changes nothing.",
    )
    async def archive_plan(self, info: Info, input: ArchivePlanInput) -> PlanResult:
        command = plans.ArchivePlanInput(idempotency_key=input.idempotency_key, key=input.plan_key)
        return _plan(await plans.archive_plan(info.context.loaded(), info.context.principal, command))

    @strawberry.mutation(
        directives=requires(*WRITES_CATALOG),
        description="Publish a new version of an add-on; an archived one is offered again. Subscriptions that hold its "
        "price keep the version they have.",
    )
    async def create_add_on(self, info: Info, input: CreateAddOnInput) -> AddOnResult:
        command = plans.CreateAddOnInput(
            idempotency_key=input.idempotency_key,
            key=input.key,
            name=input.name,
            prices=_prices(input.prices),
            features=_rows(input.features),
            max_quantity=input.max_quantity,
        )
        return _add_on(await plans.create_add_on(info.context.loaded(), info.context.principal, command))

    @strawberry.mutation(
        directives=requires(*WRITES_CATALOG),
        description="Offer an add-on no more. A conflict where a subscription has it. Doing so again changes nothing.",
    )
    async def archive_add_on(self, info: Info, input: ArchiveAddOnInput) -> AddOnResult:
        command = plans.ArchivePlanInput(idempotency_key=input.idempotency_key, key=input.add_on_key)
        return _add_on(await plans.archive_add_on(info.context.loaded(), info.context.principal, command))


def _feature(done: plans.Written[domain.Feature]) -> FeaturePayload:
    return FeaturePayload(feature=Feature.from_domain(done.record), replayed=done.replayed)


def _plan(done: plans.Written[domain.Plan]) -> PlanPayload:
    return PlanPayload(plan=Plan.from_domain(done.record), replayed=done.replayed)


def _add_on(done: plans.Written[domain.Plan]) -> AddOnPayload:
    return AddOnPayload(add_on=AddOn.from_domain(done.record), replayed=done.replayed)


def _prices(prices: Sequence[PlanPriceInput] | None) -> tuple[domain.PlanPrice, ...]:
    return tuple(
        domain.PlanPrice(lookup_key=price.lookup_key, stripe_price_id=price.stripe_price_id) for price in prices or ()
    )


def _rows(rows: Sequence[PlanFeatureInput] | None) -> tuple[domain.PlanFeature, ...]:
    return tuple(
        domain.PlanFeature(
            feature_key=row.feature_key,
            limit=row.limit,
            limit_behavior=row.limit_behavior,
            reset_period=row.reset_period,
            value=to_value(row.value, f"input.features.{position}.value"),
            rollover_max=row.rollover_max,
            thresholds=tuple(row.thresholds or ()),
        )
        for position, row in enumerate(rows or ())
    )
