"""What an answer means, case by case; the laws stand in test_entitlement_laws."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from support.checks import FEATURES, PRO, WITH_FREE, check, config, month_start, state, used
from support.lives import ms
from support.records import DAY, NOW, credit, drawing, feature, grant, item, limit, plan, sub, workspace

from app.domain.denial import AccessDeniedReason as Reason
from app.domain.entitlement import usage_windows
from app.domain.plan import Catalogue, FeatureType, LimitBehavior, MergeRule, MeterType, ResetPeriod, ValueType
from app.domain.subscription import SubscriptionStatus as Status
from app.domain.workspace_state import WorkspaceState


class TestReasons:
    def test_unknown_workspace(self) -> None:
        assert check(None).access_denied_reason is Reason.WORKSPACE_NOT_FOUND

    def test_unknown_feature(self) -> None:
        answer = check(state(), "nope")

        assert (answer.access_denied_reason, answer.version) == (Reason.FEATURE_NOT_FOUND, 7)

    def test_archived_workspace(self) -> None:
        held = state(workspace=workspace(archived_at=NOW - 1), subscriptions=(sub(),))

        assert check(held).access_denied_reason is Reason.WORKSPACE_ARCHIVED

    @pytest.mark.parametrize(
        ("key", "asked"),
        [
            pytest.param("sso", {"requested_usage": Decimal(1)}, id="amount of a boolean"),
            pytest.param("retention_days", {"requested_usage": Decimal(1)}, id="amount of a config"),
            pytest.param("api_calls", {"requested_values": ("eu",)}, id="values of a meter"),
        ],
    )
    def test_asking_a_feature_for_what_it_is_not(self, key: str, asked: dict[str, Any]) -> None:
        assert check(state(subscriptions=(sub(),)), key, **asked).access_denied_reason is Reason.FEATURE_TYPE_MISMATCH

    def test_without_any_subscription(self) -> None:
        assert check(state()).access_denied_reason is Reason.NO_ACTIVE_SUBSCRIPTION


class TestMetered:
    def held(self, amount: int | str, **fields: Any) -> WorkspaceState:
        base = state(subscriptions=(sub(),), **fields)
        return msgspec.structs.replace(base, balance=used(amount, start=month_start(base)))

    @pytest.mark.parametrize(
        ("amount", "asked", "allowed"),
        [
            pytest.param(0, None, True, id="nothing used"),
            pytest.param(999, None, True, id="the last one"),
            pytest.param(1000, None, False, id="all used"),
            pytest.param(990, 10, True, id="exactly the rest"),
            pytest.param(990, 11, False, id="more than the rest, though some is left"),
            pytest.param(1000, 0, True, id="nothing asked for"),
            pytest.param("999.5", "0.5", True, id="fractions are exact"),
            pytest.param("999.5", "0.51", False, id="fractions are exact beyond"),
        ],
    )
    def test_hard_limit(self, amount: int | str, asked: int | str | None, allowed: bool) -> None:  # noqa: FBT001
        requested = None if asked is None else Decimal(asked)

        answer = check(self.held(amount), "api_calls", requested_usage=requested)

        assert answer.has_access is allowed
        assert answer.access_denied_reason is (None if allowed else Reason.USAGE_LIMIT_EXCEEDED)

    def test_the_numbers(self) -> None:
        held = self.held(1200)

        answer = check(held, "api_calls")

        assert answer.usage is not None
        assert (answer.usage.used, answer.usage.limit, answer.usage.remaining, answer.usage.overage) == (
            1200,
            1000,
            0,
            200,
        )
        assert answer.usage.period_start_at == month_start(held)
        assert answer.usage.resets_at == answer.valid_until_at

    @pytest.mark.parametrize("behavior", [LimitBehavior.SOFT, LimitBehavior.OVERAGE])
    def test_soft_and_overage_allow_beyond(self, behavior: LimitBehavior) -> None:
        lenient = Catalogue(FEATURES, (plan("pro", limit("api_calls", 1000, behavior=behavior)),))

        answer = check(self.held(5000), "api_calls", catalogue=lenient)

        assert (answer.has_access, answer.limit_behavior, answer.usage and answer.usage.overage) == (
            True,
            behavior,
            4000,
        )

    def test_unlimited_is_its_own_word(self) -> None:
        boundless = Catalogue(FEATURES, (plan("pro", limit("api_calls", None)),))

        answer = check(self.held(5000), "api_calls", catalogue=boundless, requested_usage=Decimal(10**9))

        assert (answer.has_access, answer.limit_behavior) == (True, LimitBehavior.UNLIMITED)
        assert answer.usage is not None
        assert (answer.usage.limit, answer.usage.remaining, answer.usage.overage) == (None, None, 0)

    def test_usage_starts_from_zero_in_the_next_window(self) -> None:
        held = self.held(1000)
        first = check(held, "api_calls")
        assert first.valid_until_at is not None

        after = check(held, "api_calls", at=first.valid_until_at)

        assert (first.has_access, after.has_access, after.usage and after.usage.used) == (False, True, 0)

    def test_several_windows_of_one_plan_must_all_pass(self) -> None:
        windows = (limit("api_calls", 1000), limit("api_calls", 10, ResetPeriod.DAY))
        both = Catalogue(FEATURES, (plan("pro", *windows),))
        base = state(subscriptions=(sub(),))
        day = next(w for w in usage_windows(feature(), base, both, NOW) if w.reset_period is ResetPeriod.DAY)
        balance = used(10, start=day.start_at, reset=ResetPeriod.DAY)

        answer = check(msgspec.structs.replace(base, balance=balance), "api_calls", catalogue=both)

        assert (answer.has_access, answer.usage and answer.usage.limit) == (False, 10)

    def test_the_same_window_of_two_subscriptions_is_summed(self) -> None:
        held = self.held(1500)
        two = msgspec.structs.replace(held, subscriptions=(sub("sub_1"), sub("sub_2", started_at=NOW - DAY)))

        answer = check(two, "api_calls")

        assert (answer.has_access, answer.usage and answer.usage.limit) == (True, 2000)

    def test_a_second_subscription_with_another_window_takes_nothing_away(self) -> None:
        daily = plan("daily", limit("api_calls", 1, ResetPeriod.DAY))
        both = Catalogue(FEATURES, (PRO, daily))
        held = self.held(500)
        second = sub("sub_2", Status.ACTIVE, item("daily"), started_at=NOW - DAY)
        two = msgspec.structs.replace(held, subscriptions=(sub(), second))

        answer = check(two, "api_calls", catalogue=both, requested_usage=Decimal(400))

        assert answer.has_access


class TestLevels:
    def test_a_level_has_no_start(self) -> None:
        seats = Catalogue((feature("seats", meter_type=MeterType.FLUCTUATING),))
        given = (grant(key="seats", amount=Decimal(3)), grant("grant_2", "seats", amount=Decimal(2), effective_at=NOW))
        held = state(grants=given, balance=used(4, "seats", start=0, reset=ResetPeriod.NEVER))

        answer = check(held, "seats", catalogue=seats)

        assert answer.usage is not None
        assert (answer.has_access, answer.usage.used, answer.usage.limit) == (True, 4, 5)

    def test_a_grant_of_a_level_raises_its_limit_while_it_lasts(self) -> None:
        seats = Catalogue((feature("seats", meter_type=MeterType.FLUCTUATING),), (plan("pro", limit("seats", 3)),))
        more = grant(key="seats", amount=Decimal(2), expires_at=NOW + DAY)
        held = state(subscriptions=(sub(),), grants=(more,), balance=used(4, "seats", start=0, reset=ResetPeriod.NEVER))

        assert check(held, "seats", catalogue=seats).has_access
        assert not check(held, "seats", catalogue=seats, at=NOW + DAY).has_access


class TestConfig:
    @pytest.mark.parametrize(
        ("key", "asked", "allowed"),
        [
            pytest.param("retention_days", ("30",), True, id="number within"),
            pytest.param("retention_days", ("31",), False, id="number above"),
            pytest.param("retention_days", ("many",), False, id="no number"),
            pytest.param("regions", ("eu",), True, id="member"),
            pytest.param("regions", ("eu", "us"), False, id="one is no member"),
            pytest.param("theme", ("dark",), True, id="equal"),
            pytest.param("theme", ("light",), False, id="other"),
        ],
    )
    def test_requested_values(self, key: str, asked: tuple[str, ...], allowed: bool) -> None:  # noqa: FBT001
        answer = check(state(subscriptions=(sub(),)), key, requested_values=asked)

        assert answer.has_access is allowed
        assert answer.access_denied_reason is (None if allowed else Reason.REQUESTED_VALUE_NOT_ALLOWED)

    def test_numbers_take_the_largest_and_members_unite(self) -> None:
        grants = (grant(key="retention_days", value=90), grant("grant_2", key="regions", value=("us",)))
        held = state(subscriptions=(sub(),), grants=grants)

        assert check(held, "retention_days").value == 90
        assert check(held, "regions").value == ("eu", "us")

    def test_a_smaller_grant_lowers_nothing(self) -> None:
        held = state(subscriptions=(sub(),), grants=(grant(key="retention_days", value=1),))

        assert check(held, "retention_days").value == 30

    def test_the_latest_plan_decides_where_the_rule_says_so(self) -> None:
        themes = feature("theme", FeatureType.CONFIG, value_type=ValueType.STRING, merge=MergeRule.LATEST)
        light = plan("light", config("light", "theme"))
        second = sub("sub_2", Status.ACTIVE, item("light"), started_at=NOW - DAY)
        held = state(subscriptions=(sub(), second))

        assert check(held, "theme", catalogue=Catalogue((themes,), (PRO, light))).value == "light"


class TestCredits:
    FEATURES = (credit(), drawing("chat", "0.5"), drawing("image", 4))
    CATALOGUE = Catalogue(FEATURES, (plan("pro", limit("credits", 10)), plan("other", limit("credits", 2))))

    @pytest.mark.parametrize(
        ("key", "amount", "allowed"),
        [
            pytest.param("chat", 20, True, id="exactly all"),
            pytest.param("chat", 21, False, id="one more"),
            pytest.param("image", 2, True, id="within"),
            pytest.param("image", 3, False, id="beyond"),
            pytest.param("credits", 10, True, id="the credits themselves"),
        ],
    )
    def test_a_feature_draws_on_the_credits_at_its_cost(self, key: str, amount: int, allowed: bool) -> None:  # noqa: FBT001
        answer = check(state(subscriptions=(sub(),)), key, catalogue=self.CATALOGUE, requested_usage=Decimal(amount))

        assert answer.has_access is allowed
        assert answer.access_denied_reason is (None if allowed else Reason.INSUFFICIENT_CREDITS)
        assert answer.usage is not None
        assert (answer.usage.limit, answer.usage.remaining) == (10, 10)


def test_windows_are_counted_for_every_plan_that_may_decide_later() -> None:
    overdue = state(subscriptions=(sub(status=Status.UNPAID),), grants=(grant(amount=Decimal(5)),))

    windows = usage_windows(FEATURES[0], overdue, WITH_FREE, NOW)

    resets = [window.reset_period for window in windows]
    assert (resets.count(ResetPeriod.MONTH), resets.count(ResetPeriod.NEVER)) == (2, 1)


def test_windows_that_start_together_are_counted_once() -> None:
    since_28th, since_31st = ms("2026-01-28"), ms("2026-01-31")
    paid = sub(started_at=since_31st, billing_anchor_at=since_31st)
    held = state(workspace=workspace(created_at=since_28th), subscriptions=(paid,))

    windows = usage_windows(FEATURES[0], held, WITH_FREE, ms("2026-03-01"))

    assert [(w.start_at, w.end_at) for w in windows if w.reset_period is ResetPeriod.MONTH] == [
        (ms("2026-02-28"), ms("2026-03-31"))
    ]
