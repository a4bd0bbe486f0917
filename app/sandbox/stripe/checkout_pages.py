"""The page of a checkout session, where a person pays, fails, authenticates or goes away."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.sandbox.stripe import checkout
from app.sandbox.stripe.checkout import Attempt
from app.sandbox.stripe.checkout_discounts import find_code, with_discount
from app.sandbox.stripe.checkout_lines import with_quantity
from app.sandbox.stripe.checkout_params import KIND
from app.sandbox.stripe.checkout_views import (
    PATH,
    email_of,
    lines_view,
    open_view,
    outcome_of,
    path_of,
    title_of,
    way_back,
)
from app.sandbox.stripe.errors import StripeError
from app.sandbox.stripe.forms import integer
from app.sandbox.stripe.life import run_due
from app.sandbox.stripe.means import authentication_form
from app.sandbox.stripe.pages import element, notice, page, redirect
from app.sandbox.stripe.sandbox import Sandbox
from app.sandbox.stripe.test_clocks import time_of
from app.sandbox.stripe.wire import JsonObject

Sent: TypeAlias = dict[str, str]
_Answer: TypeAlias = Callable[[Sandbox, JsonObject, Sent], Response]


def routes(sandbox: Sandbox) -> list[Route]:
    table: tuple[tuple[str, str, _Answer], ...] = (
        ("GET", f"{PATH}/{{id}}", _show),
        ("POST", f"{PATH}/{{id}}", _pay),
        ("POST", f"{PATH}/{{id}}/code", _change_code),
        ("POST", f"{PATH}/{{id}}/quantities", _change_quantities),
        ("GET", f"{PATH}/{{id}}/authenticate", _show_authentication),
        ("POST", f"{PATH}/{{id}}/authenticate", _authenticate),
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


def _show(sandbox: Sandbox, session: JsonObject, _: Sent) -> Response:
    return _shown(sandbox, session)


def _pay(sandbox: Sandbox, session: JsonObject, sent: Sent) -> Response:
    email = email_of(sandbox, session) or sent.get("email", "").strip()
    if not email and session["status"] == "open":
        return _shown(sandbox, session, problem="Enter an e-mail address.", sent=sent)
    attempt = Attempt(sent.get("means", ""), email, sent.get("name", "").strip() or None)
    try:
        session = checkout.pay(sandbox, session, attempt)
    except StripeError as error:
        return _shown(sandbox, sandbox.store.get(KIND, session["id"]), problem=str(error), sent=sent)
    if session["status"] == "open":
        return redirect(path_of(session, "authenticate"))
    return _go_on(sandbox, session)


def _go_on(sandbox: Sandbox, session: JsonObject) -> Response:
    """Send the person where the session says once it is complete."""
    if session["status"] != "complete":
        return _shown(sandbox, session)
    return redirect(_success_url(session))


def _change_code(sandbox: Sandbox, session: JsonObject, sent: Sent) -> Response:
    """Apply the promotion code that was typed; without one take the applied one away."""
    if session["status"] == "open" and session["allow_promotion_codes"]:
        word = sent.get("code", "")
        try:
            given = {"promotion_code": find_code(sandbox, word)["id"]} if word.strip() else None
            sandbox.put(session, with_discount(sandbox, session, given))
        except StripeError as error:
            return _shown(sandbox, session, problem=str(error))
    return redirect(path_of(session))


def _change_quantities(sandbox: Sandbox, session: JsonObject, sent: Sent) -> Response:
    """Take the quantities that were typed, where a line's may be adjusted."""
    if session["status"] == "open":
        try:
            lines = [_adjusted(sandbox, session, line, sent.get(line["id"], "")) for line in session["_lines"]]
            given = session["discounts"][0] if session["discounts"] else None
            sandbox.put(session, with_discount(sandbox, {**session, "_lines": lines}, given))
        except StripeError as error:
            return _shown(sandbox, session, problem=str(error))
    return redirect(path_of(session))


def _adjusted(sandbox: Sandbox, session: JsonObject, line: JsonObject, typed: str) -> JsonObject:
    quantity = integer("quantity", typed)
    if quantity is None or line["adjustable_quantity"] is None:
        return line
    return with_quantity(line, sandbox.store.get("price", line["price"]), session, quantity)


def _authenticate(sandbox: Sandbox, session: JsonObject, sent: Sent) -> Response:
    try:
        session = checkout.authenticate(sandbox, session, is_allowed=sent.get("do") == "complete")
    except StripeError as error:
        return _shown(sandbox, sandbox.store.get(KIND, session["id"]), problem=str(error))
    return _go_on(sandbox, session)


def _show_authentication(sandbox: Sandbox, session: JsonObject, _: Sent) -> Response:
    if session["status"] != "open" or session["_attempt"] is None:
        return _shown(sandbox, session)
    action = path_of(session, "authenticate")
    return page(
        "Authenticate the payment", authentication_form(action, session["amount_total"] or 0, session["currency"] or "")
    )


def _shown(sandbox: Sandbox, session: JsonObject, *, problem: str | None = None, sent: Sent | None = None) -> Response:
    """Show the session as it stands, with what has just gone wrong and what was `sent` in vain."""
    match session["status"]:
        case "open":
            told = notice(problem, is_bad=True) if problem else ""
            status = 402 if problem else 200
            return page(title_of(session), told, open_view(sandbox, session, sent or {}), status=status)
        case "complete":
            on = element("p", element("a", "Go on", href=_success_url(session)))
            return page("This checkout is complete", outcome_of(sandbox, session), lines_view(sandbox, session), on)
        case _:
            ended = notice("This checkout has expired. Nothing was paid.", is_bad=True)
            return page("This checkout has expired", ended, lines_view(sandbox, session), way_back(session))


def _success_url(session: JsonObject) -> str:
    return session["success_url"].replace("{CHECKOUT_SESSION_ID}", session["id"])
