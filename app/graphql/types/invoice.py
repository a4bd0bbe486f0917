"""Invoices as GraphQL shows them."""

from decimal import Decimal

import strawberry

from app.domain.invoice import InvoiceStatus
from app.domain.stripe_facts import InvoiceFacts
from app.domain.stripe_facts import InvoiceLine as LineFacts
from app.domain.stripe_facts import InvoicePayment as PaymentFacts
from app.graphql.permissions import READS_MONEY, requires
from app.graphql.scalars import DateTime, date_or_null
from app.graphql.types.exposing import expose
from app.graphql.types.money import Money
from app.graphql.types.node import Node, id_or_null
from app.services.mirrors import Mirrored

expose(
    InvoiceStatus,
    "Stripe's statuses of an invoice.",
    {
        "DRAFT": "It is being made, and may still change.",
        "OPEN": "It is to be paid, and does not change any more.",
        "PAID": "Nothing is owed any more because it was paid, or nothing was due.",
        "VOID": "It was withdrawn; nothing is owed.",
        "UNCOLLECTIBLE": "It is not expected to be paid, though it still may be.",
    },
)


@strawberry.type(directives=requires(*READS_MONEY), description="One line of an invoice.")
class InvoiceLine:
    id: strawberry.ID = strawberry.field(description="Stripe's id of the line.")
    description: str | None = strawberry.field(description="What it is for, as the invoice says it to people.")
    amount: Money = strawberry.field(description="Before discounts and tax; less than 0 for what is given back.")
    discount: Money = strawberry.field(description="What discounts take off `amount`.")
    quantity: Decimal | None = strawberry.field(description="How many; null where the line is an amount alone.")
    proration: bool = strawberry.field(
        description="Whether it settles a change within a period: a credit for the old, a charge for the new."
    )
    period_start_at: DateTime | None = strawberry.field(description="From when it is for; null where Stripe tells not.")
    period_end_at: DateTime | None = strawberry.field(description="Until when it is for; null where Stripe tells not.")
    price_id: strawberry.ID | None = strawberry.field(description="Stripe's id of the price; null without one.")
    product_id: strawberry.ID | None = strawberry.field(description="Stripe's id of the product; null without one.")
    subscription_id: strawberry.ID | None = strawberry.field(
        description="Stripe's id of the subscription it is for; null without one."
    )

    @classmethod
    def from_domain(cls, line: LineFacts, currency: str) -> "InvoiceLine":
        """Translate."""
        return cls(
            id=strawberry.ID(line.id),
            description=line.description,
            amount=Money.of(line.amount, currency),
            discount=Money.of(line.discount, currency),
            quantity=line.quantity,
            proration=line.proration,
            period_start_at=date_or_null(line.period_start_at),
            period_end_at=date_or_null(line.period_end_at),
            price_id=id_or_null(line.price_id),
            product_id=id_or_null(line.product_id),
            subscription_id=id_or_null(line.subscription_id),
        )


@strawberry.type(directives=requires(*READS_MONEY), description="One payment towards an invoice.")
class InvoicePayment:
    payment_id: strawberry.ID | None = strawberry.field(
        description="The `Payment`: ask `node` for it. Null where it was paid by a charge alone."
    )
    charge_id: strawberry.ID | None = strawberry.field(description="Stripe's id of the charge, where Stripe names it.")
    status: str | None = strawberry.field(description="Stripe's word: `open`, `paid` or `canceled`.")
    amount_paid: Money | None = strawberry.field(description="What it paid; null where it paid nothing yet.")

    @classmethod
    def from_domain(cls, payment: PaymentFacts, currency: str) -> "InvoicePayment":
        """Translate."""
        return cls(
            payment_id=id_or_null(payment.payment_intent_id),
            charge_id=id_or_null(payment.charge_id),
            status=payment.status,
            amount_paid=None if payment.amount_paid is None else Money.of(payment.amount_paid, currency),
        )


