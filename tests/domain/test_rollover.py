"""What a window inherits, against a plain count of one window after the other."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from support.lives import FEATURES, HOUR, Life, ms, subscription
from support.records import DAY, limit, plan, reservation, wanted, workspace
from support.worlds import STARTS, amounts, positive

from app.domain.grant import GrantSource
from app.domain.period import add_months
from app.domain.plan import Catalogue, LimitBehavior, PlanFeature, ResetPeriod
from app.domain.rollover import held_back
from app.domain.subscription import Subscription
from app.domain.usage import Balance, Draw, UsageLine, WindowRef

JAN_31 = ms("2026-01-31")


def begun(*rows: PlanFeature, at: int = JAN_31, **plans: PlanFeature) -> Life:
    """Begin on `pro` with these rows; the others are plans to change to."""
    others = [plan(key, row, published_at=0) for key, row in plans.items()]
    catalogue = Catalogue(FEATURES, (plan("pro", *rows, published_at=0), *others))
    return Life(catalogue, at, subscription(at))


def credits_row(
    amount: int | Decimal,
    reset: ResetPeriod = ResetPeriod.MONTH,
    behavior: LimitBehavior = LimitBehavior.HARD,
    most: int | Decimal | None = None,
) -> PlanFeature:
    rollover_max = None if most is None else Decimal(most)
    return limit("credits", str(amount), reset, behavior, rollover_max=rollover_max)


def carried(life: Life, reset: ResetPeriod = ResetPeriod.MONTH) -> Decimal:
    return next(w.carried for w in life.supply().every_window.values() if w.reset_period is reset)


def remaining_rollover(life: Life) -> Decimal:
    rollovers = [c for c in life.check("credits").grants if c.source is GrantSource.ROLLOVER]
    return sum((c.remaining or Decimal(0) for c in rollovers), Decimal(0))


def boundary(reset: ResetPeriod, anchor_at: int, number: int) -> int:
    return anchor_at + number * DAY if reset is ResetPeriod.DAY else add_months(anchor_at, number)


@given(
    st.sampled_from([ResetPeriod.DAY, ResetPeriod.MONTH, ResetPeriod.BILLING_CYCLE]),
    st.sampled_from(STARTS),
    amounts,
    amounts,
    st.lists(st.tuples(st.integers(0, 5), amounts, st.integers(0, 20 * HOUR)), min_size=1, max_size=6),
)
def test_rollover_is_what_is_left_up_to_the_most_over_idle_windows_and_chains(
    reset: ResetPeriod, start_at: int, amount: Decimal, most: Decimal, used: list[tuple[int, Decimal, int]]
) -> None:
    life = begun(credits_row(amount, reset, most=most), at=start_at)
    number, expected = 0, Decimal(0)
    for skipped, wish, moment in used:
        for _ in range(skipped):
            number, expected = number + 1, min(most, amount + expected)
        life.wait(max(0, boundary(reset, start_at, number) + moment - life.at))
        assert carried(life, reset) == expected
        assert life.check("credits", amount + expected).has_access
        assert not life.check("credits", amount + expected + 1).has_access
        share = min(wish, amount + expected)
        if share:
            assert life.consume(wanted(share, "credits"))
        assert carried(life, reset) == expected
        number, expected = number + 1, min(most, amount + expected - share)


def test_windows_clamp_to_month_ends_and_carry_over_them() -> None:
    life = begun(credits_row(100, most=30))
    boundaries: list[int | None] = []

    for day in ("2026-02-01", "2026-02-28", "2026-03-31", "2026-04-30"):
        life.wait(ms(day) - life.at)
        life.consume(wanted(80, "credits"))
        (window,) = life.supply().every_window.values()
        boundaries.append(window.period.end_at)

    assert boundaries == [ms("2026-02-28"), ms("2026-03-31"), ms("2026-04-30"), ms("2026-05-31")]
    assert carried(life) == 30
    assert life.remaining() == 100 + 30 - 80


def test_the_leap_day_ends_february() -> None:
    life = begun(credits_row(100, most=30), at=ms("2024-01-31"))
    life.consume(wanted(90, "credits"))

    life.wait(ms("2024-02-29") - life.at - 1)
    assert carried(life) == 0
    life.wait(1)
    assert carried(life) == 10


def test_what_was_carried_is_used_before_the_plans_own() -> None:
    life = begun(credits_row(100, most=30))
    life.consume(wanted(80, "credits"))
    life.wait(31 * DAY)
    assert remaining_rollover(life) == 20

    life.consume(wanted(15, "credits"))

    assert remaining_rollover(life) == 5


def test_what_one_window_carries_helps_no_other_window() -> None:
    life = begun(credits_row(12, ResetPeriod.MONTH), credits_row(10, ResetPeriod.DAY, most=10))
    life.consume(wanted(1, "credits"))

    life.wait(DAY)

    assert carried(life, ResetPeriod.DAY) == 9
    assert life.check("credits", 11).has_access
    assert not life.check("credits", 12).has_access


def test_a_billing_cycle_that_is_cut_short_passes_nothing_on_and_keeps_what_it_carried() -> None:
    life = begun(credits_row(100, ResetPeriod.BILLING_CYCLE, most=30))
    life.wait(28 * DAY)
    life.consume(wanted(10, "credits"))
    life.wait(10 * DAY)
    cut = life.state.subscriptions[0]
    life.change_subs(anchored_anew(life, cut.items[0].id))

    assert carried(life, ResetPeriod.BILLING_CYCLE) == 0
    assert remaining_rollover(life) == 20
    assert life.remaining() == 100 + 20


def anchored_anew(life: Life, item_id: str) -> Subscription:
    anew = subscription(life.at)
    first, *_ = anew.items
    return replace(anew, started_at=JAN_31, items=(replace(first, id=item_id, price_since_at=JAN_31),))


def test_usage_before_stripe_tells_of_the_new_cycle_counts_in_it() -> None:
    life = begun(credits_row(100, ResetPeriod.BILLING_CYCLE, most=30))
    life.consume(wanted(90, "credits"))
    life.wait(28 * DAY, is_told=False)
    life.consume(wanted(50, "credits"))

    life.wait(HOUR)
    assert (carried(life, ResetPeriod.BILLING_CYCLE), life.remaining()) == (10, 60)
    life.wait(31 * DAY)
    assert carried(life, ResetPeriod.BILLING_CYCLE) == 30


def test_a_window_that_starts_with_another_plans_ends_with_its_own() -> None:
    started_at = ms("2026-01-28")
    free = plan("free", credits_row(1), published_at=0, prices=())
    paid = plan("pro", credits_row(100, most=30), published_at=0)
    life = Life(Catalogue(FEATURES, (paid, free), default_plan_key="free"), started_at, subscription(started_at))
    life.state = replace(life.state, workspace=workspace(created_at=ms("2026-01-31") - 365 * DAY))
    life.wait(31 * DAY)
    life.consume(wanted(110, "credits"))

    life.wait(28 * DAY)

    assert (life.at, carried(life)) == (ms("2026-03-28"), 20)


class TestChangeOfPlan:
    def test_what_is_left_passes_into_a_plan_without_rollover_once(self) -> None:
        life = begun(credits_row(100, most=30), basic=credits_row(50))
        life.consume(wanted(80, "credits"))
        life.wait(28 * DAY)
        life.switch("basic")

        assert life.remaining() == 50 + 20
        life.consume(wanted(1, "credits"))
        life.wait(31 * DAY)
        assert life.remaining() == 50

    def test_windows_that_idled_before_the_change_had_the_limit_of_the_plan_before(self) -> None:
        life = begun(credits_row(10, most=25), basic=credits_row(1000, most=500))
        life.consume(wanted(10, "credits"))
        life.wait(28 * DAY + 31 * DAY)
        assert carried(life) == 10

        life.switch("basic")

        assert carried(life) == 10
        life.wait(30 * DAY)
        assert carried(life) == 500

    def test_where_nothing_was_left_nothing_is_told_of(self) -> None:
        life = begun(credits_row(100, most=30), basic=credits_row(7, ResetPeriod.DAY))
        life.consume(wanted(100, "credits"))
        life.switch("basic")

        life.wait(28 * DAY)

        assert [each.source for each in life.check("credits").grants] == [GrantSource.PLAN]

    def test_a_plan_that_begins_to_carry_does_so_from_then_on(self) -> None:
        life = begun(credits_row(100), basic=credits_row(100, most=80))
        life.consume(wanted(1, "credits"))
        life.wait(200 * DAY)

        life.switch("basic")

        assert carried(life) == 0

    @pytest.mark.parametrize("is_opened", [True, False], ids=["used this month", "not used this month"])
    def test_what_was_carried_outlives_another_reset_period_as_long_as_its_month(self, is_opened: bool) -> None:  # noqa: FBT001
        life = begun(credits_row(100, most=30), basic=credits_row(7, ResetPeriod.DAY))
        life.consume(wanted(80, "credits"))
        life.wait(28 * DAY)
        if is_opened:
            life.consume(wanted(5, "credits"))
        left = 15 if is_opened else 20
        life.switch("basic")

        assert (remaining_rollover(life), life.remaining()) == (left, 7 + left)
        life.consume(wanted(10, "credits"))
        assert (remaining_rollover(life), life.remaining()) == (left - 3, left - 3)
        life.switch("pro")
        assert life.remaining() == 100 + left - 3
        life.switch("basic")
        life.wait(62 * DAY)
        assert remaining_rollover(life) == 0

    def test_without_any_plan_nothing_that_was_carried_can_be_used(self) -> None:
        life = begun(credits_row(100, most=30))
        life.wait(28 * DAY)
        life.consume(wanted(1, "credits"))

        life.change_subs()

        assert not life.check("credits", 1).has_access
        assert life.remaining() == 0


class TestReservationsAcrossTheEnd:
    def held(self) -> Life:
        life = begun(credits_row(100, most=100))
        life.reserve(wanted(60, "credits"), ttl=40 * DAY, id="res_1")
        life.wait(28 * DAY)
        return life

    def test_what_is_held_is_not_carried(self) -> None:
        assert carried(self.held()) == 40

    def test_what_is_settled_later_counts_where_it_was_reserved(self) -> None:
        life = self.held()

        life.settle("res_1", wanted(25, "credits"))

        assert (carried(life), life.remaining()) == (75, 175)

    def test_what_is_settled_after_the_next_window_was_opened_is_not_spent_twice(self) -> None:
        life = self.held()
        life.consume(wanted(10, "credits"))

        life.settle("res_1", wanted(25, "credits"))

        assert (carried(life), life.remaining()) == (40, 130)

    def test_what_expires_unsettled_is_carried_if_the_next_window_is_not_open_yet(self) -> None:
        life = self.held()

        life.wait(12 * DAY)

        assert carried(life) == 100

    def test_what_is_beyond_the_reservation_is_taken_from_now(self) -> None:
        life = self.held()

        life.settle("res_1", wanted(70, "credits"))

        assert (carried(life), life.remaining()) == (40, 130)


def test_held_back_adds_up_what_has_not_expired() -> None:
    month = WindowRef(ResetPeriod.MONTH, 5)
    of_window = Draw(amount=Decimal(2), windows=(month,))
    of_pot = Draw(amount=Decimal(3), pot="grant_1", pot_start_at=7)
    line = UsageLine(
        feature_key="chat", balance_key="credits", amount=Decimal(10), charge=Decimal(5), draws=(of_window, of_pot)
    )
    held = Balance(
        id="ws_1",
        reservations=(
            reservation("res_1", line, expires_at=10),
            reservation("res_2", line, line, expires_at=20),
            reservation("res_3", line, expires_at=30),
        ),
    )

    found = held_back(held, "credits", 10)

    assert (found.windows[month], found.pots["grant_1", 7], found.ends) == (6, 9, (20,))
    assert held_back(held, "api_calls", 10).ends == ()


@given(positive, amounts)
def test_nothing_is_carried_without_a_rollover(amount: Decimal, used: Decimal) -> None:
    life = begun(credits_row(amount))
    life.consume(wanted(used, "credits"))

    life.wait(28 * DAY)

    assert life.remaining() == amount
