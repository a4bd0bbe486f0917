"""The catalogue: create and archive features, publish versions of plans and add-ons, archive them."""

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from app.domain import ids
from app.domain.api_key import Principal
from app.domain.catalogue_rules import feature_faults, plan_faults
from app.domain.change import Record
from app.domain.errors import ConflictError, NotFoundError
from app.domain.faults import idempotency_key_faults, refuse
from app.domain.plan import (
    AccessLevel,
    Catalogue,
    Feature,
    FeatureType,
    GracePolicy,
    MergeRule,
    MeterType,
    Plan,
    PlanFeature,
    PlanKind,
    PlanPrice,
    PlanStatus,
    ValueType,
    default_merge,
    next_version,
)
from app.runtime import Runtime
from app.services.archiving import refuse_in_use, uses_of_feature, uses_of_plan
from app.services.catalogue.edition import write_catalogue
from app.services.loading import load_feature, refresh_catalogue
from app.services.result import Written, written, written_or_current


class CreateFeatureInput(msgspec.Struct, frozen=True, kw_only=True):
    """A METERED feature is INCREMENTAL unless `meter_type` says otherwise; `merge` None takes the type's own rule."""

    idempotency_key: str
    key: str
    name: str
    type: FeatureType
    unit: str | None = None
    meter_type: MeterType | None = None
    value_type: ValueType | None = None
    enum_values: tuple[str, ...] = ()
    merge: MergeRule | None = None
    credit_key: str | None = None
    cost: Decimal | None = None


class ArchiveFeatureInput(msgspec.Struct, frozen=True, kw_only=True):
    idempotency_key: str
    feature_key: str


class CreatePlanInput(msgspec.Struct, frozen=True, kw_only=True):
    idempotency_key: str
    key: str
    name: str
    prices: tuple[PlanPrice, ...] = ()
    features: tuple[PlanFeature, ...] = ()
    trial_days: int = 14
    grace: GracePolicy = GracePolicy()
    paused_access: AccessLevel = AccessLevel.NONE
    is_default: bool = False


class CreateAddOnInput(msgspec.Struct, frozen=True, kw_only=True):
    """`max_quantity` None is any number."""

    idempotency_key: str
    key: str
    name: str
    prices: tuple[PlanPrice, ...] = ()
    features: tuple[PlanFeature, ...] = ()
    max_quantity: int | None = None


class ArchivePlanInput(msgspec.Struct, frozen=True, kw_only=True):
    """`key` is the plan's or the add-on's."""

    idempotency_key: str
    key: str


async def create_feature(rt: Runtime, principal: Principal, input: CreateFeatureInput) -> Written[Feature]:
    """Create a feature; its key and type never change."""
    feature = _feature(input, rt.ids.new(ids.FEATURE))
    refuse(idempotency_key_faults(input.idempotency_key))

    async def decide(catalogue: Catalogue) -> Sequence[Record]:
        refuse(feature_faults(feature, catalogue))
        if existing := catalogue.features.get(feature.key):
            problem = f"feature {feature.key!r} exists already"
            if existing.archived_at is not None:
                problem += " and is archived; applyCatalog with a file that names it offers it again"
            raise ConflictError(problem, current_version=existing.version)
        return (feature,)

    return written(await write_catalogue(rt, principal, "createFeature", input, decide), Feature)


async def archive_feature(rt: Runtime, principal: Principal, input: ArchiveFeatureInput) -> Written[Feature]:
    """Let nothing new name the feature. One that is in use is a conflict; archiving an archived one changes nothing."""
    refuse(idempotency_key_faults(input.idempotency_key))

    async def decide(catalogue: Catalogue) -> Sequence[Record]:
        feature = catalogue.features.get(input.feature_key)
        if feature is None:
            raise NotFoundError("feature", input.feature_key)
        if feature.archived_at is not None:
            return ()
        at = rt.clock.now_at()
        refuse_in_use("feature", feature.key, await uses_of_feature(rt, feature.key, catalogue, at))
        return (msgspec.structs.replace(feature, archived_at=at),)

    once = await write_catalogue(rt, principal, "archiveFeature", input, decide)
    return await written_or_current(once, Feature, lambda: load_feature(rt, input.feature_key))


