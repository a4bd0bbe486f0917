"""Setup intents, by which a checkout saves a payment method and charges nothing; and the operations that read them."""

from typing import Final

from app.sandbox.stripe.cards import Decline
from app.sandbox.stripe.forms import Reader, text
from app.sandbox.stripe.resources import keep_equal, list_page
from app.sandbox.stripe.sandbox import Call, Sandbox
from app.sandbox.stripe.wire import JsonObject, copy, new_id

KIND: Final = "setup_intent"
_BLANK: Final[JsonObject] = {
    "object": KIND,
    "application": None,
    "automatic_payment_methods": None,
    "cancellation_reason": None,
    "customer": None,
    "customer_account": None,
    "description": None,
    "flow_directions": None,
    "last_setup_error": None,
    "latest_attempt": None,
    "livemode": False,
    "mandate": None,
    "metadata": {},
    "next_action": None,
    "on_behalf_of": None,
    "payment_method": None,
    "payment_method_options": {},
    "payment_method_types": ["card"],
    "single_use_mandate": None,
    "status": "requires_payment_method",
    "usage": "off_session",
}


def begin(sandbox: Sandbox, customer: str | None, terms: JsonObject) -> JsonObject:
    """Ask for a payment method, by the terms (`description`, `metadata`) given."""
    new = new_id("seti")
    named = {"id": new, "client_secret": new_id(f"{new}_secret"), "created": sandbox.now(), "customer": customer}
    return sandbox.put(None, {**copy(_BLANK), **named, **terms}, f"{KIND}.created")


def succeed(sandbox: Sandbox, intent: JsonObject, method: JsonObject, customer: str | None) -> JsonObject:
    saved = {"customer": customer, "payment_method": method["id"], "status": "succeeded"}
    settled = {**intent, **saved, "last_setup_error": None, "next_action": None}
    return sandbox.put(intent, settled, f"{KIND}.succeeded")


def fail(sandbox: Sandbox, intent: JsonObject, method: JsonObject | None, decline: Decline) -> JsonObject:
    """Tell that the payment method was not saved, or that the customer is asked to allow it."""
    if decline.needs_action:
        action: JsonObject = {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect"}}
        return sandbox.put(
            intent, {**intent, "next_action": action, "status": "requires_action"}, f"{KIND}.requires_action"
        )
    told = {"last_setup_error": decline.to_payment_error(method), "next_action": None}
    return sandbox.put(intent, {**intent, **told, "status": "requires_payment_method"}, f"{KIND}.setup_failed")


def cancel(sandbox: Sandbox, intent: JsonObject) -> JsonObject:
    gone = {"cancellation_reason": "abandoned", "next_action": None, "status": "canceled"}
    return sandbox.put(intent, {**intent, **gone}, f"{KIND}.canceled")


def list_all(sandbox: Sandbox, call: Call) -> JsonObject:
    readers: dict[str, Reader] = {"customer": text, "payment_method": text}
    return list_page(
        sandbox, call, KIND, readers, lambda params, intent: keep_equal(params, intent, "customer", "payment_method")
    )
