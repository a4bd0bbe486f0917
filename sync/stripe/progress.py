"""How far along an object is, for events of one second: Stripe tells no order among them, but nothing goes back."""

from collections.abc import Mapping
from typing import Final

from app.domain.stripe_facts import (
    ChargeFacts,
    CheckoutSessionFacts,
    DisputeFacts,
    InvoiceFacts,
    PaymentIntentFacts,
    RefundFacts,
    StripeFacts,
)

_INVOICE: Final[Mapping[str | None, int]] = {"open": 1, "uncollectible": 2, "paid": 3, "void": 3}
_INTENT: Final[Mapping[str, int]] = {"processing": 1, "requires_capture": 1, "succeeded": 2, "canceled": 2}
_SETTLED: Final = frozenset({"succeeded", "failed", "canceled", "won", "lost", "warning_closed", "prevented"})


def progress(facts: StripeFacts | None) -> tuple[int, int]:
    """Return how far along an object is; equal where nothing tells."""
    match facts:
        case InvoiceFacts():
            return _INVOICE.get(facts.status, 0), facts.attempt_count
        case CheckoutSessionFacts():
            return int(facts.status not in (None, "open")), int(facts.is_paid)
        case PaymentIntentFacts():
            return _INTENT.get(facts.status, 0), 0
        case ChargeFacts():
            return int(facts.status in _SETTLED), facts.amount_refunded
        case RefundFacts() | DisputeFacts():
            return int(facts.status in _SETTLED), 0
        case _:
            return 0, 0
