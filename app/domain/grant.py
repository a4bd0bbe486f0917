"""Grants and overrides: what a workspace has beside its plans."""

from decimal import Decimal
from enum import StrEnum
from typing import ClassVar, Final

from app.domain.change import Instant, Kind, Record
from app.domain.plan import ConfigValue, LimitBehavior, ResetPeriod


class GrantSource(StrEnum):
    """Where a contribution comes from. Grants that people give are PROMOTIONAL, TOP_UP (paid for) or MANUAL.

    Stripe gives TOP_UP, where a checkout buys an add-on once, and STRIPE_ENTITLEMENT.
    """

    PLAN = "PLAN"
    ADD_ON = "ADD_ON"
    TRIAL = "TRIAL"
    OVERRIDE = "OVERRIDE"
    PROMOTIONAL = "PROMOTIONAL"
    TOP_UP = "TOP_UP"
    ROLLOVER = "ROLLOVER"
    MANUAL = "MANUAL"
    STRIPE_ENTITLEMENT = "STRIPE_ENTITLEMENT"
    """Stripe's own entitlement of the same lookup key: it says that a customer has a feature, not how much of it."""


PRIORITY: Final = 100
"""The rank of a plan's own allowance, and of a grant that names none; lower is used up first."""


class Grant(Record, frozen=True, kw_only=True, gc=False, rename="camel"):
    """Something given on top of the plan: it only ever adds.

    BOOLEAN features need neither `amount` nor `value`; CONFIG ones need `value`; METERED and CREDIT ones `amount` or
    `unlimited`. An amount is used up once, in the order of `priority` (lower first); with a `reset_period` it is full
    again every period, counted from `effective_at`. Of a FLUCTUATING feature it raises the limit while it lasts.
    In force in `[effective_at, expires_at)` and until `revoked_at`.
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
    priority: int = PRIORITY
    reset_period: ResetPeriod = ResetPeriod.NEVER
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
