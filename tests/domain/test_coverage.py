"""Which plans cover a workspace: by the status of its subscriptions, its own trial, and by default."""

from decimal import Decimal
from typing import Any

import pytest
from support.checks import CATALOGUE, FEATURES, FREE, PRO, SSO, WITH_FREE, check, state, used
from support.records import DAY, NOW, item, limit, plan, sub, workspace

from app.domain.coverage import Holding, holdings
from app.domain.denial import AccessDeniedReason as Reason
from app.domain.grant import GrantSource
from app.domain.plan import AccessLevel, Catalogue, GracePolicy, ResetPeriod
from app.domain.subscription import Subscription
from app.domain.subscription import SubscriptionStatus as Status
from app.domain.workspace import WorkspaceTrial
from app.domain.workspace_state import WorkspaceState


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
    status: Status, fields: dict[str, Any], reason: Reason, catalogue: Catalogue
) -> None:
    answer = check(state(subscriptions=(sub(status=status, **fields),)), catalogue=catalogue)

    if catalogue is WITH_FREE and reason is Reason.NO_ACTIVE_SUBSCRIPTION:
        reason = Reason.FEATURE_NOT_IN_PLAN
    assert (answer.has_access, answer.access_denied_reason) == (False, reason)


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
        trial_end_at = NOW - DAY
        late = sub(
            status=Status.PAST_DUE,
            past_due_at=trial_end_at + 3_600_000,  # an hour after the trial the invoice is due
            unpaid_period_start_at=trial_end_at,
            trial_end_at=trial_end_at,
        )

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


class TestBillingCycle:
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


class TestHoldings:
    def held(self, *subs: Subscription, catalogue: Catalogue = CATALOGUE) -> tuple[Holding, ...]:
        return holdings(workspace(), subs, catalogue, NOW)

    def test_the_earliest_started_comes_first_and_the_free_plan_last(self) -> None:
        late, early = sub("sub_1", started_at=NOW - DAY), sub("sub_2", Status.UNPAID, started_at=NOW - 2 * DAY)
        ended = sub("sub_3", Status.CANCELED, started_at=NOW - 3 * DAY, ended_at=NOW - DAY)

        assert [each.source_id for each in self.held(late, early)] == ["sub_2", "sub_1"]
        assert [each.source_id for each in self.held(early, ended, catalogue=WITH_FREE)] == ["sub_3", "sub_2", FREE.id]

    def test_items_of_one_plan_are_one_holding_of_so_many_pieces(self) -> None:
        yearly = item(id="si_2", quantity=3)

        (found,) = self.held(sub("sub_1", Status.ACTIVE, item(quantity=2), yearly))

        assert (found.plan, found.quantity) == (PRO, 5)

    def test_a_price_that_no_plan_names_takes_nothing_from_the_others(self) -> None:
        unknown = item("lost")

        known, lost = sorted(
            self.held(sub("sub_1", Status.ACTIVE, unknown, item())), key=lambda each: each.plan is None
        )

        assert (known.plan, known.level, known.reason) == (PRO, AccessLevel.FULL, None)
        assert (lost.plan, lost.level, lost.reason) == (None, AccessLevel.NONE, Reason.PRICE_NOT_IN_CATALOG)

    def test_the_nearest_of_several_turns_comes_next(self) -> None:
        (first_canceled,) = self.held(sub(status=Status.TRIALING, trial_end_at=NOW + 9, cancel_at=NOW + 5))
        (first_paid,) = self.held(sub(status=Status.TRIALING, trial_end_at=NOW + 5, cancel_at=NOW + 9))

        assert (first_canceled.next_turn_at, first_paid.next_turn_at) == (NOW + 5, NOW + 5)

    def test_what_is_over_for_good_is_told_apart_from_what_may_be_paid_yet(self) -> None:
        over, overdue = self.held(sub("sub_1", Status.CANCELED, ended_at=NOW - DAY), sub("sub_2", Status.UNPAID))

        assert (over.ended, overdue.ended) == (True, False)
