"""What becomes of a checkout session: paid, declined, authenticated, settled later, expired."""

from typing import Final

import msgspec

from app.sandbox.stripe import debits, payments, setup_intents, subscriptions
from app.sandbox.stripe.cards import NOT_AUTHENTICATED, Card, Decline, find_card
from app.sandbox.stripe.checkout_discounts import redeemed
from app.sandbox.stripe.checkout_params import KIND
from app.sandbox.stripe.collection import collect
from app.sandbox.stripe.customers import save_new
from app.sandbox.stripe.errors import StripeError
from app.sandbox.stripe.payment_methods import new_card
from app.sandbox.stripe.redemptions import count
from app.sandbox.stripe.sandbox import Sandbox
from app.sandbox.stripe.wire import JsonObject

CARDS: Final = (
    "visa",
    "mastercard",
    "authenticationRequired",
    "chargeCustomerFail",
    "createDispute",
    "chargeDeclined",
    "chargeDeclinedInsufficientFunds",
    "chargeDeclinedExpiredCard",
)
DEBIT_PAID: Final = "debit"
DEBIT_UNPAID: Final = "debitFail"
NOTHING: Final = ""
_TERMS: Final = ("description", "metadata", "trial_end", "trial_period_days", "trial_settings")


class Attempt(msgspec.Struct, frozen=True):
    """What a person pays with (a card's name, a debit, or nothing where nothing is due), and who it is."""

    means: str
    email: str
    name: str | None = None


def details_of(email: str | None, name: str | None) -> JsonObject:
    """Return what a session tells of its customer."""
    return {
        "address": None,
        "business_name": None,
        "email": email,
        "individual_name": None,
        "name": name,
        "phone": None,
        "tax_exempt": "none",
        "tax_ids": [],
    }


def means_of(session: JsonObject) -> list[str]:
    """Return what a person may choose to pay with; `NOTHING` where the session needs no payment method."""
    is_due = bool(session["amount_total"])
    if not is_due and session["mode"] == "payment":
        return [NOTHING]
    takes: list[str] = session["payment_method_types"]
    cards = list(CARDS) if "card" in takes else []
    later = [DEBIT_PAID, DEBIT_UNPAID] if takes != ["card"] else []
    nothing = [NOTHING] if not is_due and session["payment_method_collection"] == "if_required" else []
    return [*nothing, *cards, *later]


def pay(sandbox: Sandbox, session: JsonObject, attempt: Attempt) -> JsonObject:
    """Pay an open session and return it: complete, or with the attempt that waits for authentication.

    Raises the decline, which leaves the session open. A session that is not open stays as it is: who submits twice
    pays once.
    """
    if session["status"] != "open":
        return session
    card = _card_of(session, attempt)
    if card and (decline := card.when_attached):
        raise _declined(sandbox, session, card, decline)
    if card and card.when_charged and card.when_charged.needs_action:
        return _ask(sandbox, session, attempt, card, card.when_charged)
    return _complete(sandbox, session, attempt)


def _card_of(session: JsonObject, attempt: Attempt) -> Card | None:
    """Return the card that the attempt names; debits and nothing are none."""
    if attempt.means not in means_of(session):
        raise StripeError("Choose what to pay with.", param="means")
    return None if attempt.means in (NOTHING, DEBIT_PAID, DEBIT_UNPAID) else _named_card(attempt.means)


def _named_card(name: str) -> Card:
    card = find_card(f"pm_card_{name}")
    if card is None:
        raise StripeError("Choose what to pay with.", param="means")
    return card


def _declined(sandbox: Sandbox, session: JsonObject, card: Card | None, decline: Decline) -> StripeError:
    """Forget the attempt, tell of its failure and return the error."""
    sandbox.put(session, {**_with_failure(sandbox, session, card, decline), "_attempt": None})
    return decline.to_error()


