"""Features and plans: versions, and what two replicas may do at once."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from support.clock import FrozenClock, SequentialIds
from support.records import DAY, NOW, feature, limit
from support.runtime import ADMIN, fakes_of, put, running

from app.domain.change import Kind
from app.domain.errors import ConflictError, ValidationError
from app.domain.plan import (
    Feature,
    FeatureType,
    GracePolicy,
    MergeRule,
    MeterType,
    Plan,
    PlanFeature,
    PlanKind,
    PlanPrice,
)
from app.runtime import Runtime
from app.services.plans import (
    CreateAddOnInput,
    CreateFeatureInput,
    CreatePlanInput,
    create_add_on,
    create_feature,
    create_plan,
)


@pytest.fixture
async def rt(mongodb_uri: str, database: str) -> AsyncIterator[Runtime]:
    async with running(mongodb_uri, database) as rt:
        yield rt


async def new_feature(rt: Runtime, key: str = "api_calls", **fields: Any) -> Feature:
    fields = {"idempotency_key": f"feature {key}", "name": "API calls", "type": FeatureType.METERED, **fields}
    return (await create_feature(rt, ADMIN, CreateFeatureInput(key=key, **fields))).record


async def new_plan(rt: Runtime, idempotency_key: str, key: str = "pro", **fields: Any) -> Plan:
    fields = {"name": "Pro", **fields}
    request = CreatePlanInput(idempotency_key=idempotency_key, key=key, **fields)
    return (await create_plan(rt, ADMIN, request)).record


async def new_add_on(rt: Runtime, idempotency_key: str, key: str = "pack", **fields: Any) -> Plan:
    request = CreateAddOnInput(idempotency_key=idempotency_key, key=key, **{"name": "Pack", **fields})
    return (await create_add_on(rt, ADMIN, request)).record


async def test_a_feature_takes_the_defaults_of_its_type(rt: Runtime) -> None:
    created = await new_feature(rt)

    assert (created.meter_type, created.merge) == (MeterType.INCREMENTAL, MergeRule.SUM)
    assert rt.cache.catalogue().features["api_calls"] == created


async def test_a_feature_is_created_once(rt: Runtime) -> None:
    await new_feature(rt)

    with pytest.raises(ConflictError, match="api_calls"):
        await new_feature(rt, idempotency_key="other")


async def test_a_feature_draws_on_a_credit_type_of_another_replica(mongodb_uri: str, database: str) -> None:
    ids = SequentialIds()
    async with running(mongodb_uri, database, ids=ids) as here, running(mongodb_uri, database, ids=ids) as there:
        await new_feature(here, "credits", type=FeatureType.CREDIT)

        drawing = await new_feature(there, "exports", type=FeatureType.CREDIT, credit_key="credits", cost=Decimal(2))

        assert (drawing.balance_key, drawing.cost, drawing.merge) == ("credits", Decimal(2), MergeRule.SUM)


async def test_an_archived_feature_is_not_created_anew(rt: Runtime) -> None:
    await put(rt, feature("old", archived_at=NOW))

    with pytest.raises(ConflictError, match="archived"):
        await new_feature(rt, "old")


async def test_a_feature_with_faults_is_not_created(rt: Runtime) -> None:
    with pytest.raises(ValidationError):
        await new_feature(rt, key="API")

    assert await rt.store.count(Kind.FEATURE) == 0


async def test_a_plan_is_published_as_the_next_version_of_its_key(rt: Runtime) -> None:
    await new_feature(rt)
    first = await new_plan(rt, "1", features=(limit(amount=10),), prices=(PlanPrice(lookup_key="pro_monthly"),))
    fakes_of(rt).clock.advance(DAY)
    second = await new_plan(rt, "2", features=(limit(amount=20),), prices=(PlanPrice(lookup_key="pro_monthly"),))

    catalogue = rt.cache.catalogue()
    assert (first.plan_version, second.plan_version) == (1, 2)
    assert catalogue.plan("pro") == second
    assert catalogue.plan("pro", 1) == first
    assert catalogue.plan_for_price("price_x", "pro_monthly", NOW) == first
    assert (await rt.store.read(Kind.PLAN, (second.id,)))[second.id] == second


async def test_a_retried_plan_publishes_no_second_version(rt: Runtime) -> None:
    first = await new_plan(rt, "1")

    assert await new_plan(rt, "1") == first
    assert await rt.store.count(Kind.PLAN) == 1


async def test_concurrent_versions_get_numbers_of_their_own(rt: Runtime) -> None:
    plans = await asyncio.gather(*(new_plan(rt, str(n)) for n in range(3)))

    assert sorted(plan.plan_version for plan in plans) == [1, 2, 3]


async def test_a_plan_names_features_and_follows_versions_of_another_replica(mongodb_uri: str, database: str) -> None:
    ids, slow = SequentialIds(), FrozenClock(NOW - DAY)
    async with (
        running(mongodb_uri, database, ids=ids) as here,
        running(mongodb_uri, database, ids=ids, clock=slow) as there,
    ):
        await new_feature(here)
        first = await new_plan(here, "1")

        second = await new_plan(there, "2", features=(limit(amount=10),))

        assert second.plan_version == 2
        assert second.published_at == first.published_at


async def test_a_price_of_another_plan_is_refused_by_its_name(rt: Runtime) -> None:
    await new_plan(rt, "1", prices=(PlanPrice(stripe_price_id="price_1"),))

    with pytest.raises(ValidationError, match="'pro'"):
        await new_plan(rt, "2", key="team", prices=(PlanPrice(stripe_price_id="price_1"),))


async def test_an_add_on_has_versions_and_none_of_what_only_plans_have(rt: Runtime) -> None:
    await new_feature(rt)
    first = await new_add_on(rt, "1", features=(limit(amount=10),), max_quantity=5)
    second = await new_add_on(rt, "2", prices=(PlanPrice(lookup_key="pack_monthly"),))

    assert (first.kind, first.plan_version, first.max_quantity) == (PlanKind.ADD_ON, 1, 5)
    assert (first.trial_days, first.grace, first.is_default) == (0, GracePolicy(), False)
    assert (second.plan_version, second.max_quantity) == (2, None)
    assert rt.cache.catalogue().plans(PlanKind.ADD_ON) == [second]
    assert rt.cache.catalogue().plans(PlanKind.PLAN) == []


async def test_a_key_is_a_plan_or_an_add_on_for_ever(rt: Runtime) -> None:
    await new_plan(rt, "1")
    await new_add_on(rt, "2")

    with pytest.raises(ValidationError, match="the add-on 'pack'"):
        await new_plan(rt, "3", key="pack")
    with pytest.raises(ValidationError, match="the plan 'pro'"):
        await new_add_on(rt, "4", key="pro")


async def test_the_default_moves_once_it_is_given_up(rt: Runtime) -> None:
    await new_plan(rt, "1", key="free", is_default=True)
    with pytest.raises(ValidationError, match="the plan 'free'"):
        await new_plan(rt, "2", key="lite", is_default=True)

    await new_plan(rt, "3", key="free")
    lite = await new_plan(rt, "4", key="lite", is_default=True)

    assert rt.cache.catalogue().default_plan() == lite


async def test_every_fault_of_a_plan_is_told_at_once(rt: Runtime) -> None:
    with pytest.raises(ValidationError) as caught:
        await new_plan(rt, "1", key="Pro", features=(PlanFeature(feature_key="nope", limit=Decimal(1)),), trial_days=-1)

    assert {".".join(field.path) for field in caught.value.fields} == {
        "input.key",
        "input.features.0.featureKey",
        "input.trialDays",
    }
    assert rt.cache.catalogue().plans() == []
