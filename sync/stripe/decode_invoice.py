"""An invoice as Stripe's JSON of any API version tells it: with its lines and its payments."""

from collections.abc import Sequence

import msgspec

from app.domain.stripe_facts import InvoiceFacts, InvoiceLine, InvoicePayment, StripeFacts
from sync.stripe.wire import (
    Amount,
    Id,
    Number,
    Part,
    Priced,
    Quantity,
    Reference,
    Seconds,
    decimal,
    ms,
    read,
    ref_id,
    sum_of,
)


class _Period(msgspec.Struct, gc=False):
    start: Seconds | None = None
    end: Seconds | None = None


class _PriceDetails(msgspec.Struct, gc=False):
    price: Reference = None
    product: Reference = None


class _Pricing(msgspec.Struct, gc=False):
    price_details: _PriceDetails | None = None


class _LineSource(msgspec.Struct, gc=False):
    subscription: Reference = None
    subscription_item: Reference = None
    proration: bool | None = None


class _LineParent(msgspec.Struct, gc=False):
    subscription_item_details: _LineSource | None = None
    invoice_item_details: _LineSource | None = None


class _Line(msgspec.Struct, gc=False):
    id: Id
    amount: Amount
    description: str | None = None
    discount_amounts: list[Part] | None = None
    quantity: Quantity | None = None
    quantity_decimal: Number = None
    period: _Period | None = None
    subscription: Reference = None
    pricing: _Pricing | None = None
    parent: _LineParent | None = None
    price: Id | Priced | None = None
    plan: Id | Priced | None = None
    subscription_item: Reference = None
    proration: bool | None = None


class _Lines(msgspec.Struct, gc=False):
    data: list[_Line]


class _PaidWith(msgspec.Struct, gc=False):
    payment_intent: Reference = None
    charge: Reference = None


class _Payment(msgspec.Struct, gc=False):
    payment: _PaidWith | None = None
    status: str | None = None
    amount_paid: Amount | None = None


class _Payments(msgspec.Struct, gc=False):
    data: list[_Payment]


class _OfSubscription(msgspec.Struct, gc=False):
    subscription: Reference = None


class _Parent(msgspec.Struct, gc=False):
    subscription_details: _OfSubscription | None = None


class _Transitions(msgspec.Struct, gc=False):
    finalized_at: Seconds | None = None
    paid_at: Seconds | None = None
    voided_at: Seconds | None = None


class _Invoice(msgspec.Struct, gc=False):
    id: Id
    currency: str
    customer: Reference = None
    number: str | None = None
    status: str | None = None
    billing_reason: str | None = None
    collection_method: str | None = None
    billing: str | None = None
    subtotal: Amount | None = None
    total: Amount | None = None
    amount_due: Amount | None = None
    amount_paid: Amount | None = None
    amount_remaining: Amount | None = None
    total_discount_amounts: list[Part] | None = None
    total_taxes: list[Part] | None = None
    total_tax_amounts: list[Part] | None = None
    tax: Amount | None = None
    attempted: bool | None = None
    attempt_count: Quantity | None = None
    next_payment_attempt: Seconds | None = None
    created: Seconds = 0
    due_date: Seconds | None = None
    period_start: Seconds | None = None
    period_end: Seconds | None = None
    status_transitions: _Transitions | None = None
    hosted_invoice_url: str | None = None
    lines: _Lines | None = None
    parent: _Parent | None = None
    subscription: Reference = None
    paid: bool | None = None
    paid_out_of_band: bool | None = None
    payments: _Payments | msgspec.UnsetType = msgspec.UNSET
    payment_intent: Reference | msgspec.UnsetType = msgspec.UNSET
    charge: Reference = None


