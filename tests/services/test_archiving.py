"""What is in use is not archived, and whoever uses it is named, also where only the store knows of them."""

from collections.abc import AsyncIterator

import pytest
from support.records import DAY, NOW, add_on, feature, grant, item, limit, override, plan, sub, workspace
from support.runtime import ADMIN, fakes_of, put, running

from app.domain.change import Kind, Source
from app.domain.errors import ConflictError, NotFoundError
from app.domain.plan import Catalogue, Feature, FeatureType, Plan, PlanPrice, PlanStatus
from app.domain.subscription import SubscriptionStatus
from app.domain.workspace import Workspace, WorkspaceTrial
from app.runtime import Runtime
from app.services.archiving import refuse_in_use, uses_of_feature, uses_of_plan
from app.services.plans import (
    ArchiveFeatureInput,
    ArchivePlanInput,
    CreatePlanInput,
    archive_add_on,
    archive_feature,
    archive_plan,
    create_plan,
)

ACTIVE, CANCELED = SubscriptionStatus.ACTIVE, SubscriptionStatus.CANCELED


@pytest.fixture
async def rt(mongodb_uri: str, database: str) -> AsyncIterator[Runtime]:
    async with running(mongodb_uri, database) as rt:
        yield rt


def trying(id: str, plan_id: str = "plan_pro_1", ends_at: int = NOW + DAY) -> Workspace:
    return workspace(id, trial=WorkspaceTrial(plan_id=plan_id, started_at=NOW - DAY, ends_at=ends_at))


async def archive(rt: Runtime, key: str = "pro", *, idempotency_key: str = "k") -> Plan:
    return (await archive_plan(rt, ADMIN, ArchivePlanInput(idempotency_key=idempotency_key, key=key))).record


async def drop(rt: Runtime, key: str = "api_calls", *, idempotency_key: str = "k") -> Feature:
    request = ArchiveFeatureInput(idempotency_key=idempotency_key, feature_key=key)
    return (await archive_feature(rt, ADMIN, request)).record


async def test_a_plan_is_used_by_subscriptions_that_hold_any_price_of_any_version(rt: Runtime) -> None:
    by_id = PlanPrice(stripe_price_id="price_new")
    versions = (plan("pro"), plan("pro", plan_version=2, published_at=NOW - DAY, prices=(by_id,)))
    await rt.store.write(
        (
            sub("sub_1"),
            sub("sub_2", SubscriptionStatus.PAST_DUE, item(price_id="price_new", lookup_key=None)),
            sub("sub_3", CANCELED),
            sub("sub_4", ACTIVE, item("team")),
            trying("ws_1"),
            trying("ws_2", "plan_pro_2"),
            trying("ws_3", ends_at=NOW),
        ),
        (),
        None,
    )

    uses = await uses_of_plan(rt, "pro", Catalogue((), versions), NOW)

    assert uses == ["by 2 subscriptions (sub_1, sub_2)", "by 2 running trials (ws_1, ws_2)"]


async def test_a_price_that_moved_on_to_another_plan_counts_for_who_had_it_before(rt: Runtime) -> None:
    name = (PlanPrice(lookup_key="moved"),)
    catalogue = Catalogue(
        (), (plan("old", prices=name, published_at=NOW - 9 * DAY), plan("new", prices=name, published_at=NOW - DAY))
    )
    before = item("old", lookup_key="moved", price_since_at=NOW - 2 * DAY)
    after = item("old", lookup_key="moved", price_since_at=NOW)
    await rt.store.write((sub("sub_1", ACTIVE, before), sub("sub_2", ACTIVE, after)), (), None)

    assert await uses_of_plan(rt, "old", catalogue, NOW) == ["by 1 subscription (sub_1)"]
    assert await uses_of_plan(rt, "new", catalogue, NOW) == ["by 1 subscription (sub_2)"]


async def test_of_many_the_first_are_named(rt: Runtime) -> None:
    subs = [sub(f"sub_{n}") for n in range(1, 6)]
    grants = [grant(f"grant_{n}") for n in range(1, 6)]
    await rt.store.write((*subs, *grants), (), None)

    assert await uses_of_plan(rt, "pro", Catalogue((), (plan("pro"),)), NOW) == [
        "by 5 subscriptions (sub_1, sub_2, sub_3, …)"
    ]
    assert await uses_of_feature(rt, "api_calls", Catalogue((feature(),)), NOW) == [
        "by 5 grants (grant_1, grant_2, grant_3, …)"
    ]


async def test_the_default_plan_is_in_use(rt: Runtime) -> None:
    flagged = Catalogue((), (plan("free", is_default=True),))
    named = Catalogue((), (plan("free"),), default_plan_key="free")
    neither = Catalogue((), (plan("free"),), default_plan_key="other")

    assert await uses_of_plan(rt, "free", flagged, NOW) == ["as the default plan"]
    assert await uses_of_plan(rt, "free", named, NOW) == ["as the default plan"]
    assert await uses_of_plan(rt, "free", neither, NOW) == []


