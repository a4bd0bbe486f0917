"""What becomes of one part: what is done, and the fields in the file's words."""

from typing import Any

import pytest
from msgspec.structs import replace
from support.records import NOW, add_on, feature, limit, plan

from app.domain.plan import Feature, FeatureType, Plan, PlanPrice, PlanStatus
from app.services.catalogue.difference import Change, ChangeAction, ChangeKind, FieldChange, Part, change_of, part_of
from app.services.catalogue.target import Target

SEATS = feature("seats", unit="seat")
PRO = plan("pro", limit("seats"))
NEXT: dict[str, Any] = {"id": "plan_next", "plan_version": 2}


def change(record: Feature | Plan, before: Feature | Plan | None) -> Change:
    """Tell what becomes of a part; the path in the file does not matter."""
    return change_of(Target(path=(), record=record, before=before))  # type: ignore[type-var]


@pytest.mark.parametrize(
    ("record", "before", "action", "version"),
    [
        pytest.param(SEATS, None, ChangeAction.CREATE, None, id="new feature"),
        pytest.param(replace(SEATS, name="S"), SEATS, ChangeAction.CHANGE, None, id="changed feature"),
        pytest.param(replace(SEATS, archived_at=NOW), SEATS, ChangeAction.ARCHIVE, None, id="archived feature"),
        pytest.param(SEATS, replace(SEATS, archived_at=NOW), ChangeAction.RESTORE, None, id="restored feature"),
        pytest.param(PRO, None, ChangeAction.CREATE, 1, id="new plan"),
        pytest.param(replace(PRO, **NEXT), PRO, ChangeAction.NEW_VERSION, 2, id="changed plan"),
        pytest.param(replace(PRO, status=PlanStatus.ARCHIVED), PRO, ChangeAction.ARCHIVE, 1, id="archived plan"),
        pytest.param(PRO, replace(PRO, status=PlanStatus.ARCHIVED), ChangeAction.RESTORE, 1, id="restored plan"),
        pytest.param(
            replace(PRO, **NEXT, status=PlanStatus.ARCHIVED),
            PRO,
            ChangeAction.NEW_VERSION,
            2,
            id="changed and archived at once",
        ),
    ],
)
def test_what_is_done_is_named(
    record: Feature | Plan, before: Feature | Plan | None, action: ChangeAction, version: int | None
) -> None:
    told = change(record, before)

    assert (told.action, told.version, told.record_id, told.moves) == (action, version, record.id, None)


@pytest.mark.parametrize(
    ("record", "kind"),
    [
        (feature("a", FeatureType.CREDIT), ChangeKind.CREDIT_TYPE),
        (feature("a", FeatureType.CREDIT, credit_key="ai", cost=1), ChangeKind.FEATURE),
        (feature("a"), ChangeKind.FEATURE),
        (plan("a"), ChangeKind.PLAN),
        (add_on("a"), ChangeKind.ADD_ON),
    ],
)
def test_a_part_goes_by_its_section_and_key(record: Feature | Plan, kind: ChangeKind) -> None:
    assert part_of(record) == Part(kind, "a")


def test_of_something_new_what_holds_anyway_is_not_told() -> None:
    assert change(SEATS, None).fields == (
        FieldChange("name", None, '"seats"'),
        FieldChange("type", None, '"METERED"'),
        FieldChange("unit", None, '"seat"'),
    )
    assert [field.path for field in change(plan("free", prices=()), None).fields] == ["name"]


def test_a_new_default_is_told() -> None:
    assert FieldChange("default_plan", None, "true") in change(plan("free", is_default=True), None).fields


def test_what_is_gone_has_nothing_after() -> None:
    assert change(replace(SEATS, unit=None), SEATS).fields == (FieldChange("unit", '"seat"', None),)
    assert change(replace(PRO, **NEXT, features=()), PRO).fields == (
        FieldChange("features.seats", '{ limit = 100, reset = "MONTH" }', None),
    )


def test_what_comes_has_nothing_before() -> None:
    more = replace(PRO, **NEXT, features=(limit("seats"), limit("calls")))

    assert change(more, PRO).fields == (FieldChange("features.calls", None, '{ limit = 100, reset = "MONTH" }'),)


def test_prices_in_another_order_are_no_difference() -> None:
    one, other = PlanPrice(lookup_key="a"), PlanPrice(stripe_price_id="b")
    before = replace(PRO, prices=(one, other))

    assert change(replace(before, **NEXT, prices=(other, one), trial_days=3), before).fields == (
        FieldChange("trial_days", "14", "3"),
    )
