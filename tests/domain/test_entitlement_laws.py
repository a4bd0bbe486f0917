"""The laws that every answer keeps, whatever the records."""

from decimal import Decimal
from random import Random  # noqa: TID251 - hypothesis hands it over

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from support.records import DAY, NOW, feature, grant, item, limit, override, plan, sub, workspace

from app.domain.entitlement import Entitlement, evaluate, usage_windows
from app.domain.grant import Grant, GrantSource
from app.domain.plan import (
    AccessLevel,
    Catalogue,
    FeatureType,
    GracePolicy,
    LimitBehavior,
    PlanFeature,
    ResetPeriod,
    ValueType,
)
from app.domain.subscription import SubscriptionStatus
from app.domain.usage import Balance, Meter
from app.domain.workspace import WorkspaceTrial
from app.domain.workspace_state import WorkspaceState

KEYS = ("api_calls", "sso", "retention_days", "regions")
FEATURES = (
    feature("api_calls"),
    feature("sso", FeatureType.BOOLEAN),
    feature("retention_days", FeatureType.CONFIG, value_type=ValueType.INTEGER),
    feature("regions", FeatureType.CONFIG, value_type=ValueType.ENUM, enum_values=("eu", "us")),
)
PLANS = (
    plan(
        "basic",
        limit("api_calls", 10),
        PlanFeature(feature_key="retention_days", value=7),
        paused_access=AccessLevel.READ_ONLY,
    ),
    plan(
        "pro",
        limit("api_calls", 100, ResetPeriod.BILLING_CYCLE),
        limit("api_calls", 5, ResetPeriod.DAY, LimitBehavior.SOFT),
        PlanFeature(feature_key="sso"),
        PlanFeature(feature_key="regions", value=("eu",)),
        grace=GracePolicy(days=3, access=AccessLevel.READ_ONLY),
    ),
    plan("max", limit("api_calls", None), PlanFeature(feature_key="sso"), plan_version=2),
)

