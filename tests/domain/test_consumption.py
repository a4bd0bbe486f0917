"""What a request of usage makes of a balance, case by case; the laws stand in test_metering_laws."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from support.lives import FEATURES, HOUR, Life, subscription, totals_of
from support.records import DAY, NOW, drawing, grant, limit, plan, wanted

from app.domain.consumption import RESERVED_LINES_MAX, correct, level_of, set_level
from app.domain.denial import AccessDeniedReason
from app.domain.errors import ConflictError, NotFoundError, ValidationError
from app.domain.grant import Grant, GrantSource
from app.domain.plan import Catalogue, LimitBehavior, PlanFeature, ResetPeriod
from app.domain.subscription import SubscriptionStatus
from app.domain.usage import Balance

SEATS = FEATURES[-1]


def begun(*rows: PlanFeature, grants: tuple[Grant, ...] = ()) -> Life:
    life = Life(Catalogue(FEATURES, (plan("pro", *rows, published_at=0),)), NOW, subscription(NOW))
    for each in grants:
        life.give(each)
    return life


def credit_grant(id: str, amount: int | str, **fields: Any) -> Grant:
    given = {"source": GrantSource.TOP_UP, "effective_at": NOW - DAY, **fields}
    return grant(id, "credits", amount=Decimal(amount), **given)


def used_of(life: Life) -> dict[str, Decimal]:
    return {each.id: each.used for each in life.balance.pots.get("credits", ()) if each.used}


def used_this_month(balance: Balance, key: str = "credits") -> Decimal:
    return next(each.used for each in balance.meters[key] if each.reset_period is ResetPeriod.MONTH)


class TestConsume:
    def test_all_lines_or_none(self) -> None:
        life = begun(limit("credits", 10), limit("api_calls", 3))

        assert life.consume(wanted(4, "credits"), wanted(3))
        before = life.balance
        assert not life.consume(wanted(6, "credits"), wanted(1))

        assert life.balance is before
        assert (life.remaining(), life.remaining("api_calls")) == (6, 0)

    def test_each_line_finds_those_before_it_used(self) -> None:
        life = begun(limit("credits", 10))

        assert not life.consume(wanted(40, "chat"), wanted(41, "chat"))
        assert life.consume(wanted(40, "chat"), wanted(5, "credits"))
        assert life.remaining() == 0

    def test_a_refusal_names_the_line_and_the_reason(self) -> None:
        life = begun(limit("credits", 10))

        refused = life.ask(wanted(1, "credits"), wanted(81, "chat"))

        assert (refused.line, refused.answer.access_denied_reason) == (1, AccessDeniedReason.INSUFFICIENT_CREDITS)
        assert refused.question.state is not None
        assert refused.question.state.balance is not None
        assert used_this_month(refused.question.state.balance) == 1

    @pytest.mark.parametrize("behavior", [LimitBehavior.SOFT, LimitBehavior.OVERAGE])
    def test_beyond_a_limit_that_does_not_bind_the_grants_go_first(self, behavior: LimitBehavior) -> None:
        life = begun(limit("credits", 10, ResetPeriod.MONTH, behavior), grants=(credit_grant("top_up", 5),))

        assert life.consume(wanted(100, "credits"))

        assert (used_of(life), used_this_month(life.balance)) == ({"top_up": 5}, 95)

    def test_nine_decimal_places(self) -> None:
        life = begun(limit("credits", "1.000000002"))

        assert life.consume(wanted("0.000000001", "image"))
        assert life.remaining() == 1
        assert not life.consume(wanted(1, "image"))
        assert life.consume(wanted("0.999999999", "image"))
        assert life.remaining() == 0

    def test_no_total_reaches_what_can_no_longer_be_added_exactly(self) -> None:
        life = begun(limit("credits", None))
        life.catalogue = Catalogue((*FEATURES, drawing("moon", "999999999999999")), life.catalogue.versions("pro"))
        life.consume(wanted(600, "moon"))

        with pytest.raises(ValidationError, match="total of credits"):
            life.consume(wanted(600, "moon"))
        with pytest.raises(ValidationError, match="total of credits"):
            life.reserve(wanted(1001, "moon"))


class TestReserve:
    def test_twenty_reservations_of_75_on_500_grant_exactly_six(self) -> None:
        life = begun(grants=(credit_grant("top_up", 500),))

        granted = [life.reserve(wanted(75, "credits")) for _ in range(20)]

        assert granted == [True] * 6 + [False] * 14
        assert (life.remaining(), used_of(life)) == (50, {})

    def test_lines_find_those_before_them_held(self) -> None:
        life = begun(limit("credits", 10))

        assert not life.reserve(wanted(6, "credits"), wanted(5, "credits"))
        assert life.remaining() == 10

    def test_what_expires_comes_back_by_itself(self) -> None:
        life = begun(limit("credits", 10))
        life.reserve(wanted(6, "credits"), ttl=HOUR)

        assert (life.remaining(), life.check("credits").valid_until_at) == (4, NOW + HOUR)
        life.wait(HOUR)
        assert life.remaining() == 10
        with pytest.raises(NotFoundError):
            life.settle("res_1")

    def test_no_more_than_so_many_are_open_at_a_time(self) -> None:
        life = begun(limit("credits", RESERVED_LINES_MAX + 1))
        for _ in range(RESERVED_LINES_MAX):
            life.reserve(wanted(1, "credits"), ttl=HOUR)

        with pytest.raises(ConflictError, match="1000 of 1000 lines"):
            life.reserve(wanted(1, "credits"))
        life.wait(HOUR)
        assert life.reserve(wanted(1, "credits"))

    def test_lines_count_and_not_reservations(self) -> None:
        life = begun(limit("credits", RESERVED_LINES_MAX))
        life.reserve(*[wanted(1, "credits")] * 100, ttl=HOUR)
        for _ in range(9):
            life.reserve(*[wanted(0, "credits")] * 99, ttl=HOUR)

        life.reserve(*[wanted(0, "credits")] * 9)
        with pytest.raises(ConflictError, match="1000 of 1000 lines"):
            life.reserve(wanted(0, "credits"))

    def test_releasing_gives_all_back_and_only_once(self) -> None:
        life = begun(limit("credits", 10))
        life.reserve(wanted(6, "credits"))

        life.release("res_1")

        assert life.remaining() == 10
        with pytest.raises(NotFoundError):
            life.release("res_1")


class TestSettle:
    def held(self) -> Life:
        """Hold 60 of the first grant and 20 of the second, for two features."""
        first = credit_grant("first", 70, expires_at=NOW + 9 * DAY)
        life = begun(grants=(first, credit_grant("second", 100)))
        life.reserve(wanted(480, "chat"), wanted(30, "credits"), id="res_1")
        return life

    def test_it_is_held_in_the_order_of_use(self) -> None:
        life = self.held()

        assert {bucket.id: bucket.reserved for bucket in life.supply().buckets} == {"first": 70, "second": 20}

    def test_what_is_not_used_goes_back_the_last_taken_first(self) -> None:
        life = self.held()

        life.settle("res_1", wanted(400, "chat"), wanted(15, "credits"))

        assert used_of(life) == {"first": 60, "second": 5}
        assert life.remaining() == 170 - 65

    def test_a_feature_that_is_left_out_was_not_used(self) -> None:
        life = self.held()

        life.settle("res_1", wanted(480, "chat"))

        assert used_of(life) == {"first": 60}

    def test_more_than_was_held_is_taken_from_what_is_left_beside_it(self) -> None:
        life = self.held()

        life.settle("res_1", wanted(600, "chat"), wanted(30, "credits"))

        assert used_of(life) == {"first": 70, "second": 35}
        assert life.ledger[-1][1][0].charge == 75

    def test_more_than_there_is_overdraws_only_the_last(self) -> None:
        life = self.held()

        life.settle("res_1", wanted(480, "chat"), wanted(300, "credits"))

        assert used_of(life) == {"first": 70, "second": 290}

    def test_a_feature_that_is_not_held(self) -> None:
        with pytest.raises(ValidationError, match="api_calls"):
            self.held().settle("res_1", wanted(1))

    def test_lines_of_one_feature_are_filled_one_after_the_other(self) -> None:
        life = begun(limit("credits", 10))
        life.reserve(wanted(2, "credits"), wanted(3, "credits"), id="res_1")

        life.settle("res_1", wanted(4, "credits"))

        assert [line.amount for line in life.ledger[-1][1]] == [2, 2]

    @pytest.mark.parametrize("cost", ["0.01", "5"], ids=["cheaper now", "dearer now"])
    def test_it_costs_what_it_did_when_it_was_held(self, cost: str) -> None:
        life = begun(limit("credits", 100))
        life.reserve(wanted(80, "chat"), id="res_1")
        features = (drawing("chat", cost) if each.key == "chat" else each for each in FEATURES)
        life.catalogue = Catalogue(features, life.catalogue.versions("pro"))

        life.settle("res_1", wanted(40, "chat"))

        assert used_this_month(life.balance) == 5


class TestRecord:
    def test_it_goes_beyond_a_hard_limit(self) -> None:
        life = begun(limit("credits", 10))

        life.record(wanted(15, "credits"))

        usage = life.check("credits").usage
        assert usage is not None
        assert (usage.used, usage.remaining, usage.overage) == (15, 0, 5)

    def test_told_late_it_counts_in_the_window_of_when_it_happened(self) -> None:
        life = begun(limit("credits", 10, ResetPeriod.DAY))
        life.consume(wanted(2, "credits"))
        life.wait(DAY)
        life.consume(wanted(3, "credits"))

        life.record(wanted(7, "credits"), NOW + HOUR)

        days = [each.used for each in life.balance.meters["credits"] if each.reset_period is ResetPeriod.DAY]
        assert (sorted(days), life.remaining()) == ([3, 9], 7)

    def test_told_late_it_is_paid_by_the_grant_of_then(self) -> None:
        life = begun(grants=(credit_grant("old", 10, expires_at=NOW + DAY), credit_grant("new", 10)))
        life.consume(wanted(4, "credits"))
        life.wait(2 * DAY)
        life.consume(wanted(1, "credits"))

        life.record(wanted(7, "credits"), NOW + HOUR)

        assert used_of(life) == {"old": 10, "new": 2}

    def test_told_late_it_makes_nothing_that_runs_now_forgotten(self) -> None:
        life = begun(limit("credits", 10, ResetPeriod.BILLING_CYCLE))
        life.consume(wanted(1, "credits"))
        life.set_status(SubscriptionStatus.UNPAID)
        life.wait(31 * DAY, is_told=False)
        life.record(wanted(4, "credits"))

        life.record(wanted(2, "credits"), NOW + 29 * DAY)

        life.set_status(SubscriptionStatus.ACTIVE)
        assert life.remaining() == 6

    def test_a_level_never_falls_below_zero(self) -> None:
        life = begun(limit("seats", 5, ResetPeriod.NEVER))
        life.record(wanted(3, "seats"))

        life.record(wanted(-2, "seats"))

        assert (level_of(life.balance, SEATS), life.remaining("seats")) == (1, 4)
        with pytest.raises(ValidationError, match="level of 1 below 0"):
            life.record(wanted(-2, "seats"))

    def test_an_unknown_feature(self) -> None:
        with pytest.raises(NotFoundError):
            begun().record(wanted(1, "unknown"))


def test_setting_a_level_records_the_difference() -> None:
    life = begun(limit("seats", 5, ResetPeriod.NEVER))
    life.record(wanted(3, "seats"))

    down = set_level(life.case, wanted(1, "seats"))
    same = set_level(life.case, wanted(3, "seats"))

    assert (level_of(down.balance, SEATS), [line.amount for line in down.lines]) == (1, [-2])
    assert (level_of(same.balance, SEATS), [line.draws for line in same.lines]) == (3, [()])


def test_what_is_too_much_to_count_names_its_line() -> None:
    dear = msgspec.structs.replace(drawing("dear", "1"), cost=Decimal(10) ** 12)
    life = Life(Catalogue((*FEATURES, dear), (plan("pro", limit("credits", None)),)), NOW, subscription(NOW))

    with pytest.raises(ValidationError, match="10\\^18") as caught:
        life.consume(wanted(1, "credits"), wanted(10**7, "dear"))

    assert [field.path for field in caught.value.fields] == [("input", "lines", "1", "amount")]


class TestCorrect:
    def test_too_much_goes_back_the_last_taken_first(self) -> None:
        life = begun(limit("credits", 4), grants=(credit_grant("top_up", 10),))
        life.consume(wanted(9, "credits"))

        life.correct(life.ledger[-1][1], Decimal(3))

        assert (used_of(life), used_this_month(life.balance)) == ({}, 3)
        assert [(line.amount, line.charge) for line in life.ledger[-1][1]] == [(-6, -6)]

    def test_corrections_add_up(self) -> None:
        life = begun(limit("credits", 4), grants=(credit_grant("top_up", 10),))
        life.consume(wanted(6, "credits"))
        lines = list(life.ledger[-1][1])

        for amount, left in ((2, 12), (11, 3), (5, 9), (5, 9), (0, 14)):
            lines.append(life.correct(lines, Decimal(amount)))
            assert life.remaining() == left

        assert totals_of(life.balance) == {}

    def test_it_costs_what_it_cost_then(self) -> None:
        life = begun(limit("credits", 100))
        life.consume(wanted(4, "image"))
        first, before = list(life.ledger[-1][1]), life.remaining()
        dearer = [msgspec.structs.replace(f, cost=Decimal(10)) if f.key == "image" else f for f in FEATURES]
        life.catalogue = Catalogue(dearer, life.catalogue.plans())

        lines = list(first)
        for amount in (3, 4, 3, 4):
            lines.append(life.correct(lines, Decimal(amount)))

        assert life.remaining() == before

    def test_what_was_too_little_is_taken_from_what_there_was_then(self) -> None:
        soon = credit_grant("soon", 100, priority=1, expires_at=NOW + HOUR)
        life = begun(limit("credits", 100), grants=(soon,))
        life.consume(wanted(100, "credits"))
        lines, used_at = list(life.ledger[-1][1]), life.at
        life.wait(DAY)

        for amount in (40, 100):
            done = correct(life.case, lines[:1], lines[1:], Decimal(amount), occurred_at=used_at)
            life.state = msgspec.structs.replace(life.state, balance=done.balance)
            lines += done.lines

        assert life.remaining() == 100

    def test_too_little_is_taken_beyond_what_there_is(self) -> None:
        life = begun(limit("credits", 4))
        life.consume(wanted(4, "credits"))

        life.correct(life.ledger[-1][1], Decimal(6))

        assert used_this_month(life.balance) == 6

    def test_what_a_window_that_is_over_gets_back_is_carried_on(self) -> None:
        life = begun(limit("credits", 10, rollover_max=Decimal(8)))
        life.consume(wanted(9, "credits"))
        line = life.ledger[-1][1]
        life.wait(31 * DAY)
        assert life.remaining() == 11

        life.correct(line, Decimal(4))

        assert life.remaining() == 16

    def test_a_level_is_not_corrected_below_zero(self) -> None:
        life = begun(limit("seats", 5, ResetPeriod.NEVER))
        life.record(wanted(3, "seats"))
        line = life.ledger[-1][1]
        life.record(wanted(-2, "seats"))

        life.correct(line, Decimal(2))
        assert level_of(life.balance, SEATS) == 0
        with pytest.raises(ValidationError, match="level of 0 below 0"):
            life.correct([*line, life.ledger[-1][1][0]], Decimal(1))


def test_nothing_of_what_is_asked_changes_the_state_it_is_asked_of() -> None:
    life = begun(limit("credits", 10), grants=(credit_grant("top_up", 5),))
    life.reserve(wanted(12, "credits"), id="res_1")
    state, before = life.state, msgspec.json.encode(life.state)

    life.settle("res_1", wanted(20, "credits"))
    life.correct(life.ledger[-1][1], Decimal(1))

    assert msgspec.json.encode(state) == before
