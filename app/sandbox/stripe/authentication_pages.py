"""The page at which a person allows a payment, or does not; a payment intent's `next_action` leads there."""

from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.sandbox.stripe import payment_intents
from app.sandbox.stripe.life import run_due
from app.sandbox.stripe.means import authentication_form
from app.sandbox.stripe.pages import element, page, redirect
from app.sandbox.stripe.payments import INTENT
from app.sandbox.stripe.sandbox import Sandbox
from app.sandbox.stripe.test_clocks import time_of
from app.sandbox.stripe.wire import JsonObject

_PATH: Final = "/authenticate"


def routes(sandbox: Sandbox) -> list[Route]:
    return [
        Route(f"{_PATH}/{{id}}", _endpoint(sandbox, answer), methods=[method])
        for method, answer in (("GET", _show), ("POST", _authenticate))
    ]


def _endpoint(
    sandbox: Sandbox, answer: Callable[[Sandbox, JsonObject, dict[str, str]], Response]
) -> Callable[[Request], Awaitable[Response]]:
    async def respond(request: Request) -> Response:
        sent = dict(parse_qsl((await request.body()).decode(errors="replace"), keep_blank_values=True))
        run_due(sandbox, sandbox.now())
        intent = sandbox.store.find(request.path_params["id"])
        if intent is None or intent["object"] != INTENT or not _return_url(intent):
            return page("Nothing to authenticate", element("p", "No payment waits for you here."), status=404)
        with sandbox.clock.held(), sandbox.clock.apart(time_of(sandbox, intent)):
            return answer(sandbox, intent, sent)

    return respond


def _return_url(intent: JsonObject) -> str | None:
    action: JsonObject = intent["next_action"] or {}
    redirect_to: JsonObject = action.get("redirect_to_url") or {}
    return redirect_to.get("return_url")


def _show(_: Sandbox, intent: JsonObject, _sent: dict[str, str]) -> Response:
    form = authentication_form(f"{_PATH}/{intent['id']}", intent["amount"], intent["currency"])
    return page("Authenticate the payment", form)


def _authenticate(sandbox: Sandbox, intent: JsonObject, sent: dict[str, str]) -> Response:
    """Go back to where the payment came from, which is told what has become of it, as Stripe does."""
    return_url = _return_url(intent) or ""
    after = payment_intents.authenticate(sandbox, intent, is_allowed=sent.get("do") == "complete")
    told = {
        "payment_intent": intent["id"],
        "payment_intent_client_secret": intent["client_secret"],
        "redirect_status": "failed" if after["status"] == "requires_payment_method" else "succeeded",
    }
    return redirect(f"{return_url}{'&' if '?' in return_url else '?'}{urlencode(told)}")
