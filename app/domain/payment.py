"""A payment, with the attempt that counts and what came after: refunds and disputes."""

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Final

import msgspec

from app.domain.stripe_facts import ChargeFacts, DisputeFacts, InvoiceFacts, PaymentIntentFacts


class PaymentStatus(StrEnum):
    """Stripe's words for a payment intent; the value is Stripe's own spelling."""

    REQUIRES_PAYMENT_METHOD = "requires_payment_method"
    REQUIRES_CONFIRMATION = "requires_confirmation"
    REQUIRES_ACTION = "requires_action"
    PROCESSING = "processing"
    REQUIRES_CAPTURE = "requires_capture"
    CANCELED = "canceled"
    SUCCEEDED = "succeeded"

    @classmethod
    def from_stripe(cls, word: str) -> "PaymentStatus | None":
        """Return the status of this word; None where it is one that Stripe made since."""
        return cls(word) if word in cls._value2member_map_ else None


_WITHDRAWN: Final = ("won", "prevented", "warning_closed")
"""The statuses of disputes that left the money where it was."""


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    """`charge_id` is its latest attempt's; `charge` None where there was none, or it is not mirrored yet."""

    id: str
    intent: PaymentIntentFacts
    charge_id: str | None = None
    charge: ChargeFacts | None = None
    disputes: tuple[tuple[str, DisputeFacts], ...] = ()
    invoice_id: str | None = None

    @property
    def amount_refunded(self) -> int:
        """What was given back, as the charge itself tells it."""
        return self.charge.amount_refunded if self.charge else 0

    @property
    def amount_disputed(self) -> int:
        """What payers contest, or got back by contesting it."""
        return sum(dispute.amount for _, dispute in self.disputes if dispute.status not in _WITHDRAWN)

    @property
    def failure_code(self) -> str | None:
        """Why its latest attempt failed, in Stripe's words; None where it did not."""
        return self.intent.failure_code or (self.charge.failure_code if self.charge else None)

    @property
    def failure_message(self) -> str | None:
        """The same for people."""
        return self.intent.failure_message or (self.charge.failure_message if self.charge else None)


def compose(
    intents: Mapping[str, PaymentIntentFacts],
    *,
    charges: Mapping[str, ChargeFacts],
    disputes: Mapping[str, DisputeFacts],
    invoices: Mapping[str, InvoiceFacts],
) -> list[Payment]:
    """Return the payments of these intents, in their order, with what is known around them."""
    paid_for = {
        payment.payment_intent_id: id
        for id, invoice in invoices.items()  # noqa: A001 - the word
        for payment in invoice.payments
    }
    return [
        Payment(
            id=id,
            intent=intent,
            charge_id=intent.latest_charge_id,
            charge=charges.get(intent.latest_charge_id or ""),
            disputes=_disputes_of(intent.latest_charge_id, disputes),
            invoice_id=intent.invoice_id or paid_for.get(id),
        )
        for id, intent in intents.items()  # noqa: A001 - the word
    ]


def charges_of(intents: Collection[PaymentIntentFacts]) -> tuple[str, ...]:
    """Return the ids of the charges that these intents name."""
    return tuple(intent.latest_charge_id for intent in intents if intent.latest_charge_id)


def _disputes_of(charge_id: str | None, disputes: Mapping[str, DisputeFacts]) -> tuple[tuple[str, DisputeFacts], ...]:
    found = [(id, dispute) for id, dispute in disputes.items() if charge_id and dispute.charge_id == charge_id]  # noqa: A001 - the word
    return tuple(sorted(found, key=lambda each: (each[1].created_at, each[0])))
