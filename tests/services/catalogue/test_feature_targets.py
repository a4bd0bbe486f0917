"""Features of a file against those that exist."""

import pytest
from support.catalogues import catalogue_of, faults_of, reviewed, told
from support.records import NOW, feature, limit, plan

from app.domain.plan import Catalogue, FeatureType, MeterType, ValueType
from app.services.catalogue.difference import ChangeAction, FieldChange

CALLS = '[features.calls]\nname = "Calls"\ntype = "METERED"\n'


def test_a_feature_keeps_its_record_where_it_is_renamed() -> None:
    held = feature("calls", name="API calls", version=7, unit="call")

    [target] = reviewed(CALLS, Catalogue([held])).features

    assert (target.record.id, target.record.version, target.record.name) == (held.id, 7, "Calls")
    assert target.record.unit is None


def test_a_cost_changes_in_place() -> None:
    source = '[features.images]\nname = "images"\ntype = "CREDIT"\ncredit = "ai"\ncost = 6\n'
    held = catalogue_of('[credits.ai]\nname = "AI"\n' + source.replace("6", "5"))

    [change] = reviewed(source, held).changes()

    assert (change.action, change.fields) == (ChangeAction.CHANGE, (FieldChange("cost", "5", "6"),))


@pytest.mark.parametrize(
    ("held", "source", "fault"),
    [
        pytest.param(feature("f"), 'type = "BOOLEAN"', "3:8 FIXED features.f.type", id="type"),
        pytest.param(
            feature("f"), 'type = "METERED"\nmeter = "FLUCTUATING"', "4:9 FIXED features.f.meter", id="meter, given"
        ),
        pytest.param(
            feature("f", meter_type=MeterType.FLUCTUATING),
            'type = "METERED"',
            "1:11 FIXED features.f.meter",
            id="meter, not given",
        ),
        pytest.param(
            feature("f", FeatureType.CONFIG, value_type=ValueType.INTEGER),
            'type = "CONFIG"\nvalue_type = "STRING"',
            "4:14 FIXED features.f.value_type",
            id="value type",
        ),
        pytest.param(
            feature("f", FeatureType.CONFIG, value_type=ValueType.ENUM, enum_values=("a", "b")),
            'type = "CONFIG"\nvalue_type = "ENUM"\nvalues = ["b", "c"]',
            "5:10 FIXED features.f.values",
            id="a value taken away",
        ),
        pytest.param(
            feature("f", FeatureType.CREDIT, credit_key="gpu", cost=5),
            'type = "CREDIT"\ncredit = "ai"\ncost = 5',
            "4:10 FIXED features.f.credit",
            id="credit type",
        ),
    ],
)
def test_what_never_changes_is_refused(held: object, source: str, fault: str) -> None:
    credit_types = [feature(key, FeatureType.CREDIT) for key in ("ai", "gpu")]

    found = told(f'[features.f]\nname = "F"\n{source}\n', Catalogue([*credit_types, held]))  # type: ignore[list-item]

    assert found == [fault]


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        pytest.param('meter = "FLUCT"', "4:9 UNKNOWN_WORD features.f.meter", id="a word there is not"),
        pytest.param("meter = 3", "4:9 WRONG_TYPE features.f.meter", id="no word"),
    ],
)
def test_what_could_not_be_read_does_not_count_as_changed(said: str, fault: str) -> None:
    held = feature("f", meter_type=MeterType.FLUCTUATING)

    assert told(f'[features.f]\nname = "F"\ntype = "METERED"\n{said}\n', Catalogue([held])) == [fault]


def test_values_may_be_added_and_ordered_anew() -> None:
    held = feature("area", FeatureType.CONFIG, value_type=ValueType.ENUM, enum_values=("eu", "us"))
    source = '[features.area]\nname = "area"\ntype = "CONFIG"\nvalue_type = "ENUM"\nvalues = ["ap", "us", "eu"]\n'

    [change] = reviewed(source, Catalogue([held])).changes()

    assert change.fields == (FieldChange("values", '["eu", "us"]', '["ap", "us", "eu"]'),)


def test_one_key_is_a_credit_type_or_a_feature() -> None:
    assert told('credits.calls.name = "C"\n' + CALLS) == ["2:11 DUPLICATE features.calls"]


def test_a_feature_draws_on_a_credit_type_of_the_same_file_or_of_the_catalogue() -> None:
    images = '[features.images]\nname = "Images"\ntype = "CREDIT"\ncredit = "ai"\ncost = 5\n'

    assert not faults_of(images, Catalogue([feature("ai", FeatureType.CREDIT)]))
    assert not faults_of('credits.ai.name = "AI"\n' + images)
    assert told(images) == ["4:10 UNKNOWN features.images.credit"]


def test_archiving_alone_leaves_the_rest_as_it_is() -> None:
    held = feature("calls", unit="call")

    [target] = reviewed("features.calls.archived = true", Catalogue([held])).features

    assert (target.record.archived_at, target.record.unit) == (NOW, "call")


def test_what_does_not_exist_cannot_be_archived() -> None:
    [fault] = faults_of("features.cals.archived = true", Catalogue([feature("calls")]))

    assert (fault.code, fault.path) == ("UNKNOWN", ("features", "cals"))
    assert "did you mean calls?" in fault.message


def test_an_archived_feature_stays_archived_since_then() -> None:
    held = feature("calls", archived_at=NOW - 5)

    assert reviewed("features.calls.archived = true", Catalogue([held])).changes() == ()


def test_a_feature_that_is_named_again_is_restored() -> None:
    [change] = reviewed(CALLS, Catalogue([feature("calls", name="Calls", archived_at=NOW)])).changes()

    assert (change.action, change.fields) == (ChangeAction.RESTORE, (FieldChange("archived", "true", "false"),))


def test_an_archived_feature_may_draw_on_an_archived_credit_type() -> None:
    source = """
        credits.ai = { name = "AI", archived = true }
        features.images = { name = "Images", type = "CREDIT", credit = "ai", cost = 5, archived = true }
    """

    assert not faults_of(source)
    assert told(source.replace("cost = 5, archived = true", "cost = 5")) == ["3:72 NOT_ALLOWED features.images.credit"]


def test_an_offered_plan_names_no_archived_feature() -> None:
    source = CALLS + "archived = true\n[plans.pro]\nname = 'Pro'\nfeatures = { calls = 3 }\n"

    assert told(source) == ["7:14 ARCHIVED plans.pro.features.calls"]


def test_of_a_feature_whose_type_cannot_be_read_nothing_else_is_said() -> None:
    source = '[features.calls]\nname = "Calls"\ntype = "METER"\n[plans.pro]\nname = "P"\nfeatures = { calls = "x" }\n'

    assert told(source) == ["3:8 UNKNOWN_WORD features.calls.type"]


def test_plans_may_name_features_that_the_file_does_not() -> None:
    held = Catalogue([feature("calls")], [plan("pro", limit("calls"))])

    assert not faults_of('[plans.max]\nname = "Max"\nfeatures = { calls = "UNLIMITED" }\n', held)
