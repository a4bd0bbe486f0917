"""Pots beside the plans: grants and add-ons, what is used of them, and in which order."""

from decimal import Decimal
from itertools import permutations
from typing import Any

import msgspec
from support.checks import FEATURES, FREE, PRO, check, month_start, state, used
from support.records import DAY, NOW, add_on, balance, grant, item, limit, pot, reservation, sub

from app.domain.bucket import rank
from app.domain.grant import GrantSource
from app.domain.plan import Catalogue, LimitBehavior, ResetPeriod
from app.domain.subscription import SubscriptionStatus as Status
from app.domain.usage import Draw, UsageLine
from app.domain.workspace_state import WorkspaceState


def test_the_order_of_use() -> None:
    ordered = [
        rank(10, None, NOW, GrantSource.TOP_UP, "z"),
        rank(100, NOW, NOW, GrantSource.TOP_UP, "y"),
        rank(100, NOW + 1, NOW - 1, GrantSource.TOP_UP, "x"),
        rank(100, NOW + 1, NOW, GrantSource.PROMOTIONAL, "w"),
        rank(100, NOW + 1, NOW, GrantSource.ROLLOVER, "v"),
        rank(100, NOW + 1, NOW, GrantSource.MANUAL, "t"),
        rank(100, NOW + 1, NOW, GrantSource.TOP_UP, "u"),
        rank(100, None, 0, GrantSource.PROMOTIONAL, "s"),
        rank(500, NOW, 0, GrantSource.PROMOTIONAL, "r"),
    ]

    assert sorted(ordered, key=lambda place: place) == ordered
    assert all(one != other for one, other in permutations(ordered, 2))


class TestGrants:
    def test_a_grant_is_added_to_what_the_plan_leaves(self) -> None:
        held = state(subscriptions=(sub(),), grants=(grant(amount=Decimal(50), expires_at=NOW + DAY),))

        answer = check(held, "api_calls", requested_usage=Decimal(1050))

        assert answer.usage is not None
        assert (answer.has_access, answer.usage.limit, answer.valid_until_at) == (True, 1050, NOW + DAY)
        assert [c.source for c in answer.grants] == [GrantSource.PLAN, GrantSource.PROMOTIONAL]
        assert not check(held, "api_calls", requested_usage=Decimal(1051)).has_access

    def test_a_grant_that_is_used_up_is_not_full_again_in_the_next_window(self) -> None:
        held = state(
            subscriptions=(sub(),),
            grants=(grant(amount=Decimal(50)),),
            balance=balance(pots={"api_calls": (pot(50),)}),
        )

        next_month = check(held, "api_calls", at=NOW + 40 * DAY)

        assert next_month.usage is not None
        assert (next_month.usage.used, next_month.usage.remaining) == (50, 1000)

    def test_a_grant_with_a_reset_period_is_full_again_every_period(self) -> None:
        weekly = grant(amount=Decimal(50), reset_period=ResetPeriod.WEEK)
        held = state(grants=(weekly,), balance=balance(pots={"api_calls": (pot(50, end_at=NOW + 6 * DAY),)}))

        now, next_week = check(held, "api_calls"), check(held, "api_calls", at=NOW + 6 * DAY)

        assert (now.has_access, now.valid_until_at, now.grants[0].resets_at) == (False, NOW + 6 * DAY, NOW + 6 * DAY)
        assert (next_week.has_access, next_week.grants[0].remaining) == (True, 50)

    def test_what_went_beyond_the_plans_limit_takes_nothing_from_a_later_grant(self) -> None:
        held = state(subscriptions=(sub(),))
        spent = used(1200, start=month_start(held))
        held = msgspec.structs.replace(held, balance=spent, grants=(grant(amount=Decimal(50)),))

        answer = check(held, "api_calls", requested_usage=Decimal(50))

        assert (answer.has_access, answer.usage and answer.usage.overage) == (True, 200)

    def test_grants_alone_give_what_is_left_of_them(self) -> None:
        given = (grant(amount=Decimal(30)), grant("grant_2", amount=Decimal(20)))
        held = state(grants=given, balance=balance(pots={"api_calls": (pot(25),)}))

        beyond = check(held, "api_calls", requested_usage=Decimal(26))

        assert (beyond.has_access, beyond.usage and (beyond.usage.used, beyond.usage.limit)) == (False, (25, 50))
        assert check(held, "api_calls", requested_usage=Decimal(25)).has_access

    def test_an_unlimited_grant_absorbs(self) -> None:
        held = state(subscriptions=(sub(),), grants=(grant(unlimited=True),))

        assert check(held, "api_calls").limit_behavior is LimitBehavior.UNLIMITED


