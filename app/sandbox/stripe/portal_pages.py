"""The billing portal's pages: how things stand, and the forms that change them."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.sandbox.stripe import portal, portal_sessions
from app.sandbox.stripe.errors import StripeError
from app.sandbox.stripe.forms import Form, integer
from app.sandbox.stripe.life import run_due
from app.sandbox.stripe.pages import element, notice, page, redirect
from app.sandbox.stripe.portal_sessions import KIND
from app.sandbox.stripe.portal_views import (
    authentication_view,
    cancel_view,
    confirm_view,
    home_view,
    method_view,
    path_of,
    update_view,
)
from app.sandbox.stripe.sandbox import Call, Sandbox
from app.sandbox.stripe.test_clocks import time_of
from app.sandbox.stripe.wire import JsonObject, new_id

Sent: TypeAlias = dict[str, str]
_Answer: TypeAlias = Callable[[Sandbox, JsonObject, str, Sent], Response]
_SAID: Final = {
    "canceled": "Your subscription is canceled.",
    "changed": "Your subscription has changed.",
    "details": "Your details have changed.",
    "kept": "Your subscription goes on.",
    "method": "Your payment method has changed.",
    "paid": "The invoice is paid.",
}


def routes(sandbox: Sandbox) -> list[Route]:
    table: tuple[tuple[str, str, _Answer], ...] = (
        ("GET", "", _show),
        ("GET", "/payment_method", _show_method),
        ("POST", "/payment_method", _change_method),
        ("POST", "/details", _change_details),
        ("GET", "/subscriptions/{part}/cancel", _show_cancel),
        ("POST", "/subscriptions/{part}/cancel", _cancel),
        ("POST", "/subscriptions/{part}/keep", _keep),
        ("GET", "/subscriptions/{part}/update", _show_update),
        ("POST", "/subscriptions/{part}/update", _update),
        ("POST", "/invoices/{part}/pay", _pay),
        ("GET", "/invoices/{part}/authenticate", _show_authentication),
        ("POST", "/invoices/{part}/authenticate", _authenticate),
    )
    known = [
        Route(f"/p/session/{{id}}{path}", _endpoint(sandbox, answer), methods=[method])
        for method, path, answer in table
    ]
    return [Route("/p/customer/{id}", _opening(sandbox), methods=["POST"]), *known]


def _opening(sandbox: Sandbox) -> Callable[[Request], Awaitable[Response]]:
    """Open the portal of a customer for who watches the sandbox; an application opens it by the API."""

    async def respond(request: Request) -> Response:
        run_due(sandbox, sandbox.now())
        base = str(request.base_url).rstrip("/")
        form: Form = {"customer": request.path_params["id"], "return_url": f"{base}/"}
        try:
            session = portal_sessions.create(sandbox, Call("", form, sandbox.now(), new_id("req", 14), None, "", base))
        except StripeError as error:
            return page("No such customer", element("p", str(error)), status=error.status)
        return redirect(session["url"])

    return respond


def _endpoint(sandbox: Sandbox, answer: _Answer) -> Callable[[Request], Awaitable[Response]]:
    async def respond(request: Request) -> Response:
        body = (await request.body()).decode(errors="replace")
        sent = dict(parse_qsl(body or request.url.query, keep_blank_values=True))
        run_due(sandbox, sandbox.now())
        session = sandbox.store.find(request.path_params["id"])
        if session is None or session["object"] != KIND or _is_gone(sandbox, session):
            return page("No such portal", element("p", "There is no billing portal at this address."), status=404)
        with sandbox.clock.held(), sandbox.clock.apart(time_of(sandbox, session)):
            try:
                return answer(sandbox, session, request.path_params.get("part", ""), sent)
            except StripeError as error:
                said = "There is nothing here." if error.status == 404 else str(error)  # noqa: PLR2004
                return _home(sandbox, session, problem=said, status=error.status)

    return respond


def _is_gone(sandbox: Sandbox, session: JsonObject) -> bool:
    return bool(sandbox.store.get("customer", session["customer"]).get("deleted"))


def _home(sandbox: Sandbox, session: JsonObject, *, problem: str, status: int) -> Response:
    return page("Billing", notice(problem, is_bad=True), home_view(sandbox, session), status=status)


def _show(sandbox: Sandbox, session: JsonObject, _: str, sent: Sent) -> Response:
    """Show the home, or what the session's flow is about as long as it is not done."""
    flow: JsonObject | None = session["flow"]
    if flow and not session["_is_done"]:
        return redirect(_start_of(session, flow))
    said = _SAID.get(sent.get("said", ""))
    return page("Billing", notice(said) if said else "", home_view(sandbox, session))


