"""What speaks about a feature: plans that lack it, grants in force, overrides and revocations."""

from decimal import Decimal
from typing import Any

import pytest
from support.checks import CATALOGUE, FEATURES, PRO, SSO, check, state
from support.records import DAY, NOW, add_on, balance, credit, drawing, grant, item, limit, meter, override, plan, sub

from app.domain.denial import AccessDeniedReason as Reason
from app.domain.findings import gather
from app.domain.grant import GrantSource
from app.domain.plan import AccessLevel, Catalogue, ResetPeriod
from app.domain.subscription import SubscriptionStatus as Status


def test_the_plan_lacks_the_feature() -> None:
    bare = Catalogue(FEATURES, (plan("pro"),))

    answer = check(state(subscriptions=(sub(),)), catalogue=bare)

    assert answer.access_denied_reason is Reason.FEATURE_NOT_IN_PLAN


def test_paying_would_not_help_where_the_overdue_plan_lacks_the_feature() -> None:
    bare = Catalogue(FEATURES, (plan("pro"),))

    answer = check(state(subscriptions=(sub(status=Status.UNPAID),)), catalogue=bare)

    assert answer.access_denied_reason is Reason.FEATURE_NOT_IN_PLAN


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"expires_at": NOW}, id="expired"),
        pytest.param({"effective_at": NOW + 1}, id="not yet"),
        pytest.param({"revoked_at": NOW - 1}, id="revoked"),
    ],
)
def test_a_grant_out_of_force_gives_nothing(fields: dict[str, Any]) -> None:
    assert not check(state(grants=(grant(key="sso", **fields),))).has_access


@pytest.mark.parametrize(
    ("key", "has_access"),
    [
        pytest.param("sso", True, id="boolean"),
        pytest.param("api_calls", False, id="metered"),
        pytest.param("retention_days", False, id="config"),
    ],
)
def test_an_entitlement_of_stripe_gives_what_needs_no_amount(key: str, *, has_access: bool) -> None:
    given = grant(key=key, source=GrantSource.STRIPE_ENTITLEMENT, amount=None)

    assert check(state(grants=(given,)), key).has_access is has_access


def test_a_grant_to_come_bounds_the_answer() -> None:
    assert check(state(grants=(grant(key="sso", effective_at=NOW + 5),))).valid_until_at == NOW + 5


class TestOverrides:
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


class TestRevocations:
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


class TestRevokedCredits:
    FEATURES = (credit(), drawing("chat", "0.5"), drawing("image", 4))
    CATALOGUE = Catalogue(FEATURES, (plan("pro", limit("credits", 10)), plan("other", limit("credits", 2))))

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


class TestGathering:
    def test_turns_are_those_to_come_in_their_order(self) -> None:
        held = state(
            subscriptions=(sub(cancel_at=NOW + 7),),
            grants=(grant(key="sso", effective_at=NOW - 3, expires_at=NOW + 9, revoked_at=NOW),),
            overrides=(override(key="sso", subscription_id="sub_2", expires_at=NOW + 5),),
        )

        assert gather(FEATURES[1], held, CATALOGUE, NOW).turns == (NOW + 5, NOW + 7, NOW + 9)

    def test_what_the_caller_has_already_is_not_looked_for_again(self) -> None:
        held = state(subscriptions=(sub(),))

        assert gather(FEATURES[1], held, CATALOGUE, NOW, held=()).parts == ()

    def test_only_grants_and_overrides_of_the_feature_speak_about_it(self) -> None:
        held = state(grants=(grant("grant_2", key="sso"), grant("grant_1", key="sso"), grant("grant_3", key="theme")))

        found = gather(FEATURES[1], held, CATALOGUE, NOW)

        assert [each.id for each in found.grants] == ["grant_1", "grant_2"]

    def test_the_newest_of_several_overrides_speaks(self) -> None:
        older, newer = (override(f"ovr_{at}", key="sso", updated_at=NOW + at) for at in (1, 2))

        (part,) = gather(FEATURES[1], state(overrides=(newer, older)), CATALOGUE, NOW).parts

        assert part.id == "ovr_2"
