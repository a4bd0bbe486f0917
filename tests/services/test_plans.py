"""Features and plans: versions, and what two replicas may do at once."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from support.clock import FrozenClock, SequentialIds
from support.records import DAY, NOW, limit
from support.runtime import ADMIN, fakes_of, running

from app.domain.change import Kind
from app.domain.errors import ConflictError, ValidationError
from app.domain.plan import Feature, FeatureType, MergeRule, MeterType, Plan, PlanFeature, PlanPrice
from app.runtime import Runtime
from app.services.plans import CreateFeatureInput, CreatePlanInput, create_feature, create_plan


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


async def test_a_feature_takes_the_defaults_of_its_type(rt: Runtime) -> None:
    created = await new_feature(rt)

    assert (created.meter_type, created.merge) == (MeterType.INCREMENTAL, MergeRule.SUM)
    assert rt.cache.catalogue().features["api_calls"] == created


async def test_a_feature_is_created_once(rt: Runtime) -> None:
    await new_feature(rt)

    with pytest.raises(ConflictError, match="api_calls"):
        await new_feature(rt, idempotency_key="other")


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


async def test_every_fault_of_a_plan_is_told_at_once(rt: Runtime) -> None:
    with pytest.raises(ValidationError) as caught:
        await new_plan(rt, "1", key="Pro", features=(PlanFeature(feature_key="nope", limit=Decimal(1)),), trial_days=-1)

    assert {".".join(field.path) for field in caught.value.fields} == {
        "input.key",
        "input.features.0.featureKey",
        "input.trialDays",
    }
    assert rt.cache.catalogue().plans() == []
