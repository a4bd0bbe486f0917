"""The operations of /v1/payment_intents: what is asked for, confirmed, authenticated or canceled."""

from typing import Final

import msgspec

from app.sandbox.stripe import captures, payments
from app.sandbox.stripe.cards import NOT_AUTHENTICATED, Decline, card_of_method, find_card
from app.sandbox.stripe.collection import collect
from app.sandbox.stripe.errors import StripeError, missing, no_such
from app.sandbox.stripe.forms import Reader, boolean, fields, list_of, metadata, one_of, positive, read, text
from app.sandbox.stripe.payment_methods import KIND as METHOD
from app.sandbox.stripe.payment_methods import new_card
from app.sandbox.stripe.payments import INTENT
from app.sandbox.stripe.render import render
from app.sandbox.stripe.resources import with_changes
from app.sandbox.stripe.sandbox import Call, Sandbox
from app.sandbox.stripe.wire import JsonObject

_ASKING: Final = "requires_action"
_WAITING: Final = ("requires_payment_method", "requires_confirmation", _ASKING)
_CANCELABLE: Final = (*_WAITING, captures.UNCAPTURED)
_OF_CONFIRMING: Final[dict[str, Reader]] = {
    "capture_method": one_of("automatic", "automatic_async", "manual"),
    "payment_method": text,
    "receipt_email": text,
    "setup_future_usage": one_of("off_session", "on_session"),
}
_WRITABLE: Final[dict[str, Reader]] = {
    **_OF_CONFIRMING,
    "customer": text,
    "description": text,
    "metadata": metadata,
    "payment_method_types": list_of(one_of("card")),
    "statement_descriptor": text,
    "statement_descriptor_suffix": text,
}
_OF_ATTEMPT: Final[dict[str, Reader]] = {
    "error_on_requires_action": boolean,
    "off_session": boolean,
    "return_url": text,
    "use_stripe_sdk": boolean,
}
_AT_CREATION: Final[dict[str, Reader]] = {
    "amount": positive,
    "automatic_payment_methods": fields(allow_redirects=one_of("always", "never"), enabled=boolean),
    "confirm": boolean,
    "confirmation_method": one_of("automatic"),
    "currency": text,
}


def create(sandbox: Sandbox, call: Call) -> JsonObject:
    """Ask for an amount, and with `confirm` charge it at once."""
    params = read(call.form, {**_WRITABLE, **_OF_ATTEMPT, **_AT_CREATION}, required=("amount", "currency"))
    confirms: bool = params.pop("confirm", False)
    attempt = _attempt_in(params)
    if attempt and not confirms:
        raise StripeError(f"You can only pass {min(attempt)} with confirm=true.", param=min(attempt))
    if methods := params.get("automatic_payment_methods"):
        params["automatic_payment_methods"] = {"allow_redirects": "always", **methods}
    blank = payments.new_intent(params.pop("amount"), params.pop("currency").lower(), sandbox.now())
    asked = _with_params(sandbox, {**blank, "setup_future_usage": None}, params)
    intent = sandbox.put(None, asked, "payment_intent.created")
    return _confirm(sandbox, call, intent, attempt) if confirms else intent


def _attempt_in(params: JsonObject) -> JsonObject:
    """Take what is said of the attempt alone out of the parameters."""
    return {name: params.pop(name) for name in _OF_ATTEMPT if name in params}


def _with_params(sandbox: Sandbox, intent: JsonObject, params: JsonObject) -> JsonObject:
    customer: str | None = params.get("customer")
    if customer and sandbox.store.get("customer", customer, param="customer").get("deleted"):
        raise no_such("customer", customer, param="customer")
    changed = with_changes(intent, params)
    if given := params.get("payment_method"):
        known = {"payment_method": _method_of(sandbox, changed, given), "status": "requires_confirmation"}
        changed |= {**known, "next_action": None}
    return changed


def _method_of(sandbox: Sandbox, intent: JsonObject, given: str) -> str:
    """Return the id of what is paid with; a magic id makes a new card of that kind."""
    if card := find_card(given):
        return sandbox.put(None, new_card(card, sandbox.now()))["id"]
    if sandbox.store.get(METHOD, given, param="payment_method")["customer"] not in (None, intent["customer"]):
        raise StripeError(
            "The provided PaymentMethod is attached to another customer than the PaymentIntent's.",
            param="payment_method",
        )
    return given


def update(sandbox: Sandbox, call: Call) -> JsonObject:
    """Change what is asked for, before it is paid; Stripe tells of that by no event."""
    intent = sandbox.store.get(INTENT, call.id)
    params = read(call.form, {**_WRITABLE, "amount": positive})
    if intent["status"] not in _WAITING and params.keys() - {"description", "metadata"}:
        raise payments.unexpected(sandbox, call, intent, "update")
    if "amount" in params and _invoice_of(sandbox, intent):
        raise StripeError("The amount of an invoice's PaymentIntent cannot be changed.", param="amount")
    return sandbox.put(intent, _with_params(sandbox, intent, params))


