"""Features, plans and add-ons that are refused, and why."""

from decimal import Decimal
from typing import Any

import pytest
from support.faults import shown
from support.records import NOW, add_on, feature, limit, plan

from app.domain.catalogue_rules import feature_faults, plan_faults
from app.domain.plan import (
    AccessLevel,
    Catalogue,
    Feature,
    FeatureType,
    GracePolicy,
    LimitBehavior,
    MergeRule,
    MeterType,
    Plan,
    PlanFeature,
    PlanPrice,
    PlanStatus,
    ResetPeriod,
    ValueType,
)

CALLS = feature("api_calls")
SEATS = feature("seats", meter_type=MeterType.FLUCTUATING)
CREDITS = feature("credits", FeatureType.CREDIT)
REPORTS = feature("reports", FeatureType.CREDIT, credit_key="credits", cost=Decimal("0.25"))
SSO = feature("sso", FeatureType.BOOLEAN)
DAYS = feature("log_days", FeatureType.CONFIG, value_type=ValueType.INTEGER)
REGIONS = feature("regions", FeatureType.CONFIG, value_type=ValueType.ENUM, enum_values=("eu", "us"))
OLD = feature("old_credits", FeatureType.CREDIT, archived_at=NOW)
FEATURES = (CALLS, SEATS, CREDITS, REPORTS, SSO, DAYS, REGIONS, OLD)
CATALOGUE = Catalogue(
    FEATURES,
    (
        plan("pro"),
        plan("free", prices=(), is_default=True),
        plan("gone", status=PlanStatus.ARCHIVED, is_default=True),
        add_on("pack"),
    ),
)
MONTHLY = ResetPeriod.MONTH


def drawing(**fields: Any) -> Feature:
    return feature("export", FeatureType.CREDIT, **{"credit_key": "credits", "cost": Decimal(1), **fields})


@pytest.mark.parametrize("good", FEATURES, ids=lambda f: f.key)
def test_features_that_fit_have_no_fault(good: Feature) -> None:
    assert shown(feature_faults(good, CATALOGUE)) == set()


@pytest.mark.parametrize(
    ("bad", "fault"),
    [
        pytest.param(feature("Api"), ("key", "INVALID_FORMAT"), id="capital"),
        pytest.param(feature("a" * 65), ("key", "INVALID_FORMAT"), id="long key"),
        pytest.param(feature("a\n"), ("key", "INVALID_FORMAT"), id="newline"),
        pytest.param(feature(name=" "), ("name", "EMPTY"), id="blank name"),
        pytest.param(feature(name="a\x00"), ("name", "INVALID_CHARACTER"), id="nul"),
        pytest.param(feature(name="\ud800"), ("name", "INVALID_CHARACTER"), id="surrogate"),
        pytest.param(feature(merge=MergeRule.MAX), ("merge", "NOT_ALLOWED"), id="metered max"),
        pytest.param(feature("x", FeatureType.CONFIG), ("valueType", "REQUIRED"), id="config without a value type"),
        pytest.param(
            feature("x", FeatureType.BOOLEAN, value_type=ValueType.STRING),
            ("valueType", "NOT_ALLOWED"),
            id="boolean with a value type",
        ),
        pytest.param(
            feature("x", FeatureType.BOOLEAN, meter_type=MeterType.INCREMENTAL),
            ("meterType", "NOT_ALLOWED"),
            id="boolean with a meter",
        ),
        pytest.param(
            feature("x", FeatureType.CREDIT, meter_type=MeterType.INCREMENTAL),
            ("meterType", "NOT_ALLOWED"),
            id="credit type with a meter",
        ),
        pytest.param(
            feature("x", FeatureType.CONFIG, value_type=ValueType.ENUM),
            ("enumValues", "REQUIRED"),
            id="enum without values",
        ),
        pytest.param(
            feature("x", FeatureType.CONFIG, value_type=ValueType.ENUM, enum_values=("a", "a")),
            ("enumValues.1", "DUPLICATE"),
            id="enum value twice",
        ),
        pytest.param(feature(enum_values=("a",)), ("enumValues", "NOT_ALLOWED"), id="metered with enum values"),
        pytest.param(
            feature("x", FeatureType.CONFIG, value_type=ValueType.STRING, merge=MergeRule.MAX),
            ("merge", "NOT_ALLOWED"),
            id="text max",
        ),
        pytest.param(drawing(merge=MergeRule.MAX), ("merge", "NOT_ALLOWED"), id="credit max"),
        pytest.param(drawing(cost=None), ("cost", "REQUIRED"), id="no cost"),
        pytest.param(drawing(cost=Decimal(0)), ("cost", "OUT_OF_RANGE"), id="free"),
        pytest.param(drawing(cost=Decimal(-1)), ("cost", "OUT_OF_RANGE"), id="costs less than nothing"),
        pytest.param(drawing(cost=Decimal("1e-10")), ("cost", "OUT_OF_RANGE"), id="ten decimal places"),
        pytest.param(drawing(credit_key="nope"), ("creditKey", "UNKNOWN"), id="unknown credit type"),
        pytest.param(drawing(credit_key="sso"), ("creditKey", "NOT_ALLOWED"), id="draws on a switch"),
        pytest.param(drawing(credit_key="reports"), ("creditKey", "NOT_ALLOWED"), id="draws on what draws"),
        pytest.param(drawing(credit_key="old_credits"), ("creditKey", "NOT_ALLOWED"), id="draws on an archived one"),
        pytest.param(feature(credit_key="credits", cost=Decimal(1)), ("creditKey", "NOT_ALLOWED"), id="metered draws"),
        pytest.param(feature(cost=Decimal(1)), ("cost", "NOT_ALLOWED"), id="metered with a cost"),
        pytest.param(
            feature("x", FeatureType.CREDIT, cost=Decimal(1)), ("cost", "NOT_ALLOWED"), id="credit type with a cost"
        ),
    ],
)
def test_features_that_are_refused(bad: Feature, fault: tuple[str, str]) -> None:
    assert shown(feature_faults(bad, CATALOGUE, path=())) == {fault}


