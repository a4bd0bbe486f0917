"""What there is to use: plans' windows, ways to be allowed, and pots beside them."""

from decimal import Decimal
from typing import Any

import pytest
from support.records import (
    DAY,
    NOW,
    add_on,
    balance,
    credit,
    feature,
    grant,
    item,
    limit,
    meter,
    override,
    plan,
    pot,
    reservation,
    sub,
    workspace,
)

from app.domain.entitlement import findings_of
from app.domain.offer import offer_of
from app.domain.plan import Catalogue, Feature, LimitBehavior, MeterType, Plan, ResetPeriod
from app.domain.subscription import SubscriptionStatus
from app.domain.supply import Supply, supply_of
from app.domain.usage import Draw, UsageLine, WindowRef
from app.domain.workspace_state import WorkspaceState

CREDITS = credit()
SEATS = feature("seats", meter_type=MeterType.FLUCTUATING)


def row(amount: int | None, reset: ResetPeriod = ResetPeriod.MONTH, *behavior: LimitBehavior, **fields: Any) -> Any:
    return limit("credits", amount, reset, *behavior, **fields)


def supply(*plans: Plan, of: Feature = CREDITS, at: int = NOW, **records: Any) -> Supply:
    """Return what a workspace has that subscribes to each of the plans, one after the other."""
    subs = [
        sub(f"sub_{number}", SubscriptionStatus.ACTIVE, item(each.key), started_at=NOW - (40 - number) * DAY)
        for number, each in enumerate(plans)
    ]
    state = WorkspaceState(**{"workspace": workspace(), "subscriptions": tuple(subs), **records})
    catalogue = Catalogue((CREDITS, SEATS), plans)
    return supply_of(offer_of(of, findings_of(of, state, catalogue, at), at), state.balance, at)


class TestWindows:
    def test_the_same_window_of_two_plans_is_one(self) -> None:
        one = plan("one", row(10, rollover_max=Decimal(3), thresholds=(80,)))
        two = plan("two", row(5, ResetPeriod.MONTH, LimitBehavior.SOFT, rollover_max=Decimal(2), thresholds=(50, 80)))

        found = supply(one, two)

        (window,) = found.every_window.values()
        assert (window.amount, window.behavior, window.rollover_max, window.thresholds) == (
            15,
            LimitBehavior.SOFT,
            5,
            (50, 80),
        )
        assert window.chain == "sub_0"
        assert found.alternatives == ((window,), (window,))

    def test_unlimited_absorbs(self) -> None:
        found = supply(plan("one", row(10)), plan("two", row(None)))

        (window,) = found.every_window.values()
        assert (window.amount, window.capacity, window.left) == (None, None, Decimal("Infinity"))

    def test_what_is_held_is_neither_used_nor_left(self) -> None:
        ref = WindowRef(ResetPeriod.BILLING_CYCLE, NOW - 10 * DAY)
        line = UsageLine(
            feature_key="credits",
            balance_key="credits",
            amount=Decimal(3),
            charge=Decimal(3),
            draws=(Draw(amount=Decimal(3), windows=(ref,)),),
        )
        held = balance(
            meters={"credits": (meter(2, ref.start_at, ref.reset_period),)}, reservations=(reservation("res_1", line),)
        )

        found = supply(plan("one", row(10, ref.reset_period)), balance=held)
        expired = supply(plan("one", row(10, ref.reset_period)), balance=held, at=NOW + 60_000)

        assert [(each.used, each.reserved, each.left) for each in found.windows] == [(2, 3, 5)]
        assert [(each.used, each.reserved, each.left) for each in expired.windows] == [(2, 0, 8)]
        assert found.turns == (NOW + 60_000, NOW + 20 * DAY)

    def test_the_way_that_leaves_most_is_taken(self) -> None:
        found = supply(plan("one", row(10)), plan("two", row(4, ResetPeriod.DAY)))

        assert [window.amount for window in found.windows] == [10]

    def test_of_ways_that_are_used_up_the_one_that_still_allows_is_taken(self) -> None:
        month_at, day_at = NOW - 40 * DAY + 31 * DAY, NOW
        used = balance(meters={"credits": (meter(10, month_at), meter(4, day_at, ResetPeriod.DAY))})
        strict = plan("one", row(10))
        lenient = plan("two", row(9, ResetPeriod.YEAR), row(4, ResetPeriod.DAY, LimitBehavior.SOFT))

        found = supply(strict, lenient, balance=used)

        assert [window.left for window in found.windows] == [0, 9]
        assert [window.reset_period for window in found.windows] == [ResetPeriod.DAY, ResetPeriod.YEAR]


