"""What the billing portal's pages show."""

from typing import Final

from app.sandbox.stripe import portal
from app.sandbox.stripe.checkout import CARDS
from app.sandbox.stripe.endings import ENDED
from app.sandbox.stripe.home_rows import status_badge
from app.sandbox.stripe.means import authentication_form, card_choice, card_name
from app.sandbox.stripe.pages import (
    Html,
    button,
    day,
    element,
    form,
    hidden,
    money,
    section,
    table,
    together,
)
from app.sandbox.stripe.proration import amount_of, round_half_away
from app.sandbox.stripe.sandbox import Sandbox
from app.sandbox.stripe.wire import JsonObject

_WAITING: Final = {
    "incomplete": "The first invoice is not paid yet.",
    "past_due": "The latest invoice is not paid.",
    "unpaid": "Invoices are not paid, and no more are charged.",
}
_DETAILS: Final = {"email": "E-mail", "name": "Name", "phone": "Phone"}
_REASONS: Final = {
    "too_expensive": "It is too expensive",
    "missing_features": "I need more features",
    "switched_service": "I found an alternative",
    "unused": "I no longer need it",
    "customer_service": "Customer service was less than expected",
    "too_complex": "Ease of use was less than expected",
    "low_quality": "Quality was less than expected",
    "other": "Another reason",
}


def path_of(session: JsonObject, *parts: str) -> str:
    return "/".join((f"/p/session/{session['id']}", *parts))


def home_view(sandbox: Sandbox, session: JsonObject) -> Html:
    customer = sandbox.store.get("customer", session["customer"])
    features = portal.features_of(sandbox, session)
    back: str | None = session["return_url"]
    return together(
        _subscriptions_of(sandbox, session, features),
        _method_of(sandbox, session, customer, features),
        _details_of(session, customer, features),
        _invoices_of(sandbox, session, features),
        element("p", element("a", "Go back", href=back)) if back else "",
    )


def _subscriptions_of(sandbox: Sandbox, session: JsonObject, features: JsonObject) -> Html:
    known = sandbox.store.having("subscription", "customer", session["customer"])
    living = [one for one in known if one["status"] not in ENDED]
    if not living:
        return section("Subscriptions", element("p", "There is no subscription.", class_="soft"))
    shown = [
        together(_items_of(sandbox, one), _state_of(one), _actions_of(sandbox, session, one, features))
        for one in living
    ]
    return together([section("Subscription", one) for one in shown])


def _items_of(sandbox: Sandbox, subscription: JsonObject) -> Html:
    rows: list[tuple[str, str, str]] = []
    for item in subscription["items"]["data"]:
        price = sandbox.store.get("price", item["price"])
        product = sandbox.store.find(price["product"]) or {}
        quantity: int | None = item["quantity"]
        shown = "" if quantity is None else str(quantity)
        rows.append((product.get("name") or price["product"], shown, _cost_of(price, quantity)))
    return table(("Plan", "Quantity", "Price"), rows)


def _cost_of(price: JsonObject, quantity: int | None) -> str:
    """Say what a quantity costs, and how often: `29.00 USD per month`."""
    every = price["recurring"]["interval"]
    if (count := price["recurring"]["interval_count"]) != 1:
        every = f"{count} {every}s"
    if quantity is None:
        return f"by use, per {every}"
    return f"{money(round_half_away(amount_of(price, quantity)), price['currency'])} per {every}"


def _state_of(subscription: JsonObject) -> Html:
    status: str = subscription["status"]
    ends = [item["current_period_end"] for item in subscription["items"]["data"]]
    if subscription["cancel_at"] is not None:
        said = f"Ends on {day(subscription['cancel_at'])}."
    elif status == "trialing":
        said = f"The trial ends on {day(subscription['trial_end'])}."
    elif status == "active":
        said = f"Renews on {day(min(ends))}."
    else:
        said = _WAITING.get(status, "")
    return element("p", status_badge(status), " ", said)


def _actions_of(sandbox: Sandbox, session: JsonObject, subscription: JsonObject, features: JsonObject) -> Html | str:
    to = (session, "subscriptions", subscription["id"])
    actions: list[Html] = []
    if _can_change(sandbox, session, subscription):
        actions.append(element("a", "Change", class_="button", href=path_of(*to, "update")))
    if features["subscription_cancel"]["enabled"]:
        if subscription["cancel_at"] is None:
            actions.append(element("a", "Cancel", class_="button", href=path_of(*to, "cancel")))
        else:
            actions.append(form(path_of(*to, "keep"), button("Don't cancel")))
    return element("div", actions, class_="row") if actions else ""


def _can_change(sandbox: Sandbox, session: JsonObject, subscription: JsonObject) -> bool:
    choices = portal.choices_of(sandbox, session, subscription)
    return len(choices) > 1 or (bool(choices) and portal.limits_of(sandbox, session, subscription) is not None)


def _method_of(sandbox: Sandbox, session: JsonObject, customer: JsonObject, features: JsonObject) -> Html | str:
    if not features["payment_method_update"]["enabled"]:
        return ""
    named: str | None = customer["invoice_settings"]["default_payment_method"]
    if named is None:  # Checkout names it on the subscription
        known = sandbox.store.having("subscription", "customer", customer["id"])
        named = next((one["default_payment_method"] for one in known if one["default_payment_method"]), None)
    method = sandbox.store.find(named or "")
    shown = "None" if method is None else _name_of(method)
    change = element("a", "Change", class_="button", href=path_of(session, "payment_method"))
    return section("Payment method", element("p", shown), element("div", change, class_="row"))


