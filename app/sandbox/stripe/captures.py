"""Payments that are authorized first and captured later: in whole, in part, or not in time."""

from typing import Final

from app.sandbox.stripe import payments
from app.sandbox.stripe.errors import StripeError
from app.sandbox.stripe.forms import boolean, metadata, positive, read, text
from app.sandbox.stripe.resources import with_changes
from app.sandbox.stripe.sandbox import Call, Sandbox
from app.sandbox.stripe.wire import JsonObject

UNCAPTURED: Final = "requires_capture"
_CAPTURABLE_S: Final = 7 * 86_400


def authorize(sandbox: Sandbox, intent: JsonObject, method: JsonObject) -> JsonObject:
    """Have the bank hold the amount, for seven days."""
    made = payments.new_charge(intent, method, None, sandbox.now())
    held = {**made, "amount_captured": 0, "captured": False, "_disputed_at": None}
    sandbox.put(None, held, "charge.succeeded")
    until = {"_capture_before": sandbox.now() + _CAPTURABLE_S}
    known = {"amount_capturable": intent["amount"], "latest_charge": made["id"], "payment_method": method["id"]}
    answered = {"last_payment_error": None, "next_action": None, "status": UNCAPTURED}
    return sandbox.put(intent, {**intent, **known, **answered, **until}, "payment_intent.amount_capturable_updated")


def capture(sandbox: Sandbox, call: Call) -> JsonObject:
    """Take what was held, or a part of it; the rest is released."""
    intent = sandbox.store.get(payments.INTENT, call.id)
    readers = {"amount_to_capture": positive, "final_capture": boolean, "metadata": metadata}
    params = read(call.form, {**readers, "statement_descriptor": text, "statement_descriptor_suffix": text})
    if intent["status"] != UNCAPTURED:
        raise payments.unexpected(sandbox, call, intent, "capture")
    capturable: int = intent["amount_capturable"]
    amount: int = params.pop("amount_to_capture", capturable)
    if amount > capturable:
        raise StripeError(
            f"The amount to capture is more than the {capturable} that can be captured.",
            code="amount_too_large",
            param="amount_to_capture",
        )
    if not params.pop("final_capture", True):
        raise StripeError("This PaymentIntent is captured once only.", param="final_capture")
    held = sandbox.store.get("charge", intent["latest_charge"])
    taken = {
        **held,
        "amount_captured": amount,
        "captured": True,
        "_disputed_at": payments.disputed_at(held, sandbox.now()),
    }
    sandbox.put(held, taken, "charge.captured")
    settled = {"amount_capturable": 0, "amount_received": amount, "status": "succeeded", "_capture_before": None}
    return sandbox.put(intent, with_changes({**intent, **settled}, params), "payment_intent.succeeded")


def release(sandbox: Sandbox, intent: JsonObject, told: str = "charge.refunded") -> JsonObject:
    """Give back what is held, and return the intent without it."""
    held = sandbox.store.get("charge", intent["latest_charge"])
    sandbox.put(held, {**held, "amount_refunded": held["amount"], "refunded": True}, told)
    return {**intent, "amount_capturable": 0, "_capture_before": None}


def expire(sandbox: Sandbox, intent: JsonObject) -> None:
    """Cancel what was not captured in time."""
    payments.cancel(sandbox, release(sandbox, intent, "charge.expired"), "automatic")
