"""Plans and add-ons of a file against those that exist."""

import msgspec
import pytest
from support.catalogues import catalogue_of, faults_of, reviewed, told
from support.records import NOW, add_on, feature, limit, plan

from app.domain.plan import Catalogue, LimitBehavior, Plan, PlanFeature, PlanPrice, PlanStatus, ResetPeriod
from app.services.catalogue.difference import Change, ChangeAction, FieldChange
from app.services.catalogue.target import Target

PRO = """
[plans.pro]
name = "Pro"
prices = [{ lookup_key = "pro_monthly" }]
[plans.pro.features]
api_calls = { limit = 100, reset = "MONTH" }
"""


def held(*more: Plan, **fields: object) -> Catalogue:
    return Catalogue([feature()], [plan("pro", limit(), **fields), *more])


def the_target(source: str, catalogue: Catalogue) -> Target[Plan]:
    done = reviewed(source, catalogue)
    assert not done.faults.found, done.faults.found
    [target] = done.plans
    return target


def the_change(source: str, catalogue: Catalogue) -> Change:
    done = reviewed(source, catalogue)
    assert not done.faults.found, done.faults.found
    [change] = done.changes()
    return change


def test_a_plan_that_says_the_same_stays() -> None:
    target = the_target(PRO, held())

    assert not target.is_changed
    assert target.record == target.before


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"name": "Professional"}, id="name"),
        pytest.param({"prices": (PlanPrice(lookup_key="pro_yearly"),)}, id="prices"),
        pytest.param({"trial_days": 3}, id="trial"),
        pytest.param({"features": (limit(amount=101),)}, id="a limit"),
        pytest.param({"features": ()}, id="a feature"),
        pytest.param({"features": (limit(), limit(reset=ResetPeriod.DAY))}, id="a window"),
    ],
)
def test_a_changed_plan_gets_a_new_version(change: dict[str, object]) -> None:
    before = msgspec.structs.replace(plan("pro", limit()), **change)

    target = the_target(PRO, Catalogue([feature()], [before]))

    assert target.before == before
    assert target.record.id == "plan_new_1"
    assert (target.record.plan_version, target.record.version, target.record.published_at) == (2, 0, NOW)


def test_the_order_of_prices_and_features_is_no_version() -> None:
    prices = (PlanPrice(stripe_price_id="price_1"), PlanPrice(lookup_key="pro_monthly"))
    rows = (limit("seats", 5, ResetPeriod.NEVER), limit())
    catalogue = Catalogue([feature(), feature("seats")], [plan("pro", *rows, prices=prices)])
    source = PRO.replace("}]", '}, { id = "price_1" }]') + "seats = 5.0\n"

    assert not the_target(source, catalogue).is_changed


def test_a_version_is_not_published_before_the_one_it_follows() -> None:
    target = the_target(PRO.replace("100", "200"), held(published_at=NOW + 60_000))

    assert target.record.published_at == NOW + 60_000


def test_a_row_as_the_record_has_it_is_told_in_the_files_words() -> None:
    source = PRO.replace("{ limit = 100", '{ behavior = "SOFT", limit = 100')

    [field] = the_change(source, held()).fields

    assert field == FieldChange(
        "features.api_calls",
        '{ limit = 100, reset = "MONTH" }',
        '{ limit = 100, behavior = "SOFT", reset = "MONTH" }',
    )


def test_a_key_is_a_plan_or_an_add_on_for_ever() -> None:
    catalogue = Catalogue([feature()], [add_on("pro", limit("api_calls", 1, ResetPeriod.NEVER))])

    assert told(PRO, catalogue) == ["2:8 TAKEN plans.pro"]


def test_a_price_belongs_to_one_plan() -> None:
    source = PRO + '[add_ons.more]\nname = "More"\nprices = [{ lookup_key = "x" }, { lookup_key = "pro_monthly" }]\n'

    [fault] = faults_of(source, held())

    assert fault.path == ("add_ons", "more", "prices", "1")
    assert "belongs to the plan 'pro'" in fault.message