def _ask(sandbox: Sandbox, session: JsonObject, attempt: Attempt, card: Card, decline: Decline) -> JsonObject:
    """Keep the attempt until the person has allowed it, or has not."""
    failed = _with_failure(sandbox, session, card, decline)
    return sandbox.put(session, {**failed, "_attempt": msgspec.to_builtins(attempt)})


def _with_failure(sandbox: Sandbox, session: JsonObject, card: Card | None, decline: Decline) -> JsonObject:
    """Return the session with its payment intent, which failed; a subscription asks for none before it exists.

    Without a card there is no charge that failed either.
    """
    if session["mode"] == "setup":
        setup_intents.fail(sandbox, sandbox.store.get(setup_intents.KIND, session["setup_intent"]), None, decline)
    if session["mode"] != "payment" or not session["amount_total"]:
        return session
    intent = _intent_of(sandbox, session)
    method = sandbox.put(None, new_card(card, sandbox.now())) if card else None
    payments.fail(sandbox, intent, method, decline)
    return {**session, "payment_intent": intent["id"]}


def authenticate(sandbox: Sandbox, session: JsonObject, *, is_allowed: bool) -> JsonObject:
    """Go on with the attempt that waits for authentication, or raise the decline; without one nothing happens."""
    if session["status"] != "open" or session["_attempt"] is None:
        return session
    attempt = msgspec.convert(session["_attempt"], Attempt)
    if is_allowed:
        return _complete(sandbox, session, attempt)
    raise _declined(sandbox, session, None, NOT_AUTHENTICATED)


def _complete(sandbox: Sandbox, session: JsonObject, attempt: Attempt) -> JsonObject:
    promised = redeemed(sandbox, session)
    customer = _customer_of(sandbox, session, attempt)
    told = {
        "_attempt": None,
        "customer": customer,
        "customer_details": details_of(attempt.email, attempt.name),
        "status": "complete",
        "url": None,
    }
    settle = {"payment": _charge, "setup": _save, "subscription": _subscribe}[session["mode"]]
    completed = {**session, **told, **settle(sandbox, {**session, "customer": customer}, attempt)}
    for discount in promised if session["mode"] == "payment" else []:  # a subscription counts its own
        count(sandbox, discount)
    return sandbox.put(session, completed, "checkout.session.completed")


def _customer_of(sandbox: Sandbox, session: JsonObject, attempt: Attempt) -> str | None:
    """Return the session's customer, who is made now where there is to be one, and has an address from now on."""
    if session["customer"]:
        customer = sandbox.store.get("customer", session["customer"])
        if customer.get("deleted"):
            raise StripeError("This checkout is for a customer that has been deleted.")
        return sandbox.save(customer, {**customer, "email": customer["email"] or attempt.email})["id"]
    if session["customer_creation"] == "if_required":
        return None
    return save_new(sandbox, {"email": attempt.email, "name": attempt.name})["id"]


def _method_of(sandbox: Sandbox, session: JsonObject, attempt: Attempt, *, is_kept: bool) -> JsonObject | None:
    """Return a new payment method of what the person chose, attached to the customer where it is kept."""
    if attempt.means == NOTHING:
        return None
    if attempt.means in (DEBIT_PAID, DEBIT_UNPAID):
        kind = debits.OF_CURRENCY[session["currency"]]
        method = debits.new_debit(kind, sandbox.now(), is_paid=attempt.means == DEBIT_PAID)
    else:
        method = new_card(_named_card(attempt.means), sandbox.now())
    who = {**method["billing_details"], "email": attempt.email, "name": attempt.name}
    method = {**method, "billing_details": who}
    if is_kept and session["customer"]:
        return sandbox.put(None, {**method, "customer": session["customer"]}, "payment_method.attached")
    return sandbox.put(None, method)


def _save(sandbox: Sandbox, session: JsonObject, attempt: Attempt) -> JsonObject:
    """Save the payment method, and return what the session tells of it."""
    method = _method_of(sandbox, session, attempt, is_kept=True)
    if method:
        intent = sandbox.store.get(setup_intents.KIND, session["setup_intent"])
        setup_intents.succeed(sandbox, intent, method, session["customer"])
    return {"payment_status": "no_payment_required"}