def _name_of(method: JsonObject) -> str:
    if method["type"] != "card":
        return f"Bank account ···· {method[method['type']]['last4']}"
    return card_name(method["card"]["brand"], method["card"]["last4"])


def _details_of(session: JsonObject, customer: JsonObject, features: JsonObject) -> Html | str:
    allowed = features["customer_update"]["allowed_updates"]
    if not features["customer_update"]["enabled"] or not allowed:
        return ""
    inputs = [
        element("label", _DETAILS[name], element("input", name=name, value=customer[name] or "")) for name in allowed
    ]
    return section("Your details", form(path_of(session, "details"), inputs, button("Save")))


def _invoices_of(sandbox: Sandbox, session: JsonObject, features: JsonObject) -> Html | str:
    if not features["invoice_history"]["enabled"]:
        return ""
    every = portal.invoices_of(sandbox, session)
    if not every:
        return section("Invoices", element("p", "There is no invoice.", class_="soft"))
    return section(
        "Invoices", table(("Invoice", "Status", "", "Amount"), [_invoice_row(session, one) for one in every])
    )


def _invoice_row(session: JsonObject, invoice: JsonObject) -> tuple[str, str, str, str]:
    number = element("span", invoice["number"] or "", class_="soft")
    pay: Html | str = ""
    if invoice["status"] == "open":
        pay = form(path_of(session, "invoices", invoice["id"], "pay"), button("Pay", is_small=True))
    status = status_badge(invoice["status"])
    return together(day(invoice["created"]), " ", number), status, pay, money(invoice["total"], invoice["currency"])


def method_view(session: JsonObject) -> Html:
    offered = [card_choice(name, is_chosen=name == CARDS[0]) for name in CARDS]
    saved = form(path_of(session, "payment_method"), offered, _buttons(session, "Save"))
    return section("Pay with", saved)


def _buttons(session: JsonObject, label: str) -> Html:
    back = element("a", "Go back", class_="button", href=_back_of(session))
    return element("div", button(label, is_main=True), back, class_="row")


def _back_of(session: JsonObject) -> str:
    """Return where a person goes who changes nothing: home, or out of the flow that leads nowhere else."""
    is_flow = session["flow"] is not None and not session["_is_done"]
    return session["return_url"] or path_of(session) if is_flow else path_of(session)


def cancel_view(sandbox: Sandbox, session: JsonObject, subscription: JsonObject) -> Html:
    feature = portal.features_of(sandbox, session)["subscription_cancel"]
    ends = min(item["current_period_end"] for item in subscription["items"]["data"])
    at_end = feature["mode"] == "at_period_end"
    said = f"You can use it until {day(ends)}." if at_end else "It ends at once."
    asked: Html | str = ""
    if feature["cancellation_reason"]["enabled"]:
        options = [element("option", _REASONS[name], value=name) for name in feature["cancellation_reason"]["options"]]
        select = element("select", element("option", "Choose a reason", value=""), options, name="reason")
        asked = element("label", "Why do you cancel?", select)
    action = path_of(session, "subscriptions", subscription["id"], "cancel")
    confirmed = form(action, asked, _buttons(session, "Cancel the subscription"))
    return section("Your subscription", _items_of(sandbox, subscription), element("p", said), confirmed)


def update_view(sandbox: Sandbox, session: JsonObject, subscription: JsonObject) -> Html:
    item = subscription["items"]["data"][0]
    options = [
        element("option", _offer_of(sandbox, price), value=price["id"], selected=price["id"] == item["price"])
        for price in portal.choices_of(sandbox, session, subscription)
    ]
    fields = [element("label", "Plan", element("select", options, name="price"))]
    if limits := portal.limits_of(sandbox, session, subscription):
        bounds = {"min": str(limits["minimum"]), "max": str(limits["maximum"]) if limits["maximum"] else False}
        value = str(item["quantity"] or 1)
        number = element("input", type="number", name="quantity", value=value, required=True, **bounds)
        fields.append(element("label", "Quantity", number))
    action = path_of(session, "subscriptions", subscription["id"], "update")
    return section("Your subscription", form(action, fields, _buttons(session, "Change the subscription")))


def _offer_of(sandbox: Sandbox, price: JsonObject) -> str:
    product = sandbox.store.find(price["product"]) or {}
    name = price["nickname"] or product.get("name") or price["id"]
    each = None if price["recurring"]["usage_type"] == "metered" else 1
    return f"{name}, {_cost_of(price, each)}"


def confirm_view(sandbox: Sandbox, session: JsonObject, subscription: JsonObject) -> Html:
    """Show the one change that the flow names."""
    item = subscription["items"]["data"][0]
    wanted = session["flow"]["subscription_update_confirm"]["items"][0]
    price = sandbox.store.get("price", wanted["price"] or item["price"])
    quantity: int | None = wanted["quantity"] or item["quantity"]
    product = sandbox.store.find(price["product"]) or {}
    row = (product.get("name") or price["product"], str(quantity or ""), _cost_of(price, quantity))
    chosen = [hidden("price", price["id"]), hidden("quantity", str(quantity or ""))]
    action = path_of(session, "subscriptions", subscription["id"], "update")
    return together(
        section("Your subscription", _items_of(sandbox, subscription)),
        section(
            "What it becomes",
            table(("Plan", "Quantity", "Price"), [row]),
            form(action, chosen, _buttons(session, "Change the subscription")),
        ),
    )


def authentication_view(session: JsonObject, invoice: JsonObject) -> Html:
    action = path_of(session, "invoices", invoice["id"], "authenticate")
    return authentication_form(action, invoice["amount_remaining"], invoice["currency"])
