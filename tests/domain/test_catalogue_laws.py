"""Whatever is wrong with an input, all of it is told at once, and below the path that was given."""

from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from support.faults import shown
from support.records import DAY, NOW, add_on, feature, grant, limit, override, plan

from app.domain.catalogue_rules import feature_faults, plan_faults
from app.domain.errors import FieldError
from app.domain.faults import Path
from app.domain.grant import GrantSource
from app.domain.grant_rules import grant_faults, override_faults
from app.domain.plan import (
    AccessLevel,
    Catalogue,
    FeatureType,
    GracePolicy,
    MergeRule,
    MeterType,
    PlanFeature,
    PlanPrice,
    ResetPeriod,
    ValueType,
)

CALLS = feature("api_calls")
EXPORTS = feature("exports", FeatureType.CREDIT, credit_key="credits", cost=Decimal(1))
CATALOGUE = Catalogue(
    (CALLS, feature("credits", FeatureType.CREDIT), feature("sso", FeatureType.BOOLEAN)),
    (plan("pro", is_default=True), plan("basic"), add_on("pack")),
)
HIGH = Decimal(10) ** 15

Wrong = tuple[str, Any, str, str]
"""A field of a record, a value that is wrong there, and the fault's place and code."""

OF_A_FEATURE: tuple[Wrong, ...] = (
    ("key", "Exports", "key", "INVALID_FORMAT"),
    ("name", "", "name", "EMPTY"),
    ("unit", "x" * 256, "unit", "TOO_LONG"),
    ("meter_type", MeterType.INCREMENTAL, "meterType", "NOT_ALLOWED"),
    ("value_type", ValueType.STRING, "valueType", "NOT_ALLOWED"),
    ("enum_values", ("a",), "enumValues", "NOT_ALLOWED"),
    ("merge", MergeRule.MAX, "merge", "NOT_ALLOWED"),
    ("credit_key", "sso", "creditKey", "NOT_ALLOWED"),
    ("cost", Decimal(0), "cost", "OUT_OF_RANGE"),
)
OF_A_PLAN: tuple[Wrong, ...] = (
    ("key", "pack", "key", "TAKEN"),
    ("name", " ", "name", "EMPTY"),
    ("prices", (PlanPrice(lookup_key="a"), PlanPrice()), "prices.1", "EXACTLY_ONE"),
    ("trial_days", -1, "trialDays", "OUT_OF_RANGE"),
    ("grace", GracePolicy(days=91), "grace.days", "OUT_OF_RANGE"),
    ("max_quantity", 1, "maxQuantity", "NOT_ALLOWED"),
    ("is_default", True, "isDefault", "TAKEN"),
)
OF_AN_ADD_ON: tuple[Wrong, ...] = (
    ("key", "pro", "key", "TAKEN"),
    ("name", "\ud800", "name", "INVALID_CHARACTER"),
    ("prices", (PlanPrice(lookup_key="basic_monthly"),), "prices.0", "TAKEN"),
    ("trial_days", 14, "trialDays", "NOT_ALLOWED"),
    ("grace", GracePolicy(access=AccessLevel.NONE), "grace", "NOT_ALLOWED"),
    ("paused_access", AccessLevel.READ_ONLY, "pausedAccess", "NOT_ALLOWED"),
    ("max_quantity", 0, "maxQuantity", "OUT_OF_RANGE"),
    ("is_default", True, "isDefault", "NOT_ALLOWED"),
)
OF_A_ROW: tuple[Wrong, ...] = (
    ("limit", HIGH, "limit", "OUT_OF_RANGE"),
    ("value", 1, "value", "NOT_ALLOWED"),
    ("rollover_max", Decimal(-1), "rolloverMax", "OUT_OF_RANGE"),
    ("thresholds", (50, 2000), "thresholds.1", "OUT_OF_RANGE"),
)
OF_A_GRANT: tuple[Wrong, ...] = (
    ("source", GrantSource.PLAN, "source", "NOT_ALLOWED"),
    ("amount", HIGH, "amount", "OUT_OF_RANGE"),
    ("value", "x", "value", "NOT_ALLOWED"),
    ("priority", -1, "priority", "OUT_OF_RANGE"),
    ("reset_period", ResetPeriod.BILLING_CYCLE, "resetPeriod", "NOT_ALLOWED"),
    ("expires_at", NOW - DAY, "expiresAt", "OUT_OF_RANGE"),
    ("reason", "x" * 501, "reason", "TOO_LONG"),
)
OF_AN_OVERRIDE: tuple[Wrong, ...] = (
    ("limit", Decimal(-1), "limit", "OUT_OF_RANGE"),
    ("value", 1, "value", "NOT_ALLOWED"),
    ("expires_at", NOW, "expiresAt", "OUT_OF_RANGE"),
    ("reason", "\x00", "reason", "INVALID_CHARACTER"),
)
UNKNOWN = PlanFeature(feature_key="nope")

