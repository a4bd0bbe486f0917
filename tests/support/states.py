"""Hypothesis strategies: a workspace in whatever state, and the catalogue that decides for it."""

from decimal import Decimal

import msgspec
from hypothesis import strategies as st
from support.records import DAY, NOW, feature, grant, item, limit, override, plan, sub, workspace

from app.domain.entitlement import usage_windows
from app.domain.grant import Grant, GrantSource
from app.domain.plan import (
    AccessLevel,
    Catalogue,
    FeatureType,
    GracePolicy,
    LimitBehavior,
    PlanFeature,
    PlanKind,
    ResetPeriod,
    ValueType,
)
from app.domain.subscription import SubscriptionStatus
from app.domain.usage import Balance, Meter
from app.domain.workspace import WorkspaceTrial
from app.domain.workspace_state import WorkspaceState

KEYS = ("api_calls", "ai", "images", "sso", "retention_days", "regions")
COUNTED = ("api_calls", "ai")
FEATURES = (
    feature("api_calls"),
    feature("ai", FeatureType.CREDIT),
    feature("images", FeatureType.CREDIT, credit_key="ai", cost=Decimal("2.5")),
    feature("sso", FeatureType.BOOLEAN),
    feature("retention_days", FeatureType.CONFIG, value_type=ValueType.INTEGER),
    feature("regions", FeatureType.CONFIG, value_type=ValueType.ENUM, enum_values=("eu", "us")),
)
PLANS = (
    plan(
        "basic",
        limit("api_calls", 10),
        limit("ai", 5),
        PlanFeature(feature_key="retention_days", value=7),
        paused_access=AccessLevel.READ_ONLY,
    ),
    plan(
        "pro",
        limit("api_calls", 100, ResetPeriod.BILLING_CYCLE),
        limit("api_calls", 5, ResetPeriod.DAY, LimitBehavior.SOFT),
        msgspec.structs.replace(limit("ai", 50), rollover_max=Decimal(20)),
        PlanFeature(feature_key="sso"),
        PlanFeature(feature_key="regions", value=("eu",)),
        grace=GracePolicy(days=3, access=AccessLevel.READ_ONLY),
    ),
    plan("max", limit("api_calls", None), PlanFeature(feature_key="sso"), plan_version=2),
    plan("more", limit("api_calls", 25), limit("ai", 10, ResetPeriod.DAY), kind=PlanKind.ADD_ON),
)

instants = st.integers(-40, 40).map(lambda days: NOW + days * DAY // 2)
maybe_instants = st.none() | instants
amounts = st.integers(0, 120).map(Decimal)


@st.composite
def grants(draw: st.DrawFn, id: str = "grant_1") -> Grant:
    key = draw(st.sampled_from([key for key in KEYS if key != "images"]))
    value = {"retention_days": st.integers(1, 90), "regions": st.just(("us",))}.get(key, st.none())
    is_counted = key in COUNTED
    return grant(
        id,
        key,
        source=draw(st.sampled_from([GrantSource.PROMOTIONAL, GrantSource.MANUAL, GrantSource.TOP_UP])),
        effective_at=draw(instants),
        expires_at=draw(maybe_instants),
        revoked_at=draw(st.none() | st.none() | instants),
        amount=draw(amounts) if is_counted else None,
        unlimited=is_counted and draw(st.sampled_from([False, False, False, True])),
        value=draw(value),
        priority=draw(st.sampled_from([50, 100, 200])),
        reset_period=draw(st.sampled_from([ResetPeriod.NEVER, ResetPeriod.DAY])) if is_counted else ResetPeriod.NEVER,
    )


@st.composite
def subscriptions(draw: st.DrawFn, id: str) -> object:
    start = draw(instants)
    dates = {"current_period_start_at": start, "current_period_end_at": start + 30 * DAY, "price_since_at": start}
    keys = [draw(st.sampled_from(["basic", "pro", "max", "unknown"])), *draw(st.sampled_from([[], [], ["more"]]))]
    return sub(
        id,
        draw(st.sampled_from(list(SubscriptionStatus))),
        *(item(key, **dates, quantity=draw(st.integers(1, 3))) for key in keys),
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
    meters = {key: tuple(draw(_meters(key, state, catalogue))) for key in COUNTED}
    return msgspec.structs.replace(state, balance=Balance(id="ws_1", meters=meters)), catalogue


@st.composite
def _meters(draw: st.DrawFn, key: str, state: WorkspaceState, catalogue: Catalogue) -> list[Meter]:
    windows = usage_windows(catalogue.features[key], state, catalogue, NOW)
    return [
        Meter(reset_period=w.reset_period, start_at=w.start_at, end_at=w.end_at, used=draw(amounts)) for w in windows
    ]
