"""What is known around a payment intent, put together."""

from typing import Any

import pytest

from app.domain.payment import Payment, PaymentStatus, compose
from app.domain.stripe_facts import ChargeFacts, DisputeFacts, InvoiceFacts, InvoicePayment, PaymentIntentFacts


def intent(**fields: Any) -> PaymentIntentFacts:
    return PaymentIntentFacts(status="succeeded", amount=1_000, currency="eur", **fields)


def dispute(status: str, amount: int = 400, charge_id: str = "ch_1") -> DisputeFacts:
    return DisputeFacts(status=status, amount=amount, currency="eur", charge_id=charge_id)


def test_a_payment_has_its_latest_charge_that_charges_disputes_and_its_invoice() -> None:
    charge = ChargeFacts(status="succeeded", amount=1_000, amount_refunded=300, currency="eur")
    contested = {"dp_1": dispute("lost"), "dp_2": dispute("lost", charge_id="ch_2")}
    invoice = InvoiceFacts(currency="eur", payments=(InvoicePayment(payment_intent_id="pi_1"),))

    one, other = compose(
        {"pi_1": intent(latest_charge_id="ch_1"), "pi_2": intent()},
        charges={"ch_1": charge},
        disputes=contested,
        invoices={"in_1": invoice},
    )

    assert (one.id, one.charge, one.invoice_id) == ("pi_1", charge, "in_1")
    assert (one.amount_refunded, one.amount_disputed) == (300, 400)
    assert other == Payment(id="pi_2", intent=intent())
    assert (other.amount_refunded, other.amount_disputed) == (0, 0)


@pytest.mark.parametrize(
    ("status", "counts"),
    [("needs_response", True), ("under_review", True), ("lost", True), ("won", False), ("warning_closed", False)],
)
def test_a_dispute_counts_until_it_is_won(status: str, *, counts: bool) -> None:
    payment = Payment(id="pi_1", intent=intent(), disputes=(("dp_1", dispute(status)), ("dp_2", dispute("lost", 1))))

    assert payment.amount_disputed == 1 + 400 * counts


def test_why_it_failed_is_told_by_the_intent_else_by_the_charge() -> None:
    charge = ChargeFacts(status="failed", amount=1, currency="eur", failure_code="expired_card", failure_message="Old.")

    told = Payment(id="pi_1", intent=intent(failure_code="card_declined", failure_message="No."), charge=charge)
    untold = Payment(id="pi_1", intent=intent(), charge=charge)

    assert (told.failure_code, told.failure_message) == ("card_declined", "No.")
    assert (untold.failure_code, untold.failure_message) == ("expired_card", "Old.")


def test_a_status_of_tomorrow_is_none() -> None:
    assert PaymentStatus.from_stripe("requires_action") is PaymentStatus.REQUIRES_ACTION
    assert PaymentStatus.from_stripe("requires_patience") is None
