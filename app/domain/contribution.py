"""What adds to an answer: plans, grants, add-ons and what was carried over, each as it is told."""

from decimal import Decimal
from typing import Final

import msgspec

from app.domain.bucket import ROLLOVER_ID
from app.domain.findings import Findings
from app.domain.grant import PRIORITY, GrantSource
from app.domain.plan import ConfigValue, LimitBehavior, ResetPeriod
from app.domain.supply import Supply

_ZERO: Final = Decimal(0)


class Contribution(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One thing that adds to an answer.

    `id` is the grant's or override's own id, or `source_id:feature_key` where a plan contributes;
    `source_id` is the subscription's, the plan's (free plan, trial) or the workspace's id.
    `remaining` and `priority` are of what is used up beside the plans; `resets_at` is when it is full again.
    """

    id: str
    source: GrantSource
    source_id: str
    limit_behavior: LimitBehavior
    amount: Decimal | None = None
    value: ConfigValue | None = None
    reset_period: ResetPeriod | None = None
    effective_at: int | None = None
    expires_at: int | None = None
    remaining: Decimal | None = None
    priority: int | None = None
    resets_at: int | None = None


def of_parts(found: Findings, *, is_counted: bool) -> tuple[Contribution, ...]:
    return tuple(
        Contribution(
            id=part.id,
            source=part.source,
            source_id=part.source_id,
            limit_behavior=row.limit_behavior,
            amount=row.limit if is_counted else None,
            value=row.value,
            reset_period=row.reset_period if is_counted else None,
            expires_at=part.expires_at,
        )
        for part in found.parts
        for row in part.rows
    )


def of_grants(found: Findings) -> tuple[Contribution, ...]:
    return tuple(
        Contribution(
            id=grant.id,
            source=grant.source,
            source_id=grant.workspace_id,
            limit_behavior=LimitBehavior.UNLIMITED if grant.unlimited else LimitBehavior.HARD,
            amount=grant.amount,
            value=grant.value,
            effective_at=grant.effective_at,
            expires_at=grant.expires_at,
        )
        for grant in found.grants
    )


def of_buckets(supply: Supply) -> tuple[Contribution, ...]:
    return tuple(
        Contribution(
            id=bucket.id,
            source=bucket.source,
            source_id=bucket.source_id,
            limit_behavior=LimitBehavior.UNLIMITED if bucket.amount is None else LimitBehavior.HARD,
            amount=bucket.amount,
            reset_period=bucket.reset_period,
            effective_at=bucket.effective_at,
            expires_at=bucket.expires_at,
            remaining=None if bucket.amount is None else bucket.left,
            priority=bucket.priority,
            resets_at=None if bucket.reset_period is ResetPeriod.NEVER else bucket.ends_at,
        )
        for bucket in supply.buckets
    )


def of_rollover(supply: Supply) -> tuple[Contribution, ...]:
    """Tell what windows have inherited; it is used before the plans' own."""
    return tuple(
        Contribution(
            id=ROLLOVER_ID.format(window.reset_period),
            source=GrantSource.ROLLOVER,
            source_id=ROLLOVER_ID.format(window.reset_period),
            limit_behavior=LimitBehavior.HARD,
            amount=window.carried,
            reset_period=ResetPeriod.NEVER,
            effective_at=window.period.start_at,
            expires_at=window.period.end_at,
            remaining=max(_ZERO, window.carried - window.used - window.reserved),
            priority=PRIORITY,
        )
        for window in supply.every_window.values()
        if window.carried and window.amount is not None
    )