async def test_a_feature_is_used_by_what_is_offered_and_what_was_given(rt: Runtime) -> None:
    row = limit("credits")
    catalogue = Catalogue(
        (
            feature("credits", FeatureType.CREDIT),
            feature("exports", FeatureType.CREDIT, credit_key="credits"),
            feature("faxes", FeatureType.CREDIT, credit_key="credits", archived_at=NOW),
        ),
        (
            plan("pro", row),
            plan("lean", row),
            plan("lean", plan_version=2),
            plan("gone", row, status=PlanStatus.ARCHIVED),
            add_on("pack", row),
        ),
    )
    await rt.store.write(
        (
            grant("grant_1", "credits"),
            grant("grant_2", "credits", revoked_at=NOW - DAY),
            override("ovr_1", "credits"),
            override("ovr_2", "credits", workspace_id="ws_2", expires_at=NOW),
        ),
        (),
        None,
    )

    assert await uses_of_feature(rt, "credits", catalogue, NOW) == [
        "by 1 plan (pro)",
        "by 1 add-on (pack)",
        "by 1 drawing feature (exports)",
        "by 1 grant (grant_1)",
        "by 1 override (ovr_1)",
    ]


def test_a_refusal_names_every_use_and_without_one_there_is_none() -> None:
    refuse_in_use("plan", "pro", ())

    with pytest.raises(ConflictError, match="plan 'pro' is in use as the default plan, by 1 grant"):
        refuse_in_use("plan", "pro", ("as the default plan", "by 1 grant (grant_1)"))


async def test_a_subscription_that_ram_has_not_seen_holds_its_plan(rt: Runtime) -> None:
    await put(rt, plan("pro"))
    await rt.store.write((sub(),), (), None)

    with pytest.raises(ConflictError, match="sub_1"):
        await archive(rt)

    assert rt.cache.catalogue().plans()[0].status is PlanStatus.ACTIVE


async def test_a_plan_is_archived_once_by_its_latest_version_and_offered_again_by_the_next(rt: Runtime) -> None:
    await put(rt, plan("pro"), plan("pro", plan_version=2))

    first = await archive(rt, idempotency_key="1")
    again = await archive(rt, idempotency_key="2")
    revived = await create_plan(rt, ADMIN, CreatePlanInput(idempotency_key="3", key="pro", name="Pro"))

    assert (first.plan_version, first.status, first.version) == (2, PlanStatus.ARCHIVED, 2)
    assert again == first
    assert (revived.record.plan_version, revived.record.status) == (3, PlanStatus.ACTIVE)
    assert (await rt.store.read(Kind.PLAN, ("plan_pro_1",)))["plan_pro_1"].version == 1


async def test_a_plan_published_on_another_replica_is_archived_by_its_latest_version(
    mongodb_uri: str, database: str
) -> None:
    async with running(mongodb_uri, database) as here, running(mongodb_uri, database) as there:
        await put(here, plan("pro"), plan("pro", plan_version=2))
        there.cache.apply(here.cache.catalogue().versions("pro")[0], source=Source.STREAM)

        assert (await archive(there)).plan_version == 2


async def test_plans_and_add_ons_are_archived_by_their_own_name(rt: Runtime) -> None:
    await put(rt, plan("pro"), add_on("pack"))

    with pytest.raises(NotFoundError, match="plan 'pack'"):
        await archive(rt, "pack")
    with pytest.raises(NotFoundError, match="add-on 'pro'"):
        await archive_add_on(rt, ADMIN, ArchivePlanInput(idempotency_key="2", key="pro"))
    archived = await archive_add_on(rt, ADMIN, ArchivePlanInput(idempotency_key="3", key="pack"))
    assert archived.record.status is PlanStatus.ARCHIVED


async def test_an_add_on_that_a_subscription_holds_is_not_archived(rt: Runtime) -> None:
    await put(rt, plan("pro"), add_on("pack"), sub("sub_1", ACTIVE, item(), item("pack", quantity=3)))

    with pytest.raises(ConflictError, match=r"add-on 'pack' is in use by 1 subscription \(sub_1\)"):
        await archive_add_on(rt, ADMIN, ArchivePlanInput(idempotency_key="1", key="pack"))


async def test_a_feature_is_archived_once_nothing_names_it_any_more(rt: Runtime) -> None:
    await put(rt, feature(), plan("pro", limit()))
    with pytest.raises(ConflictError, match=r"in use by 1 plan \(pro\)"):
        await drop(rt, idempotency_key="1")
    await create_plan(rt, ADMIN, CreatePlanInput(idempotency_key="2", key="pro", name="Pro"))

    first = await drop(rt, idempotency_key="3")
    fakes_of(rt).clock.advance(DAY)
    again = await drop(rt, idempotency_key="4")

    assert first.archived_at == NOW
    assert again == first
    with pytest.raises(NotFoundError):
        await drop(rt, "nope", idempotency_key="5")