def test_archiving_alone_leaves_the_rest_as_it_is() -> None:
    change = the_change("plans.pro.archived = true", held())

    assert (change.action, change.version) == (ChangeAction.ARCHIVE, 1)
    assert change.fields == (FieldChange("archived", "false", "true"),)


def test_an_archived_plan_that_is_named_again_is_restored() -> None:
    change = the_change(PRO, held(status=PlanStatus.ARCHIVED))

    assert (change.action, change.version) == (ChangeAction.RESTORE, 1)


def test_what_does_not_exist_cannot_be_archived() -> None:
    assert told("plans.por.archived = true", held()) == ["1:7 UNKNOWN plans.por"]


def test_an_archived_plan_may_name_archived_features_and_prices_that_moved_on() -> None:
    catalogue = catalogue_of("""
        [features.old]
        name = "Old"
        type = "BOOLEAN"
        archived = true
        [plans.old]
        name = "Old"
        prices = [{ lookup_key = "monthly" }]
        archived = true
        features = { old = true }
        [plans.new]
        name = "New"
        prices = [{ lookup_key = "monthly" }]
    """)

    assert catalogue.plan("old") is not None


def test_the_default_is_left_alone_where_the_file_names_none() -> None:
    assert not the_target(PRO, held(is_default=True)).is_changed


def test_another_default_is_a_new_version_of_both() -> None:
    free = plan("free", is_default=True)
    done = reviewed('default_plan = "pro"\n' + PRO, held(free))

    changed = {change.part.key: (change.version, change.fields) for change in done.changes()}
    assert changed == {
        "pro": (2, (FieldChange("default_plan", "false", "true"),)),
        "free": (2, (FieldChange("default_plan", "true", "false"),)),
    }
    default = done.planned.default_plan()
    assert default is not None
    assert default.key == "pro"


def test_a_plan_that_the_file_does_not_name_can_become_the_default() -> None:
    change = the_change('default_plan = "pro"', held())

    assert (change.part.key, change.fields) == ("pro", (FieldChange("default_plan", "false", "true"),))


def test_there_may_be_no_default() -> None:
    change = the_change('default_plan = "NONE"', held(is_default=True))

    assert (change.part.key, change.fields) == ("pro", (FieldChange("default_plan", "true", "false"),))


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        pytest.param('default_plan = "por"', "1:16 UNKNOWN default_plan", id="unknown"),
        pytest.param('default_plan = "more"', "1:16 UNKNOWN default_plan", id="an add-on"),
        pytest.param('default_plan = "old"', "1:16 ARCHIVED default_plan", id="archived"),
    ],
)
def test_the_default_is_an_offered_plan(source: str, fault: str) -> None:
    assert told(source, held(add_on("more"), plan("old", status=PlanStatus.ARCHIVED))) == [fault]


def test_the_default_plan_is_not_archived() -> None:
    assert told("plans.pro.archived = true", held(is_default=True)) == ["1:22 IN_USE plans.pro.archived"]
    assert not faults_of('default_plan = "NONE"\nplans.pro.archived = true', held(is_default=True))


def test_an_add_on_holds_nothing_back_and_bills_nothing() -> None:
    source = '[add_ons.more]\nname = "More"\nfeatures = { api_calls = { limit = 1, behavior = "SOFT" } }\n'

    assert told(source, held()) == ["3:50 NOT_ALLOWED add_ons.more.features.api_calls.behavior"]


def test_what_an_add_on_gives_is_a_row_like_a_plans() -> None:
    target = the_target('[add_ons.more]\nname = "More"\nfeatures = { api_calls = "UNLIMITED" }\n', held())

    assert target.record.features == (PlanFeature(feature_key="api_calls", limit_behavior=LimitBehavior.UNLIMITED),)
