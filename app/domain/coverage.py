"""Which plans cover a workspace at an instant: by subscription, by its own trial, or by default."""

from collections import Counter
from typing import Final

import msgspec

from app.domain.change import Instant
from app.domain.denial import AccessDeniedReason
from app.domain.period import Period, period_at
from app.domain.plan import AccessLevel, Catalogue, GracePolicy, Plan, PlanKind, ResetPeriod
from app.domain.subscription import TERMINAL, Subscription, SubscriptionItem, SubscriptionStatus
from app.domain.workspace import Workspace

DAY_MS: Final = 86_400_000


class Holding(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One plan that a workspace has or had, and what it gives at the instant asked for.

    `level` NONE means that it gives nothing, for `reason`; READ_ONLY comes with a reason too.
    `plan` is None where no plan names the price; `since_at` is when this version of it began to hold.
    `next_turn_at` is when the clock alone changes this.
    """

    source_id: str
    plan: Plan | None
    level: AccessLevel
    started_at: Instant
    since_at: Instant
    anchor_at: Instant
    cycle: Period | None = None
    subscription_id: str | None = None
    reason: AccessDeniedReason | None = None
    is_trial: bool = False
    trial_ends_at: Instant | None = None
    in_grace: bool = False
    grace_ends_at: Instant | None = None
    next_turn_at: Instant | None = None
    ended: bool = False
    """Over for good: nothing will be counted against it again."""
    quantity: int = 1
    """Of an add-on: how many were bought; its amounts are multiplied by it."""

    @property
    def is_add_on(self) -> bool:
        """Whether this adds to plans instead of being one."""
        return self.plan is not None and self.plan.kind is PlanKind.ADD_ON

    @property
    def chain(self) -> str:
        """Names the windows that follow one another, whatever plan they are of: only along it is anything carried."""
        return self.subscription_id or str(self.anchor_at)

    def period(self, reset_period: ResetPeriod, at: int) -> Period:
        """Return the window of this holding that holds `at`.

        NEVER counts from the beginning of time, so that a change of plan forgets nothing. A billing cycle keeps
        Stripe's own boundaries; past its end, the next one stays open until Stripe tells where it ends.
        """
        if reset_period is ResetPeriod.NEVER:
            return Period(0, None)
        if reset_period is ResetPeriod.BILLING_CYCLE and self.cycle is not None:
            end_at = self.cycle.end_at
            return self.cycle if end_at is None or at < end_at else Period(end_at, None)
        return period_at(reset_period, self.anchor_at, at)


class _Standing(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a subscription's status means at the instant, for one of its plans."""

    level: AccessLevel
    reason: AccessDeniedReason | None = None
    is_trial: bool = False
    trial_ends_at: int | None = None
    in_grace: bool = False
    grace_ends_at: int | None = None
    next_turn_at: int | None = None


def holdings(
    workspace: Workspace, subscriptions: tuple[Subscription, ...], catalogue: Catalogue, at: int
) -> tuple[Holding, ...]:
    """Return all that the workspace has or had, the earliest started first.

    The default plan joins where no plan gives full access; add-ons alone are none.
    """
    found = [holding for sub in subscriptions for holding in _of_subscription(sub, catalogue, at)]
    if trial := _of_trial(workspace, catalogue, at):
        found.append(trial)
    found.sort(key=lambda holding: (holding.started_at, holding.source_id))
    default = catalogue.default_plan()
    if default is not None and all(h.level is not AccessLevel.FULL or h.is_add_on for h in found):
        found.append(of_default_plan(workspace, default))
    return tuple(found)


def of_default_plan(workspace: Workspace, plan: Plan) -> Holding:
    """Return the free plan's holding; its windows are anchored where the workspace began."""
    return Holding(
        source_id=plan.id,
        plan=plan,
        level=AccessLevel.FULL,
        started_at=workspace.created_at,
        since_at=max(workspace.created_at, plan.published_at),
        anchor_at=workspace.created_at,
    )


def _of_trial(workspace: Workspace, catalogue: Catalogue, at: int) -> Holding | None:
    trial = workspace.trial
    if trial is None:
        return None
    running = at < trial.ends_at
    return Holding(
        source_id=trial.plan_id,
        plan=catalogue.plan_by_id(trial.plan_id),
        level=AccessLevel.FULL if running else AccessLevel.NONE,
        started_at=trial.started_at,
        since_at=trial.started_at,
        anchor_at=trial.started_at,
        reason=None if running else AccessDeniedReason.TRIAL_EXPIRED,
        is_trial=running,
        trial_ends_at=trial.ends_at,
        next_turn_at=trial.ends_at if running else None,
        ended=not running,
    )


def _of_subscription(sub: Subscription, catalogue: Catalogue, at: int) -> list[Holding]:
    """Return one holding per plan that the subscription's prices buy, and one for each price that no plan names."""
    by_plan: dict[str, tuple[Plan | None, SubscriptionItem]] = {}
    quantities: Counter[str] = Counter()
    for item in sorted(sub.items, key=lambda item: item.id):
        plan = catalogue.plan_for_price(item.price_id, item.lookup_key, item.price_since_at)
        key = plan.id if plan else item.price_id
        by_plan.setdefault(key, (plan, item))
        quantities[key] += item.quantity
    return [_holding(sub, item, plan, at, quantity=quantities[key]) for key, (plan, item) in by_plan.items()]


def _holding(sub: Subscription, item: SubscriptionItem, plan: Plan | None, at: int, *, quantity: int) -> Holding:
    standing = _standing(sub, plan, at)
    if plan is None and standing.level is not AccessLevel.NONE:
        standing = _Standing(
            level=AccessLevel.NONE, reason=AccessDeniedReason.PRICE_NOT_IN_CATALOG, next_turn_at=standing.next_turn_at
        )
    return Holding(
        source_id=sub.id,
        plan=plan,
        level=standing.level,
        started_at=sub.started_at,
        since_at=max(sub.started_at, item.price_since_at),
        anchor_at=sub.billing_anchor_at,
        cycle=Period(item.current_period_start_at, item.current_period_end_at),
        subscription_id=sub.id,
        reason=standing.reason,
        is_trial=standing.is_trial,
        trial_ends_at=standing.trial_ends_at,
        in_grace=standing.in_grace,
        grace_ends_at=standing.grace_ends_at,
        next_turn_at=standing.next_turn_at,
        ended=sub.status in TERMINAL,
        quantity=quantity,
    )


def _standing(sub: Subscription, plan: Plan | None, at: int) -> _Standing:
    """Read the status at `at`: a decided end, a trial's end and grace's end take effect at their instant."""
    ends_at = sub.ends_at
    if sub.status not in TERMINAL and ends_at is not None and at >= ends_at:
        return _Standing(level=AccessLevel.NONE, reason=AccessDeniedReason.NO_ACTIVE_SUBSCRIPTION)
    standing = _by_status(sub, plan, at)
    if ends_at is None or sub.status in TERMINAL:
        return standing
    turn_at = min(ends_at, standing.next_turn_at) if standing.next_turn_at is not None else ends_at
    return msgspec.structs.replace(standing, next_turn_at=turn_at)


def _by_status(sub: Subscription, plan: Plan | None, at: int) -> _Standing:
    match sub.status:
        case SubscriptionStatus.ACTIVE:
            return _Standing(level=AccessLevel.FULL)
        case SubscriptionStatus.TRIALING:
            return _trialing(sub, at)
        case SubscriptionStatus.PAST_DUE:
            return _past_due(sub, plan, at)
        case SubscriptionStatus.PAUSED:
            level = plan.paused_access if plan else AccessLevel.NONE
            return _Standing(level=level, reason=AccessDeniedReason.SUBSCRIPTION_PAUSED)
        case SubscriptionStatus.UNPAID:
            return _Standing(level=AccessLevel.NONE, reason=AccessDeniedReason.SUBSCRIPTION_PAST_DUE)
        case SubscriptionStatus.INCOMPLETE:
            return _Standing(level=AccessLevel.NONE, reason=AccessDeniedReason.SUBSCRIPTION_INCOMPLETE)
        case SubscriptionStatus.CANCELED | SubscriptionStatus.INCOMPLETE_EXPIRED:
            return _ended(sub)


def _trialing(sub: Subscription, at: int) -> _Standing:
    end_at = sub.trial_end_at
    if end_at is not None and at >= end_at:
        return _Standing(level=AccessLevel.NONE, reason=AccessDeniedReason.TRIAL_EXPIRED, trial_ends_at=end_at)
    return _Standing(level=AccessLevel.FULL, is_trial=True, trial_ends_at=end_at, next_turn_at=end_at)


def _past_due(sub: Subscription, plan: Plan | None, at: int) -> _Standing:
    """Give grace from the first failure of what is unpaid; none where a trial failed its first payment."""
    reason = AccessDeniedReason.SUBSCRIPTION_PAST_DUE
    period_start_at = sub.unpaid_period_start_at
    unpaid_since_at = sub.current_period_start_at if period_start_at is None else period_start_at
    if unpaid_since_at == sub.trial_end_at:
        return _Standing(level=AccessLevel.NONE, reason=reason)
    policy = plan.grace if plan else GracePolicy()
    grace_ends_at = (unpaid_since_at if sub.past_due_at is None else sub.past_due_at) + policy.days * DAY_MS
    if at >= grace_ends_at:
        return _Standing(level=AccessLevel.NONE, reason=reason, grace_ends_at=grace_ends_at)
    return _Standing(
        level=policy.access,
        reason=None if policy.access is AccessLevel.FULL else reason,
        in_grace=True,
        grace_ends_at=grace_ends_at,
        next_turn_at=grace_ends_at,
    )


def _ended(sub: Subscription) -> _Standing:
    """Tell a trial that ran out from a subscription that was ended."""
    if sub.trial_end_at is not None and sub.trial_end_at == sub.ended_at:
        reason = AccessDeniedReason.TRIAL_EXPIRED
        return _Standing(level=AccessLevel.NONE, reason=reason, trial_ends_at=sub.trial_end_at)
    return _Standing(level=AccessLevel.NONE, reason=AccessDeniedReason.NO_ACTIVE_SUBSCRIPTION)
