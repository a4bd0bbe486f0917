"""Grants and overrides that are refused, and why."""

from decimal import Decimal
from typing import Any

import pytest
from support.records import DAY, NOW, feature, grant, override

from app.domain.grant import GrantSource
from app.domain.grant_rules import grant_faults, override_faults
from app.domain.plan import Feature, FeatureType, LimitBehavior, MeterType, ResetPeriod, ValueType

CALLS = feature("api_calls")
SEATS = feature("seats", meter_type=MeterType.FLUCTUATING)
SSO = feature("sso", FeatureType.BOOLEAN)
DAYS = feature("log_days", FeatureType.CONFIG, value_type=ValueType.INTEGER)
CREDITS = feature("credits", FeatureType.CREDIT)
REPORTS = feature("reports", FeatureType.CREDIT, credit_key="credits", cost=Decimal(5))
GONE = feature("gone", archived_at=NOW)


@pytest.mark.parametrize(
    ("of", "fields", "faults"),
    [
        pytest.param(CALLS, {"amount": Decimal("0.5")}, set(), id="amount"),
        pytest.param(CALLS, {"unlimited": True}, set(), id="unlimited"),
        pytest.param(CALLS, {}, {"input.amount"}, id="neither"),
        pytest.param(CALLS, {"amount": Decimal(1), "unlimited": True}, {"input.amount"}, id="both"),
        pytest.param(CALLS, {"amount": Decimal(0)}, {"input.amount"}, id="nothing"),
        pytest.param(CALLS, {"amount": Decimal(-1)}, {"input.amount"}, id="less than nothing"),
        pytest.param(CALLS, {"amount": Decimal(1), "value": 1}, {"input.value"}, id="metered with a value"),
        pytest.param(CREDITS, {"amount": Decimal(10), "source": GrantSource.TOP_UP}, set(), id="top-up"),
        pytest.param(REPORTS, {"amount": Decimal(10)}, {"input.featureKey"}, id="what draws on credits"),
        pytest.param(GONE, {"amount": Decimal(10)}, {"input.featureKey"}, id="archived"),
        pytest.param(CALLS, {"amount": Decimal(1), "priority": 0}, set(), id="first"),
        pytest.param(CALLS, {"amount": Decimal(1), "priority": -1}, {"input.priority"}, id="before the first"),
        pytest.param(CALLS, {"amount": Decimal(1), "priority": 1001}, {"input.priority"}, id="after the last"),
        pytest.param(CALLS, {"amount": Decimal(1), "reset_period": ResetPeriod.DAY}, set(), id="daily"),
        pytest.param(
            CALLS,
            {"amount": Decimal(1), "reset_period": ResetPeriod.BILLING_CYCLE},
            {"input.resetPeriod"},
            id="billing cycle",
        ),
        pytest.param(
            CALLS, {"unlimited": True, "reset_period": ResetPeriod.DAY}, {"input.resetPeriod"}, id="unlimited daily"
        ),
        pytest.param(
            SEATS, {"amount": Decimal(1), "reset_period": ResetPeriod.DAY}, {"input.resetPeriod"}, id="daily seats"
        ),
        pytest.param(
            SSO,
            {"unlimited": True, "priority": 1, "reset_period": ResetPeriod.DAY},
            {"input.unlimited", "input.priority", "input.resetPeriod"},
            id="boolean with all of an amount",
        ),
        pytest.param(SSO, {}, set(), id="boolean"),
        pytest.param(SSO, {"amount": Decimal(1)}, {"input.amount"}, id="boolean with an amount"),
        pytest.param(DAYS, {"value": 30}, set(), id="value"),
        pytest.param(DAYS, {}, {"input.value"}, id="config without a value"),
        pytest.param(DAYS, {"value": "30"}, {"input.value"}, id="value of another type"),
        pytest.param(SSO, {"source": GrantSource.PLAN}, {"input.source"}, id="a source that nobody gives"),
        pytest.param(SSO, {"expires_at": NOW}, {"input.expiresAt"}, id="over already"),
        pytest.param(
            SSO, {"effective_at": NOW + DAY, "expires_at": NOW + DAY}, {"input.expiresAt"}, id="ends as it starts"
        ),
        pytest.param(SSO, {"effective_at": -1}, {"input.effectiveAt"}, id="before 1970"),
        pytest.param(SSO, {"expires_at": 10**15}, {"input.expiresAt"}, id="after 9999"),
        pytest.param(SSO, {"reason": "x" * 501}, {"input.reason"}, id="long reason"),
    ],
)
def test_grants_fit_their_feature(of: Feature, fields: dict[str, Any], faults: set[str]) -> None:
    found = grant_faults(grant(key=of.key, **fields), of, NOW)

    assert {".".join(fault.path) for fault in found} == faults


@pytest.mark.parametrize(
    ("of", "fields", "faults"),
    [
        pytest.param(CALLS, {"limit": Decimal(0)}, set(), id="limit"),
        pytest.param(CALLS, {"limit_behavior": LimitBehavior.UNLIMITED}, set(), id="unlimited"),
        pytest.param(CALLS, {}, {"input.limit"}, id="no limit"),
        pytest.param(CALLS, {"revoked": True}, set(), id="revocation"),
        pytest.param(CALLS, {"revoked": True, "limit": Decimal(1)}, {"input.limit"}, id="revocation with a limit"),
        pytest.param(CREDITS, {"limit": Decimal(1), "reset_period": ResetPeriod.MONTH}, set(), id="credits"),
        pytest.param(REPORTS, {"limit": Decimal(1)}, {"input.featureKey"}, id="what draws on credits"),
        pytest.param(REPORTS, {"revoked": True}, set(), id="revocation of what draws on credits"),
        pytest.param(GONE, {"limit": Decimal(1)}, {"input.featureKey"}, id="archived"),
        pytest.param(DAYS, {"revoked": True, "value": 1}, {"input.value"}, id="revocation with a value"),
        pytest.param(
            SEATS,
            {"limit": Decimal(1), "reset_period": ResetPeriod.MONTH},
            {"input.resetPeriod"},
            id="level that resets",
        ),
        pytest.param(SSO, {}, set(), id="boolean"),
        pytest.param(SSO, {"value": 1}, {"input.value"}, id="boolean with a value"),
        pytest.param(DAYS, {"value": 1}, set(), id="value"),
        pytest.param(DAYS, {}, {"input.value"}, id="config without a value"),
        pytest.param(SSO, {"expires_at": NOW - 1}, {"input.expiresAt"}, id="over already"),
    ],
)
def test_overrides_fit_their_feature(of: Feature, fields: dict[str, Any], faults: set[str]) -> None:
    found = override_faults(override(key=of.key, **fields), of, NOW)

    assert {".".join(fault.path) for fault in found} == faults