class TestAddOns:
    PACK = add_on("pack", limit("api_calls", 10, ResetPeriod.NEVER))
    CATALOGUE = Catalogue(FEATURES, (PRO, PACK))

    def bought(self, quantity: int, *items: Any, **fields: Any) -> WorkspaceState:
        pack = item("pack", quantity=quantity)
        return state(subscriptions=(sub("sub_1", Status.ACTIVE, *(items or (item(),)), pack),), **fields)

    def test_an_add_on_adds_its_amount_times_its_quantity(self) -> None:
        answer = check(self.bought(3), "api_calls", catalogue=self.CATALOGUE)

        assert (answer.usage and answer.usage.limit, [c.source for c in answer.grants]) == (
            1030,
            [GrantSource.PLAN, GrantSource.ADD_ON],
        )

    def test_an_add_on_is_used_up_once(self) -> None:
        first = check(self.bought(3), "api_calls", catalogue=self.CATALOGUE).grants[-1]
        spent = balance(pots={"api_calls": (pot(30, first.id, 0),)})

        answer = check(self.bought(3, balance=spent), "api_calls", catalogue=self.CATALOGUE)
        more = check(self.bought(4, balance=spent), "api_calls", catalogue=self.CATALOGUE)

        assert (answer.usage and answer.usage.remaining, more.usage and more.usage.remaining) == (1000, 1010)

    def test_an_add_on_alone_is_no_plan(self) -> None:
        alone = Catalogue(FEATURES, (self.PACK, FREE), default_plan_key="free")
        held = state(subscriptions=(sub("sub_1", Status.ACTIVE, item("pack")),))

        answer = check(held, "api_calls", catalogue=alone)

        assert answer.usage is not None
        assert answer.usage.limit == 100 + 10

    def test_two_versions_of_an_add_on_in_one_subscription_share_a_pot(self) -> None:
        newer = add_on("pack", limit("api_calls", 25, ResetPeriod.NEVER), plan_version=2, published_at=NOW - DAY)
        both = Catalogue(FEATURES, (PRO, self.PACK, newer))
        late = item("pack", id="si_pack_2", price_since_at=NOW, lookup_key="pack_monthly")
        held = self.bought(2, item(), late)
        pot_id = check(held, "api_calls", catalogue=both).grants[-1].id
        spent = msgspec.structs.replace(held, balance=balance(pots={"api_calls": (pot(40, pot_id, 0),)}))

        answer = check(spent, "api_calls", catalogue=both)

        assert answer.usage is not None
        assert (answer.usage.limit, answer.usage.remaining) == (1000 + 2 * 10 + 25, 1000 + 5)

    def test_one_unlimited_version_lifts_the_limit_of_the_pot_they_share(self) -> None:
        endless = add_on("pack", limit("api_calls", None, ResetPeriod.NEVER), plan_version=2, published_at=NOW - DAY)
        both = Catalogue(FEATURES, (PRO, self.PACK, endless))
        late = item("pack", id="si_pack_2", price_since_at=NOW, lookup_key="pack_monthly")

        answer = check(self.bought(2, item(), late), "api_calls", catalogue=both)

        assert (answer.limit_behavior, answer.grants[-1].amount) == (LimitBehavior.UNLIMITED, None)


def test_a_reserved_amount_is_not_left_in_its_pot() -> None:
    draw = Draw(amount=Decimal(20), pot="grant_1", pot_start_at=NOW - DAY)
    line = UsageLine(
        feature_key="api_calls", balance_key="api_calls", amount=Decimal(20), charge=Decimal(20), draws=(draw,)
    )
    held = balance(pots={"api_calls": (pot(25),)}, reservations=(reservation("res_1", line),))

    answer = check(state(grants=(grant(amount=Decimal(50)),), balance=held), "api_calls")

    assert answer.usage is not None
    assert (answer.usage.used, answer.usage.reserved, answer.usage.remaining) == (25, 20, 5)
    assert answer.grants[-1].remaining == 5
