"""Checks against a catalogue of a paid and a free plan, with a feature of every type."""

from typing import Any

from support.records import NOW, balance, feature, limit, meter, plan, workspace

from app.domain.entitlement import Entitlement, evaluate, usage_windows
from app.domain.plan import Catalogue, FeatureType, PlanFeature, ResetPeriod, ValueType
from app.domain.usage import Balance
from app.domain.workspace_state import WorkspaceState

SSO = PlanFeature(feature_key="sso")


def config(value: Any, key: str = "retention_days") -> PlanFeature:
    return PlanFeature(feature_key=key, value=value)


FEATURES = (
    feature("api_calls"),
    feature("sso", FeatureType.BOOLEAN),
    feature("retention_days", FeatureType.CONFIG, value_type=ValueType.INTEGER),
    feature("regions", FeatureType.CONFIG, value_type=ValueType.ENUM, enum_values=("eu", "us", "ap")),
    feature("theme", FeatureType.CONFIG, value_type=ValueType.STRING),
)
PRO = plan("pro", limit("api_calls", 1000), SSO, config(30), config(("eu",), "regions"), config("dark", "theme"))
FREE = plan("free", limit("api_calls", 100), prices=())
CATALOGUE = Catalogue(FEATURES, (PRO, FREE))
WITH_FREE = Catalogue(FEATURES, (PRO, FREE), default_plan_key="free")


def state(**fields: Any) -> WorkspaceState:
    return WorkspaceState(**{"workspace": workspace(), "version": 7, **fields})


def used(amount: int | str, key: str = "api_calls", *, start: int, reset: ResetPeriod = ResetPeriod.MONTH) -> Balance:
    return balance(meters={key: (meter(amount, start, reset, None),)})


def check(
    held: WorkspaceState | None, key: str = "sso", *, catalogue: Catalogue = CATALOGUE, at: int = NOW, **asked: Any
) -> Entitlement:
    return evaluate(key, held, catalogue, at, **asked)


def month_start(held: WorkspaceState) -> int:
    (window,) = (w for w in usage_windows(feature(), held, CATALOGUE, NOW) if w.reset_period is ResetPeriod.MONTH)
    return window.start_at