instants = st.integers(-40, 40).map(lambda days: NOW + days * DAY // 2)
maybe_instants = st.none() | instants
amounts = st.integers(0, 120).map(Decimal)


@st.composite
def grants(draw: st.DrawFn, id: str = "grant_1") -> Grant:
    key = draw(st.sampled_from(KEYS))
    value = {"retention_days": st.integers(1, 90), "regions": st.just(("us",))}.get(key, st.none())
    amount = draw(amounts) if key == "api_calls" else None
    return grant(
        id,
        key,
        source=draw(st.sampled_from([GrantSource.PROMOTIONAL, GrantSource.MANUAL])),
        effective_at=draw(instants),
        expires_at=draw(maybe_instants),
        revoked_at=draw(st.none() | st.none() | instants),
        amount=amount,
        priority=draw(st.sampled_from([10, 100, 500])),
        reset_period=draw(st.sampled_from([ResetPeriod.NEVER, ResetPeriod.DAY])),
        unlimited=key == "api_calls" and draw(st.sampled_from([False, False, False, True])),
        value=draw(value),
    )


@st.composite
def subscriptions(draw: st.DrawFn, id: str) -> object:
    start = draw(instants)
    key = draw(st.sampled_from(["basic", "pro", "max", "unknown"]))
    return sub(
        id,
        draw(st.sampled_from(list(SubscriptionStatus))),
        item(key, current_period_start_at=start, current_period_end_at=start + 30 * DAY, price_since_at=start),
        started_at=start - 30 * DAY,
        billing_anchor_at=start,
        trial_end_at=draw(maybe_instants),
        cancel_at=draw(maybe_instants),
        cancel_at_period_end=draw(st.booleans()),
        ended_at=draw(maybe_instants),
        past_due_at=draw(st.none() | st.just(start)),
    )


@st.composite
def states(draw: st.DrawFn) -> tuple[WorkspaceState, Catalogue]:
    catalogue = Catalogue(FEATURES, PLANS, default_plan_key=draw(st.sampled_from([None, "basic"])))
    trial_at = draw(maybe_instants)
    trial = None if trial_at is None else WorkspaceTrial("plan_pro_1", trial_at, trial_at + 14 * DAY)
    overridden = draw(st.lists(st.sampled_from(["revoke", "limit", "sub"]), max_size=2, unique=True))
    state = WorkspaceState(
        workspace=workspace(trial=trial),
        subscriptions=tuple(draw(subscriptions(f"sub_{n}")) for n in range(draw(st.integers(0, 3)))),
        grants=tuple(draw(grants(f"grant_{n}")) for n in range(draw(st.integers(0, 3)))),
        overrides=tuple(
            override(
                f"ovr_{kind}",
                draw(st.sampled_from(["api_calls", "sso"])),
                revoked=kind == "revoke",
                subscription_id="sub_0" if kind == "sub" else None,
                limit=draw(amounts),
                reset_period=draw(st.sampled_from([ResetPeriod.MONTH, ResetPeriod.DAY, ResetPeriod.NEVER])),
                expires_at=draw(maybe_instants),
            )
            for kind in overridden
        ),
        version=1,
    )
    windows = usage_windows(FEATURES[0], state, catalogue, NOW)
    meters = tuple(
        Meter(reset_period=w.reset_period, start_at=w.start_at, end_at=w.end_at, used=draw(amounts)) for w in windows
    )
    return msgspec.structs.replace(state, balance=Balance(id="ws_1", meters={"api_calls": meters})), catalogue


def answers(state: WorkspaceState, catalogue: Catalogue, at: int) -> list[Entitlement]:
    return [evaluate(key, state, catalogue, at) for key in KEYS]


def content(answer: Entitlement) -> Entitlement:
    """Leave out what tells about the horizon itself."""
    return msgspec.structs.replace(answer, valid_until_at=None)


@given(states(), grants("grant_more"))
def test_more_grants_never_lower_access(held: tuple[WorkspaceState, Catalogue], more: Grant) -> None:
    state, catalogue = held
    richer = msgspec.structs.replace(state, grants=(*state.grants, more))

    for before, after in zip(answers(state, catalogue, NOW), answers(richer, catalogue, NOW), strict=True):
        assert after.has_access >= before.has_access
        if before.has_access:
            assert after.read_only <= before.read_only


@given(states(), st.randoms(use_true_random=False))
def test_the_order_of_records_does_not_matter(held: tuple[WorkspaceState, Catalogue], random: Random) -> None:
    state, catalogue = held

    def shuffled(records: tuple[object, ...]) -> tuple[object, ...]:
        return tuple(random.sample(records, len(records)))

    other = msgspec.structs.replace(
        state,
        subscriptions=shuffled(state.subscriptions),
        grants=shuffled(state.grants),
        overrides=shuffled(state.overrides),
    )

    assert answers(state, catalogue, NOW) == answers(other, catalogue, NOW)


@given(states(), st.integers(0, 30 * DAY))
def test_valid_until_is_honest(held: tuple[WorkspaceState, Catalogue], later: int) -> None:
    state, catalogue = held

    for key in KEYS:
        now = evaluate(key, state, catalogue, NOW)
        horizon = NOW + later if now.valid_until_at is None else min(NOW + later, now.valid_until_at - 1)
        then = evaluate(key, state, catalogue, horizon)
        assert content(then) == content(now)
        assert now.valid_until_at is None or now.valid_until_at > NOW


@given(states())
def test_a_denial_always_says_why_and_access_never_does(held: tuple[WorkspaceState, Catalogue]) -> None:
    state, catalogue = held

    for answer in answers(state, catalogue, NOW):
        assert answer.has_access is (answer.access_denied_reason is None)


@given(states(), amounts, amounts)
def test_whoever_may_use_more_may_use_less(
    held: tuple[WorkspaceState, Catalogue], one: Decimal, other: Decimal
) -> None:
    state, catalogue = held
    less, more = sorted((one, other))

    if evaluate("api_calls", state, catalogue, NOW, requested_usage=more).has_access:
        assert evaluate("api_calls", state, catalogue, NOW, requested_usage=less).has_access


@given(states())
def test_every_window_that_decides_is_one_that_is_counted(held: tuple[WorkspaceState, Catalogue]) -> None:
    state, catalogue = held
    answer = evaluate("api_calls", state, catalogue, NOW)

    if answer.usage is not None:
        starts = {
            (window.start_at or None, window.end_at) for window in usage_windows(FEATURES[0], state, catalogue, NOW)
        }
        assert (answer.usage.period_start_at, answer.usage.resets_at) in starts