@strawberry.type(
    directives=requires(*READS_MONEY),
    description="What a workspace owes or owed for something, as Stripe last told. All amounts are of one currency.",
)
class Invoice(Node):
    number: str | None = strawberry.field(description="What people call it by; null for a draft.")
    status: InvoiceStatus | None = strawberry.field(description="Null where Stripe's word is not known here.")
    billing_reason: str | None = strawberry.field(
        description="Why it was made, in Stripe's words: `subscription_create`, `subscription_cycle`, "
        "`subscription_update`, `manual`, …"
    )
    customer_id: strawberry.ID | None = strawberry.field(description="Stripe's id of who pays.")
    subscription_id: strawberry.ID | None = strawberry.field(
        description="Stripe's id of the subscription that it is for; null for one made by hand."
    )
    subtotal: Money = strawberry.field(description="The lines together, before discounts and tax.")
    discount: Money = strawberry.field(description="What all discounts take off.")
    tax: Money = strawberry.field(description="All taxes.")
    total: Money = strawberry.field(description="After discounts and tax.")
    amount_due: Money = strawberry.field(
        description="What is to be paid of `total`: less where the customer has credit, 0 where it is too little."
    )
    amount_paid: Money = strawberry.field(description="What was paid of it.")
    amount_remaining: Money = strawberry.field(description="What is left to be paid of it.")
    lines: list[InvoiceLine] = strawberry.field(description="All of them, in Stripe's order.")
    payments: list[InvoicePayment] = strawberry.field(description="What was, or is to be, paid with; often one.")
    period_start_at: DateTime | None = strawberry.field(
        description="When the time began in which what it bills came up. Lines say what each is for."
    )
    period_end_at: DateTime | None = strawberry.field(description="When that time ended.")
    created_at: DateTime = strawberry.field(description="When Stripe made it.")
    finalized_at: DateTime | None = strawberry.field(description="Since when it is to be paid; null for a draft.")
    due_at: DateTime | None = strawberry.field(
        description="Until when it may be paid; null where Stripe takes the money by itself."
    )
    paid_at: DateTime | None = strawberry.field(description="When it was paid; null while it is not.")
    voided_at: DateTime | None = strawberry.field(description="When it was withdrawn; null unless it was.")
    attempt_count: int = strawberry.field(description="How often Stripe tried to take the money.")
    next_attempt_at: DateTime | None = strawberry.field(
        description="When Stripe tries to take the money next; null where it does not."
    )
    first_failed_at: DateTime | None = strawberry.field(
        description="When the first attempt failed: grace counts from here. Null where none did, or none was told of."
    )
    hosted_url: str | None = strawberry.field(
        description="Stripe's page where a person sees and pays it. Whoever has it may look: for the payer's eyes. "
        "Null for a draft."
    )

    @classmethod
    def from_domain(cls, invoice: Mirrored[InvoiceFacts]) -> "Invoice":
        """Translate."""
        facts, currency = invoice.facts, invoice.facts.currency
        return cls(
            id=strawberry.ID(invoice.id),
            number=facts.number,
            status=InvoiceStatus.from_stripe(facts.status),
            billing_reason=facts.billing_reason,
            customer_id=id_or_null(facts.customer_id),
            subscription_id=id_or_null(facts.subscription_id),
            subtotal=Money.of(facts.subtotal, currency),
            discount=Money.of(facts.discount, currency),
            tax=Money.of(facts.tax, currency),
            total=Money.of(facts.total, currency),
            amount_due=Money.of(facts.amount_due, currency),
            amount_paid=Money.of(facts.amount_paid, currency),
            amount_remaining=Money.of(facts.amount_remaining, currency),
            lines=[InvoiceLine.from_domain(line, currency) for line in facts.lines],
            payments=[InvoicePayment.from_domain(payment, currency) for payment in facts.payments],
            period_start_at=date_or_null(facts.period_start_at),
            period_end_at=date_or_null(facts.period_end_at),
            created_at=DateTime(facts.created_at),
            finalized_at=date_or_null(facts.finalized_at),
            due_at=date_or_null(facts.due_at),
            paid_at=date_or_null(facts.paid_at),
            voided_at=date_or_null(facts.voided_at),
            attempt_count=facts.attempt_count,
            next_attempt_at=date_or_null(facts.next_attempt_at),
            first_failed_at=date_or_null(facts.first_failed_at),
            hosted_url=facts.hosted_url,
        )
