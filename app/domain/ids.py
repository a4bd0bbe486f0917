"""Typed ids: a prefix that Stripe does not use, then a uuid7 in hexadecimal."""

from typing import Final

WORKSPACE: Final = "ws"
FEATURE: Final = "feat"
PLAN: Final = "plan"
GRANT: Final = "grant"
OVERRIDE: Final = "ovr"
API_KEY: Final = "key"
AUDIT_ENTRY: Final = "audit"
USAGE_EVENT: Final = "use"

STRIPE_SUBSCRIPTION: Final = "sub"


def prefix_of(id: str) -> str:
    """Return what stands before the first underscore; empty where there is none."""
    head, separator, _ = id.partition("_")
    return head if separator else ""
