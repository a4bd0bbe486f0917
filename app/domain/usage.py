"""Usage: what a workspace has used per feature and window."""

from decimal import Decimal
from typing import ClassVar

import msgspec

from app.domain.change import Instant, Kind, Record
from app.domain.plan import ResetPeriod


class Meter(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """The amount used in one window `[start_at, end_at)`; `end_at` None means it never ends."""

    reset_period: ResetPeriod
    start_at: Instant
    end_at: Instant | None
    used: Decimal


class UsageWindow(msgspec.Struct, frozen=True, gc=False):
    """A window in which usage of a feature must be counted now."""

    reset_period: ResetPeriod
    start_at: int
    end_at: int | None


class Balance(Record, frozen=True, kw_only=True, gc=False, rename="camel"):
    """The usage of one workspace; `id` is the workspace's id."""

    KIND: ClassVar[Kind] = Kind.BALANCE

    meters: dict[str, tuple[Meter, ...]] = {}
    """By feature key."""


class UsageEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """One report of usage, kept as it came. `id` is derived from principal, workspace and idempotency key."""

    id: str
    workspace_id: str
    feature_key: str
    amount: Decimal
    recorded_at: Instant
    principal: str
    input_digest: str
