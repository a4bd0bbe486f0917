"""What a customer does in the billing portal, as far as its configuration offers it."""

from typing import Any, Final

from app.sandbox.stripe import customers, invoices, subscriptions
from app.sandbox.stripe.cards import find_card
from app.sandbox.stripe.checkout import CARDS
from app.sandbox.stripe.checkout_params import MOST_QUANTITY
from app.sandbox.stripe.collection import collect
from app.sandbox.stripe.endings import ENDED
from app.sandbox.stripe.errors import StripeError, no_such
from app.sandbox.stripe.forms import Form
from app.sandbox.stripe.payment_methods import new_card
from app.sandbox.stripe.portal_configurations import KIND
from app.sandbox.stripe.resources import Operation
from app.sandbox.stripe.sandbox import Call, Sandbox
from app.sandbox.stripe.wire import JsonObject, new_id

_CLOSING: Final[dict[str, Form]] = {
    "none": {},
    "create_prorations": {"prorate": "true"},
    "always_invoice": {"prorate": "true", "invoice_now": "true"},
}


def features_of(sandbox: Sandbox, session: JsonObject) -> JsonObject:
    return sandbox.store.get(KIND, session["configuration"])["features"]


def offered(sandbox: Sandbox, session: JsonObject, feature: str) -> JsonObject:
    """Return a feature that the portal offers, or refuse."""
    found = features_of(sandbox, session)[feature]
    if not found["enabled"]:
        raise StripeError("This portal does not offer that.", status=403)
    return found


def subscription_of(sandbox: Sandbox, session: JsonObject, id: str) -> JsonObject:
    """Return a subscription of the portal's customer that has not ended."""
    subscription = sandbox.store.get("subscription", id)
    if subscription["customer"] != session["customer"] or subscription["status"] in ENDED:
        raise no_such("subscription", id)
    return subscription


def invoice_of(sandbox: Sandbox, session: JsonObject, id: str) -> JsonObject:
    invoice = sandbox.store.get("invoice", id)
    if invoice["customer"] != session["customer"]:
        raise no_such("invoice", id)
    return invoice


def _do(sandbox: Sandbox, operation: Operation, id: str, form: Form) -> JsonObject:
    """Do what an API caller could, so that it is checked and told of in the same way."""
    call = Call(id, form, sandbox.now(), new_id("req", 14), None)
    with sandbox.answering(call):
        return operation(sandbox, call)


def change_method(sandbox: Sandbox, session: JsonObject, name: str) -> None:
    """Make a new card the default of the customer and of the subscriptions that had one of their own."""
    offered(sandbox, session, "payment_method_update")
    card = find_card(f"pm_card_{name}") if name in CARDS else None
    if card is None:
        raise StripeError("Choose a card.", param="means")
    if card.when_attached:
        raise card.when_attached.to_error()
    owner: str = session["customer"]
    attached = {**new_card(card, sandbox.now()), "customer": owner}
    method = sandbox.put(None, attached, "payment_method.attached")["id"]
    _do(sandbox, customers.update, owner, {"invoice_settings": {"default_payment_method": method}})
    for subscription in sandbox.store.having("subscription", "customer", owner):
        if subscription["default_payment_method"] and subscription["status"] not in ENDED:
            sandbox.save(subscription, {**subscription, "default_payment_method": method})


def change_details(sandbox: Sandbox, session: JsonObject, sent: dict[str, str]) -> None:
    """Change what the customer may change of itself."""
    allowed = offered(sandbox, session, "customer_update")["allowed_updates"]
    form: Form = {name: sent[name].strip() for name in allowed if name in sent}
    _do(sandbox, customers.update, session["customer"], form)


def cancel(sandbox: Sandbox, session: JsonObject, id: str, reason: str | None) -> JsonObject:
    """Cancel a subscription now or at its period's end, as the configuration says."""
    feature = offered(sandbox, session, "subscription_cancel")
    subscription_of(sandbox, session, id)
    details: Form = {}
    if reason and feature["cancellation_reason"]["enabled"] and reason in feature["cancellation_reason"]["options"]:
        details = {"cancellation_details": {"feedback": reason}}
    if feature["mode"] == "immediately":
        return _do(sandbox, subscriptions.cancel, id, {**details, **_CLOSING[feature["proration_behavior"]]})
    return _do(sandbox, subscriptions.update, id, {**details, "cancel_at_period_end": "true"})


