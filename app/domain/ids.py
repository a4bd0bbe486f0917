"""Typed ids: a prefix that Stripe does not use, then a uuid7 in hexadecimal."""

from typing import Final

WORKSPACE: Final = "ws"
FEATURE: Final = "feat"
PLAN: Final = "plan"
GRANT: Final = "grant"
OVERRIDE: Final = "ovr"
API_KEY: Final = "key"
MIGRATION: Final = "mig"
BACKFILL: Final = "backfill"
AUDIT_ENTRY: Final = "audit"
BILLING_EVENT: Final = "bev"
USAGE_EVENT: Final = "use"
RESERVATION: Final = "rsv"

STRIPE_SUBSCRIPTION: Final = "sub"
STRIPE_INVOICE: Final = "in"
STRIPE_PAYMENT_INTENT: Final = "pi"


def prefix_of(id: str) -> str:
    """Return what stands before the first underscore; empty where there is none."""
    head, separator, _ = id.partition("_")
    return head if separator else ""


def of_reservation(event_id: str) -> str:
    """Return the id of the reservation that this entry of the ledger makes."""
    return f"{RESERVATION}{event_id.removeprefix(USAGE_EVENT)}"


def of_reserving(reservation_id: str) -> str:
    """Return the id of the entry that makes this reservation."""
    return f"{USAGE_EVENT}{reservation_id.removeprefix(RESERVATION)}"