async def create_plan(rt: Runtime, principal: Principal, input: CreatePlanInput) -> Written[Plan]:
    """Publish the next version of the plan with this key. Who has an earlier version keeps it.

    An archived plan is offered again.
    """
    draft = Plan(
        id=rt.ids.new(ids.PLAN),
        key=input.key,
        plan_version=1,
        name=input.name,
        published_at=0,
        prices=input.prices,
        features=input.features,
        trial_days=input.trial_days,
        grace=input.grace,
        paused_access=input.paused_access,
        is_default=input.is_default,
    )
    return await _publish(rt, principal, "createPlan", input, draft)


async def create_add_on(rt: Runtime, principal: Principal, input: CreateAddOnInput) -> Written[Plan]:
    """Publish the next version of the add-on with this key. Who has an earlier version keeps it."""
    draft = Plan(
        id=rt.ids.new(ids.PLAN),
        key=input.key,
        plan_version=1,
        name=input.name,
        published_at=0,
        kind=PlanKind.ADD_ON,
        prices=input.prices,
        features=input.features,
        trial_days=0,
        max_quantity=input.max_quantity,
    )
    return await _publish(rt, principal, "createAddOn", input, draft)


async def archive_plan(rt: Runtime, principal: Principal, input: ArchivePlanInput) -> Written[Plan]:
    """Offer the plan no more. One that is in use is a conflict; archiving an archived one changes nothing."""
    return await _archive(rt, principal, "archivePlan", input, PlanKind.PLAN)


async def archive_add_on(rt: Runtime, principal: Principal, input: ArchivePlanInput) -> Written[Plan]:
    """Offer the add-on no more. One that is in use is a conflict; archiving an archived one changes nothing."""
    return await _archive(rt, principal, "archiveAddOn", input, PlanKind.ADD_ON)


async def _publish(
    rt: Runtime, principal: Principal, operation: str, input: CreatePlanInput | CreateAddOnInput, draft: Plan
) -> Written[Plan]:
    refuse(idempotency_key_faults(input.idempotency_key))

    async def decide(catalogue: Catalogue) -> Sequence[Record]:
        plan = next_version(draft, catalogue.plan(draft.key), rt.clock.now_at())
        refuse(plan_faults(plan, catalogue))
        return (plan,)

    return written(await write_catalogue(rt, principal, operation, input, decide), Plan)


async def _archive(
    rt: Runtime, principal: Principal, operation: str, input: ArchivePlanInput, kind: PlanKind
) -> Written[Plan]:
    refuse(idempotency_key_faults(input.idempotency_key))

    async def load() -> Plan:
        await refresh_catalogue(rt)
        return _held(rt.cache.catalogue(), input.key, kind)

    async def decide(catalogue: Catalogue) -> Sequence[Record]:
        plan = _held(catalogue, input.key, kind)
        if plan.status is PlanStatus.ARCHIVED:
            return ()
        uses = await uses_of_plan(rt, plan.key, catalogue, rt.clock.now_at())
        refuse_in_use(kind.noun, plan.key, uses)
        return (msgspec.structs.replace(plan, status=PlanStatus.ARCHIVED),)

    return await written_or_current(await write_catalogue(rt, principal, operation, input, decide), Plan, load)


def _held(catalogue: Catalogue, key: str, kind: PlanKind) -> Plan:
    plan = catalogue.plan(key)
    if plan is None or plan.kind is not kind:
        raise NotFoundError(kind.noun, key)
    return plan


def _feature(input: CreateFeatureInput, id: str) -> Feature:
    meter_type = input.meter_type
    if meter_type is None and input.type is FeatureType.METERED:
        meter_type = MeterType.INCREMENTAL
    return Feature(
        id=id,
        key=input.key,
        name=input.name,
        type=input.type,
        unit=input.unit,
        meter_type=meter_type,
        value_type=input.value_type,
        enum_values=input.enum_values,
        merge=input.merge or default_merge(input.type, input.value_type),
        credit_key=input.credit_key,
        cost=input.cost,
    )