paths = st.lists(st.sampled_from(("input", "plans", "0")), max_size=3).map(tuple)


def some(of: tuple[Wrong, ...]) -> st.SearchStrategy[list[Wrong]]:
    return st.lists(st.sampled_from(of), unique_by=lambda wrong: wrong[0])


def spoilt(good: Any, wrongs: list[Wrong]) -> Any:
    return msgspec.structs.replace(good, **{field: value for field, value, _, _ in wrongs})


def expected(path: Path, wrongs: list[Wrong]) -> set[tuple[str, str]]:
    return shown(FieldError((*path, *place.split(".")), code, "") for _, _, place, code in wrongs)


@given(some(OF_A_FEATURE), paths)
def test_every_fault_of_a_feature_is_told_at_once(wrongs: list[Wrong], path: Path) -> None:
    bad = spoilt(EXPORTS, wrongs)

    assert shown(feature_faults(bad, CATALOGUE, path=path)) == expected(path, wrongs)


@given(some(OF_A_PLAN), st.lists(some(OF_A_ROW), max_size=3), paths)
def test_every_fault_of_a_plan_and_its_rows_is_told_at_once(
    wrongs: list[Wrong], rows: list[list[Wrong]], path: Path
) -> None:
    resets = (ResetPeriod.DAY, ResetPeriod.WEEK, ResetPeriod.MONTH)
    bad_rows = [spoilt(limit(reset=reset), row) for reset, row in zip(resets, rows, strict=False)]
    bad = spoilt(plan("new", *bad_rows, UNKNOWN), wrongs)

    faults = expected((*path, "features", str(len(rows))), [("feature_key", "", "featureKey", "UNKNOWN")])
    for position, row in enumerate(rows):
        faults |= expected((*path, "features", str(position)), row)
    assert shown(plan_faults(bad, CATALOGUE, path=path)) == expected(path, wrongs) | faults


@given(some(OF_AN_ADD_ON), paths)
def test_every_fault_of_an_add_on_is_told_at_once(wrongs: list[Wrong], path: Path) -> None:
    bad = spoilt(add_on("new", limit()), wrongs)

    assert shown(plan_faults(bad, CATALOGUE, path=path)) == expected(path, wrongs)


@given(some(OF_A_GRANT), paths)
def test_every_fault_of_a_grant_is_told_at_once(wrongs: list[Wrong], path: Path) -> None:
    bad = spoilt(grant(amount=Decimal(1)), wrongs)

    assert shown(grant_faults(bad, CALLS, NOW, path=path)) == expected(path, wrongs)


@given(some(OF_AN_OVERRIDE), paths)
def test_every_fault_of_an_override_is_told_at_once(wrongs: list[Wrong], path: Path) -> None:
    bad = spoilt(override(limit=Decimal(1)), wrongs)

    assert shown(override_faults(bad, CALLS, NOW, path=path)) == expected(path, wrongs)
