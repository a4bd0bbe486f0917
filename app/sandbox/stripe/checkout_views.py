"""What a checkout's page shows."""

from typing import Final

from app.sandbox.stripe import checkout
from app.sandbox.stripe.checkout import DEBIT_PAID, DEBIT_UNPAID, NOTHING
from app.sandbox.stripe.checkout_discounts import worth_of
from app.sandbox.stripe.means import card_choice, choice
from app.sandbox.stripe.pages import (
    Html,
    button,
    element,
    form,
    moment,
    money,
    notice,
    section,
    table,
    together,
)
from app.sandbox.stripe.payments import INTENT
from app.sandbox.stripe.sandbox import Sandbox
from app.sandbox.stripe.wire import JsonObject

PATH: Final = "/c/pay"
_LATER: Final = {DEBIT_PAID: "is paid after three days", DEBIT_UNPAID: "fails after three days"}


def path_of(session: JsonObject, *parts: str) -> str:
    return "/".join((PATH, session["id"], *parts))


def title_of(session: JsonObject) -> str:
    match session["mode"]:
        case "payment":
            return f"Pay {_total_of(session)}"
        case "setup":
            return "Save a payment method"
        case _:
            return f"Subscribe for {_total_of(session)}" if session["amount_total"] else "Subscribe"


def _total_of(session: JsonObject) -> str:
    return money(session["amount_total"], session["currency"])


def outcome_of(sandbox: Sandbox, session: JsonObject) -> Html:
    if session["payment_status"] == "paid":
        return notice(f"{_total_of(session)} is paid.")
    if session["mode"] == "setup":
        return notice("The payment method is saved.")
    if session["payment_status"] == "no_payment_required":
        return notice("Nothing was due.")
    intent = sandbox.store.get(INTENT, session["payment_intent"])
    if intent["status"] == "processing":
        return notice("The bank processes the payment. It takes three days.")
    return notice(f"The payment has failed. {intent['last_payment_error']['message']}", is_bad=True)


def open_view(sandbox: Sandbox, session: JsonObject, sent: dict[str, str]) -> Html:
    """Return lines and forms of an open session; what was `sent` in vain is filled in again."""
    forms = (_code_form(sandbox, session), _pay_form(sandbox, session, sent))
    return together(lines_view(sandbox, session), *forms, way_back(session))


def lines_view(sandbox: Sandbox, session: JsonObject) -> Html | str:
    """Return what is bought, with a form where quantities may be adjusted; nothing for a session without lines."""
    if not session["_lines"]:
        return ""
    bought: Html = _lines_of(session)
    if _may_adjust(session):
        bought = form(path_of(session, "quantities"), bought, element("p", button("Update quantities")))
    return section(
        "What you bought" if session["status"] == "complete" else "What you buy", bought, _terms_of(sandbox, session)
    )


def _may_adjust(session: JsonObject) -> bool:
    return session["status"] == "open" and any(line["adjustable_quantity"] for line in session["_lines"])


def _lines_of(session: JsonObject) -> Html:
    currency: str = session["currency"]
    rows = [
        (line["description"], _quantity_of(session, line), money(line["amount_subtotal"], currency))
        for line in session["_lines"]
    ]
    total: list[tuple[str, str, str]] = []
    if off := session["total_details"]["amount_discount"]:
        total += [
            ("Subtotal", "", money(session["amount_subtotal"], currency)),
            ("Discount", "", money(-off, currency)),
        ]
    total.append(("Total due now" if session["status"] == "open" else "Total", "", _total_of(session)))
    return table(("What", "Quantity", "Amount"), rows, total=total)


def _quantity_of(session: JsonObject, line: JsonObject) -> str:
    limits: JsonObject | None = line["adjustable_quantity"]
    if line["quantity"] is None or limits is None or session["status"] != "open":
        return str(line["quantity"] or "")
    bounds = {"min": str(limits["minimum"]), "max": str(limits["maximum"])}
    value = str(line["quantity"])
    return element("input", type="number", name=line["id"], value=value, aria_label="Quantity", **bounds)


def _terms_of(sandbox: Sandbox, session: JsonObject) -> Html | str:
    """Say what follows, for a subscription: its interval and its trial."""
    if session["mode"] != "subscription":
        return ""
    recurring = sandbox.store.get("price", session["_lines"][0]["price"])["recurring"]
    count, interval = recurring["interval_count"], recurring["interval"]
    worth = money(worth_of(sandbox, session), session["currency"])
    said = f"Renews every {interval if count == 1 else f'{count} {interval}s'}, for {worth} without discounts."
    terms: JsonObject = session["_subscription_data"]
    if days := terms.get("trial_period_days"):
        said = f"Free for {days} days. {said}"
    elif end := terms.get("trial_end"):
        said = f"Free until {moment(end)}. {said}"
    return element("p", said, class_="soft")


def _code_form(sandbox: Sandbox, session: JsonObject) -> Html | str:
    if not session["allow_promotion_codes"]:
        return ""
    action = path_of(session, "code")
    if session["discounts"]:
        code = sandbox.store.get("promotion_code", session["discounts"][0]["promotion_code"])["code"]
        content = element("div", element("b", code), button("Remove"), class_="row")
    else:
        field = element("input", name="code", placeholder="Promotion code", aria_label="Promotion code")
        content = element("div", field, button("Apply"), class_="row")
    return section("Promotion code", form(action, content))


def _pay_form(sandbox: Sandbox, session: JsonObject, sent: dict[str, str]) -> Html:
    choices = checkout.means_of(session)
    chosen = sent.get("means", choices[0])
    offered = [_choice(session, means, is_chosen=means == chosen) for means in choices]
    label = {"payment": "Pay", "setup": "Save", "subscription": "Subscribe"}[session["mode"]]
    pressed = button(f"Pay {_total_of(session)}" if label == "Pay" else label, is_main=True)
    return section("Pay with", form(path_of(session), _who(sandbox, session, sent), offered, pressed))


def _who(sandbox: Sandbox, session: JsonObject, sent: dict[str, str]) -> Html:
    """Return the fields for who pays; who is known is not asked."""
    if known := email_of(sandbox, session):
        return element("p", f"You pay as {known}.", class_="soft")
    fields = {"email": {"type": "email", "required": True}, "name": {"type": "text"}}
    email, name = [
        element("input", name=name, value=sent.get(name, ""), autocomplete=name, **attributes)
        for name, attributes in fields.items()
    ]
    return together(element("label", "E-mail", email), element("label", "Name", name))


def email_of(sandbox: Sandbox, session: JsonObject) -> str | None:
    customer: JsonObject = sandbox.store.find(session["customer"] or "") or {}
    return session["customer_email"] or customer.get("email")


def _choice(session: JsonObject, means: str, *, is_chosen: bool) -> Html:
    if means == NOTHING:
        return choice(means, "No payment method", "nothing is due now", is_chosen=is_chosen)
    if means in _LATER:
        name = "Bank account" if session["currency"] == "usd" else "SEPA debit"
        return choice(means, name, _LATER[means], is_chosen=is_chosen)
    return card_choice(means, is_chosen=is_chosen)


def way_back(session: JsonObject) -> Html | str:
    back: str | None = session["cancel_url"]
    return element("p", element("a", "Go back without paying", href=back)) if back else ""
