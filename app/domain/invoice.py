"""The statuses of an invoice."""

from enum import StrEnum


class InvoiceStatus(StrEnum):
    """Stripe's words; the value is Stripe's own spelling."""

    DRAFT = "draft"
    OPEN = "open"
    PAID = "paid"
    VOID = "void"
    UNCOLLECTIBLE = "uncollectible"

    @classmethod
    def from_stripe(cls, word: str | None) -> "InvoiceStatus | None":
        """Return the status of this word; None where it is not known yet, or is one that Stripe made since."""
        return cls(word) if word in cls._value2member_map_ else None
