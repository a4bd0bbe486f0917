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
        "pending_update": None,
        "status_details": None,
        "canceled_at": subscription["canceled_at"] or at,
        "ended_at": at,
        "cancellation_details": {**subscription["cancellation_details"], "reason": reason, **details},
    }
    sandbox.save(subscription, canceled)
    stop_collecting(sandbox, canceled)
    _end_schedule(sandbox, canceled)
    return canceled


def expire(sandbox: Sandbox, subscription: JsonObject) -> JsonObject:
    """End a subscription whose first invoice was not paid in time."""
    expired = {**subscription, "status": "incomplete_expired", "ended_at": sandbox.now()}
    sandbox.save(subscription, expired)
    _end_schedule(sandbox, expired)
    return expired


def _end_schedule(sandbox: Sandbox, subscription: JsonObject) -> None:
    """Let the schedule of an ended subscription follow: completed where it was to end so, else canceled."""
    schedule = sandbox.store.find(subscription["schedule"] or "")
    if schedule is None or schedule["status"] != "active":
        return
    now = sandbox.now()
    if schedule["phases"][-1]["end_date"] <= now:
        ended, told = {"completed_at": now, "status": "completed"}, "completed"
    else:
        failed = subscription["cancellation_details"]["reason"] == "payment_failed"
        ended, told = {"canceled_at": now, "status": "canceled"}, "aborted" if failed else "canceled"
    sandbox.put(schedule, {**schedule, **ended, "current_phase": None}, f"subscription_schedule.{told}")
