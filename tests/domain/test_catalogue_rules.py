"""Features and plans that are refused, and why."""

from decimal import Decimal
from typing import Any

import pytest
from support.records import feature, limit, plan

from app.domain.allowance_rules import value_faults
from app.domain.catalogue_rules import feature_faults, plan_faults
from app.domain.errors import FieldError
from app.domain.faults import INPUT
from app.domain.plan import (
    Catalogue,
    Feature,
    FeatureType,
    GracePolicy,
    LimitBehavior,
    MergeRule,
    MeterType,
    PlanFeature,
    PlanPrice,
    ResetPeriod,
    ValueType,
)

CALLS = feature("api_calls")
SEATS = feature("seats", meter_type=MeterType.FLUCTUATING)
SSO = feature("sso", FeatureType.BOOLEAN)
DAYS = feature("log_days", FeatureType.CONFIG, value_type=ValueType.INTEGER)
SHARE = feature("share", FeatureType.CONFIG, value_type=ValueType.DECIMAL)
THEME = feature("theme", FeatureType.CONFIG, value_type=ValueType.STRING)
REGIONS = feature("regions", FeatureType.CONFIG, value_type=ValueType.ENUM, enum_values=("eu", "us"))
CATALOGUE = Catalogue((CALLS, SEATS, SSO, DAYS, SHARE, THEME, REGIONS), (plan("pro"),))


def shown(faults: Any) -> set[tuple[str, str]]:
    found: list[FieldError] = list(faults)
    return {(".".join(fault.path), fault.code) for fault in found}


@pytest.mark.parametrize("good", [CALLS, SEATS, SSO, DAYS, SHARE, THEME, REGIONS], ids=lambda f: f.key)
def test_features_that_fit_have_no_fault(good: Feature) -> None:
    assert shown(feature_faults(good, CATALOGUE)) == set()


@pytest.mark.parametrize(
    ("bad", "fault"),
    [
        pytest.param(feature("Api"), ("input.key", "INVALID_FORMAT"), id="capital"),
        pytest.param(feature("a" * 65), ("input.key", "INVALID_FORMAT"), id="long key"),
        pytest.param(feature("a\n"), ("input.key", "INVALID_FORMAT"), id="newline"),
        pytest.param(feature(name=" "), ("input.name", "EMPTY"), id="blank name"),
        pytest.param(feature(name="a\x00"), ("input.name", "INVALID_CHARACTER"), id="nul"),
        pytest.param(feature(name="\ud800"), ("input.name", "INVALID_CHARACTER"), id="surrogate"),
        pytest.param(feature(merge=MergeRule.MAX), ("input.merge", "NOT_ALLOWED"), id="metered max"),
        pytest.param(
            feature("x", FeatureType.CONFIG), ("input.valueType", "REQUIRED"), id="config without a value type"
        ),
        pytest.param(
            feature("x", FeatureType.BOOLEAN, value_type=ValueType.STRING),
            ("input.valueType", "NOT_ALLOWED"),
            id="boolean with a value type",
        ),
        pytest.param(
            feature("x", FeatureType.BOOLEAN, meter_type=MeterType.INCREMENTAL),
            ("input.meterType", "NOT_ALLOWED"),
            id="boolean with a meter",
        ),
        pytest.param(
            feature("x", FeatureType.CONFIG, value_type=ValueType.ENUM),
            ("input.enumValues", "REQUIRED"),
            id="enum without values",
        ),
        pytest.param(
            feature("x", FeatureType.CONFIG, value_type=ValueType.ENUM, enum_values=("a", "a")),
            ("input.enumValues.1", "DUPLICATE"),
            id="enum value twice",
        ),
        pytest.param(feature(enum_values=("a",)), ("input.enumValues", "NOT_ALLOWED"), id="metered with enum values"),
        pytest.param(
            feature("x", FeatureType.CONFIG, value_type=ValueType.STRING, merge=MergeRule.MAX),
            ("input.merge", "NOT_ALLOWED"),
            id="text max",
        ),
    ],
)
def test_features_that_are_refused(bad: Feature, fault: tuple[str, str]) -> None:
    assert shown(feature_faults(bad, CATALOGUE)) == {fault}


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        pytest.param(limit(amount=10), None, id="limit"),
        pytest.param(limit(amount=0), None, id="limit of zero"),
        pytest.param(limit(amount=None), None, id="unlimited"),
        pytest.param(limit(amount=-1), ("limit", "OUT_OF_RANGE"), id="negative limit"),
        pytest.param(PlanFeature(feature_key="api_calls"), ("limit", "REQUIRED"), id="no limit"),
        pytest.param(
            PlanFeature(feature_key="api_calls", limit=Decimal(1), limit_behavior=LimitBehavior.UNLIMITED),
            ("limit", "NOT_ALLOWED"),
            id="unlimited with a limit",
        ),
        pytest.param(
            PlanFeature(feature_key="api_calls", limit=Decimal(1), value=1),
            ("value", "NOT_ALLOWED"),
            id="metered with a value",
        ),
        pytest.param(limit("seats", 5, ResetPeriod.NEVER), None, id="level"),
        pytest.param(limit("seats", 5, ResetPeriod.MONTH), ("resetPeriod", "NOT_ALLOWED"), id="level that resets"),
        pytest.param(PlanFeature(feature_key="sso"), None, id="boolean"),
        pytest.param(limit("sso", 5, ResetPeriod.NEVER), ("limit", "NOT_ALLOWED"), id="boolean with a limit"),
        pytest.param(PlanFeature(feature_key="log_days", value=30), None, id="integer"),
        pytest.param(PlanFeature(feature_key="log_days"), ("value", "REQUIRED"), id="config without a value"),
        pytest.param(
            PlanFeature(feature_key="log_days", value="30"), ("value", "INVALID_VALUE"), id="integer in a string"
        ),
        pytest.param(PlanFeature(feature_key="nope"), ("featureKey", "UNKNOWN"), id="unknown feature"),
    ],
)
def test_plan_features_fit_their_feature(entry: PlanFeature, fault: tuple[str, str] | None) -> None:
    expected = {(f"input.features.0.{fault[0]}", fault[1])} if fault else set()

    assert shown(plan_faults(plan("new", entry), CATALOGUE)) == expected


