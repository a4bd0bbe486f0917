"""The page of a checkout session, where a person pays, fails, authenticates or goes away."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.sandbox.stripe import checkout
from app.sandbox.stripe.checkout import DEBIT_PAID, DEBIT_UNPAID, NOTHING, Attempt
from app.sandbox.stripe.checkout_discounts import find_code, with_discount, worth_of
from app.sandbox.stripe.checkout_params import KIND
from app.sandbox.stripe.errors import StripeError
from app.sandbox.stripe.life import run_due
from app.sandbox.stripe.means import authentication_form, card_choice, choice
from app.sandbox.stripe.pages import (
    Html,
    button,
    element,
    form,
    moment,
    money,
    notice,
    page,
    redirect,
    section,
    table,
    together,
)
from app.sandbox.stripe.payments import INTENT
from app.sandbox.stripe.sandbox import Sandbox
from app.sandbox.stripe.test_clocks import time_of
from app.sandbox.stripe.wire import JsonObject

_Answer: TypeAlias = Callable[[Sandbox, JsonObject, dict[str, str]], Response]
_PATH: Final = "/c/pay"
_LATER: Final = {DEBIT_PAID: "is paid after three days", DEBIT_UNPAID: "fails after three days"}


def routes(sandbox: Sandbox) -> list[Route]:
    table: tuple[tuple[str, str, _Answer], ...] = (
        ("GET", f"{_PATH}/{{id}}", _show),
        ("POST", f"{_PATH}/{{id}}", _pay),
        ("POST", f"{_PATH}/{{id}}/code", _change_code),
        ("GET", f"{_PATH}/{{id}}/authenticate", _show_authentication),
        ("POST", f"{_PATH}/{{id}}/authenticate", _authenticate),
    )
    return [Route(path, _endpoint(sandbox, answer), methods=[method]) for method, path, answer in table]


def _endpoint(sandbox: Sandbox, answer: _Answer) -> Callable[[Request], Awaitable[Response]]:
    async def respond(request: Request) -> Response:
        sent = dict(parse_qsl((await request.body()).decode(errors="replace"), keep_blank_values=True))
        run_due(sandbox, sandbox.now())
        session = sandbox.store.find(request.path_params["id"])
        if session is None or session["object"] != KIND:
            return page("No such checkout", element("p", "There is no checkout at this address."), status=404)
        with sandbox.clock.held(), sandbox.clock.apart(time_of(sandbox, session)):
            return answer(sandbox, session, sent)

    return respond


def _show(sandbox: Sandbox, session: JsonObject, _: dict[str, str]) -> Response:
    return _shown(sandbox, session)


def _pay(sandbox: Sandbox, session: JsonObject, sent: dict[str, str]) -> Response:
    email = _email_of(sandbox, session) or sent.get("email", "").strip()
    if not email and session["status"] == "open":
        return _shown(sandbox, session, problem="Enter an e-mail address.", sent=sent)
    attempt = Attempt(sent.get("means", ""), email, sent.get("name", "").strip() or None)
    try:
        session = checkout.pay(sandbox, session, attempt)
    except StripeError as error:
        return _shown(sandbox, sandbox.store.get(KIND, session["id"]), problem=str(error), sent=sent)
    if session["status"] == "open":
        return redirect(f"{_PATH}/{session['id']}/authenticate")
    return _go_on(sandbox, session)


def _go_on(sandbox: Sandbox, session: JsonObject) -> Response:
    """Send the person where the session says once it is complete."""
    if session["status"] != "complete":
        return _shown(sandbox, session)
    return redirect(_success_url(session))


def _change_code(sandbox: Sandbox, session: JsonObject, sent: dict[str, str]) -> Response:
    """Apply the promotion code that was typed; without one take the applied one away."""
    if session["status"] == "open" and session["allow_promotion_codes"]:
        word = sent.get("code", "")
        try:
            given = {"promotion_code": find_code(sandbox, word)["id"]} if word.strip() else None
            sandbox.put(session, with_discount(sandbox, session, given))
        except StripeError as error:
            return _shown(sandbox, session, problem=str(error))
    return redirect(f"{_PATH}/{session['id']}")


def _authenticate(sandbox: Sandbox, session: JsonObject, sent: dict[str, str]) -> Response:
    try:
        session = checkout.authenticate(sandbox, session, is_allowed=sent.get("do") == "complete")
    except StripeError as error:
        return _shown(sandbox, sandbox.store.get(KIND, session["id"]), problem=str(error))
    return _go_on(sandbox, session)


def _show_authentication(sandbox: Sandbox, session: JsonObject, _: dict[str, str]) -> Response:
    if session["status"] != "open" or session["_attempt"] is None:
        return _shown(sandbox, session)
    action = f"{_PATH}/{session['id']}/authenticate"
    return page(
        "Authenticate the payment", authentication_form(action, session["amount_total"] or 0, session["currency"] or "")
    )


def _total_of(session: JsonObject) -> str:
    return money(session["amount_total"], session["currency"])


def _shown(
    sandbox: Sandbox, session: JsonObject, *, problem: str | None = None, sent: dict[str, str] | None = None
) -> Response:
    """Show the session as it stands, with what has just gone wrong and what was `sent` in vain."""
    bought = section("What you buy", _lines_of(session), _terms_of(sandbox, session)) if session["_lines"] else ""
    match session["status"]:
        case "open":
            told = notice(problem, is_bad=True) if problem else ""
            forms = together(_code_form(sandbox, session), _pay_form(sandbox, session, sent or {}))
            status = 402 if problem else 200
            return page(_title_of(session), told, bought, forms, _way_back(session), status=status)
        case "complete":
            on = element("p", element("a", "Go on", href=_success_url(session)))
            return page("This checkout is complete", _outcome_of(sandbox, session), bought, on)
        case _:
            ended = notice("This checkout has expired. Nothing was paid.", is_bad=True)
            return page("This checkout has expired", ended, bought, _way_back(session))


def _success_url(session: JsonObject) -> str:
    return session["success_url"].replace("{CHECKOUT_SESSION_ID}", session["id"])


def _title_of(session: JsonObject) -> str:
    match session["mode"]:
        case "payment":
            return f"Pay {_total_of(session)}"
        case "setup":
            return "Save a payment method"
        case _:
            return f"Subscribe for {_total_of(session)}" if session["amount_total"] else "Subscribe"


def _outcome_of(sandbox: Sandbox, session: JsonObject) -> Html:
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


def _lines_of(session: JsonObject) -> Html:
    currency: str = session["currency"]
    rows = [
        (line["description"], "" if line["quantity"] is None else str(line["quantity"]),
         money(line["amount_subtotal"], currency))
        for line in session["_lines"]
    ]  # fmt: skip
    total: list[tuple[str, str, str]] = []
    if off := session["total_details"]["amount_discount"]:
        total += [
            ("Subtotal", "", money(session["amount_subtotal"], currency)),
            ("Discount", "", money(-off, currency)),
        ]
    total.append(("Total due now", "", _total_of(session)))
    return table(("What", "Quantity", "Amount"), rows, total=total)


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
    action = f"{_PATH}/{session['id']}/code"
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
    return section("Pay with", form(f"{_PATH}/{session['id']}", _who(sandbox, session, sent), offered, pressed))


def _who(sandbox: Sandbox, session: JsonObject, sent: dict[str, str]) -> Html:
    """Return the fields for who pays; who is known is not asked."""
    if known := _email_of(sandbox, session):
        return element("p", f"You pay as {known}.", class_="soft")
    fields = {"email": {"type": "email", "required": True}, "name": {"type": "text"}}
    email, name = [
        element("input", name=name, value=sent.get(name, ""), autocomplete=name, **attributes)
        for name, attributes in fields.items()
    ]
    return together(element("label", "E-mail", email), element("label", "Name", name))


def _email_of(sandbox: Sandbox, session: JsonObject) -> str | None:
    customer: JsonObject = sandbox.store.find(session["customer"] or "") or {}
    return session["customer_email"] or customer.get("email")


def _choice(session: JsonObject, means: str, *, is_chosen: bool) -> Html:
    if means == NOTHING:
        return choice(means, "No payment method", "nothing is due now", is_chosen=is_chosen)
    if means in _LATER:
        name = "Bank account" if session["currency"] == "usd" else "SEPA debit"
        return choice(means, name, _LATER[means], is_chosen=is_chosen)
    return card_choice(means, is_chosen=is_chosen)


def _way_back(session: JsonObject) -> Html | str:
    back: str | None = session["cancel_url"]
    return element("p", element("a", "Go back without paying", href=back)) if back else ""
