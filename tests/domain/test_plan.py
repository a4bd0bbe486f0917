"""What the catalogue finds: plans and add-ons apart, versions, and the free plan."""

import pytest
from support.records import add_on, plan

from app.domain.plan import Catalogue, Plan, PlanKind, PlanPrice, PlanStatus

PRO, PRO_2, PACK = plan("pro"), plan("pro", plan_version=2), add_on("pack")
ARCHIVED = PlanStatus.ARCHIVED


def test_plans_and_add_ons_are_found_together_and_apart() -> None:
    catalogue = Catalogue((), (PRO_2, PACK, PRO))

    assert catalogue.plans() == [PACK, PRO_2]
    assert catalogue.plans(PlanKind.PLAN) == [PRO_2]
    assert catalogue.plans(PlanKind.ADD_ON) == [PACK]
    assert catalogue.versions("pro") == (PRO, PRO_2)
    assert catalogue.versions("nope") == ()


FREE, LITE = plan("free", is_default=True), plan("lite")


@pytest.mark.parametrize(
    ("plans", "named", "default"),
    [
        pytest.param((LITE, FREE), None, FREE, id="the one that says so"),
        pytest.param((LITE, FREE), "lite", LITE, id="the one that is named goes first"),
        pytest.param((LITE, FREE), "nope", None, id="a name that is no plan's"),
        pytest.param((FREE, PACK), "pack", None, id="an add-on's name"),
        pytest.param((LITE,), None, None, id="none"),
        pytest.param((FREE, plan("free", plan_version=2)), None, None, id="no more by the latest version"),
        pytest.param((plan("free", is_default=True, status=ARCHIVED),), None, None, id="archived"),
    ],
)
def test_the_free_plan_is_the_named_one_or_the_one_that_says_so(
    plans: tuple[Plan, ...], named: str | None, default: Plan | None
) -> None:
    assert Catalogue((), plans, default_plan_key=named).default_plan() == default


MONTHLY = (PlanPrice(lookup_key="monthly"),)


@pytest.mark.parametrize(
    ("held", "besides", "seller"),
    [
        pytest.param([plan("a", prices=MONTHLY)], "b", "a", id="another plan"),
        pytest.param([add_on("a", prices=MONTHLY)], "b", "a", id="an add-on"),
        pytest.param([plan("a", prices=MONTHLY)], "a", None, id="the plan itself"),
        pytest.param([plan("a", prices=MONTHLY, status=PlanStatus.ARCHIVED)], "b", None, id="archived"),
        pytest.param(
            [plan("a", prices=MONTHLY), plan("a", prices=(), plan_version=2)], "b", None, id="an earlier version"
        ),
        pytest.param([plan("a", prices=MONTHLY), plan("c", prices=MONTHLY)], "a", "c", id="the other of two"),
        pytest.param([plan("a", prices=())], "b", None, id="nobody"),
    ],
)
def test_a_price_is_sold_by_the_latest_version_that_is_offered(
    held: list[Plan], besides: str, seller: str | None
) -> None:
    found = Catalogue((), held).seller("monthly", besides=besides)

    assert (found.key if found else None) == seller


def test_a_default_is_declared_by_the_latest_version_that_is_offered() -> None:
    held = Catalogue(
        (),
        [
            plan("now", plan_version=2, is_default=True),
            plan("once", is_default=True),
            plan("once", plan_version=2),
            plan("archived", is_default=True, status=PlanStatus.ARCHIVED),
            add_on("pack", is_default=True),
        ],
        default_plan_key="once",
    )

    assert [plan.key for plan in held.declared_defaults] == ["now"]
