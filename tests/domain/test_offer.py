"""What is given, before anything of it is used."""

from decimal import Decimal
from typing import Any

import pytest
from support.records import DAY, NOW, feature, grant, item, limit, plan, sub, workspace

from app.domain.denial import AccessDeniedReason
from app.domain.findings import gather
from app.domain.offer import Offer, offer_of, read_only_for
from app.domain.plan import AccessLevel, Catalogue, LimitBehavior, MeterType, Plan, PlanKind, ResetPeriod
from app.domain.subscription import SubscriptionStatus
from app.domain.workspace_state import WorkspaceState

CALLS = feature("api_calls")
SEATS = feature("seats", meter_type=MeterType.FLUCTUATING)


def offer(
    *plans: Plan, of: Any = CALLS, status: SubscriptionStatus = SubscriptionStatus.ACTIVE, **records: Any
) -> Offer:
    """Return what a workspace is given that subscribes to each of the plans, one after the other."""
    subs = tuple(
        sub(f"sub_{n}", status, item(each.key), started_at=NOW - (40 - n) * DAY) for n, each in enumerate(plans)
    )
    state = WorkspaceState(**{"workspace": workspace(), "subscriptions": subs, **records})
    return offer_of(of, gather(of, state, Catalogue((CALLS, SEATS), plans), NOW), NOW)


def test_plans_share_the_windows_of_a_reset_period_and_are_ways_of_their_own() -> None:
    day_and_month = plan("one", limit(amount=10), limit(amount=3, reset=ResetPeriod.DAY))
    month = plan("two", limit(amount=5))

    found = offer(day_and_month, month)

    resets = [terms.ref.reset_period for terms in found.terms]
    ways = [[(resets[place], found.terms[place].amount) for place in way] for way in found.ways]
    assert ways == [[(ResetPeriod.DAY, 3), (ResetPeriod.MONTH, 15)], [(ResetPeriod.MONTH, 15)]]
    assert {terms.chain for terms in found.terms} == {"sub_0"}


def test_an_unlimited_plan_makes_its_window_unlimited() -> None:
    (terms,) = offer(plan("one", limit(amount=10)), plan("two", limit(amount=None))).terms

    assert (terms.amount, terms.behavior) == (None, LimitBehavior.UNLIMITED)


def test_what_adds_stands_beside_the_plans() -> None:
    more = plan("more", limit(amount=5), kind=PlanKind.ADD_ON)

    found = offer(plan("one", limit(amount=10)), more, grants=(grant(amount=Decimal(7)),))

    assert [terms.amount for terms in found.terms] == [10]
    assert [part.rows[0].limit for part in found.add_ons] == [5]
    assert [given.amount for given in found.grants] == [7]


def test_everything_raises_the_one_limit_of_a_level() -> None:
    ever = ResetPeriod.NEVER
    more = plan("more", limit("seats", 5, ever), kind=PlanKind.ADD_ON)

    found = offer(
        plan("one", limit("seats", 10, ever)), more, of=SEATS, grants=(grant("g", "seats", amount=Decimal(7)),)
    )

    assert ([terms.amount for terms in found.terms], found.grants, found.add_ons) == ([22], (), ())


@pytest.mark.parametrize(
    ("grants", "reason"),
    [
        pytest.param((), AccessDeniedReason.SUBSCRIPTION_PAUSED, id="reading only"),
        pytest.param((grant(amount=Decimal(7)),), None, id="a grant is there to be used"),
    ],
)
def test_a_paused_plan_may_leave_reading(grants: Any, reason: AccessDeniedReason | None) -> None:
    paused = plan("one", limit(amount=10), paused_access=AccessLevel.READ_ONLY)

    found = offer(paused, status=SubscriptionStatus.PAUSED, grants=grants)

    assert found.read_only_for == reason
    assert [terms.amount for terms in found.terms] == ([] if grants else [10])


def test_nothing_at_all_is_not_reading() -> None:
    found = gather(CALLS, WorkspaceState(workspace=workspace()), Catalogue((CALLS,), ()), NOW)

    assert read_only_for(found) is None
    assert offer_of(CALLS, found, NOW) == Offer(feature=CALLS, terms=(), ways=(), read_only_for=None)