def _start_of(session: JsonObject, flow: JsonObject) -> str:
    match flow["type"]:
        case "payment_method_update":
            return path_of(session, "payment_method")
        case "subscription_cancel":
            return path_of(session, "subscriptions", flow["subscription_cancel"]["subscription"], "cancel")
        case kind:
            return path_of(session, "subscriptions", flow[kind]["subscription"], "update")


def _go_on(sandbox: Sandbox, session: JsonObject, said: str, *kinds: str) -> Response:
    """Go home with the news, or where the flow ends if it is one of these `kinds`."""
    flow: JsonObject | None = session["flow"]
    if not flow or session["_is_done"] or flow["type"] not in kinds:
        return redirect(f"{path_of(session)}?said={said}")
    sandbox.put(session, {**session, "_is_done": True})
    match flow["after_completion"]["type"]:
        case "redirect":
            return redirect(flow["after_completion"]["redirect"]["return_url"])
        case "hosted_confirmation":
            message = flow["after_completion"]["hosted_confirmation"]["custom_message"]
            return page("Done", notice(_SAID[said]), element("p", message or "You can close this page."))
        case _:
            return redirect(f"{path_of(session)}?said={said}")


def _show_method(sandbox: Sandbox, session: JsonObject, _part: str, _sent: Sent) -> Response:
    portal.offered(sandbox, session, "payment_method_update")
    return page("Change the payment method", method_view(session))


def _change_method(sandbox: Sandbox, session: JsonObject, _: str, sent: Sent) -> Response:
    try:
        portal.change_method(sandbox, session, sent.get("means", ""))
    except StripeError as error:
        if error.type != "card_error":
            raise
        told = notice(str(error), is_bad=True)
        return page("Change the payment method", told, method_view(session), status=error.status)
    return _go_on(sandbox, session, "method", "payment_method_update")


def _change_details(sandbox: Sandbox, session: JsonObject, _: str, sent: Sent) -> Response:
    portal.change_details(sandbox, session, sent)
    return _go_on(sandbox, session, "details")


def _show_cancel(sandbox: Sandbox, session: JsonObject, part: str, _: Sent) -> Response:
    portal.offered(sandbox, session, "subscription_cancel")
    subscription = portal.subscription_of(sandbox, session, part)
    return page("Cancel the subscription", cancel_view(sandbox, session, subscription))


def _cancel(sandbox: Sandbox, session: JsonObject, part: str, sent: Sent) -> Response:
    portal.cancel(sandbox, session, part, sent.get("reason"))
    return _go_on(sandbox, session, "canceled", "subscription_cancel")


def _keep(sandbox: Sandbox, session: JsonObject, part: str, _: Sent) -> Response:
    portal.keep(sandbox, session, part)
    return _go_on(sandbox, session, "kept")


def _show_update(sandbox: Sandbox, session: JsonObject, part: str, _: Sent) -> Response:
    return _updating(sandbox, session, portal.subscription_of(sandbox, session, part), "", 200)


def _updating(sandbox: Sandbox, session: JsonObject, subscription: JsonObject, told: str, status: int) -> Response:
    portal.offered(sandbox, session, "subscription_update")
    flow: JsonObject = session["flow"] or {}
    is_asked = flow.get("type") == "subscription_update_confirm" and not session["_is_done"]
    view = confirm_view if is_asked else update_view
    return page("Change the subscription", told, view(sandbox, session, subscription), status=status)


def _update(sandbox: Sandbox, session: JsonObject, part: str, sent: Sent) -> Response:
    subscription = portal.subscription_of(sandbox, session, part)
    try:
        quantity = integer("quantity", sent.get("quantity", ""))
        portal.change_plan(sandbox, session, part, price=sent.get("price"), quantity=quantity)
    except StripeError as error:
        return _updating(sandbox, session, subscription, notice(str(error), is_bad=True), error.status)
    return _go_on(sandbox, session, "changed", "subscription_update", "subscription_update_confirm")


def _pay(sandbox: Sandbox, session: JsonObject, part: str, _: Sent) -> Response:
    try:
        portal.pay(sandbox, session, part)
    except StripeError as error:
        if error.code == "invoice_payment_intent_requires_action":
            return redirect(path_of(session, "invoices", part, "authenticate"))
        raise
    return _go_on(sandbox, session, "paid")


def _show_authentication(sandbox: Sandbox, session: JsonObject, part: str, _: Sent) -> Response:
    invoice = portal.invoice_of(sandbox, session, part)
    if invoice["status"] != "open":
        return redirect(path_of(session))
    return page("Authenticate the payment", authentication_view(session, invoice))


def _authenticate(sandbox: Sandbox, session: JsonObject, part: str, sent: Sent) -> Response:
    if sent.get("do") != "complete":
        raise StripeError("The payment was not authenticated.", status=402)
    portal.authenticate(sandbox, session, part)
    return _go_on(sandbox, session, "paid")
