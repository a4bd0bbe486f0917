"""What we use of Stripe's objects, whichever API version told it: the normalised form that a mirror keeps.

Amounts are integers in the currency's minor unit; currencies are Stripe's lower-case codes; ids are Stripe's.
"""

from decimal import Decimal
from typing import Final, TypeAlias

import msgspec

from app.domain.change import Instant

OWED: Final = ("open", "uncollectible")
"""The statuses of invoices that may still be paid; both are unpaid."""


class CustomerFacts(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel", tag="customer"):
    """Who pays. `workspace_ref` is what its metadata names: our id or the external id of a workspace."""

    name: str | None = None
    email: str | None = None
    currency: str | None = None
    delinquent: bool = False
    workspace_ref: str | None = None
    created_at: Instant = 0


class ProductFacts(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel", tag="product"):
    """Something sold. `features` are the lookup keys of the entitlement features that it comes with."""

    name: str
    active: bool = True
    features: tuple[str, ...] = ()
    created_at: Instant = 0


class PriceTier(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """One tier of a price; `up_to` None has no end."""

    up_to: int | None = None
    unit_amount: Decimal | None = None
    flat_amount: Decimal | None = None


class PriceFacts(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel", tag="price"):
    """What a product costs. `interval` None is paid once; `meter_id` names the meter of a metered one."""

    product_id: str | None = None
    active: bool = True
    currency: str
    lookup_key: str | None = None
    unit_amount: Decimal | None = None
    interval: str | None = None
    interval_count: int = 1
    is_metered: bool = False
    meter_id: str | None = None
    tiers_mode: str | None = None
    tiers: tuple[PriceTier, ...] = ()
    created_at: Instant = 0


class CouponFacts(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel", tag="coupon"):
    """A discount: `percent_off`, or `amount_off` in `currency`. `product_ids` empty is all products."""

    name: str | None = None
    percent_off: Decimal | None = None
    amount_off: int | None = None
    currency: str | None = None
    duration: str
    duration_months: int | None = None
    max_redemptions: int | None = None
    times_redeemed: int = 0
    redeem_by_at: Instant | None = None
    valid: bool = True
    product_ids: tuple[str, ...] = ()
    created_at: Instant = 0


class PromotionCodeFacts(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel", tag="promotion_code"):
    """What a person types to get a coupon."""

    code: str
    coupon_id: str | None = None
    active: bool = True
    customer_id: str | None = None
    max_redemptions: int | None = None
    times_redeemed: int = 0
    expires_at: Instant | None = None
    created_at: Instant = 0


class SessionLine(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """One line of a checkout."""

    id: str
    price_id: str | None = None
    lookup_key: str | None = None
    product_id: str | None = None
    quantity: int = 1


class CheckoutSessionFacts(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel", tag="checkout.session"):
    """A checkout. `workspace_ref` is its `client_reference_id`, else what its metadata names.

    `mode`, `status` and `payment_status` are Stripe's words; a subscription is named only once there is one.
    """

    mode: str | None = None
    status: str | None = None
    payment_status: str | None = None
    customer_id: str | None = None
    workspace_ref: str | None = None
    subscription_id: str | None = None
    invoice_id: str | None = None
    payment_intent_id: str | None = None
    amount_total: int | None = None
    currency: str | None = None
    lines: tuple[SessionLine, ...] = ()
    expires_at: Instant | None = None
    created_at: Instant = 0

    @property
    def is_paid(self) -> bool:
        """Tell whether it is complete and nothing is left to be paid."""
        return self.status == "complete" and self.payment_status in ("paid", "no_payment_required")


class InvoiceLine(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """One line of an invoice."""

    id: str
    description: str | None = None
    amount: int
    discount: int = 0
    quantity: Decimal | None = None
    price_id: str | None = None
    product_id: str | None = None
    subscription_id: str | None = None
    subscription_item_id: str | None = None
    proration: bool = False
    period_start_at: Instant | None = None
    period_end_at: Instant | None = None


class InvoicePayment(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """One payment towards an invoice: by a payment intent, or by a charge alone. `status` is Stripe's word."""

    payment_intent_id: str | None = None
    charge_id: str | None = None
    status: str | None = None
    amount_paid: int | None = None


class InvoiceFacts(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel", tag="invoice"):
    """What is owed for a period. `status` is Stripe's word, None before it is known.

    `first_failed_at` is when its first payment failed, as the event of that attempt told; None where no such event
    came. `finalized_at` is when Stripe first tried, `due_at` until when a sent invoice may be paid.
    """

    customer_id: str | None = None
    subscription_id: str | None = None
    number: str | None = None
    status: str | None = None
    billing_reason: str | None = None
    collection_method: str | None = None
    currency: str
    subtotal: int = 0
    discount: int = 0
    tax: int = 0
    total: int = 0
    amount_due: int = 0
    amount_paid: int = 0
    amount_remaining: int = 0
    attempted: bool = False
    attempt_count: int = 0
    next_attempt_at: Instant | None = None
    first_failed_at: Instant | None = None
    created_at: Instant = 0
    finalized_at: Instant | None = None
    paid_at: Instant | None = None
    voided_at: Instant | None = None
    due_at: Instant | None = None
    period_start_at: Instant | None = None
    period_end_at: Instant | None = None
    hosted_url: str | None = None
    lines: tuple[InvoiceLine, ...] = ()
    payments: tuple[InvoicePayment, ...] = ()

    @property
    def is_paid(self) -> bool:
        """Tell whether nothing is owed any more because it was paid."""
        return self.status == "paid"


class PaymentIntentFacts(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel", tag="payment_intent"):
    """One payment, through all its attempts. `status` is Stripe's word."""

    status: str
    amount: int
    amount_received: int = 0
    currency: str
    customer_id: str | None = None
    invoice_id: str | None = None
    latest_charge_id: str | None = None
    failure_code: str | None = None
    decline_code: str | None = None
    failure_message: str | None = None
    created_at: Instant = 0


class ChargeFacts(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel", tag="charge"):
    """One attempt to take money. `amount_refunded` is the total, as the charge itself tells it."""

    status: str
    amount: int
    amount_captured: int = 0
    amount_refunded: int = 0
    currency: str
    refunded: bool = False
    disputed: bool = False
    customer_id: str | None = None
    invoice_id: str | None = None
    payment_intent_id: str | None = None
    failure_code: str | None = None
    failure_message: str | None = None
    created_at: Instant = 0


class RefundFacts(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel", tag="refund"):
    """Money given back, or about to be."""

    status: str | None = None
    amount: int
    currency: str
    charge_id: str | None = None
    customer_id: str | None = None
    payment_intent_id: str | None = None
    reason: str | None = None
    failure_reason: str | None = None
    created_at: Instant = 0


class DisputeFacts(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel", tag="dispute"):
    """A payment that the payer contests."""

    status: str
    amount: int
    currency: str
    charge_id: str | None = None
    customer_id: str | None = None
    payment_intent_id: str | None = None
    reason: str | None = None
    evidence_due_at: Instant | None = None
    created_at: Instant = 0


class ActiveEntitlementsFacts(
    msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel", tag="entitlements.active_entitlement_summary"
):
    """The features that Stripe's own entitlements give a customer, by lookup key; not `is_complete` is a first page."""

    customer_id: str
    lookup_keys: tuple[str, ...] = ()
    is_complete: bool = True


class MeterFacts(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel", tag="billing.meter"):
    """What Stripe counts usage with."""

    event_name: str
    display_name: str | None = None
    status: str
    aggregation: str | None = None


class SchedulePhase(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """One phase of a schedule, in force in `[start_at, end_at)`."""

    start_at: Instant
    end_at: Instant | None = None
    price_ids: tuple[str, ...] = ()


class ScheduleFacts(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel", tag="subscription_schedule"):
    """What a subscription is to become by itself. `status` is Stripe's word."""

    status: str
    customer_id: str | None = None
    subscription_id: str | None = None
    phases: tuple[SchedulePhase, ...] = ()


StripeFacts: TypeAlias = (
    CustomerFacts
    | ProductFacts
    | PriceFacts
    | CouponFacts
    | PromotionCodeFacts
    | CheckoutSessionFacts
    | InvoiceFacts
    | PaymentIntentFacts
    | ChargeFacts
    | RefundFacts
    | DisputeFacts
    | ActiveEntitlementsFacts
    | MeterFacts
    | ScheduleFacts
)
"""Told apart by `type`, Stripe's name of the object's type. A subscription has a record of its own."""
