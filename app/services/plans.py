"""The catalogue: create a feature, publish a version of a plan."""

from collections.abc import Sequence

import msgspec

from app.domain import ids
from app.domain.api_key import Principal
from app.domain.catalogue_rules import feature_faults, plan_faults
from app.domain.change import Record
from app.domain.errors import ConflictError
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
    PlanPrice,
    ValueType,
    default_merge,
)
from app.runtime import Runtime
from app.services.loading import refresh_catalogue
from app.services.result import Written, settle, written


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


class CreatePlanInput(msgspec.Struct, frozen=True, kw_only=True):
    idempotency_key: str
    key: str
    name: str
    prices: tuple[PlanPrice, ...] = ()
    features: tuple[PlanFeature, ...] = ()
    trial_days: int = 14
    grace: GracePolicy = GracePolicy()
    paused_access: AccessLevel = AccessLevel.NONE


async def create_feature(rt: Runtime, principal: Principal, input: CreateFeatureInput) -> Written[Feature]:
    """Create a feature; its key and type never change."""
    feature = _feature(input, rt.ids.new(ids.FEATURE))
    refuse(idempotency_key_faults(input.idempotency_key))

    async def decide(conflicts: int) -> Sequence[Record]:
        catalogue = await _catalogue(rt, fresh=conflicts > 0)
        refuse(feature_faults(feature, catalogue))
        if existing := catalogue.features.get(feature.key):
            raise ConflictError(f"feature {feature.key!r} exists already", current_version=existing.version)
        return (feature,)

    return written(await settle(rt, principal, "createFeature", input, decide), Feature)


async def create_plan(rt: Runtime, principal: Principal, input: CreatePlanInput) -> Written[Plan]:
    """Publish the next version of the plan with this key. Who has an earlier version keeps it."""
    new_id = rt.ids.new(ids.PLAN)
    refuse(idempotency_key_faults(input.idempotency_key))

    async def decide(conflicts: int) -> Sequence[Record]:
        catalogue = await _catalogue(rt, fresh=conflicts > 0 or not _knows(rt.cache.catalogue(), input))
        plan = _next_version(input, new_id, catalogue.plan(input.key), rt.clock.now_at())
        refuse(plan_faults(plan, catalogue))
        return (plan,)

    return written(await settle(rt, principal, "createPlan", input, decide), Plan)


async def _catalogue(rt: Runtime, *, fresh: bool) -> Catalogue:
    if fresh:
        await refresh_catalogue(rt)
    return rt.cache.catalogue()


def _knows(catalogue: Catalogue, input: CreatePlanInput) -> bool:
    return all(entry.feature_key in catalogue.features for entry in input.features)


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
    )


def _next_version(input: CreatePlanInput, id: str, latest: Plan | None, at: int) -> Plan:
    return Plan(
        id=id,
        key=input.key,
        plan_version=latest.plan_version + 1 if latest else 1,
        name=input.name,
        # A replica whose clock is behind must not publish before the version that it follows.
        published_at=max(at, latest.published_at) if latest else at,
        prices=input.prices,
        features=input.features,
        trial_days=input.trial_days,
        grace=input.grace,
        paused_access=input.paused_access,
    )
