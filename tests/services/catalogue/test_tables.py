"""Features and plans as a file's tables: the shortest form that says it all."""

from decimal import Decimal
from typing import Any

import pytest
from support.records import NOW, add_on, feature, limit, plan

from app.domain.plan import (
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
from app.services.catalogue.tables import FILE_WORDS, feature_table, plan_table, section_of, without_defaults

CREDITS = feature("ai", FeatureType.CREDIT)
IMAGES = feature("images", FeatureType.CREDIT, credit_key="ai", cost=Decimal("0.50"))


def row(**fields: Any) -> PlanFeature:
    return PlanFeature(feature_key="f", **fields)


def rows_of(*rows: PlanFeature) -> Any:
    return plan_table(plan("pro", *rows))["features"]


def test_every_word_of_the_file_stands_for_a_field_of_the_api() -> None:
    fields = {name for part in (Feature, Plan, PlanFeature, PlanPrice) for name in part.__struct_encode_fields__}

    assert set(FILE_WORDS) <= fields
    assert len(set(FILE_WORDS.values())) == len(FILE_WORDS)


@pytest.mark.parametrize(
    ("record", "section"),
    [
        (CREDITS, "credits"),
        (IMAGES, "features"),
        (feature(), "features"),
        (plan("a"), "plans"),
        (add_on("a"), "add_ons"),
    ],
)
def test_each_sort_of_record_has_its_section(record: Feature | Plan, section: str) -> None:
    assert section_of(record) == section


def test_a_feature_says_what_it_has_and_nothing_else() -> None:
    assert feature_table(IMAGES) == {
        "name": "images",
        "type": "CREDIT",
        "merge": "SUM",
        "credit": "ai",
        "cost": "0.5",
        "archived": False,
    }


def test_a_credit_type_says_no_type() -> None:
    assert "type" not in feature_table(CREDITS)


@pytest.mark.parametrize(
    ("record", "left"),
    [
        pytest.param(feature("f"), {"name": "f", "type": "METERED"}, id="counts up"),
        pytest.param(
            feature("f", meter_type=MeterType.FLUCTUATING),
            {"name": "f", "type": "METERED", "meter": "FLUCTUATING"},
            id="level",
        ),
        pytest.param(
            feature("f", FeatureType.CONFIG, value_type=ValueType.INTEGER, merge=MergeRule.LATEST),
            {"name": "f", "type": "CONFIG", "value_type": "INTEGER", "merge": "LATEST"},
            id="merge of its own",
        ),
        pytest.param(feature("f", FeatureType.CREDIT, archived_at=NOW), {"name": "f", "archived": True}, id="archived"),
        pytest.param(plan("p", prices=()), {"name": "P"}, id="plan"),
        pytest.param(
            plan("p", prices=(), grace=GracePolicy(days=0), trial_days=0),
            {"name": "P", "trial_days": 0, "grace": {"days": 0, "access": "FULL"}},
            id="neither trial nor grace",
        ),
        pytest.param(add_on("a", prices=(), max_quantity=3), {"name": "A", "max_quantity": 3}, id="add-on"),
        pytest.param(
            plan("p", prices=(), status=PlanStatus.ARCHIVED), {"name": "P", "archived": True}, id="archived plan"
        ),
    ],
)
def test_what_holds_where_a_file_says_nothing_is_left_out(record: Feature | Plan, left: dict[str, Any]) -> None:
    table = feature_table(record) if isinstance(record, Feature) else plan_table(record)

    assert without_defaults(record, table) == left


def test_prices_go_by_whichever_name_they_have() -> None:
    prices = (PlanPrice(lookup_key="monthly"), PlanPrice(stripe_price_id="price_1"))

    assert plan_table(plan("p", prices=prices))["prices"] == [{"lookup_key": "monthly"}, {"id": "price_1"}]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param(row(), True, id="there"),
        pytest.param(row(value=5), 5, id="number"),
        pytest.param(row(value=("eu", "us")), ["eu", "us"], id="values"),
        pytest.param(row(limit=Decimal("25.0")), 25, id="whole limit"),
        pytest.param(row(limit=Decimal("1E+3")), 1000, id="whole limit with an exponent"),
        pytest.param(row(limit=Decimal("0.0000010")), "0.000001", id="fraction"),
        pytest.param(row(limit_behavior=LimitBehavior.UNLIMITED), "UNLIMITED", id="unlimited"),
        pytest.param(
            row(limit_behavior=LimitBehavior.UNLIMITED, reset_period=ResetPeriod.MONTH),
            {"behavior": "UNLIMITED", "reset": "MONTH"},
            id="unlimited each month",
        ),
        pytest.param(
            row(limit=Decimal(5), limit_behavior=LimitBehavior.SOFT), {"limit": 5, "behavior": "SOFT"}, id="soft"
        ),
        pytest.param(
            row(limit=Decimal(5), reset_period=ResetPeriod.DAY, rollover_max=Decimal("0.5"), thresholds=(80,)),
            {"limit": 5, "reset": "DAY", "rollover_max": "0.5", "thresholds": [80]},
            id="all of it",
        ),
    ],
)
def test_a_row_takes_the_shortest_form(given: PlanFeature, said: object) -> None:
    assert rows_of(given) == {"f": said}


def test_several_windows_are_a_list_in_the_order_of_their_periods() -> None:
    rows = (limit("f", 5, ResetPeriod.MONTH), limit("g", 1, ResetPeriod.NEVER), limit("f", 1, ResetPeriod.DAY))

    assert rows_of(*rows) == {"f": [{"limit": 1, "reset": "DAY"}, {"limit": 5, "reset": "MONTH"}], "g": 1}