@pytest.mark.parametrize(
    ("of", "value", "fits"),
    [
        pytest.param(DAYS, 2**63 - 1, True, id="largest"),
        pytest.param(DAYS, 2**63, False, id="beyond 64 bits"),
        pytest.param(DAYS, True, False, id="bool"),
        pytest.param(SHARE, "-0.25", True, id="decimal"),
        pytest.param(SHARE, 1, False, id="decimal as a number"),
        pytest.param(SHARE, "NaN", False, id="nan"),
        pytest.param(SHARE, "1_000", False, id="underscore"),
        pytest.param(SHARE, "0.0000000001", False, id="too fine"),
        pytest.param(THEME, "dark", True, id="text"),
        pytest.param(THEME, "x" * 501, False, id="long text"),
        pytest.param(REGIONS, ("eu",), True, id="one of the enum"),
        pytest.param(REGIONS, ("eu", "eu"), False, id="one twice"),
        pytest.param(REGIONS, ("mars",), False, id="none of the enum"),
        pytest.param(REGIONS, (), False, id="none"),
        pytest.param(REGIONS, "eu", False, id="enum as a text"),
        pytest.param(REGIONS, ({"a": 1},), False, id="an object"),
    ],
)
def test_values_fit_their_value_type(of: Feature, value: Any, fits: bool) -> None:  # noqa: FBT001 - of the table
    assert (shown(value_faults(INPUT, of, value)) == set()) is fits


def test_a_metered_feature_may_stand_once_per_reset_period() -> None:
    twice = plan("new", limit(amount=1), limit(amount=30, reset=ResetPeriod.DAY), limit(amount=2))

    assert shown(plan_faults(twice, CATALOGUE)) == {("input.features.2", "DUPLICATE")}


def test_other_features_may_stand_once() -> None:
    twice = plan("new", PlanFeature(feature_key="sso"), PlanFeature(feature_key="sso"))

    assert shown(plan_faults(twice, CATALOGUE)) == {("input.features.1", "DUPLICATE")}


@pytest.mark.parametrize(
    ("prices", "faults"),
    [
        pytest.param((PlanPrice(),), {("input.prices.0", "EXACTLY_ONE")}, id="nameless"),
        pytest.param(
            (PlanPrice(lookup_key="a", stripe_price_id="b"),), {("input.prices.0", "EXACTLY_ONE")}, id="both names"
        ),
        pytest.param(
            (PlanPrice(lookup_key="a"), PlanPrice(lookup_key="a")), {("input.prices.1", "DUPLICATE")}, id="twice"
        ),
        pytest.param((PlanPrice(lookup_key="pro_monthly"),), {("input.prices.0", "TAKEN")}, id="another plan's"),
    ],
)
def test_prices_name_one_plan(prices: tuple[PlanPrice, ...], faults: set[tuple[str, str]]) -> None:
    assert shown(plan_faults(plan("new", prices=prices), CATALOGUE)) == faults


def test_a_taken_price_names_the_plan_that_has_it() -> None:
    (fault,) = plan_faults(plan("new", prices=(PlanPrice(lookup_key="pro_monthly"),)), CATALOGUE)

    assert "'pro'" in fault.message


def test_the_next_version_keeps_the_prices_of_its_own_plan() -> None:
    assert shown(plan_faults(plan("pro", plan_version=2), CATALOGUE)) == set()


def test_every_fault_of_a_plan_is_told_at_once() -> None:
    bad = plan("No", PlanFeature(feature_key="nope"), name="", trial_days=731, grace=GracePolicy(days=91), prices=())

    assert shown(plan_faults(bad, CATALOGUE)) == {
        ("input.key", "INVALID_FORMAT"),
        ("input.name", "EMPTY"),
        ("input.features.0.featureKey", "UNKNOWN"),
        ("input.trialDays", "OUT_OF_RANGE"),
        ("input.grace.days", "OUT_OF_RANGE"),
    }
