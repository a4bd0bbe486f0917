"""Payments as Stripe's JSON of any API version tells them: payment intents, charges, refunds, disputes.

Only before basil a payment names its invoice; since then the invoice names its payments.
"""

import msgspec

from app.domain.stripe_facts import ChargeFacts, DisputeFacts, PaymentIntentFacts, RefundFacts, StripeFacts
from sync.stripe.wire import Amount, Id, Ref, Reference, Seconds, ms, read, ref_id


class _Failure(msgspec.Struct, gc=False):
    code: str | None = None
    decline_code: str | None = None
    message: str | None = None


class _Charges(msgspec.Struct, gc=False):
    data: list[Ref] = []


class _Intent(msgspec.Struct, gc=False):
    id: Id
    status: str
    amount: Amount
    currency: str
    amount_received: Amount | None = None
    customer: Reference = None
    invoice: Reference = None
    latest_charge: Reference = None
    charges: _Charges | None = None
    last_payment_error: _Failure | None = None
    created: Seconds = 0


class _Charge(msgspec.Struct, gc=False):
    id: Id
    amount: Amount
    currency: str
    status: str | None = None
    paid: bool | None = None
    captured: bool | None = None
    amount_captured: Amount | None = None
    amount_refunded: Amount | None = None
    refunded: bool | None = None
    disputed: bool | None = None
    dispute: Reference = None
    customer: Reference = None
    invoice: Reference = None
    payment_intent: Reference = None
    failure_code: str | None = None
    failure_message: str | None = None
    created: Seconds = 0


class _Charged(Ref, gc=False):
    """A charge where it is expanded: it says whose money it is."""

    customer: Reference = None


class _Refund(msgspec.Struct, gc=False):
    id: Id
    amount: Amount
    currency: str
    status: str | None = None
    charge: Id | _Charged | None = None
    payment_intent: Reference = None
    reason: str | None = None
    failure_reason: str | None = None
    created: Seconds = 0


class _EvidenceDetails(msgspec.Struct, gc=False):
    due_by: Seconds | None = None


class _Dispute(msgspec.Struct, gc=False):
    id: Id
    status: str
    amount: Amount
    currency: str
    charge: Id | _Charged | None = None
    payment_intent: Reference = None
    reason: str | None = None
    evidence_details: _EvidenceDetails | None = None
    created: Seconds = 0


def decode_payment_intent(raw: str, _before: StripeFacts | None) -> PaymentIntentFacts:
    """Read a payment intent; it listed its charges, the newest first, before it named the latest."""
    intent = read(raw, _Intent)
    failure = intent.last_payment_error or _Failure()
    listed = intent.charges.data if intent.charges else []
    return PaymentIntentFacts(
        status=intent.status,
        amount=intent.amount,
        amount_received=intent.amount_received or 0,
        currency=intent.currency,
        customer_id=ref_id(intent.customer),
        invoice_id=ref_id(intent.invoice),
        latest_charge_id=ref_id(intent.latest_charge) or (listed[0].id if listed else None),
        failure_code=failure.code,
        decline_code=failure.decline_code,
        failure_message=failure.message,
        created_at=intent.created * 1000,
    )


def decode_charge(raw: str, _before: StripeFacts | None) -> ChargeFacts:
    """Read a charge; what was refunded is its own total."""
    charge = read(raw, _Charge)
    captured = charge.amount_captured
    if captured is None:
        captured = charge.amount if charge.captured else 0
    return ChargeFacts(
        status=charge.status or ("succeeded" if charge.paid else "failed"),
        amount=charge.amount,
        amount_captured=captured,
        amount_refunded=charge.amount_refunded or 0,
        currency=charge.currency,
        refunded=charge.refunded is True,
        disputed=charge.disputed is True or charge.dispute is not None,
        customer_id=ref_id(charge.customer),
        invoice_id=ref_id(charge.invoice),
        payment_intent_id=ref_id(charge.payment_intent),
        failure_code=charge.failure_code,
        failure_message=charge.failure_message,
        created_at=charge.created * 1000,
    )


def decode_refund(raw: str, _before: StripeFacts | None) -> RefundFacts:
    """Read a refund."""
    refund = read(raw, _Refund)
    return RefundFacts(
        status=refund.status,
        amount=refund.amount,
        currency=refund.currency,
        charge_id=ref_id(refund.charge),
        customer_id=_payer(refund.charge),
        payment_intent_id=ref_id(refund.payment_intent),
        reason=refund.reason,
        failure_reason=refund.failure_reason,
        created_at=refund.created * 1000,
    )


def decode_dispute(raw: str, _before: StripeFacts | None) -> DisputeFacts:
    """Read a dispute."""
    dispute = read(raw, _Dispute)
    return DisputeFacts(
        status=dispute.status,
        amount=dispute.amount,
        currency=dispute.currency,
        charge_id=ref_id(dispute.charge),
        customer_id=_payer(dispute.charge),
        payment_intent_id=ref_id(dispute.payment_intent),
        reason=dispute.reason,
        evidence_due_at=ms(dispute.evidence_details.due_by) if dispute.evidence_details else None,
        created_at=dispute.created * 1000,
    )


def _payer(charge: str | _Charged | None) -> str | None:
    return ref_id(charge.customer) if isinstance(charge, _Charged) else None
