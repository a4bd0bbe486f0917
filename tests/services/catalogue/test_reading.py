"""Which keys a file may have, and what each of them may be."""

import pytest
from support.catalogues import catalogue_of, faults_of, told

from app.domain.plan import FeatureType, GracePolicy, MergeRule, MeterType, PlanKind, PlanPrice, ValueType


def test_an_unknown_key_is_told_with_the_one_that_was_meant() -> None:
    [fault] = faults_of('[features.sso]\nname = "SSO"\ntype = "BOOLEAN"\narchivd = true\n')

    assert (fault.line, fault.column, fault.code) == (4, 1, "UNKNOWN_KEY")
    assert fault.message == "features.sso.archivd is no key of a feature; did you mean archived?"


def test_an_unknown_key_that_is_near_nothing_is_told_with_all_there_are() -> None:
    [fault] = faults_of("colour = 1")

    assert fault.message.endswith("there are add_ons, credits, default_plan, features, plans")


def test_an_unknown_word_is_told_with_the_one_that_was_meant() -> None:
    [fault] = faults_of('[features.sso]\nname = "SSO"\ntype = "boolean"\n')

    assert (fault.code, fault.message) == (
        "UNKNOWN_WORD",
        "features.sso.type has no word 'boolean'; did you mean BOOLEAN?",
    )


@pytest.mark.parametrize(
    ("source", "faults"),
    [
        pytest.param("plans = 3", ["1:9 WRONG_TYPE plans"], id="a number for a table of tables"),
        pytest.param("[plans]\npro = 3", ["2:7 WRONG_TYPE plans.pro"], id="a number for a table"),
        pytest.param("default_plan = 3", ["1:16 WRONG_TYPE default_plan"], id="a number for a text"),
        pytest.param("[plans.pro]", ["1:8 REQUIRED plans.pro.name"], id="nothing"),
        pytest.param("plans.pro = {}", ["1:7 REQUIRED plans.pro.name"], id="nothing, inline"),
        pytest.param(
            'plans.pro = {name = "P", trial_days = true}', ["1:39 WRONG_TYPE plans.pro.trial_days"], id="flag"
        ),
        pytest.param('plans.pro = {name = "P", archived = 1}', ["1:37 WRONG_TYPE plans.pro.archived"], id="number"),
        pytest.param('plans.pro = {name = "P", prices = {}}', ["1:35 WRONG_TYPE plans.pro.prices"], id="no list"),
        pytest.param('plans.pro = {name = "P", prices = [1]}', ["1:36 WRONG_TYPE plans.pro.prices.0"], id="no tables"),
        pytest.param(
            'plans.pro = {name = "P", prices = [{ids = "x", id = "y"}]}',
            ["1:37 UNKNOWN_KEY plans.pro.prices.0.ids"],
            id="key of a price",
        ),
        pytest.param(
            'plans.pro = {name = "P", grace = {day = 3, access = "ALL"}}',
            ["1:35 UNKNOWN_KEY plans.pro.grace.day", "1:53 UNKNOWN_WORD plans.pro.grace.access"],
            id="grace policy",
        ),
        pytest.param(
            'add_ons.a = {name = "A", trial_days = 3}', ["1:26 UNKNOWN_KEY add_ons.a.trial_days"], id="of plans only"
        ),
        pytest.param(
            'plans.pro = {name = "P", max_quantity = 3}',
            ["1:26 UNKNOWN_KEY plans.pro.max_quantity"],
            id="of add-ons only",
        ),
        pytest.param(
            'features.a = {name = "A", type = "CREDIT", cost = "much"}',
            ["1:10 REQUIRED features.a.credit", "1:51 WRONG_TYPE features.a.cost"],
            id="cost in words",
        ),
        pytest.param(
            'features.a = {name = "A", type = "CONFIG", value_type = 3, values = "eu"}',
            ["1:57 WRONG_TYPE features.a.value_type", "1:69 WRONG_TYPE features.a.values"],
            id="no word and no list",
        ),
        pytest.param(
            'features.a = {name = 2026-11-21, type = "BOOLEAN"}', ["1:22 WRONG_TYPE features.a.name"], id="a date"
        ),
        pytest.param("credits.a = {archived = false}", ["1:9 REQUIRED credits.a.name"], id="not archived is no name"),
    ],
)
def test_what_cannot_be_is_told_where_it_stands(source: str, faults: list[str]) -> None:
    assert told(source) == faults


def test_a_file_of_every_key_is_read() -> None:
    catalogue = catalogue_of("""
        default_plan = "pro"
        credits.ai = { name = "AI credits", unit = "credit", archived = false }

        [features]
        images = { name = "Images", type = "CREDIT", credit = "ai", cost = "0.5" }
        seats = { name = "Seats", type = "METERED", meter = "FLUCTUATING", unit = "seat", merge = "SUM" }
        calls = { name = "Calls", type = "METERED" }
        region = { name = "Regions", type = "CONFIG", value_type = "ENUM", values = ["eu", "us"] }

        [plans.pro]
        name = "Pro"
        prices = [{ lookup_key = "pro_monthly" }, { id = "price_1" }]
        trial_days = 30
        grace = { days = 3, access = "READ_ONLY" }
        paused_access = "READ_ONLY"
        migrate = true
        archived = false

        [add_ons.seats]
        name = "Seats"
        max_quantity = 10
        features = { seats = 1 }
    """)

    images, seats, calls = (catalogue.features[key] for key in ("images", "seats", "calls"))
    assert (images.type, images.credit_key, str(images.cost)) == (FeatureType.CREDIT, "ai", "0.5")
    assert (seats.meter_type, seats.unit, seats.merge) == (MeterType.FLUCTUATING, "seat", MergeRule.SUM)
    assert calls.meter_type is MeterType.INCREMENTAL
    assert catalogue.features["region"].value_type is ValueType.ENUM
    assert catalogue.features["region"].enum_values == ("eu", "us")
    add_on, plan = catalogue.plans()[1], catalogue.plans()[0]
    assert plan.prices == (PlanPrice(lookup_key="pro_monthly"), PlanPrice(stripe_price_id="price_1"))
    assert (plan.trial_days, plan.grace.days, plan.paused_access, plan.is_default) == (30, 3, "READ_ONLY", True)
    assert (add_on.kind, add_on.max_quantity, add_on.trial_days) == (PlanKind.ADD_ON, 10, 0)


def test_a_plan_that_says_little_means_the_defaults() -> None:
    [plan] = catalogue_of('plans.free.name = "Free"').plans()

    assert (plan.trial_days, plan.grace, plan.paused_access, plan.prices) == (14, GracePolicy(), "NONE", ())
