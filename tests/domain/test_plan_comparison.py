"""Plans side by side: which columns, which rows, and in which order."""

from support.records import add_on, feature, limit, plan

from app.domain.plan import Catalogue, PlanFeature, ResetPeriod
from app.domain.plan_comparison import compare

SSO = PlanFeature(feature_key="sso")
DAILY, MONTHLY = limit("api_calls", 5, ResetPeriod.DAY), limit("api_calls", 100)
PLANS = Catalogue(
    [feature("api_calls")],
    [
        plan("free", limit("api_calls", 1)),
        plan("free", DAILY, plan_version=2),
        plan("pro", SSO, DAILY, MONTHLY),
        plan("team", limit("zones"), SSO),
        add_on("pack", limit("images")),
    ],
)


def test_each_feature_has_a_row_with_a_cell_per_plan() -> None:
    comparison = compare(PLANS, ["pro", "free"])

    assert [(column.key, column.plan_version) for column in comparison.plans] == [("pro", 1), ("free", 2)]
    assert [(row.feature_key, row.cells) for row in comparison.rows] == [
        ("api_calls", ((DAILY, MONTHLY), (DAILY,))),
        ("sso", ((SSO,), ())),
    ]


def test_the_order_of_rows_is_the_same_whichever_plans_are_asked_for_in_whichever_order() -> None:
    one, other = compare(PLANS, ["team", "pro"]), compare(PLANS, ["pro", "team"])

    assert [row.feature_key for row in one.rows] == ["api_calls", "sso", "zones"]
    assert [row.feature_key for row in other.rows] == ["api_calls", "sso", "zones"]


def test_what_is_no_plan_is_left_out_and_what_is_asked_for_twice_stands_once() -> None:
    comparison = compare(PLANS, ["pack", "free", "nothing", "free"])

    assert [column.key for column in comparison.plans] == ["free"]
    assert compare(PLANS, []).rows == ()
