"""Payments as GraphQL shows them."""

import strawberry

from app.domain import payment as domain
from app.domain.stripe_facts import ChargeFacts, DisputeFacts
from app.graphql.permissions import READS_MONEY, requires
from app.graphql.scalars import DateTime, date_or_null
from app.graphql.types.exposing import expose
from app.graphql.types.money import Money
from app.graphql.types.node import Node, id_or_null

expose(
    domain.PaymentStatus,
    "Stripe's statuses of a payment.",
    {
        "REQUIRES_PAYMENT_METHOD": "Nothing to pay with yet, or the last attempt failed: see `failureCode`.",
        "REQUIRES_CONFIRMATION": "It is to be confirmed before an attempt is made.",
        "REQUIRES_ACTION": "The payer has to do something, such as to authenticate.",
        "PROCESSING": "The bank has not answered yet.",
        "REQUIRES_CAPTURE": "The money is reserved, and not taken yet.",
        "CANCELED": "It was given up. Final.",
        "SUCCEEDED": "The money came. Refunds and disputes do not change it.",
    },
)


@strawberry.type(directives=requires(*READS_MONEY), description="One attempt to take money.")
class Charge:
    id: strawberry.ID = strawberry.field(description="Stripe's id.")
    status: str = strawberry.field(description="Stripe's word: `succeeded`, `pending` or `failed`.")
    amount: Money = strawberry.field(description="What was to be taken.")
    amount_captured: Money = strawberry.field(description="What was taken.")
    amount_refunded: Money = strawberry.field(description="What was given back of it, in all refunds together.")
    refunded: bool = strawberry.field(description="Whether all of it was given back.")
    disputed: bool = strawberry.field(description="Whether the payer ever contested it.")
    failure_code: str | None = strawberry.field(description="Why it failed: `card_declined`. Null where it did not.")
    failure_message: str | None = strawberry.field(description="The same for people, in Stripe's words.")
    created_at: DateTime = strawberry.field(description="When it was made.")

    @classmethod
    def from_domain(cls, id: str, charge: ChargeFacts) -> "Charge":
        """Translate."""
        return cls(
            id=strawberry.ID(id),
            status=charge.status,
            amount=Money.of(charge.amount, charge.currency),
            amount_captured=Money.of(charge.amount_captured, charge.currency),
            amount_refunded=Money.of(charge.amount_refunded, charge.currency),
            refunded=charge.refunded,
            disputed=charge.disputed,
            failure_code=charge.failure_code,
            failure_message=charge.failure_message,
            created_at=DateTime(charge.created_at),
        )


@strawberry.type(directives=requires(*READS_MONEY), description="A payer contests a charge.")
class Dispute:
    id: strawberry.ID = strawberry.field(description="Stripe's id.")
    status: str = strawberry.field(description="Stripe's word: `needs_response`, `under_review`, `won`, `lost`, …")
    amount: Money = strawberry.field(description="What is contested.")
    reason: str | None = strawberry.field(description="Why, in Stripe's words: `fraudulent`.")
    evidence_due_at: DateTime | None = strawberry.field(description="Until when Stripe takes evidence; null for never.")
    created_at: DateTime = strawberry.field(description="When it was opened.")

    @classmethod
    def from_domain(cls, id: str, dispute: DisputeFacts) -> "Dispute":
        """Translate."""
        return cls(
            id=strawberry.ID(id),
            status=dispute.status,
            amount=Money.of(dispute.amount, dispute.currency),
            reason=dispute.reason,
            evidence_due_at=date_or_null(dispute.evidence_due_at),
            created_at=DateTime(dispute.created_at),
        )


@strawberry.type(
    directives=requires(*READS_MONEY),
    description="One payment of a workspace, through all its attempts, as Stripe last told. Its id is Stripe's of the "
    "payment intent.",
)
class Payment(Node):
    status: domain.PaymentStatus | None = strawberry.field(description="Null where Stripe's word is not known here.")
    amount: Money = strawberry.field(description="What is to be paid.")
    amount_received: Money = strawberry.field(description="What came; refunds leave it as it is.")
    amount_refunded: Money = strawberry.field(description="What was given back, in all refunds together.")
    amount_disputed: Money = strawberry.field(
        description="What the payer contests or got back by contesting; a dispute that was won counts no more."
    )
    failure_code: str | None = strawberry.field(
        description="Why the latest attempt failed: `card_declined`, `authentication_required`. Null where it did not."
    )
    decline_code: str | None = strawberry.field(
        description="What the bank said, where it said something: `insufficient_funds`. Show people no more than "
        "`failureMessage`."
    )
    failure_message: str | None = strawberry.field(description="The same for people, in Stripe's words.")
    customer_id: strawberry.ID | None = strawberry.field(description="Stripe's id of who pays.")
    invoice_id: strawberry.ID | None = strawberry.field(
        description="The `Invoice` it is for; null for a payment without one."
    )
    charge: Charge | None = strawberry.field(description="The latest attempt; null where there was none yet.")
    disputes: list[Dispute] = strawberry.field(description="Of that charge, the oldest first; almost always none.")
    created_at: DateTime = strawberry.field(description="When Stripe made it.")

    @classmethod
    def from_domain(cls, payment: domain.Payment) -> "Payment":
        """Translate."""
        intent, charge = payment.intent, payment.charge
        return cls(
            id=strawberry.ID(payment.id),
            status=domain.PaymentStatus.from_stripe(intent.status),
            amount=Money.of(intent.amount, intent.currency),
            amount_received=Money.of(intent.amount_received, intent.currency),
            amount_refunded=Money.of(payment.amount_refunded, intent.currency),
            amount_disputed=Money.of(payment.amount_disputed, intent.currency),
            failure_code=payment.failure_code,
            decline_code=intent.decline_code,
            failure_message=payment.failure_message,
            customer_id=id_or_null(intent.customer_id),
            invoice_id=id_or_null(payment.invoice_id),
            charge=Charge.from_domain(payment.charge_id or "", charge) if charge else None,
            disputes=[Dispute.from_domain(id, dispute) for id, dispute in payment.disputes],  # noqa: A001 - the word
            created_at=DateTime(intent.created_at),
        )
