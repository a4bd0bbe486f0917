"""Limits and values that do not fit their feature, and why."""

from decimal import Decimal
from typing import Any

import pytest
from support.faults import shown
from support.records import NOW, feature

from app.domain.allowance_rules import allowance_faults, value_faults
from app.domain.faults import INPUT
from app.domain.plan import Feature, FeatureType, LimitBehavior, MeterType, ResetPeriod, ValueType

CALLS = feature("api_calls")
SEATS = feature("seats", meter_type=MeterType.FLUCTUATING)
CREDITS = feature("credits", FeatureType.CREDIT)
REPORTS = feature("reports", FeatureType.CREDIT, credit_key="credits", cost=Decimal(5))
SSO = feature("sso", FeatureType.BOOLEAN)
DAYS = feature("log_days", FeatureType.CONFIG, value_type=ValueType.INTEGER)
SHARE = feature("share", FeatureType.CONFIG, value_type=ValueType.DECIMAL)
THEME = feature("theme", FeatureType.CONFIG, value_type=ValueType.STRING)
REGIONS = feature("regions", FeatureType.CONFIG, value_type=ValueType.ENUM, enum_values=("eu", "us"))
GONE = feature("gone", archived_at=NOW)
UNLIMITED = LimitBehavior.UNLIMITED


@pytest.mark.parametrize(
    ("of", "said", "faults"),
    [
        pytest.param(CALLS, {"limit": Decimal(10), "reset_period": ResetPeriod.DAY}, set(), id="limit"),
        pytest.param(CREDITS, {"limit": Decimal("0.5"), "reset_period": ResetPeriod.MONTH}, set(), id="credits"),
        pytest.param(CREDITS, {}, {("limit", "REQUIRED")}, id="credits without a limit"),
        pytest.param(CREDITS, {"limit_behavior": UNLIMITED}, set(), id="unlimited credits"),
        pytest.param(
            CREDITS,
            {"limit": Decimal(1), "limit_behavior": UNLIMITED},
            {("limit", "NOT_ALLOWED")},
            id="unlimited with a limit",
        ),
        pytest.param(REPORTS, {}, {("featureKey", "NOT_ALLOWED")}, id="what draws on credits"),
        pytest.param(REPORTS, {"limit": Decimal(1)}, {("featureKey", "NOT_ALLOWED")}, id="with a limit"),
        pytest.param(GONE, {"limit": Decimal(1)}, {("featureKey", "ARCHIVED")}, id="archived"),
        pytest.param(
            SEATS,
            {"limit": Decimal(-1), "reset_period": ResetPeriod.DAY, "value": 1},
            {("limit", "OUT_OF_RANGE"), ("resetPeriod", "NOT_ALLOWED"), ("value", "NOT_ALLOWED")},
            id="three faults of a level",
        ),
        pytest.param(
            SSO,
            {"limit": Decimal(1), "limit_behavior": UNLIMITED, "reset_period": ResetPeriod.DAY},
            {("limit", "NOT_ALLOWED"), ("limitBehavior", "NOT_ALLOWED"), ("resetPeriod", "NOT_ALLOWED")},
            id="three faults of a switch",
        ),
        pytest.param(DAYS, {"value": 30}, set(), id="value"),
        pytest.param(DAYS, {}, {("value", "REQUIRED")}, id="no value"),
    ],
)
def test_what_is_said_of_a_feature_fits_it(of: Feature, said: dict[str, Any], faults: set[tuple[str, str]]) -> None:
    blank = {
        "limit": None,
        "limit_behavior": LimitBehavior.HARD,
        "reset_period": ResetPeriod.NEVER,
        "value": None,
    }

    assert shown(allowance_faults((), of, **{**blank, **said})) == faults


def test_a_credit_type_is_named_where_its_user_was() -> None:
    (fault,) = allowance_faults(
        INPUT, REPORTS, limit=None, limit_behavior=LimitBehavior.HARD, reset_period=ResetPeriod.NEVER, value=None
    )

    assert "'credits'" in fault.message


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