def test_who_draws_on_nothing_is_told_what_to_draw_on() -> None:
    [fault] = feature_faults(drawing(credit_key="nope"), CATALOGUE, path=())

    assert (
        fault.message
        == "creditKey names no credit type: 'nope'; it takes a CREDIT feature that has no creditKey itself"
    )


def test_a_feature_does_not_draw_on_itself() -> None:
    circle = drawing(credit_key="export")

    assert shown(feature_faults(circle, Catalogue((circle,)), path=())) == {("creditKey", "NOT_ALLOWED")}


def row(key: str = "api_calls", amount: int | None = 100, reset: ResetPeriod = MONTHLY, **fields: Any) -> PlanFeature:
    return PlanFeature(
        feature_key=key, **{"limit": None if amount is None else Decimal(amount), "reset_period": reset, **fields}
    )


@pytest.mark.parametrize(
    ("entry", "faults"),
    [
        pytest.param(row(rollover_max=Decimal(0), thresholds=(50, 100)), set(), id="metered"),
        pytest.param(row("credits", rollover_max=Decimal(5), thresholds=(1, 1000)), set(), id="credits"),
        pytest.param(row("nope"), {("featureKey", "UNKNOWN")}, id="unknown feature"),
        pytest.param(row("reports"), {("featureKey", "NOT_ALLOWED")}, id="what draws on credits"),
        pytest.param(row("old_credits"), {("featureKey", "ARCHIVED")}, id="archived"),
        pytest.param(row(rollover_max=Decimal(-1)), {("rolloverMax", "OUT_OF_RANGE")}, id="negative rollover"),
        pytest.param(
            row(reset=ResetPeriod.NEVER, rollover_max=Decimal(1)),
            {("rolloverMax", "NOT_ALLOWED")},
            id="rollover of what never ends",
        ),
        pytest.param(
            row("seats", reset=ResetPeriod.NEVER, rollover_max=Decimal(1)),
            {("rolloverMax", "NOT_ALLOWED")},
            id="rollover of a level",
        ),
        pytest.param(
            row(amount=None, limit_behavior=LimitBehavior.UNLIMITED, rollover_max=Decimal(1), thresholds=(50,)),
            {("rolloverMax", "NOT_ALLOWED"), ("thresholds", "NOT_ALLOWED")},
            id="unlimited",
        ),
        pytest.param(
            PlanFeature(feature_key="sso", rollover_max=Decimal(1), thresholds=(50,)),
            {("rolloverMax", "NOT_ALLOWED"), ("thresholds", "NOT_ALLOWED")},
            id="boolean",
        ),
        pytest.param(row("seats", reset=ResetPeriod.NEVER, thresholds=(80,)), set(), id="threshold of a level"),
        pytest.param(
            row(thresholds=(0, 1001)),
            {("thresholds.0", "OUT_OF_RANGE"), ("thresholds.1", "OUT_OF_RANGE")},
            id="thresholds out of range",
        ),
        pytest.param(
            row(thresholds=(80, 80, 50)),
            {("thresholds.1", "NOT_ASCENDING"), ("thresholds.2", "NOT_ASCENDING")},
            id="thresholds that do not rise",
        ),
        pytest.param(row(thresholds=tuple(range(1, 12))), {("thresholds", "TOO_MANY")}, id="eleven thresholds"),
    ],
)
def test_rows_fit_their_feature(entry: PlanFeature, faults: set[tuple[str, str]]) -> None:
    assert shown(plan_faults(plan("new", entry), CATALOGUE, path=())) == {
        (f"features.0.{place}", code) for place, code in faults
    }


def test_what_counts_may_stand_once_per_reset_period() -> None:
    twice = plan(
        "new", limit(amount=1), limit(amount=30, reset=ResetPeriod.DAY), limit(amount=2), row("credits"), row("credits")
    )

    assert shown(plan_faults(twice, CATALOGUE)) == {
        ("input.features.2", "DUPLICATE"),
        ("input.features.4", "DUPLICATE"),
    }


def test_other_features_may_stand_once() -> None:
    twice = plan("new", PlanFeature(feature_key="sso"), PlanFeature(feature_key="sso"))

    assert shown(plan_faults(twice, CATALOGUE)) == {("input.features.1", "DUPLICATE")}


