"""Billing events as GraphQL shows them."""

import strawberry

from app.domain import billing_event as domain
from app.graphql.permissions import READS_EVENTS, requires
from app.graphql.scalars import DateTime, Json
from app.graphql.types.exposing import expose
from app.graphql.types.node import Node

expose(
    domain.BillingEventType,
    "What happened. To endpoints it is told in lower case: `subscription.plan_changed`.",
    {
        "SUBSCRIPTION_CREATED": "It was made. What it begins as follows: activated, trial started, ….",
        "SUBSCRIPTION_UPDATED": "Something changed that no other type tells: quantity, period, metadata, ….",
        "SUBSCRIPTION_PLAN_CHANGED": "It has other prices than before.",
        "SUBSCRIPTION_TRIAL_STARTED": "A trial began.",
        "SUBSCRIPTION_TRIAL_ENDING": "Its trial ends within days, as Stripe announces; once per end.",
        "SUBSCRIPTION_TRIAL_ENDED": "Its trial is over; what it became follows.",
        "SUBSCRIPTION_ACTIVATED": "It became active for the first time, or after a trial.",
        "SUBSCRIPTION_PAST_DUE": "A payment is overdue.",
        "SUBSCRIPTION_UNPAID": "Stripe gave up collecting; it still exists.",
        "SUBSCRIPTION_PAUSED": "It was paused.",
        "SUBSCRIPTION_RESUMED": "It goes on after a pause.",
        "SUBSCRIPTION_REACTIVATED": "It goes on after it was past due, unpaid or over.",
        "SUBSCRIPTION_CANCEL_SCHEDULED": "It is to end, and goes on until then.",
        "SUBSCRIPTION_CANCEL_UNSCHEDULED": "It is not to end any more.",
        "SUBSCRIPTION_CANCELED": "It is over.",
        "SUBSCRIPTION_EXPIRED": "Its first payment did not succeed in time.",
        "CUSTOMER_CREATED": "A customer was made at Stripe.",
        "CUSTOMER_UPDATED": "A customer of Stripe's changed.",
        "CUSTOMER_DELETED": "A customer was deleted at Stripe.",
        "CUSTOMER_LINKED": "A workspace got a customer of Stripe's, or another one.",
        "CUSTOMER_UNLINKED": "A workspace has no customer of Stripe's any more.",
        "INVOICE_UPCOMING": "A subscription renews within days, as Stripe announces; once per period.",
        "INVOICE_CREATED": "A draft was made.",
        "INVOICE_FINALIZED": "It is to be paid, and does not change any more.",
        "INVOICE_PAID": "Nothing is owed any more because it was paid.",
        "INVOICE_VOIDED": "Nothing is owed any more because it was withdrawn.",
        "INVOICE_UNCOLLECTIBLE": "It is not expected to be paid.",
        "PAYMENT_SUCCEEDED": "Money came: for an invoice, or without one.",
        "PAYMENT_FAILED": "An attempt to take money failed; once per attempt.",
        "PAYMENT_ACTION_REQUIRED": "The customer has to confirm a payment; once per attempt.",
        "PAYMENT_CANCELED": "A payment was given up.",
        "PAYMENT_REFUNDED": "More of a charge was given back; `data` has the total.",
        "REFUND_CREATED": "Money is to be given back.",
        "REFUND_SUCCEEDED": "Money was given back.",
        "REFUND_FAILED": "Money could not be given back, or is not to be any more.",
        "DISPUTE_CREATED": "A payer contests a payment.",
        "DISPUTE_UPDATED": "A contested payment went on to another status.",
        "DISPUTE_CLOSED": "A contested payment is decided.",
        "CHECKOUT_COMPLETED": "A checkout was completed; it may still have to be paid.",
        "CHECKOUT_PAID": "A checkout was completed, and nothing is left to be paid.",
        "CHECKOUT_PAYMENT_FAILED": "The payment of a completed checkout failed afterwards.",
        "CHECKOUT_EXPIRED": "A checkout was not completed in time.",
        "CATALOG_CHANGED": "A product, price, coupon or promotion code of Stripe's was made, changed or deleted.",
        "ENTITLEMENT_CHANGED": "The features that Stripe's own entitlements give a customer changed.",
    },
)


@strawberry.type(
    directives=requires(*READS_EVENTS),
    description="One thing that happened to a customer's billing. Told once, whatever Stripe sends twice or in another "
    "order; steps that nobody saw may be missing, the last one is not. Kept for BILLING_EVENT_RETENTION_DAYS.",
)
class BillingEvent(Node):
    type: domain.BillingEventType = strawberry.field(description="What happened.")
    occurred_at: DateTime = strawberry.field(
        description="When it happened, where Stripe tells; else when it was recorded."
    )
    recorded_at: DateTime = strawberry.field(description="When this service learned of it.")
    workspace_id: strawberry.ID | None = strawberry.field(
        description="Our id of whose billing it is; null for the catalogue, and where no workspace is known."
    )
    customer_id: strawberry.ID | None = strawberry.field(description="Stripe's id of the customer, where there is one.")
    object_type: str = strawberry.field(description="Stripe's name for the type of what it is about: `subscription`.")
    object_id: strawberry.ID = strawberry.field(description="Stripe's id of what it is about.")
    data: Json = strawberry.field(
        description="`after`, what is known of it now, and `before`, those of its fields that were otherwise: null "
        "where nothing was known. Instants are RFC 3339, decimals text, amounts in the currency's minor unit."
    )

    @classmethod
    def from_domain(cls, event: domain.BillingEvent) -> "BillingEvent":
        """Translate."""
        return cls(
            id=strawberry.ID(event.id),
            type=event.type,
            occurred_at=DateTime(event.occurred_at),
            recorded_at=DateTime(event.recorded_at),
            workspace_id=None if event.workspace_id is None else strawberry.ID(event.workspace_id),
            customer_id=None if event.customer_id is None else strawberry.ID(event.customer_id),
            object_type=event.object_type,
            object_id=strawberry.ID(event.object_id),
            data=Json(event.data),
        )
