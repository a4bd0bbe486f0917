"""How subscriptions end."""

from app.sandbox.stripe.invoicing import stop_collecting
from app.sandbox.stripe.sandbox import Sandbox
from app.sandbox.stripe.wire import JsonObject

ENDED = ("canceled", "incomplete_expired")


def end(
    sandbox: Sandbox, subscription: JsonObject, *, reason: str = "cancellation_requested", **details: str
) -> JsonObject:
    """Cancel the subscription at once; what it owes is no longer collected."""
    at = sandbox.now()
    canceled = {
        **subscription,
        "status": "canceled",
        "status_details": None,
        "canceled_at": subscription["canceled_at"] or at,
        "ended_at": at,
        "cancellation_details": {**subscription["cancellation_details"], "reason": reason, **details},
    }
    sandbox.save(subscription, canceled)
    stop_collecting(sandbox, canceled)
    return canceled


def expire(sandbox: Sandbox, subscription: JsonObject) -> JsonObject:
    """End a subscription whose first invoice was not paid in time."""
    return sandbox.save(subscription, {**subscription, "status": "incomplete_expired", "ended_at": sandbox.now()})