@pytest.mark.parametrize(
    ("prices", "faults"),
    [
        pytest.param((PlanPrice(),), {("prices.0", "EXACTLY_ONE")}, id="nameless"),
        pytest.param((PlanPrice(lookup_key="a", stripe_price_id="b"),), {("prices.0", "EXACTLY_ONE")}, id="both names"),
        pytest.param((PlanPrice(lookup_key="a"), PlanPrice(lookup_key="a")), {("prices.1", "DUPLICATE")}, id="twice"),
        pytest.param((PlanPrice(lookup_key="pro_monthly"),), {("prices.0", "TAKEN")}, id="another plan's"),
        pytest.param((PlanPrice(lookup_key="pack_monthly"),), {("prices.0", "TAKEN")}, id="an add-on's"),
        pytest.param((PlanPrice(lookup_key="gone_monthly"),), set(), id="an archived plan's"),
    ],
)
def test_prices_name_one_plan_or_add_on(prices: tuple[PlanPrice, ...], faults: set[tuple[str, str]]) -> None:
    assert shown(plan_faults(plan("new", prices=prices), CATALOGUE, path=())) == faults
    assert shown(plan_faults(add_on("new", prices=prices), CATALOGUE, path=())) == faults


@pytest.mark.parametrize(("name", "holder"), [("pro_monthly", "the plan 'pro'"), ("pack_monthly", "the add-on 'pack'")])
def test_a_taken_price_names_who_has_it(name: str, holder: str) -> None:
    (fault,) = plan_faults(plan("new", prices=(PlanPrice(lookup_key=name),)), CATALOGUE)

    assert holder in fault.message


def test_the_next_version_keeps_the_prices_of_its_own_plan() -> None:
    assert shown(plan_faults(plan("pro", plan_version=2), CATALOGUE)) == set()


@pytest.mark.parametrize(
    ("bad", "fault"),
    [
        pytest.param(add_on("pro", prices=()), ("key", "TAKEN"), id="plan turned into an add-on"),
        pytest.param(plan("pack", prices=()), ("key", "TAKEN"), id="add-on turned into a plan"),
        pytest.param(plan("new", max_quantity=1), ("maxQuantity", "NOT_ALLOWED"), id="plan with a quantity"),
        pytest.param(plan("new", trial_days=731), ("trialDays", "OUT_OF_RANGE"), id="long trial"),
        pytest.param(plan("new", grace=GracePolicy(days=-1)), ("grace.days", "OUT_OF_RANGE"), id="negative grace"),
        pytest.param(plan("new", is_default=True), ("isDefault", "TAKEN"), id="second default"),
        pytest.param(add_on("new", trial_days=14), ("trialDays", "NOT_ALLOWED"), id="add-on with a trial"),
        pytest.param(add_on("new", grace=GracePolicy(days=1)), ("grace", "NOT_ALLOWED"), id="add-on with grace"),
        pytest.param(
            add_on("new", paused_access=AccessLevel.FULL), ("pausedAccess", "NOT_ALLOWED"), id="add-on while paused"
        ),
        pytest.param(add_on("new", is_default=True), ("isDefault", "NOT_ALLOWED"), id="add-on as default"),
        pytest.param(add_on("new", max_quantity=0), ("maxQuantity", "OUT_OF_RANGE"), id="none at most"),
        pytest.param(add_on("new", max_quantity=2**31), ("maxQuantity", "OUT_OF_RANGE"), id="more than 32 bits"),
        pytest.param(
            add_on("new", limit(behavior=LimitBehavior.SOFT)),
            ("features.0.limitBehavior", "NOT_ALLOWED"),
            id="soft add-on",
        ),
        pytest.param(
            add_on("new", row(rollover_max=Decimal(1))), ("features.0.rolloverMax", "NOT_ALLOWED"), id="add-on rolls"
        ),
        pytest.param(
            add_on("new", row(thresholds=(50,))), ("features.0.thresholds", "NOT_ALLOWED"), id="add-on with thresholds"
        ),
    ],
)
def test_plans_and_add_ons_that_are_refused(bad: Plan, fault: tuple[str, str]) -> None:
    assert shown(plan_faults(bad, CATALOGUE, path=())) == {fault}


@pytest.mark.parametrize(
    "good",
    [
        pytest.param(plan("free", prices=(), plan_version=2, is_default=True), id="default again"),
        pytest.param(
            add_on("new", row(), row("seats", None, ResetPeriod.NEVER, limit_behavior=LimitBehavior.UNLIMITED)),
            id="add-on",
        ),
        pytest.param(add_on("new", PlanFeature(feature_key="log_days", value=30), max_quantity=1), id="add-on of one"),
    ],
)
def test_plans_and_add_ons_that_fit_have_no_fault(good: Plan) -> None:
    assert shown(plan_faults(good, CATALOGUE)) == set()


def test_the_second_default_is_told_of_the_first() -> None:
    (fault,) = plan_faults(plan("new", is_default=True), CATALOGUE)

    assert "'free'" in fault.message
