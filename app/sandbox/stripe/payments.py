"""Payment intents and charges: what is asked for and what comes of it; and the operations that read them."""

from typing import Final

from app.sandbox.stripe.cards import Decline, card_of_charge
from app.sandbox.stripe.errors import StripeError
from app.sandbox.stripe.forms import Reader, fields, one_of, text
from app.sandbox.stripe.render import render
from app.sandbox.stripe.resources import keep_equal, list_page
from app.sandbox.stripe.sandbox import Call, Sandbox
from app.sandbox.stripe.wire import JsonObject, copy, new_id

INTENT = "payment_intent"
OPEN, PAID, CANCELED = "open", "paid", "canceled"
_INTENT: Final[JsonObject] = {
    "object": INTENT,
    "amount_capturable": 0,
    "amount_details": {"tip": {}},
    "amount_received": 0,
    "application": None,
    "application_fee_amount": None,
    "automatic_payment_methods": None,
    "canceled_at": None,
    "cancellation_reason": None,
    "capture_method": "automatic",
    "confirmation_method": "automatic",
    "customer_account": None,
    "description": None,
    "last_payment_error": None,
    "latest_charge": None,
    "livemode": False,
    "metadata": {},
    "next_action": None,
    "on_behalf_of": None,
    "payment_method_options": {},
    "payment_method_types": ["card"],
    "processing": None,
    "receipt_email": None,
    "review": None,
    "setup_future_usage": "off_session",
    "shipping": None,
    "source": None,
    "statement_descriptor": None,
    "statement_descriptor_suffix": None,
    "transfer_data": None,
    "transfer_group": None,
}
_DISPUTED_AFTER_S: Final = 5
_USED: Final = {
    "card": ("brand", "checks", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4"),
    "sepa_debit": ("bank_code", "branch_code", "country", "fingerprint", "last4"),
    "us_bank_account": ("account_holder_type", "account_type", "bank_name", "fingerprint", "last4", "routing_number"),
}
_NO_ADDRESS: Final = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
_CHARGE: Final[JsonObject] = {
    "object": "charge",
    "amount_refunded": 0,
    "application": None,
    "application_fee": None,
    "application_fee_amount": None,
    "balance_transaction": None,
    "billing_details": {"address": _NO_ADDRESS, "email": None, "name": None, "phone": None, "tax_id": None},
    "calculated_statement_descriptor": None,
    "disputed": False,
    "failure_balance_transaction": None,
    "fraud_details": {},
    "livemode": False,
    "metadata": {},
    "on_behalf_of": None,
    "payment_method": None,
    "payment_method_details": None,
    "receipt_email": None,
    "receipt_number": None,
    "receipt_url": None,
    "refunded": False,
    "review": None,
    "shipping": None,
    "source": None,
    "source_transfer": None,
    "statement_descriptor": None,
    "statement_descriptor_suffix": None,
    "transfer_data": None,
    "transfer_group": None,
}


def ask(sandbox: Sandbox, invoice: JsonObject, method: JsonObject | None) -> None:
    """Make the payment intent of an invoice, and what links the two."""
    known = {"customer": invoice["customer"], "payment_method": _id_of(method)}
    status = "requires_confirmation" if method else "requires_payment_method"
    intent = {**new_intent(invoice["amount_due"], invoice["currency"], sandbox.now()), **known, "status": status}
    asked = sandbox.put(None, intent, "payment_intent.created")
    sandbox.store.put(_link(invoice, asked["id"], sandbox.now()))


def new_intent(amount: int, currency: str, at: int) -> JsonObject:
    """Return a payment intent of nobody's that waits for a payment method; nothing is stored yet."""
    new = new_id("pi")
    return {
        **copy(_INTENT),
        "id": new,
        "amount": amount,
        "client_secret": new_id(f"{new}_secret"),
        "created": at,
        "currency": currency,
        "customer": None,
        "payment_method": None,
        "status": "requires_payment_method",
    }


def _link(invoice: JsonObject, intent: str, at: int) -> JsonObject:
    return {
        "id": new_id("inpay"),
        "object": "invoice_payment",
        "amount_paid": None,
        "amount_requested": invoice["amount_due"],
        "created": at,
        "currency": invoice["currency"],
        "invoice": invoice["id"],
        "is_default": True,
        "livemode": False,
        "payment": {"payment_intent": intent, "type": INTENT},
        "status": OPEN,
        "status_transitions": {"canceled_at": None, "paid_at": None},
    }


def charge(sandbox: Sandbox, invoice: JsonObject, method: JsonObject | None, decline: Decline | None) -> None:
    """Charge the invoice's amount, with the outcome given: the payment intent and its charge tell of it."""
    for link in sandbox.store.having("invoice_payment", "invoice", invoice["id"]):
        intent = sandbox.store.get(INTENT, link["payment"][INTENT])
        if decline is None:
            succeed(sandbox, intent, method)
            _mark_paid(sandbox, link, intent["amount"])
        else:
            fail(sandbox, intent, method, decline)


def succeed(sandbox: Sandbox, intent: JsonObject, method: JsonObject | None) -> JsonObject:
    made = sandbox.put(None, new_charge(intent, method, None, sandbox.now()), "charge.succeeded")
    outcome = {"amount_received": intent["amount"], "latest_charge": made["id"], "status": "succeeded"}
    settled = {**intent, **outcome, "last_payment_error": None, "next_action": None, "payment_method": _id_of(method)}
    return sandbox.put(intent, settled, "payment_intent.succeeded")


def _mark_paid(sandbox: Sandbox, link: JsonObject, amount: int) -> None:
    times = {**link["status_transitions"], "paid_at": sandbox.now()}
    paid = {**link, "amount_paid": amount, "status": PAID, "status_transitions": times}
    sandbox.put(link, paid, "invoice_payment.paid")


def _id_of(method: JsonObject | None) -> str | None:
    return method["id"] if method else None


def fail(sandbox: Sandbox, intent: JsonObject, method: JsonObject | None, decline: Decline) -> JsonObject:
    tried = {**intent, "payment_method": _id_of(method), "last_payment_error": decline.to_payment_error(method)}
    if decline.needs_action:
        asking = {**tried, "status": "requires_action", "next_action": sdk_action()}
        return sandbox.put(intent, asking, "payment_intent.requires_action")
    failed = {**tried, "status": "requires_payment_method", "next_action": None, "payment_method": None}
    if method:
        made = sandbox.put(None, new_charge(intent, method, decline, sandbox.now()), "charge.failed")
        failed["latest_charge"] = made["id"]
    return sandbox.put(intent, failed, "payment_intent.payment_failed")


def sdk_action() -> JsonObject:
    """Return what asks Stripe's SDK in the browser for authentication."""
    return {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect"}}


def new_charge(intent: JsonObject, method: JsonObject | None, decline: Decline | None, at: int) -> JsonObject:
    made = {
        **copy(_CHARGE),
        "id": new_id("ch"),
        "amount": intent["amount"],
        "amount_captured": 0 if decline else intent["amount"],
        "captured": decline is None,
        "created": at,
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "failure_code": decline.code if decline else None,
        "failure_message": decline.message if decline else None,
        "outcome": _outcome(decline),
        "paid": decline is None,
        "payment_intent": intent["id"],
        "status": "failed" if decline else "succeeded",
    }
    if method is None:
        return made
    used = {"payment_method_details": _used(method), "payment_method": method["id"]}
    made = {**made, **used, "billing_details": method["billing_details"]}
    return made if decline else {**made, "_disputed_at": disputed_at(made, at)}


def disputed_at(charge: JsonObject, at: int) -> int | None:
    """Return when a charge that is captured now will be disputed, if its card is one that disputes."""
    return at + _DISPUTED_AFTER_S if card_of_charge(charge).disputed_as else None


def _outcome(decline: Decline | None) -> JsonObject:
    return {
        "network_status": "declined_by_network" if decline else "approved_by_network",
        "reason": decline.decline_code if decline else None,
        "risk_level": "normal",
        "seller_message": "The bank did not return any further details with this decline."
        if decline
        else "Payment complete.",
        "type": "issuer_declined" if decline else "authorized",
    }


def _used(method: JsonObject) -> JsonObject:
    kind: str = method["type"]
    used = {name: method[kind][name] for name in _USED[kind]}
    if kind == "card":
        used |= {"network": method["card"]["brand"], "wallet": None}
    return {"type": kind, kind: used}


def withdraw(sandbox: Sandbox, invoice: JsonObject, reason: str) -> None:
    """Cancel what is still asked for an invoice."""
    at = sandbox.now()
    for link in sandbox.store.having("invoice_payment", "invoice", invoice["id"]):
        if link["status"] != OPEN:
            continue
        cancel(sandbox, sandbox.store.get(INTENT, link["payment"][INTENT]), reason)
        times = {**link["status_transitions"], "canceled_at": at}
        sandbox.put(link, {**link, "status": CANCELED, "status_transitions": times})


def unexpected(sandbox: Sandbox, call: Call, intent: JsonObject, verb: str) -> StripeError:
    """Return the error for what cannot be done with the intent as it stands."""
    error = StripeError(
        f"You cannot {verb} this PaymentIntent because it has a status of {intent['status']}.",
        code="payment_intent_unexpected_state",
    )
    error.more["payment_intent"] = render(intent, call.version, sandbox.store)
    return error


def cancel(sandbox: Sandbox, intent: JsonObject, reason: str | None) -> JsonObject:
    gone = {"cancellation_reason": reason, "next_action": None, "status": CANCELED}
    return sandbox.put(intent, {**intent, **gone, "canceled_at": sandbox.now()}, "payment_intent.canceled")


def list_intents(sandbox: Sandbox, call: Call) -> JsonObject:
    return list_page(
        sandbox, call, INTENT, {"customer": text}, lambda params, intent: keep_equal(params, intent, "customer")
    )


def list_invoice_payments(sandbox: Sandbox, call: Call) -> JsonObject:
    readers: dict[str, Reader] = {
        "invoice": text,
        "payment": fields(payment_intent=text, type=one_of(INTENT)),
        "status": one_of(OPEN, PAID, CANCELED),
    }

    def keep(params: JsonObject, link: JsonObject) -> bool:
        return keep_equal(params, link, "invoice", "status") and keep_equal(
            params.get("payment") or {}, link["payment"], INTENT, "type"
        )

    return list_page(sandbox, call, "invoice_payment", readers, keep)
