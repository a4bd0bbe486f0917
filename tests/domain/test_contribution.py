"""What adds to an answer, as it is told."""

from decimal import Decimal
from typing import Any

from support.checks import FEATURES, FREE, PRO, WITH_FREE, check, month_start, state
from support.records import (
    DAY,
    NOW,
    add_on,
    balance,
    feature,
    grant,
    item,
    limit,
    meter,
    override,
    plan,
    pot,
    sub,
    workspace,
)

from app.domain.contribution import Contribution
from app.domain.grant import GrantSource
from app.domain.plan import Catalogue, LimitBehavior, MeterType, ResetPeriod
from app.domain.subscription import SubscriptionStatus
from app.domain.workspace import WorkspaceTrial


def told(key: str = "api_calls", *, catalogue: Catalogue = WITH_FREE, **records: Any) -> tuple[Contribution, ...]:
    return check(state(**records), key, catalogue=catalogue).grants


def test_a_plan_is_told_by_its_subscription_and_the_feature() -> None:
    assert told(subscriptions=(sub(),)) == (
        Contribution(
            id="sub_1:api_calls",
            source=GrantSource.PLAN,
            source_id="sub_1",
            limit_behavior=LimitBehavior.HARD,
            amount=Decimal(1000),
            reset_period=ResetPeriod.MONTH,
        ),
    )


def test_the_free_plan_and_a_trial_are_told_by_the_plan() -> None:
    trial = WorkspaceTrial(PRO.id, NOW - DAY, NOW + DAY)

    (free,) = told()
    (tried,) = told(workspace=workspace(trial=trial))

    assert (free.source, free.source_id, free.expires_at) == (GrantSource.PLAN, FREE.id, None)
    assert (tried.source, tried.source_id, tried.expires_at) == (GrantSource.TRIAL, PRO.id, NOW + DAY)


def test_what_is_not_counted_has_neither_amount_nor_period() -> None:
    (days,) = told("retention_days", subscriptions=(sub(),))

    assert (days.value, days.amount, days.reset_period) == (30, None, None)


def test_an_override_is_told_by_its_own_id() -> None:
    (found,) = told(overrides=(override(limit=Decimal(7), expires_at=NOW + DAY),))

    assert (found.id, found.source, found.source_id) == ("ovr_1", GrantSource.OVERRIDE, "ws_1")
    assert (found.amount, found.expires_at) == (7, NOW + DAY)


def test_a_grant_of_an_amount_tells_what_is_left_of_it_and_its_place() -> None:
    given = grant(amount=Decimal(50), priority=20, expires_at=NOW + 9 * DAY, reset_period=ResetPeriod.WEEK)

    *_, found = told(grants=(given,), balance=balance(pots={"api_calls": (pot(30, end_at=NOW + 6 * DAY),)}))

    assert found == Contribution(
        id="grant_1",
        source=GrantSource.PROMOTIONAL,
        source_id="ws_1",
        limit_behavior=LimitBehavior.HARD,
        amount=Decimal(50),
        reset_period=ResetPeriod.WEEK,
        effective_at=NOW - DAY,
        expires_at=NOW + 9 * DAY,
        remaining=Decimal(20),
        priority=20,
        resets_at=NOW + 6 * DAY,
    )


def test_an_unlimited_grant_has_no_amount_and_nothing_that_could_remain() -> None:
    *_, found = told(grants=(grant(unlimited=True),), balance=balance(pots={"api_calls": (pot(30),)}))

    assert (found.limit_behavior, found.amount, found.remaining) == (LimitBehavior.UNLIMITED, None, None)


def test_a_grant_of_a_level_or_a_value_is_told_without_a_pot() -> None:
    seats = Catalogue((feature("seats", meter_type=MeterType.FLUCTUATING),))
    level = grant(key="seats", amount=Decimal(3), expires_at=NOW + DAY)

    (raised,) = told("seats", catalogue=seats, grants=(level,))
    *_, kept = told("retention_days", subscriptions=(sub(),), grants=(grant(key="retention_days", value=90),))

    assert (raised.amount, raised.expires_at, raised.remaining, raised.priority) == (3, NOW + DAY, None, None)
    assert (kept.value, kept.effective_at) == (90, NOW - DAY)


def test_an_add_on_is_told_by_what_is_left_of_it() -> None:
    pack = add_on("pack", limit("api_calls", 10, ResetPeriod.NEVER))
    bought = sub("sub_1", SubscriptionStatus.ACTIVE, item(), item("pack", quantity=3))
    spent = balance(pots={"api_calls": (pot(12, "sub_1:pack:api_calls:NEVER", 0),)})

    *_, found = told(catalogue=Catalogue(FEATURES, (PRO, pack)), subscriptions=(bought,), balance=spent)

    assert (found.id, found.source, found.source_id) == ("sub_1:pack:api_calls:NEVER", GrantSource.ADD_ON, "sub_1")
    assert (found.amount, found.remaining, found.resets_at) == (30, 18, None)


def test_what_was_carried_over_is_told_while_its_window_lasts() -> None:
    rolling = Catalogue(FEATURES, (plan("pro", limit("api_calls", 1000, rollover_max=Decimal(500))),))
    held = state(subscriptions=(sub(),))
    start_at = month_start(held)
    month = meter(120, start_at, end_at=None, limit=Decimal(1000), carried=Decimal(200))

    *_, found = told(catalogue=rolling, subscriptions=(sub(),), balance=balance(meters={"api_calls": (month,)}))

    assert (found.id, found.source, found.effective_at) == ("rollover:MONTH", GrantSource.ROLLOVER, start_at)
    assert (found.amount, found.remaining) == (200, 80)
    assert found.expires_at is not None
    assert found.expires_at > NOW
