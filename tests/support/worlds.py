"""What a life may begin with, and what may be given to it or asked of it."""

from collections.abc import Sequence
from decimal import Decimal

from hypothesis import strategies as st
from support.lives import DRAWING, FEATURES, HOUR, Life, ms, subscription
from support.records import DAY, add_on, grant, limit, override, plan, wanted

from app.domain.consumption import Wanted
from app.domain.grant import Grant, GrantSource, Override
from app.domain.plan import Catalogue, LimitBehavior, Plan, PlanFeature, ResetPeriod
from app.domain.subscription import SubscriptionStatus

ANY_BEHAVIOR = tuple(LimitBehavior)
STARTS = (ms("2024-01-31"), ms("2025-01-31T23:59:59"), ms("2026-06-15T12:30:00"), ms("2027-12-29"))
amounts = st.integers(0, 80).map(lambda halves: Decimal(halves) / 2)
positive = st.integers(1, 60).map(lambda halves: Decimal(halves) / 2)
fine = st.one_of(positive, positive, st.integers(1, 10**10).map(lambda n: Decimal(n).scaleb(-9)))
spans = st.one_of(st.sampled_from([1, HOUR, DAY, 10 * DAY, 31 * DAY, 35 * DAY, 100 * DAY]), st.integers(1, 40 * DAY))
STATUSES = st.sampled_from(
    [SubscriptionStatus.ACTIVE, SubscriptionStatus.UNPAID, SubscriptionStatus.PAUSED, SubscriptionStatus.CANCELED]
)
TTLS = st.sampled_from([HOUR, 2 * DAY, 40 * DAY])
resets = st.sampled_from([ResetPeriod.NEVER, ResetPeriod.DAY, ResetPeriod.MONTH, ResetPeriod.BILLING_CYCLE])


@st.composite
def plan_rows(
    draw: st.DrawFn, key: str = "credits", behaviors: Sequence[LimitBehavior] = (LimitBehavior.HARD,)
) -> list[PlanFeature]:
    chosen = draw(st.lists(resets, min_size=1, max_size=2, unique=True))
    return [
        limit(
            key,
            draw(amounts) if (behavior := draw(st.sampled_from(behaviors))) is not LimitBehavior.UNLIMITED else None,
            reset,
            behavior,
            rollover_max=None
            if reset is ResetPeriod.NEVER or behavior is LimitBehavior.UNLIMITED
            else draw(st.none() | amounts),
        )
        for reset in chosen
    ]


@st.composite
def plan_versions(
    draw: st.DrawFn, key: str, behaviors: Sequence[LimitBehavior] = (LimitBehavior.HARD,), **fields: object
) -> Plan:
    rows = [
        *draw(plan_rows("credits", behaviors)),
        *draw(plan_rows("api_calls", behaviors)),
        limit("seats", draw(amounts), ResetPeriod.NEVER),
    ]
    return plan(key, *rows, **{"published_at": 0, **fields})


@st.composite
def packs(draw: st.DrawFn) -> Plan:
    return add_on("pack", limit("credits", draw(positive), draw(resets)), published_at=0)


@st.composite
def grants(draw: st.DrawFn, id: str, at: int, *, recurring: bool = True) -> Grant:
    effective_at = at + draw(st.sampled_from([0, 0, -3 * DAY, 2 * DAY]))
    source = draw(st.sampled_from([GrantSource.PROMOTIONAL, GrantSource.TOP_UP, GrantSource.MANUAL]))
    ends_in = draw(st.none() | st.sampled_from([HOUR, DAY, 20 * DAY, 400 * DAY]))
    return grant(
        id,
        "credits",
        source=source,
        effective_at=effective_at,
        expires_at=None if ends_in is None else at + ends_in,
        amount=draw(positive),
        priority=draw(st.sampled_from([100, 100, 10, 500])),
        reset_period=draw(st.sampled_from([ResetPeriod.NEVER, ResetPeriod.NEVER, ResetPeriod.DAY, ResetPeriod.MONTH]))
        if recurring
        else ResetPeriod.NEVER,
    )


@st.composite
def overrides(draw: st.DrawFn, id: str, at: int, *, revoked: bool) -> Override:
    ends_in = draw(st.sampled_from([None, DAY, 40 * DAY]))
    return override(
        id,
        draw(st.sampled_from(DRAWING if revoked else ("credits", "api_calls"))),
        revoked=revoked,
        subscription_id=draw(st.sampled_from([None, "sub_1", "sub_2"])),
        limit=None if revoked else draw(amounts),
        reset_period=ResetPeriod.NEVER if revoked else draw(resets),
        expires_at=None if ends_in is None else at + ends_in,
    )


@st.composite
def lives(draw: st.DrawFn, *, behaviors: Sequence[LimitBehavior] = (LimitBehavior.HARD,)) -> Life:
    """Begin a life: one plan with an add-on, another to change to, maybe a free one, maybe grants."""
    at = draw(st.sampled_from(STARTS))
    plans = (
        draw(plan_versions("pro", behaviors)),
        draw(plan_versions("basic", behaviors)),
        draw(plan_versions("free", behaviors, prices=())),
        draw(packs()),
    )
    catalogue = Catalogue(FEATURES, plans, default_plan_key=draw(st.sampled_from([None, "free"])))
    subs = [subscription(at, draw(st.sampled_from(["pro", "basic"])))]
    if draw(st.sampled_from([False, False, True])):
        subs.append(subscription(at - 9 * DAY - HOUR, draw(st.sampled_from(["pro", "basic"])), "sub_2"))
    life = Life(catalogue, at, *subs)
    for _ in range(draw(st.integers(0, 3))):
        life.give(draw(grants(life.new_id("grant"), at)))
    return life


def baskets(keys: Sequence[str] = DRAWING, *, most: int = 3) -> st.SearchStrategy[list[Wanted]]:
    return st.lists(st.builds(wanted, fine, st.sampled_from(keys)), min_size=1, max_size=most)
