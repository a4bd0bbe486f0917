"""What an answer means, case by case; the laws stand in test_entitlement_laws."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from support.lives import ms
from support.records import (
    DAY,
    NOW,
    add_on,
    balance,
    credit,
    drawing,
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

from app.domain.denial import AccessDeniedReason as Reason
from app.domain.entitlement import Entitlement, evaluate, usage_windows
from app.domain.grant import GrantSource
from app.domain.plan import (
    AccessLevel,
    Catalogue,
    FeatureType,
    GracePolicy,
    LimitBehavior,
    MergeRule,
    MeterType,
    PlanFeature,
    ResetPeriod,
    ValueType,
)
from app.domain.subscription import SubscriptionStatus as Status
from app.domain.usage import Balance
from app.domain.workspace import WorkspaceTrial
from app.domain.workspace_state import WorkspaceState

SSO = PlanFeature(feature_key="sso")


def config(value: Any, key: str = "retention_days") -> PlanFeature:
    return PlanFeature(feature_key=key, value=value)


FEATURES = (
    feature("api_calls"),
    feature("sso", FeatureType.BOOLEAN),
    feature("retention_days", FeatureType.CONFIG, value_type=ValueType.INTEGER),
    feature("regions", FeatureType.CONFIG, value_type=ValueType.ENUM, enum_values=("eu", "us", "ap")),
    feature("theme", FeatureType.CONFIG, value_type=ValueType.STRING),
)
PRO = plan("pro", limit("api_calls", 1000), SSO, config(30), config(("eu",), "regions"), config("dark", "theme"))
FREE = plan("free", limit("api_calls", 100), prices=())
CATALOGUE = Catalogue(FEATURES, (PRO, FREE))
WITH_FREE = Catalogue(FEATURES, (PRO, FREE), default_plan_key="free")


def state(**fields: Any) -> WorkspaceState:
    return WorkspaceState(**{"workspace": workspace(), "version": 7, **fields})


def used(amount: int | str, key: str = "api_calls", *, start: int, reset: ResetPeriod = ResetPeriod.MONTH) -> Balance:
    return balance(meters={key: (meter(amount, start, reset, None),)})


def check(
    held: WorkspaceState | None, key: str = "sso", *, catalogue: Catalogue = CATALOGUE, at: int = NOW, **asked: Any
) -> Entitlement:
    return evaluate(key, held, catalogue, at, **asked)


def month_start(held: WorkspaceState) -> int:
    (window,) = (w for w in usage_windows(feature(), held, CATALOGUE, NOW) if w.reset_period is ResetPeriod.MONTH)
    return window.start_at


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

    @pytest.mark.parametrize(
        ("status", "fields", "reason"),
        [
            pytest.param(Status.CANCELED, {"ended_at": NOW - DAY}, Reason.NO_ACTIVE_SUBSCRIPTION, id="canceled"),
            pytest.param(
                Status.CANCELED,
                {"ended_at": NOW - DAY, "trial_end_at": NOW - DAY},
                Reason.TRIAL_EXPIRED,
                id="canceled at the end of its trial",
            ),
            pytest.param(Status.INCOMPLETE, {}, Reason.SUBSCRIPTION_INCOMPLETE, id="incomplete"),
            pytest.param(Status.INCOMPLETE_EXPIRED, {}, Reason.NO_ACTIVE_SUBSCRIPTION, id="incomplete expired"),
            pytest.param(Status.UNPAID, {}, Reason.SUBSCRIPTION_PAST_DUE, id="unpaid"),
            pytest.param(Status.PAUSED, {}, Reason.SUBSCRIPTION_PAUSED, id="paused"),
            pytest.param(Status.PAST_DUE, {"past_due_at": NOW - 8 * DAY}, Reason.SUBSCRIPTION_PAST_DUE, id="past due"),
            pytest.param(Status.TRIALING, {"trial_end_at": NOW}, Reason.TRIAL_EXPIRED, id="trial over"),
            pytest.param(Status.ACTIVE, {"cancel_at": NOW}, Reason.NO_ACTIVE_SUBSCRIPTION, id="cancel-at reached"),
            pytest.param(
                Status.ACTIVE,
                {"items": (item(price_id="price_x", lookup_key=None),)},
                Reason.PRICE_NOT_IN_CATALOG,
                id="price in no plan",
            ),
        ],
    )
    @pytest.mark.parametrize("catalogue", [CATALOGUE, WITH_FREE], ids=["no free plan", "free plan"])
    def test_the_status_that_gives_nothing_is_the_reason(
        self, status: Status, fields: dict[str, Any], reason: Reason, catalogue: Catalogue
    ) -> None:
        answer = check(state(subscriptions=(sub(status=status, **fields),)), catalogue=catalogue)

        if catalogue is WITH_FREE and reason is Reason.NO_ACTIVE_SUBSCRIPTION:
            reason = Reason.FEATURE_NOT_IN_PLAN
        assert (answer.has_access, answer.access_denied_reason) == (False, reason)

    def test_without_any_subscription(self) -> None:
        assert check(state()).access_denied_reason is Reason.NO_ACTIVE_SUBSCRIPTION

    def test_the_plan_lacks_the_feature(self) -> None:
        bare = Catalogue(FEATURES, (plan("pro"),))

        answer = check(state(subscriptions=(sub(),)), catalogue=bare)

        assert answer.access_denied_reason is Reason.FEATURE_NOT_IN_PLAN

    def test_paying_would_not_help_where_the_overdue_plan_lacks_the_feature(self) -> None:
        bare = Catalogue(FEATURES, (plan("pro"),))

        answer = check(state(subscriptions=(sub(status=Status.UNPAID),)), catalogue=bare)

        assert answer.access_denied_reason is Reason.FEATURE_NOT_IN_PLAN


class TestStatus:
    @pytest.mark.parametrize(
        ("status", "fields"),
        [
            pytest.param(Status.ACTIVE, {}, id="active"),
            pytest.param(Status.ACTIVE, {"cancel_at_period_end": True}, id="cancels at period end"),
            pytest.param(Status.TRIALING, {"trial_end_at": NOW + 1}, id="trialing"),
            pytest.param(Status.PAST_DUE, {"past_due_at": NOW - 7 * DAY + 1}, id="past due in grace"),
        ],
    )
    def test_entitling(self, status: Status, fields: dict[str, Any]) -> None:
        answer = check(state(subscriptions=(sub(status=status, **fields),)))

        assert (answer.has_access, answer.access_denied_reason, answer.read_only) == (True, None, False)

    def test_stripe_trial_says_when_it_ends(self) -> None:
        answer = check(state(subscriptions=(sub(status=Status.TRIALING, trial_end_at=NOW + DAY),)))

        assert (answer.is_trial, answer.trial_ends_at, answer.valid_until_at) == (True, NOW + DAY, NOW + DAY)

    def test_cancel_at_period_end_ends_access_at_that_instant(self) -> None:
        held = state(subscriptions=(sub(cancel_at_period_end=True),))

        before, after = check(held, at=NOW + 20 * DAY - 1), check(held, at=NOW + 20 * DAY)

        assert (before.has_access, before.valid_until_at) == (True, NOW + 20 * DAY)
        assert after.has_access is False

    def test_grace_is_told(self) -> None:
        answer = check(state(subscriptions=(sub(status=Status.PAST_DUE, past_due_at=NOW - DAY),)))

        assert (answer.in_grace, answer.grace_ends_at, answer.valid_until_at) == (True, NOW + 6 * DAY, NOW + 6 * DAY)

    def test_grace_that_is_over_says_when_it_ended(self) -> None:
        answer = check(state(subscriptions=(sub(status=Status.PAST_DUE, past_due_at=NOW - 8 * DAY),)))

        assert (answer.in_grace, answer.grace_ends_at) == (False, NOW - DAY)

    def test_no_grace_for_the_first_payment_after_a_trial(self) -> None:
        late = sub(status=Status.PAST_DUE, past_due_at=NOW - DAY, trial_end_at=NOW - DAY)

        assert check(state(subscriptions=(late,))).access_denied_reason is Reason.SUBSCRIPTION_PAST_DUE

    @pytest.mark.parametrize(
        ("access", "expected"),
        [
            pytest.param(AccessLevel.READ_ONLY, (True, True, None), id="read-only"),
            pytest.param(AccessLevel.NONE, (False, False, Reason.SUBSCRIPTION_PAST_DUE), id="none"),
        ],
    )
    def test_grace_by_policy(self, access: AccessLevel, expected: tuple[bool, bool, Reason | None]) -> None:
        strict = Catalogue(FEATURES, (plan("pro", SSO, grace=GracePolicy(access=access)),))

        answer = check(state(subscriptions=(sub(status=Status.PAST_DUE, past_due_at=NOW),)), catalogue=strict)

        assert (answer.has_access, answer.read_only, answer.access_denied_reason) == expected

    def test_paused_read_only_allows_looking_but_no_usage(self) -> None:
        lenient = Catalogue(FEATURES, (plan("pro", SSO, limit(), paused_access=AccessLevel.READ_ONLY),))
        held = state(subscriptions=(sub(status=Status.PAUSED),))

        looked, metered = check(held, catalogue=lenient), check(held, "api_calls", catalogue=lenient)
        asked_for_nothing = check(held, "api_calls", catalogue=lenient, requested_usage=Decimal(0))

        assert (looked.has_access, looked.read_only) == (True, True)
        assert (metered.has_access, metered.access_denied_reason) == (False, Reason.SUBSCRIPTION_PAUSED)
        assert (asked_for_nothing.has_access, asked_for_nothing.read_only) == (True, True)

    def test_one_overdue_subscription_takes_nothing_from_a_paid_one(self) -> None:
        held = state(subscriptions=(sub("sub_1", Status.UNPAID), sub("sub_2", Status.ACTIVE)))

        answer = check(held)

        assert (answer.has_access, answer.in_grace) == (True, False)


class TestTrialAndFreePlan:
    def trial(self, ends_at: int) -> WorkspaceState:
        return state(workspace=workspace(trial=WorkspaceTrial(PRO.id, NOW - 13 * DAY, ends_at)))

    def test_workspace_trial_gives_the_trial_plan(self) -> None:
        answer = check(self.trial(NOW + DAY))

        assert (answer.has_access, answer.is_trial, answer.trial_ends_at) == (True, True, NOW + DAY)
        assert [c.source for c in answer.grants] == [GrantSource.TRIAL]

    def test_after_the_trial(self) -> None:
        answer = check(self.trial(NOW), catalogue=WITH_FREE)

        assert (answer.access_denied_reason, answer.trial_ends_at, answer.is_trial) == (
            Reason.TRIAL_EXPIRED,
            NOW,
            False,
        )

    def test_free_plan_without_a_subscription(self) -> None:
        answer = check(state(), "api_calls", catalogue=WITH_FREE)

        assert (answer.has_access, answer.usage and answer.usage.limit) == (True, Decimal(100))

    def test_no_free_plan_beside_a_paid_one(self) -> None:
        answer = check(state(subscriptions=(sub(),)), "api_calls", catalogue=WITH_FREE)

        assert answer.usage is not None
        assert answer.usage.limit == 1000


class TestVersionOfThePlan:
    OLD = plan("pro", plan_version=1, published_at=NOW - 50 * DAY)
    NEW = plan("pro", SSO, plan_version=2, published_at=NOW - 10 * DAY)
    BOTH = Catalogue(FEATURES, (OLD, NEW))

    def test_a_subscriber_keeps_the_version_it_came_with(self) -> None:
        held = state(subscriptions=(sub(items=(item(price_since_at=NOW - 40 * DAY),)),))

        assert check(held, catalogue=self.BOTH).access_denied_reason is Reason.FEATURE_NOT_IN_PLAN

    def test_a_later_subscriber_gets_the_later_one(self) -> None:
        held = state(subscriptions=(sub(items=(item(price_since_at=NOW - 5 * DAY),)),))

        assert check(held, catalogue=self.BOTH).has_access

    def test_a_subscription_older_than_the_catalogue_gets_the_first_version(self) -> None:
        held = state(subscriptions=(sub(items=(item(price_since_at=NOW - 90 * DAY),)),))

        assert check(held, catalogue=self.BOTH).access_denied_reason is Reason.FEATURE_NOT_IN_PLAN


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

    def test_a_billing_cycle_keeps_stripes_boundaries(self) -> None:
        cyclic = Catalogue(FEATURES, (plan("pro", limit("api_calls", 5, ResetPeriod.BILLING_CYCLE)),))
        held = state(subscriptions=(sub(),))

        answer = check(held, "api_calls", catalogue=cyclic)

        assert answer.usage is not None
        assert (answer.usage.period_start_at, answer.usage.resets_at) == (NOW - 10 * DAY, NOW + 20 * DAY)

    def test_past_its_end_a_billing_cycle_starts_from_zero_and_waits_for_stripe(self) -> None:
        cyclic = Catalogue(FEATURES, (plan("pro", limit("api_calls", 5, ResetPeriod.BILLING_CYCLE)),))
        held = state(subscriptions=(sub(),), balance=used(5, start=NOW - 10 * DAY, reset=ResetPeriod.BILLING_CYCLE))

        answer = check(held, "api_calls", catalogue=cyclic, at=NOW + 20 * DAY)

        assert answer.usage is not None
        assert (answer.usage.used, answer.usage.period_start_at, answer.usage.resets_at) == (0, NOW + 20 * DAY, None)


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


class TestGrantsAndOverrides:
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

    @pytest.mark.parametrize(
        "fields",
        [
            pytest.param({"expires_at": NOW}, id="expired"),
            pytest.param({"effective_at": NOW + 1}, id="not yet"),
            pytest.param({"revoked_at": NOW - 1}, id="revoked"),
        ],
    )
    def test_a_grant_out_of_force_gives_nothing(self, fields: dict[str, Any]) -> None:
        assert not check(state(grants=(grant(key="sso", **fields),))).has_access

    def test_a_grant_to_come_bounds_the_answer(self) -> None:
        assert check(state(grants=(grant(key="sso", effective_at=NOW + 5),))).valid_until_at == NOW + 5

    def test_grants_alone_give_what_is_left_of_them(self) -> None:
        given = (grant(amount=Decimal(30)), grant("grant_2", amount=Decimal(20)))
        held = state(grants=given, balance=balance(pots={"api_calls": (pot(25),)}))

        beyond = check(held, "api_calls", requested_usage=Decimal(26))

        assert (beyond.has_access, beyond.usage and (beyond.usage.used, beyond.usage.limit)) == (False, (25, 50))
        assert check(held, "api_calls", requested_usage=Decimal(25)).has_access

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

    def test_an_unlimited_grant_absorbs(self) -> None:
        held = state(subscriptions=(sub(),), grants=(grant(unlimited=True),))

        assert check(held, "api_calls").limit_behavior is LimitBehavior.UNLIMITED

    def test_a_revocation_wins_over_everything(self) -> None:
        held = state(subscriptions=(sub(),), grants=(grant(key="sso"),), overrides=(override(key="sso", revoked=True),))

        answer = check(held)

        assert (answer.has_access, answer.access_denied_reason, answer.grants) == (False, Reason.REVOKED, ())

    def test_a_revocation_for_one_subscription_leaves_the_others(self) -> None:
        held = state(
            subscriptions=(sub("sub_1"), sub("sub_2")),
            overrides=(override(key="sso", revoked=True, subscription_id="sub_1"),),
        )

        assert check(held).has_access

    def test_a_workspace_override_replaces_what_plans_say(self) -> None:
        held = state(
            subscriptions=(sub("sub_1"), sub("sub_2")),
            overrides=(override(limit=Decimal(7), reset_period=ResetPeriod.MONTH),),
        )

        answer = check(held, "api_calls")

        assert (answer.usage and answer.usage.limit, [c.source for c in answer.grants]) == (7, [GrantSource.OVERRIDE])

    def test_a_workspace_override_holds_without_a_subscription(self) -> None:
        assert check(state(overrides=(override(key="sso"),))).has_access

    def test_a_subscription_override_replaces_only_its_own(self) -> None:
        held = state(
            subscriptions=(sub("sub_1"), sub("sub_2", started_at=NOW - DAY)),
            overrides=(override(subscription_id="sub_1", limit=Decimal(7), reset_period=ResetPeriod.MONTH),),
        )

        answer = check(held, "api_calls")

        assert (answer.usage and answer.usage.limit) == 1007

    def test_an_override_ends_at_its_instant(self) -> None:
        held = state(subscriptions=(sub(),), overrides=(override(key="sso", revoked=True, expires_at=NOW + 1),))

        assert (check(held).has_access, check(held).valid_until_at) == (False, NOW + 1)
        assert check(held, at=NOW + 1).has_access

    def test_an_override_of_a_subscription_speaks_once_for_all_its_plans(self) -> None:
        support = plan("support", limit("api_calls", 10, ResetPeriod.DAY))
        both = Catalogue(FEATURES, (PRO, support))
        held = state(
            subscriptions=(sub("sub_1", Status.ACTIVE, item(), item("support")),),
            overrides=(override(subscription_id="sub_1", limit=Decimal(7), reset_period=ResetPeriod.MONTH),),
        )

        answer = check(held, "api_calls", catalogue=both)

        assert (answer.usage and answer.usage.limit, [c.source for c in answer.grants]) == (7, [GrantSource.OVERRIDE])

    def test_an_override_speaks_for_the_plan_with_most_access(self) -> None:
        lenient = plan("lenient", SSO, paused_access=AccessLevel.READ_ONLY)
        full = plan("zoo", SSO, paused_access=AccessLevel.FULL)
        paused = sub("sub_1", Status.PAUSED, item("lenient"), item("zoo"))
        held = state(subscriptions=(paused,), overrides=(override(key="sso", subscription_id="sub_1"),))

        answer = check(held, catalogue=Catalogue(FEATURES, (lenient, full)))

        assert (answer.has_access, answer.read_only) == (True, False)

    def test_grants_and_add_ons_add_to_an_override(self) -> None:
        pack = add_on("pack", limit("api_calls", 10, ResetPeriod.NEVER))
        held = state(
            subscriptions=(sub("sub_1", Status.ACTIVE, item(), item("pack", quantity=2)),),
            grants=(grant(amount=Decimal(5)),),
            overrides=(override(limit=Decimal(7), reset_period=ResetPeriod.MONTH),),
        )

        answer = check(held, "api_calls", catalogue=Catalogue(FEATURES, (PRO, pack)))

        assert answer.usage is not None
        assert answer.usage.limit == 7 + 2 * 10 + 5


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

    def test_revoking_the_feature_leaves_the_others_their_credits(self) -> None:
        held = state(subscriptions=(sub(),), overrides=(override(key="image", revoked=True),))

        assert check(held, "image", catalogue=self.CATALOGUE).access_denied_reason is Reason.REVOKED
        assert check(held, "chat", catalogue=self.CATALOGUE).has_access

    def test_revoking_the_feature_for_one_subscription_leaves_it_the_credits_of_the_others(self) -> None:
        held = state(
            subscriptions=(sub("sub_1"), sub("sub_2", Status.ACTIVE, item("other"))),
            overrides=(override(key="image", revoked=True, subscription_id="sub_1"),),
        )

        image, chat = (check(held, key, catalogue=self.CATALOGUE) for key in ("image", "chat"))

        assert (image.usage and image.usage.limit, chat.usage and chat.usage.limit) == (2, 12)

    def test_a_revocation_holds_whatever_was_carried_over(self) -> None:
        rolling = Catalogue(self.FEATURES, (plan("pro", limit("credits", 10, rollover_max=Decimal(5))),))
        carried = meter(0, NOW - DAY, end_at=NOW + DAY, limit=Decimal(10), carried=Decimal(5))
        held = state(
            subscriptions=(sub(),),
            overrides=(override(key="credits", revoked=True),),
            balance=balance(meters={"credits": (carried,)}),
        )

        for asked in (Decimal(0), Decimal(1)):
            answer = check(held, "credits", catalogue=rolling, requested_usage=asked)
            assert (answer.has_access, answer.access_denied_reason) == (False, Reason.REVOKED)


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
