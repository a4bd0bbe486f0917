"""The demo's catalogue: one file, with everything that it is to show."""

from support.catalogues import catalogue_of, reviewed

from app.domain.plan import FeatureType, LimitBehavior, PlanKind
from app.sandbox.demo.fill import CATALOGUE
from app.sandbox.demo.prices import PRICES
from app.sandbox.demo.scenarios import SCENARIOS

LIMITS = [
    "max_workspace_members",
    "max_workspaces",
    "max_storage_gb",
    "max_alerts_per_month",
    "max_incidents_per_month",
    "max_cases_per_month",
    "max_evidence_file_size_mb",
    "max_concurrent_tasks",
    "sla_tracking",
    "custom_webhooks",
    "mitre_integration",
    "max_trackers_per_workspace",
    "max_detections_per_month",
    "max_data_sources_per_workspace",
    "max_crawls_per_day",
    "max_storage_per_detection_mb",
    "thehive_integration",
    "misp_integration",
    "custom_reports",
    "audit_logs_retention_days",
    "api_rate_limit",
    "custom_branding",
    "advanced_analytics",
]


def test_free_hobby_and_pro_say_something_of_each_of_the_23_limits() -> None:
    values = reviewed(CATALOGUE).faults.document.values["plans"]

    assert len(LIMITS) == 23
    assert [set(LIMITS) - set(values[key]["features"]) for key in ("free", "hobby", "pro")] == [set()] * 3


def test_the_unlimited_tier_has_every_feature_and_no_limit() -> None:
    catalogue = catalogue_of(CATALOGUE)
    enterprise = catalogue.plan("enterprise")
    assert enterprise is not None

    given = {row.feature_key: row for row in enterprise.features}
    assert set(given) == {key for key, feature in catalogue.features.items() if feature.credit_key is None}
    counted = [row for key, row in given.items() if catalogue.features[key].is_counted]
    assert {row.limit_behavior for row in counted} == {LimitBehavior.UNLIMITED}


def test_two_features_draw_on_one_credit_type_and_there_is_an_add_on() -> None:
    catalogue = catalogue_of(CATALOGUE)

    drawing = [feature for feature in catalogue.features.values() if feature.type is FeatureType.CREDIT]
    assert sorted(str(feature.credit_key) for feature in drawing) == ["None", "ai", "ai"]
    assert [plan.key for plan in catalogue.plans(PlanKind.ADD_ON)] == ["seats_pack"]


def test_every_price_is_of_a_plan_but_the_one_that_shall_be_of_none() -> None:
    plans = catalogue_of(CATALOGUE).plans()

    named = {price.lookup_key for plan in plans for price in plan.prices}
    assert set(PRICES) - named == {"legacy_monthly"}
    assert named <= set(PRICES)


def test_there_are_200_workspaces() -> None:
    assert sum(scenario.count for scenario in SCENARIOS) == 200
