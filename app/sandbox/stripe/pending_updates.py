"""Changes of a subscription that wait for their payment: kept beside it, then applied or given up."""

from typing import Final

from app.sandbox.stripe.dues import TIME_TO_FIRST_PAYMENT_S
from app.sandbox.stripe.errors import StripeError
from app.sandbox.stripe.invoicing import void
from app.sandbox.stripe.sandbox import Sandbox
from app.sandbox.stripe.wire import JsonObject

BEHAVIOR: Final = "pending_if_incomplete"
_CHANGING: Final = frozenset(("billing_cycle_anchor", "items", "trial_end"))
_SUPPORTED: Final = _CHANGING | {"off_session", "payment_behavior", "proration_behavior", "proration_date"}


def check(params: JsonObject) -> None:
    """Refuse what cannot wait, if the parameters of an update ask for waiting."""
    if params.get("payment_behavior") != BEHAVIOR:
        return
    others = sorted(params.keys() - _SUPPORTED)
    if any("discounts" in item for item in params.get("items", [])):
        others.append("items[discounts]")
    if others:
        raise StripeError(
            f"With `payment_behavior=pending_if_incomplete` {', '.join(others)} cannot be changed.",
            param=others[0].partition("[")[0],
        )


def make_way(sandbox: Sandbox, subscription: JsonObject, params: JsonObject) -> JsonObject:
    """Return the subscription, without the change that waits if these parameters make another."""
    if not subscription["pending_update"] or params.keys().isdisjoint(_CHANGING):
        return subscription
    return give_up(sandbox, subscription)


def propose(before: JsonObject, after: JsonObject, at: int) -> JsonObject:
    """Return the subscription as it was, with the change waiting: for 23 hours, but not beyond its period or trial."""
    ends = [item["current_period_end"] for item in before["items"]["data"]]
    if before["status"] == "trialing":
        ends.append(before["trial_end"])
    moved = after["billing_cycle_anchor"] != before["billing_cycle_anchor"]
    pending = {
        "billing_cycle_anchor": after["billing_cycle_anchor"] if moved else None,
        "expires_at": min(at + TIME_TO_FIRST_PAYMENT_S, *ends),
        "subscription_items": after["items"]["data"],
        "trial_end": after["trial_end"] if after["trial_end"] != before["trial_end"] else None,
        "trial_from_plan": None,
    }
    return {**before, "pending_update": pending}


def is_waiting_for(subscription: JsonObject, invoice: JsonObject) -> bool:
    return subscription["pending_update"] is not None and subscription["latest_invoice"] == invoice["id"]


def settle(sandbox: Sandbox, subscription: JsonObject, invoice: JsonObject) -> JsonObject:
    """Apply what waits for an invoice that has been paid; give it up if the invoice is void or given up."""
    return _apply(sandbox, subscription) if invoice["status"] == "paid" else _drop(sandbox, subscription)


def _apply(sandbox: Sandbox, subscription: JsonObject) -> JsonObject:
    pending = subscription["pending_update"]
    applied = {
        **subscription,
        "billing_cycle_anchor": pending["billing_cycle_anchor"] or subscription["billing_cycle_anchor"],
        "items": {**subscription["items"], "data": pending["subscription_items"]},
        "pending_update": None,
    }
    if pending["trial_end"] is not None:  # a change that costs something ends the trial
        applied |= {"status": "active", "trial_end": pending["trial_end"]}
    told = ("updated", "pending_update_applied")
    return sandbox.put(subscription, applied, *(f"customer.subscription.{word}" for word in told))


def give_up(sandbox: Sandbox, subscription: JsonObject) -> JsonObject:
    """Drop what waits, and void its invoice."""
    void(sandbox, sandbox.store.get("invoice", subscription["latest_invoice"]))
    return _drop(sandbox, subscription)


def _drop(sandbox: Sandbox, subscription: JsonObject) -> JsonObject:
    told = ("updated", "pending_update_expired")
    dropped = {**subscription, "pending_update": None}
    return sandbox.put(subscription, dropped, *(f"customer.subscription.{word}" for word in told))