def decode_invoice(raw: str, before: StripeFacts | None) -> InvoiceFacts:
    """Read an invoice; of what only events tell, and of payments that are left out, it keeps what was known before."""
    invoice = read(raw, _Invoice)
    known = before if isinstance(before, InvoiceFacts) else None
    times = invoice.status_transitions or _Transitions()
    return InvoiceFacts(
        customer_id=ref_id(invoice.customer),
        subscription_id=_subscription_id(invoice),
        number=invoice.number,
        status=_status(invoice),
        billing_reason=invoice.billing_reason,
        collection_method=invoice.collection_method or invoice.billing,
        currency=invoice.currency,
        subtotal=invoice.subtotal or 0,
        discount=sum_of(invoice.total_discount_amounts),
        tax=sum_of(invoice.total_taxes or invoice.total_tax_amounts) or invoice.tax or 0,
        total=invoice.total or 0,
        amount_due=invoice.amount_due or 0,
        amount_paid=invoice.amount_paid or 0,
        amount_remaining=invoice.amount_remaining or 0,
        attempted=invoice.attempted is True,
        attempt_count=invoice.attempt_count or 0,
        next_attempt_at=ms(invoice.next_payment_attempt),
        first_failed_at=known.first_failed_at if known else None,
        created_at=invoice.created * 1000,
        finalized_at=ms(times.finalized_at),
        paid_at=ms(times.paid_at),
        voided_at=ms(times.voided_at),
        due_at=ms(invoice.due_date),
        period_start_at=ms(invoice.period_start),
        period_end_at=ms(invoice.period_end),
        hosted_url=invoice.hosted_invoice_url,
        lines=tuple(_line(line) for line in invoice.lines.data) if invoice.lines else (),
        payments=_payments(invoice, known.payments if known else ()),
    )


def _subscription_id(invoice: _Invoice) -> str | None:
    details = invoice.parent.subscription_details if invoice.parent else None
    return ref_id(details.subscription if details else invoice.subscription)


def _status(invoice: _Invoice) -> str | None:
    if invoice.status is None and invoice.paid:
        return "paid"  # what was paid before invoices had a status
    return invoice.status


def _payments(invoice: _Invoice, known: Sequence[InvoicePayment]) -> tuple[InvoicePayment, ...]:
    if invoice.payments is not msgspec.UNSET:
        return tuple(_payment(payment) for payment in invoice.payments.data)
    if invoice.payment_intent is msgspec.UNSET:
        return tuple(known)
    intent, charge = ref_id(invoice.payment_intent), ref_id(invoice.charge)
    if intent is None and charge is None:
        return ()
    # Before basil an invoice had one payment, and told its state by its own.
    status = _status(invoice)
    is_paid = status == "paid" and not invoice.paid_out_of_band
    return (
        InvoicePayment(
            payment_intent_id=intent,
            charge_id=None if intent else charge,
            status="paid" if is_paid else "canceled" if status in ("paid", "void") else "open",
            amount_paid=invoice.amount_paid if is_paid else None,
        ),
    )


def _payment(payment: _Payment) -> InvoicePayment:
    paid_with = payment.payment or _PaidWith()
    return InvoicePayment(
        payment_intent_id=ref_id(paid_with.payment_intent),
        charge_id=ref_id(paid_with.charge),
        status=payment.status,
        amount_paid=payment.amount_paid,
    )


def _line(line: _Line) -> InvoiceLine:
    price_id, product_id = _sold(line)
    source = _source(line)
    period = line.period or _Period()
    quantity = line.quantity if line.quantity_decimal is None else line.quantity_decimal
    return InvoiceLine(
        id=line.id,
        description=line.description,
        amount=line.amount,
        discount=sum_of(line.discount_amounts),
        quantity=decimal(quantity),
        price_id=price_id,
        product_id=product_id,
        subscription_id=ref_id(source.subscription) or ref_id(line.subscription),
        subscription_item_id=ref_id(source.subscription_item),
        proration=source.proration is True,
        period_start_at=ms(period.start),
        period_end_at=ms(period.end),
    )


def _sold(line: _Line) -> tuple[str | None, str | None]:
    """Return the price and the product: since basil by their ids, before it in the price, or in a plan."""
    if line.pricing is not None:
        details = line.pricing.price_details or _PriceDetails()
        return ref_id(details.price), ref_id(details.product)
    sold = line.price or line.plan
    if isinstance(sold, Priced):
        return sold.id, ref_id(sold.product)
    return sold, None


def _source(line: _Line) -> _LineSource:
    if line.parent is None:
        return _LineSource(line.subscription, line.subscription_item, line.proration)
    return line.parent.subscription_item_details or line.parent.invoice_item_details or _LineSource()
