"""The billing subscription: Stripe's eight statuses, what each may become, and when one entitles."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import ClassVar, Final

import msgspec

from app.domain.change import Instant, Kind, Record


class SubscriptionStatus(StrEnum):
    """Stripe's words; the value is Stripe's own spelling."""

    INCOMPLETE = "incomplete"
    INCOMPLETE_EXPIRED = "incomplete_expired"
    TRIALING = "trialing"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    UNPAID = "unpaid"
    PAUSED = "paused"
    CANCELED = "canceled"


_S = SubscriptionStatus

TERMINAL: Final = frozenset({_S.CANCELED, _S.INCOMPLETE_EXPIRED})
PAST_DUE: Final = frozenset({_S.PAST_DUE, _S.UNPAID})
"""Something is owed."""

TRANSITIONS: Final[Mapping[SubscriptionStatus, frozenset[SubscriptionStatus]]] = MappingProxyType(
    {
        _S.INCOMPLETE: frozenset({_S.ACTIVE, _S.INCOMPLETE_EXPIRED, _S.CANCELED}),
        _S.TRIALING: frozenset({_S.ACTIVE, _S.PAST_DUE, _S.PAUSED, _S.CANCELED}),
        _S.ACTIVE: frozenset({_S.PAST_DUE, _S.PAUSED, _S.CANCELED, _S.TRIALING}),
        _S.PAST_DUE: frozenset({_S.ACTIVE, _S.UNPAID, _S.CANCELED}),
        _S.UNPAID: frozenset({_S.ACTIVE, _S.CANCELED}),
        _S.PAUSED: frozenset({_S.ACTIVE, _S.PAST_DUE, _S.CANCELED}),
        _S.CANCELED: frozenset(),
        _S.INCOMPLETE_EXPIRED: frozenset(),
    }
)
"""Binds our own commands. Stripe's status is taken as told; an edge that is not here is counted, not refused."""

RANK: Final[Mapping[SubscriptionStatus, int]] = MappingProxyType(
    {
        _S.INCOMPLETE: 0,
        _S.TRIALING: 1,
        _S.ACTIVE: 2,
        _S.PAST_DUE: 3,
        _S.PAUSED: 4,
        _S.UNPAID: 5,
        _S.INCOMPLETE_EXPIRED: 6,
        _S.CANCELED: 7,
    }
)
"""How far along its life a status is: settles events of one second where only payloads are to be had."""


class SubscriptionItem(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """One priced line. `price_since_at`, when the subscription first had this price, decides the plan's version."""

    id: str
    price_id: str
    price_since_at: Instant
    current_period_start_at: Instant
    current_period_end_at: Instant
    lookup_key: str | None = None
    product_id: str | None = None
    quantity: int = 1


class Subscription(Record, frozen=True, kw_only=True, gc=False, rename="camel"):
    """Stripe's subscription, normalised from both API shapes; `id` is Stripe's.

    `past_due_at` is when the oldest invoice that is still unpaid failed first: grace counts from it. Until that invoice
    is known it is the start of the unpaid period, which `unpaid_period_start_at` names. `subscribed_at` is when it was
    made at Stripe, whatever start was given to it.
    """

    KIND: ClassVar[Kind] = Kind.SUBSCRIPTION

    workspace_id: str
    stripe_customer_id: str
    status: SubscriptionStatus
    started_at: Instant
    subscribed_at: Instant = 0
    billing_anchor_at: Instant
    items: tuple[SubscriptionItem, ...] = ()
    trial_start_at: Instant | None = None
    trial_end_at: Instant | None = None
    cancel_at_period_end: bool = False
    cancel_at: Instant | None = None
    canceled_at: Instant | None = None
    ended_at: Instant | None = None
    past_due_at: Instant | None = None
    unpaid_period_start_at: Instant | None = None
    metadata: dict[str, str] = {}
    provisional: bool = False
    """Told by an event's payload alone, not yet confirmed by Stripe's API."""

    @property
    def current_period_start_at(self) -> int:
        """The latest start among the items."""
        return max((item.current_period_start_at for item in self.items), default=self.started_at)

    @property
    def renews_at(self) -> int | None:
        """The earliest period end among the items."""
        return min((item.current_period_end_at for item in self.items), default=None)

    @property
    def paid_through_at(self) -> int | None:
        """The latest period end among the items."""
        return max((item.current_period_end_at for item in self.items), default=None)

    @property
    def ends_at(self) -> int | None:
        """When access stops by what is already decided: `cancel_at`, or the period end of a scheduled cancellation."""
        if self.cancel_at is not None:
            return self.cancel_at
        return self.paid_through_at if self.cancel_at_period_end else None


def is_known_transition(before: SubscriptionStatus, after: SubscriptionStatus) -> bool:
    """Tell whether the table has this edge; staying is always known."""
    return before == after or after in TRANSITIONS[before]
