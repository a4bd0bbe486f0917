"""Collecting what invoices ask for: attempts, dunning, and what comes of it for the subscription."""

from typing import Final

from app.sandbox.stripe import payments, pending_updates
from app.sandbox.stripe.cards import NO_METHOD, Decline, card_of_method
from app.sandbox.stripe.endings import end, expire
from app.sandbox.stripe.invoicing import finalize, is_automatic, issue, mark_paid, subscription_of
from app.sandbox.stripe.payment_methods import default_method
from app.sandbox.stripe.pending_updates import is_waiting_for
from app.sandbox.stripe.sandbox import Sandbox
from app.sandbox.stripe.wire import JsonObject

_DAY_S: Final = 86_400
_OWING: Final = ("incomplete", "past_due", "unpaid")


def decline_of(sandbox: Sandbox, method: JsonObject | None) -> Decline | None:
    """Return why a charge to the method would fail, if it would."""
    if method is None:
        return NO_METHOD if sandbox.collection.require_payment_method else None
    return card_of_method(method).when_charged


def _allowed_decline_of(method: JsonObject | None) -> Decline | None:
    return card_of_method(method).when_allowed if method else None


def bill(sandbox: Sandbox, invoice: JsonObject, *, attempt: bool = True) -> JsonObject:
    """Issue an invoice, finalize it at once and, unless told otherwise, charge it; return how it stands."""
    finalized = finalize(sandbox, issue(sandbox, invoice, finalizes_at=sandbox.now()))
    return settle(sandbox, finalized) if attempt else finalized


def settle(sandbox: Sandbox, invoice: JsonObject) -> JsonObject:
    """Charge a finalized invoice if it is to be charged; let its subscription follow if that is settled."""
    if invoice["status"] == "paid":
        follow(sandbox, invoice)
    elif invoice["status"] == "open" and is_automatic(invoice):
        collect(sandbox, invoice)
    return sandbox.store.get("invoice", invoice["id"])


def collect(
    sandbox: Sandbox,
    invoice: JsonObject,
    *,
    method: JsonObject | None = None,
    manual: bool = False,
    is_allowed: bool = False,
) -> Decline | None:
    """Charge an open invoice to `method`, by default its subscription's; return why that failed, if it did.

    What a person at the page `is_allowed` succeeds, also with a card that fails when it is charged later.
    """
    method = method or default_method(sandbox, subscription_of(sandbox, invoice))
    decline = _allowed_decline_of(method) if is_allowed else decline_of(sandbox, method)
    counted = not (manual and invoice["attempted"])  # by hand only a first attempt counts
    tried = {**invoice, "attempted": True, "attempt_count": invoice["attempt_count"] + counted}
    payments.charge(sandbox, invoice, method, decline)
    if decline is None:
        follow(sandbox, mark_paid(sandbox, tried))
        return None
    is_last = False
    if counted:
        tried["next_payment_attempt"], is_last = _next_attempt(sandbox, tried)
    told = ("invoice.payment_action_required",) if decline.needs_action else ()
    sandbox.put(invoice, tried, "invoice.updated", *told, "invoice.payment_failed")
    _note_delinquency(sandbox, tried, is_delinquent=True)
    _fall_behind(sandbox, tried, is_last=is_last)
    return decline


def _note_delinquency(sandbox: Sandbox, invoice: JsonObject, *, is_delinquent: bool) -> None:
    customer = sandbox.store.get("customer", invoice["customer"])
    if not customer.get("deleted"):
        sandbox.save(customer, {**customer, "delinquent": is_delinquent})


def _next_attempt(sandbox: Sandbox, invoice: JsonObject) -> tuple[int | None, bool]:
    """Return when the invoice is charged again, and whether this was the last attempt; a first invoice has one."""
    subscription = subscription_of(sandbox, invoice)
    if subscription["status"] == "incomplete" or is_waiting_for(subscription, invoice):
        return None, False
    if not invoice["auto_advance"]:
        return None, False
    delays = sandbox.collection.retry_days
    failures: int = invoice["attempt_count"]
    if failures > len(delays):
        return None, True
    return sandbox.now() + delays[failures - 1] * _DAY_S, False


def _fall_behind(sandbox: Sandbox, invoice: JsonObject, *, is_last: bool) -> None:
    subscription = subscription_of(sandbox, invoice)
    if is_waiting_for(subscription, invoice):
        return
    if subscription["status"] in ("active", "trialing"):
        subscription = sandbox.save(subscription, {**subscription, "status": "past_due"})
    if not is_last or subscription["status"] != "past_due":
        return
    match sandbox.collection.after_last_retry:
        case "cancel":
            end(sandbox, subscription, reason="payment_failed")
        case "unpaid":
            sandbox.save(subscription, {**subscription, "status": "unpaid"})
        case "past_due":
            pass


def follow(sandbox: Sandbox, invoice: JsonObject) -> None:
    """Let a subscription that waits for its latest invoice go on, once that is paid, void or given up."""
    _note_delinquency(sandbox, invoice, is_delinquent=False)
    subscription = subscription_of(sandbox, invoice)
    if is_waiting_for(subscription, invoice):
        subscription = pending_updates.settle(sandbox, subscription, invoice)
    if subscription["status"] not in _OWING or subscription["latest_invoice"] != invoice["id"]:
        return
    if subscription["status"] == "incomplete" and invoice["status"] != "paid":
        expire(sandbox, subscription)
        return
    sandbox.save(subscription, {**subscription, "status": "active"})