def keep(sandbox: Sandbox, session: JsonObject, id: str) -> JsonObject:
    """Take a scheduled cancellation back."""
    offered(sandbox, session, "subscription_cancel")
    subscription_of(sandbox, session, id)
    return _do(sandbox, subscriptions.update, id, {"cancel_at_period_end": "false"})


def choices_of(sandbox: Sandbox, session: JsonObject, subscription: JsonObject) -> list[JsonObject]:
    """Return the prices that the subscription may have, its own first; none where the portal changes nothing of it."""
    feature = features_of(sandbox, session)["subscription_update"]
    items = subscription["items"]["data"]
    if not feature["enabled"] or len(items) != 1:
        return []
    own: str = items[0]["price"]
    others = [price for product in feature["products"] for price in product["prices"] if price != own]
    named = [own, *(others if "price" in feature["default_allowed_updates"] else [])]
    prices = [sandbox.store.get("price", one) for one in dict.fromkeys(named)]
    return [price for price in prices if price["active"] or price["id"] == own]


def limits_of(sandbox: Sandbox, session: JsonObject, subscription: JsonObject) -> JsonObject | None:
    """Return how many a person may have (`minimum`, `maximum`), or None where the quantity stays."""
    feature = features_of(sandbox, session)["subscription_update"]
    own = sandbox.store.get("price", subscription["items"]["data"][0]["price"])
    limits = [one["adjustable_quantity"] for one in feature["products"] if one["product"] == own["product"]]
    is_allowed = feature["enabled"] and "quantity" in feature["default_allowed_updates"]
    return next((one for one in limits if is_allowed and one["enabled"]), None)


def change_plan(
    sandbox: Sandbox, session: JsonObject, id: str, *, price: str | None, quantity: int | None
) -> JsonObject:
    """Give a subscription another price or quantity; a payment that fails leaves it as it was."""
    feature = offered(sandbox, session, "subscription_update")
    subscription = subscription_of(sandbox, session, id)
    item: Form = {"id": subscription["items"]["data"][0]["id"]}
    if price and price != subscription["items"]["data"][0]["price"]:
        if price not in [one["id"] for one in choices_of(sandbox, session, subscription)]:
            raise StripeError("This portal does not offer that price.", status=403)
        item["price"] = price
    if quantity is not None and quantity != subscription["items"]["data"][0]["quantity"]:
        _check_quantity(limits_of(sandbox, session, subscription), quantity)
        item["quantity"] = str(quantity)
    form: Form = {
        "items": {"0": item},
        "payment_behavior": "error_if_incomplete",
        "proration_behavior": feature["proration_behavior"],
    }
    if feature["billing_cycle_anchor"]:
        form["billing_cycle_anchor"] = feature["billing_cycle_anchor"]
    if subscription["status"] == "trialing" and feature["trial_update_behavior"] == "end_trial":
        form["trial_end"] = "now"
    return _do(sandbox, subscriptions.update, id, form)


def _check_quantity(limits: JsonObject | None, quantity: int) -> None:
    if limits is None:
        raise StripeError("This portal does not offer another quantity.", status=403)
    least, most = max(limits["minimum"], 1), limits["maximum"] or MOST_QUANTITY
    if not least <= quantity <= most:
        raise StripeError(f"Choose a quantity from {least} to {most}.", param="quantity")


def pay(sandbox: Sandbox, session: JsonObject, id: str) -> JsonObject:
    """Pay an open invoice with the default card, or raise why that failed."""
    offered(sandbox, session, "invoice_history")
    invoice_of(sandbox, session, id)
    return _do(sandbox, invoices.pay, id, {})


def authenticate(sandbox: Sandbox, session: JsonObject, id: str) -> None:
    """Pay an open invoice whose payment the customer has now allowed; what is settled stays as it is."""
    offered(sandbox, session, "invoice_history")
    invoice = invoice_of(sandbox, session, id)
    if invoice["status"] == "open":
        collect(sandbox, invoice, manual=True, is_allowed=True)


def invoices_of(sandbox: Sandbox, session: JsonObject) -> list[JsonObject]:
    """Return the customer's invoices that were finalized, newest first."""
    every: list[Any] = sandbox.store.all("invoice")
    return [one for one in every if one["customer"] == session["customer"] and one["status"] != "draft"]