def _invoice_of(sandbox: Sandbox, intent: JsonObject) -> JsonObject | None:
    links = sandbox.store.having("invoice_payment", INTENT, intent["id"])
    return sandbox.store.find(links[0]["invoice"]) if links else None


def confirm(sandbox: Sandbox, call: Call) -> JsonObject:
    intent = sandbox.store.get(INTENT, call.id)
    params = read(call.form, {**_OF_CONFIRMING, **_OF_ATTEMPT, "client_secret": text})
    if params.pop("client_secret", intent["client_secret"]) != intent["client_secret"]:
        raise StripeError("The client_secret provided does not match the PaymentIntent's.", param="client_secret")
    if intent["status"] not in _WAITING:
        raise payments.unexpected(sandbox, call, intent, "confirm")
    attempt = _attempt_in(params)
    return _confirm(sandbox, call, sandbox.put(intent, _with_params(sandbox, intent, params)), attempt)


def _confirm(sandbox: Sandbox, call: Call, intent: JsonObject, attempt: JsonObject) -> JsonObject:
    """Charge what is paid with; raise its decline, or ask the customer for authentication if they are there."""
    if not intent["payment_method"]:
        raise missing("payment_method")
    method = sandbox.store.get(METHOD, intent["payment_method"])
    decline = card_of_method(method).when_charged
    if decline and decline.needs_action:
        if not (attempt.get("off_session") or attempt.get("error_on_requires_action")):
            return _ask(sandbox, intent, attempt.get("return_url"), call.base_url)
        decline = msgspec.structs.replace(decline, needs_action=False)
    if failed := _pay(sandbox, intent, method, decline):
        error = failed.to_error()
        error.more |= {"payment_intent": render(sandbox.store.get(INTENT, intent["id"]), call.version, sandbox.store)}
        raise error
    return sandbox.store.get(INTENT, intent["id"])


def _ask(sandbox: Sandbox, intent: JsonObject, return_url: str | None, base_url: str) -> JsonObject:
    redirect = {"return_url": return_url, "url": f"{base_url}/authenticate/{intent['id']}"}
    action: JsonObject = (
        {"redirect_to_url": redirect, "type": "redirect_to_url"} if return_url else payments.sdk_action()
    )
    asking = {**intent, "last_payment_error": None, "next_action": action, "status": _ASKING}
    if invoice := _invoice_of(sandbox, intent):
        sandbox.put(invoice, invoice, "invoice.payment_action_required")
    return sandbox.put(intent, asking, "payment_intent.requires_action")


def _pay(
    sandbox: Sandbox, intent: JsonObject, method: JsonObject, decline: Decline | None, *, is_allowed: bool = False
) -> Decline | None:
    """Charge the method with the outcome given; an invoice's payment is collected as its others are."""
    if invoice := _invoice_of(sandbox, intent):
        decline = collect(sandbox, invoice, method=method, manual=True, is_allowed=is_allowed)
    elif decline:
        payments.fail(sandbox, intent, method, decline)
    elif intent["capture_method"] == "manual":
        captures.authorize(sandbox, intent, method)
    else:
        payments.succeed(sandbox, intent, method)
    if decline is None and intent["customer"] and intent["setup_future_usage"] and not method["customer"]:
        sandbox.put(method, {**method, "customer": intent["customer"]}, "payment_method.attached")
    return decline


def authenticate(sandbox: Sandbox, intent: JsonObject, *, is_allowed: bool) -> JsonObject:
    """Let the customer allow the payment that waits for that, or not; return how it stands then."""
    if intent["status"] != _ASKING:
        raise StripeError(f"This PaymentIntent waits for no authentication: its status is `{intent['status']}`.")
    method = sandbox.store.get(METHOD, intent["payment_method"])
    if is_allowed:
        _pay(sandbox, intent, method, card_of_method(method).when_allowed, is_allowed=True)
        return sandbox.store.get(INTENT, intent["id"])
    why = NOT_AUTHENTICATED.to_payment_error(method)
    failed = {"last_payment_error": why, "payment_method": None, "status": "requires_payment_method"}
    return sandbox.put(intent, {**intent, **failed, "next_action": None}, "payment_intent.payment_failed")


def cancel(sandbox: Sandbox, call: Call) -> JsonObject:
    """Withdraw what is asked for, and release what is held; an invoice's payment ends with the invoice."""
    intent = sandbox.store.get(INTENT, call.id)
    reasons = one_of("abandoned", "duplicate", "fraudulent", "requested_by_customer")
    params = read(call.form, {"cancellation_reason": reasons})
    if intent["status"] not in _CANCELABLE:
        raise payments.unexpected(sandbox, call, intent, "cancel")
    if _invoice_of(sandbox, intent):
        raise StripeError("This PaymentIntent is an invoice's. Void the invoice to cancel it.")
    if intent["status"] == captures.UNCAPTURED:
        intent = captures.release(sandbox, intent)
    return payments.cancel(sandbox, intent, params.get("cancellation_reason"))
