"""Every remedy that is named, applied for real, turns the denial into access."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.records import DAY, NOW, feature, grant, item, limit, override, plan, sub, workspace
from support.states import KEYS, amounts, states

from app.domain.entitlement import evaluate
from app.domain.explanation import Question
from app.domain.grant import GrantSource
from app.domain.plan import Catalogue, FeatureType, MeterType, PlanKind, PlanStatus, ResetPeriod
from app.domain.remedy import Remedy, RemedyKind, remedies
from app.domain.subscription import SubscriptionStatus
from app.domain.usage import Balance, Meter
from app.domain.workspace_state import WorkspaceState

FEATURES = (
    feature("api_calls"),
    feature("seats", meter_type=MeterType.FLUCTUATING),
    feature("sso", FeatureType.BOOLEAN),
    feature("ai", FeatureType.CREDIT),
    feature("images", FeatureType.CREDIT, credit_key="ai", cost=Decimal("2.5")),
)
CATALOGUE = Catalogue(
    FEATURES,
    [
        plan("basic", limit(amount=10), limit("seats", 2, ResetPeriod.NEVER), limit("ai", 5)),
        plan("pro", limit(amount=1000), limit("seats", 20, ResetPeriod.NEVER), limit("sso", None), limit("ai", 500)),
        plan("old", limit(amount=9_999_999), limit("sso", None), status=PlanStatus.ARCHIVED),
        plan("more_calls", limit(amount=50), kind=PlanKind.ADD_ON, max_quantity=4),
        plan("more_seats", limit("seats", 1, ResetPeriod.NEVER), kind=PlanKind.ADD_ON),
    ],
)
BASIC = sub("sub_1", SubscriptionStatus.ACTIVE, item("basic"))


def state_of(**fields: Any) -> WorkspaceState:
    return WorkspaceState(**{"workspace": workspace(), "subscriptions": (BASIC,), "version": 1, **fields})


def found(key: str, state: WorkspaceState, amount: str | None = None, catalogue: Catalogue = CATALOGUE) -> list[Remedy]:
    question = Question(
        feature_key=key,
        state=state,
        catalogue=catalogue,
        at=NOW,
        requested_usage=None if amount is None else Decimal(amount),
    )
    answer = evaluate(key, state, catalogue, NOW, requested_usage=question.requested_usage)
    named = list(remedies(question, answer))
    for remedy in named:
        assert not answer.has_access
        assert is_cured(remedy, question), remedy
    return named


def is_cured(remedy: Remedy, question: Question) -> bool:
    """Apply the remedy as the world would: a changed subscription, a grant, a payment, or time."""
    state = question.state
    assert state is not None
    at = question.at
    live = sorted(
        (s for s in state.subscriptions if s.status not in {"canceled", "incomplete_expired"}),
        key=lambda s: (s.started_at, s.id),
    )
    match remedy.kind:
        case RemedyKind.WAIT_UNTIL:
            assert remedy.at is not None
            assert remedy.at > at
            at = remedy.at
        case RemedyKind.TOP_UP:
            bought = question.catalogue.features[question.feature_key].balance_key
            gift = grant("bought", bought, amount=remedy.quantity, source=GrantSource.TOP_UP, effective_at=NOW)
            state = msgspec.structs.replace(state, grants=(*state.grants, gift))
        case RemedyKind.PAY_INVOICE:
            paid = [
                msgspec.structs.replace(s, status=SubscriptionStatus.ACTIVE) if s.id == remedy.subscription_id else s
                for s in state.subscriptions
            ]
            state = msgspec.structs.replace(state, subscriptions=tuple(paid))
        case RemedyKind.PLAN | RemedyKind.ADD_ON:
            assert remedy.plan is not None
            new = item(remedy.plan.key, price_since_at=NOW, quantity=int(remedy.quantity or 1))
            period = live[0].items[0] if live and live[0].items else new
            new = msgspec.structs.replace(
                new,
                current_period_start_at=max((i.current_period_start_at for i in live[0].items), default=NOW)
                if live
                else NOW,
                current_period_end_at=period.current_period_end_at if live else NOW + 30 * DAY,
            )
            if not live:
                changed = sub("sub_new", SubscriptionStatus.ACTIVE, new, started_at=NOW, billing_anchor_at=NOW)
            elif remedy.kind is RemedyKind.ADD_ON:
                changed = msgspec.structs.replace(live[0], items=(*live[0].items, new))
            else:
                kept = (i for i in live[0].items if (i.lookup_key or "").startswith("more"))
                changed = msgspec.structs.replace(live[0], items=(new, *kept))
            others = tuple(s for s in state.subscriptions if s.id != changed.id)
            state = msgspec.structs.replace(state, subscriptions=(*others, changed))
    return evaluate(
        question.feature_key,
        state,
        question.catalogue,
        at,
        requested_usage=question.requested_usage,
        requested_values=question.requested_values,
    ).has_access


def named(remedies: list[Remedy]) -> dict[RemedyKind, str]:
    return {r.kind: f"{r.plan.key if r.plan else ''}{r.quantity or ''}" for r in remedies}


def used(key: str, amount: int) -> Balance:
    meter = Meter(reset_period=ResetPeriod.NEVER, start_at=0, end_at=None, used=Decimal(amount))
    return Balance(id="ws_1", meters={key: (meter,)})


def test_too_much_asked_for_is_cured_by_plan_add_on_or_top_up() -> None:
    assert named(found("api_calls", state_of(), "101")) == {
        RemedyKind.PLAN: "pro",
        RemedyKind.ADD_ON: "more_calls2",
        RemedyKind.TOP_UP: "91",
    }


def test_an_add_on_is_not_named_beyond_what_may_be_bought() -> None:
    assert RemedyKind.ADD_ON not in named(found("api_calls", state_of(), "211"))


def test_credits_are_topped_up_in_credits() -> None:
    assert named(found("images", state_of(), "4"))[RemedyKind.TOP_UP] == "5"


def test_seats_beyond_the_level_are_bought() -> None:
    remedies = named(found("seats", state_of(balance=used("seats", 5))))

    assert remedies == {RemedyKind.PLAN: "pro", RemedyKind.ADD_ON: "more_seats4", RemedyKind.TOP_UP: "4"}


def test_a_feature_that_is_not_in_the_plan_needs_another_plan() -> None:
    assert named(found("sso", state_of())) == {RemedyKind.PLAN: "pro"}


def test_what_is_overdue_is_paid() -> None:
    overdue = sub("sub_1", SubscriptionStatus.UNPAID, item("basic"))

    assert named(found("api_calls", state_of(subscriptions=(overdue,)))) == {RemedyKind.PAY_INVOICE: ""}


def test_the_next_window_is_waited_for() -> None:
    start_at = NOW - 10 * DAY
    monthly = sub("sub_1", SubscriptionStatus.ACTIVE, item("basic"), billing_anchor_at=start_at, started_at=start_at)
    meter = Meter(reset_period=ResetPeriod.MONTH, start_at=start_at, end_at=NOW + DAY, used=Decimal(10))
    state = state_of(subscriptions=(monthly,), balance=Balance(id="ws_1", meters={"api_calls": (meter,)}))

    (wait,) = [r for r in found("api_calls", state) if r.kind is RemedyKind.WAIT_UNTIL]

    assert wait.at == evaluate("api_calls", state, CATALOGUE, NOW).valid_until_at


def test_who_has_nothing_may_buy_any_plan_that_helps() -> None:
    remedies = found("api_calls", state_of(subscriptions=()), "5")

    assert [remedy.plan.key for remedy in remedies if remedy.plan] == ["basic", "pro"]


@pytest.mark.parametrize(
    "state",
    [
        pytest.param(state_of(overrides=(override(revoked=True),)), id="revoked"),
        pytest.param(state_of(workspace=workspace(archived_at=NOW)), id="archived"),
    ],
)
def test_what_is_beyond_help_has_no_remedy(state: WorkspaceState) -> None:
    assert found("api_calls", state) == []


@given(states(), st.sampled_from(KEYS), amounts)
def test_every_remedy_cures(held: tuple[WorkspaceState, Catalogue], key: str, amount: Decimal) -> None:
    state, catalogue = held
    is_counted = catalogue.features[key].is_counted

    remedies = found(key, state, str(amount) if is_counted else None, catalogue)

    assert len({(remedy.kind, remedy.plan, remedy.subscription_id) for remedy in remedies}) == len(remedies)