def _charge(sandbox: Sandbox, session: JsonObject, attempt: Attempt) -> JsonObject:
    """Charge what is bought once, and return what the session tells of it."""
    if session["amount_total"] == 0:
        _withdraw(sandbox, session, "abandoned")
        return {"payment_intent": None, "payment_status": "no_payment_required"}
    intent = _intent_of(sandbox, session)
    is_kept = "setup_future_usage" in session["_payment_intent_data"]
    method = _method_of(sandbox, session, attempt, is_kept=is_kept)
    is_later = method is not None and debits.is_debit(method)
    if method is not None and is_later:
        debits.process(sandbox, intent, method)
    else:
        payments.succeed(sandbox, intent, method)
    return {"payment_intent": intent["id"], "payment_status": "unpaid" if is_later else "paid"}


def _withdraw(sandbox: Sandbox, session: JsonObject, reason: str) -> None:
    """Cancel the payment that an attempt in vain has asked for."""
    if intent := sandbox.store.find(session["payment_intent"] or ""):
        payments.cancel(sandbox, intent, reason)


def _intent_of(sandbox: Sandbox, session: JsonObject) -> JsonObject:
    """Return the session's payment intent, which its first attempt makes."""
    customer: str | None = session["customer"]
    if known := sandbox.store.find(session["payment_intent"] or ""):
        return sandbox.put(known, {**known, "amount": session["amount_total"], "customer": customer})
    terms: JsonObject = session["_payment_intent_data"]
    intent = payments.new_intent(session["amount_total"], session["currency"], sandbox.now())
    asked = {"customer": customer, "payment_method_types": session["payment_method_types"], "setup_future_usage": None}
    return sandbox.put(None, {**intent, **asked, **terms}, "payment_intent.created")


def _subscribe(sandbox: Sandbox, session: JsonObject, attempt: Attempt) -> JsonObject:
    """Start the subscription, whose first invoice is paid at once, and return what the session tells of it."""
    method = _method_of(sandbox, session, attempt, is_kept=True)
    items = [
        {"is_agreed": True, "metadata": line["metadata"], "price": line["price"], "quantity": line["quantity"]}
        for line in session["_lines"]
    ]
    terms = {name: value for name, value in session["_subscription_data"].items() if name in _TERMS}
    chosen: JsonObject = {"default_payment_method": method["id"]} if method else {}
    if session["discounts"]:
        chosen["discounts"] = [{**discount, "checkout_session": session["id"]} for discount in session["discounts"]]
    begun = subscriptions.begin(
        sandbox, session["customer"], {**terms, **chosen, "items": items, "payment_behavior": "default_incomplete"}
    )
    invoice = sandbox.store.get("invoice", begun["latest_invoice"])
    if invoice["status"] == "open":
        collect(sandbox, invoice, method=method, is_allowed=True)
    return {
        "invoice": invoice["id"],
        "payment_status": "paid" if session["amount_total"] else "no_payment_required",
        "subscription": begun["id"],
    }


def follow_payment(sandbox: Sandbox, intent: JsonObject) -> None:
    """Settle what the bank processes, and tell the session of it."""
    is_paid = debits.settle(sandbox, intent)
    for session in sandbox.store.having(KIND, "payment_intent", intent["id"]):
        told = {"payment_status": "paid"} if is_paid else {}
        outcome = "succeeded" if is_paid else "failed"
        sandbox.put(session, {**session, **told}, f"checkout.session.async_payment_{outcome}")


def expire(sandbox: Sandbox, session: JsonObject) -> JsonObject:
    """End an open session; what it has asked for is withdrawn."""
    _withdraw(sandbox, session, "expired")
    if intent := sandbox.store.find(session["setup_intent"] or ""):
        setup_intents.cancel(sandbox, intent)
    return sandbox.put(
        session, {**session, "_attempt": None, "status": "expired", "url": None}, "checkout.session.expired"
    )
