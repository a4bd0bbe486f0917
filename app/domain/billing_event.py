"""What happened to a customer's billing, as transitions of our own records tell it: each once, by its id."""

import hashlib
from enum import StrEnum
from typing import Any, Final

import msgspec

from app.domain import ids
from app.domain.change import Instant

NEWS_MS: Final = 3 * 86_400_000
"""What lies further back than this when it is first heard of is history: Stripe sends an event for three days."""


class BillingEventType(StrEnum):
    """What happened; the value is what receivers of events are told."""

    SUBSCRIPTION_CREATED = "subscription.created"
    SUBSCRIPTION_UPDATED = "subscription.updated"
    SUBSCRIPTION_PLAN_CHANGED = "subscription.plan_changed"
    SUBSCRIPTION_TRIAL_STARTED = "subscription.trial_started"
    SUBSCRIPTION_TRIAL_ENDING = "subscription.trial_ending"
    SUBSCRIPTION_TRIAL_ENDED = "subscription.trial_ended"
    SUBSCRIPTION_ACTIVATED = "subscription.activated"
    SUBSCRIPTION_PAST_DUE = "subscription.past_due"
    SUBSCRIPTION_UNPAID = "subscription.unpaid"
    SUBSCRIPTION_PAUSED = "subscription.paused"
    SUBSCRIPTION_RESUMED = "subscription.resumed"
    SUBSCRIPTION_REACTIVATED = "subscription.reactivated"
    SUBSCRIPTION_CANCEL_SCHEDULED = "subscription.cancel_scheduled"
    SUBSCRIPTION_CANCEL_UNSCHEDULED = "subscription.cancel_unscheduled"
    SUBSCRIPTION_CANCELED = "subscription.canceled"
    SUBSCRIPTION_EXPIRED = "subscription.expired"
    CUSTOMER_CREATED = "customer.created"
    CUSTOMER_UPDATED = "customer.updated"
    CUSTOMER_DELETED = "customer.deleted"
    CUSTOMER_LINKED = "customer.linked"
    CUSTOMER_UNLINKED = "customer.unlinked"
    INVOICE_UPCOMING = "invoice.upcoming"
    INVOICE_CREATED = "invoice.created"
    INVOICE_FINALIZED = "invoice.finalized"
    INVOICE_PAID = "invoice.paid"
    INVOICE_VOIDED = "invoice.voided"
    INVOICE_UNCOLLECTIBLE = "invoice.uncollectible"
    PAYMENT_SUCCEEDED = "payment.succeeded"
    PAYMENT_FAILED = "payment.failed"
    PAYMENT_ACTION_REQUIRED = "payment.action_required"
    PAYMENT_CANCELED = "payment.canceled"
    PAYMENT_REFUNDED = "payment.refunded"
    REFUND_CREATED = "refund.created"
    REFUND_SUCCEEDED = "refund.succeeded"
    REFUND_FAILED = "refund.failed"
    DISPUTE_CREATED = "dispute.created"
    DISPUTE_UPDATED = "dispute.updated"
    DISPUTE_CLOSED = "dispute.closed"
    CHECKOUT_COMPLETED = "checkout.completed"
    CHECKOUT_PAID = "checkout.paid"
    CHECKOUT_PAYMENT_FAILED = "checkout.payment_failed"
    CHECKOUT_EXPIRED = "checkout.expired"
    CATALOG_CHANGED = "catalog.changed"
    ENTITLEMENT_CHANGED = "entitlement.changed"


class BillingEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """One thing that happened to the object `object_id`, of Stripe's type `object_type`.

    `data` is JSON: `after` what the object is now, `before` those of its fields that were otherwise; None where it was
    not known before. `occurred_at` is when Stripe says that it happened, or else when it was recorded.
    """

    id: str
    type: BillingEventType
    occurred_at: Instant
    recorded_at: Instant
    workspace_id: str | None = None
    customer_id: str | None = None
    object_type: str
    object_id: str
    data: dict[str, Any] = {}


class BillingEventFilter(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Which events are asked for; None and no types are any. They were recorded in `[from_at, to_at)`.

    With `workspace_id`, those of `customer_id` too that were recorded before anybody knew whose they are.
    """

    workspace_id: str | None = None
    customer_id: str | None = None
    types: tuple[BillingEventType, ...] = ()
    from_at: Instant | None = None
    to_at: Instant | None = None


def event_id(key: str, place: int = 0) -> str:
    """Return the id of what `key` names: the same on every replica, however often it is told.

    Events of one key that are recorded together are listed by their `place`, 0 to 99.
    """
    digest = hashlib.blake2b(key.encode(errors="replace"), digest_size=16).hexdigest()
    return f"{ids.BILLING_EVENT}_{digest}{place:02}"