class TestPasses:
    @pytest.mark.parametrize(
        ("rows", "most"),
        [
            pytest.param([row(10)], 10, id="one limit"),
            pytest.param([row(10), row(4, ResetPeriod.DAY)], 4, id="every window must pass"),
            pytest.param([row(10), row(4, ResetPeriod.DAY, LimitBehavior.SOFT)], 10, id="a soft one does not bind"),
            pytest.param([row(None)], None, id="unlimited"),
            pytest.param([row(4, ResetPeriod.DAY, LimitBehavior.OVERAGE)], None, id="overage"),
        ],
    )
    def test_one_plan_with_a_pot(self, rows: list[Any], most: int | None) -> None:
        found = supply(plan("one", *rows), grants=(grant(key="credits", amount=Decimal(3)),))

        assert found.passes(Decimal((most or 10**12) + 3))
        assert found.passes(Decimal((most or 10**12) + 4)) is (most is None)

    def test_one_plan_is_enough(self) -> None:
        found = supply(plan("one", row(10)), plan("two", row(4, ResetPeriod.DAY)))

        assert (found.passes(Decimal(10)), found.passes(Decimal(11))) == (True, False)

    def test_nothing_passes_where_nothing_is_given_but_nothing_itself(self) -> None:
        assert (supply().passes(Decimal(0)), supply().passes(Decimal(1))) == (True, False)


class TestPots:
    def test_an_add_on_has_a_pot_per_row_that_resets_with_its_window(self) -> None:
        pack = add_on("pack", row(10, ResetPeriod.NEVER), row(4, ResetPeriod.BILLING_CYCLE))
        bought = sub("sub_1", SubscriptionStatus.ACTIVE, item("pack", quantity=3))

        found = supply(pack, subscriptions=(bought,))

        assert [(bucket.amount, bucket.ends_at) for bucket in found.buckets] == [(12, NOW + 20 * DAY), (30, None)]
        assert found.alternatives == ()

    def test_a_plan_to_read_only_gives_way_to_whatever_gives_more(self) -> None:
        given = grant(key="credits", amount=Decimal(3))
        paused = sub("sub_1", SubscriptionStatus.PAUSED)

        found = supply(plan("pro", row(10), paused_access="READ_ONLY"), subscriptions=(paused,), grants=(given,))

        assert (found.alternatives, [bucket.id for bucket in found.buckets]) == ((), ["grant_1"])

    def test_an_override_leaves_pots_alone(self) -> None:
        found = supply(
            plan("one", row(10)),
            grants=(grant(key="credits", amount=Decimal(3)),),
            overrides=(override(key="credits", limit=Decimal(1)),),
        )

        assert ([window.amount for window in found.windows], [bucket.left for bucket in found.buckets]) == ([1], [3])

    def test_a_pot_that_was_overdrawn_has_nothing_left(self) -> None:
        found = supply(grants=(grant(key="credits", amount=Decimal(3)),), balance=balance(pots={"credits": (pot(5),)}))

        assert [bucket.left for bucket in found.buckets] == [0]


class TestLevels:
    def test_everything_raises_the_one_limit(self) -> None:
        seats = plan("pro", limit("seats", 5, ResetPeriod.NEVER))
        pack = add_on("pack", limit("seats", 2, ResetPeriod.NEVER))
        bought = sub("sub_1", SubscriptionStatus.ACTIVE, item(), item("pack", quantity=3))
        more = grant(key="seats", amount=Decimal(4), expires_at=NOW + DAY)

        found = supply(seats, pack, of=SEATS, subscriptions=(bought,), grants=(more,))

        (window,) = found.windows
        assert (window.amount, window.period.end_at, found.buckets) == (5 + 2 * 3 + 4, None, ())

    def test_unlimited_seats(self) -> None:
        found = supply(of=SEATS, grants=(grant(key="seats", unlimited=True),))

        assert found.windows[0].behavior is LimitBehavior.UNLIMITED

    def test_nothing_gives_none(self) -> None:
        assert supply(of=SEATS).alternatives == ()
