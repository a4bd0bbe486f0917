"""Grants and overrides: what a workspace has beside its plans."""

from decimal import Decimal
from enum import StrEnum
from typing import ClassVar

from app.domain.change import Instant, Kind, Record
from app.domain.plan import ConfigValue, LimitBehavior, ResetPeriod


class GrantSource(StrEnum):
    """Where a contribution comes from. Grants that people give are PROMOTIONAL or MANUAL."""

    PLAN = "PLAN"
    TRIAL = "TRIAL"
    OVERRIDE = "OVERRIDE"
    PROMOTIONAL = "PROMOTIONAL"
    MANUAL = "MANUAL"


class Grant(Record, frozen=True, kw_only=True, gc=False, rename="camel"):
    """Something given on top of the plan: it only ever adds.

    BOOLEAN features need neither `amount` nor `value`; CONFIG ones need `value`; METERED ones `amount` or `unlimited`.
    An amount joins every limit that the workspace's plans set for the feature; where no plan has the feature it is a
    limit of its own, counted from `effective_at`. In force in `[effective_at, expires_at)` and until `revoked_at`.
    """

    KIND: ClassVar[Kind] = Kind.GRANT

    workspace_id: str
    feature_key: str
    source: GrantSource
    effective_at: Instant
    expires_at: Instant | None = None
    revoked_at: Instant | None = None
    amount: Decimal | None = None
    unlimited: bool = False
    value: ConfigValue | None = None
    reason: str = ""


class Override(Record, frozen=True, kw_only=True, gc=False, rename="camel"):
    """A decision that replaces what plans say of one feature, for one subscription or the whole workspace.

    `revoked` takes the feature away, whatever else gives it. Ended by a soft delete or at `expires_at`.
    """

    KIND: ClassVar[Kind] = Kind.OVERRIDE

    workspace_id: str
    feature_key: str
    subscription_id: str | None = None
    revoked: bool = False
    limit: Decimal | None = None
    limit_behavior: LimitBehavior = LimitBehavior.HARD
    reset_period: ResetPeriod = ResetPeriod.NEVER
    value: ConfigValue | None = None
    expires_at: Instant | None = None
    reason: str = ""
