"""GET /settings: the chaos dial and the rules of collection, as forms."""

from typing import Any, Final, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.sandbox.stripe.chaos import Chaos
from app.sandbox.stripe.collection_control import collect_by
from app.sandbox.stripe.errors import StripeError
from app.sandbox.stripe.home import back, respond_with
from app.sandbox.stripe.home_rows import AFTER_LAST_RETRY
from app.sandbox.stripe.pages import Html, button, element, form, page, redirect, section
from app.sandbox.stripe.sandbox import Collection, Sandbox

_RATES: Final = {
    "duplicateRate": "Sent twice",
    "dropRate": "Never sent",
    "oldShapeRate": "In the shape of an old API version",
    "oldSecretRate": "Signed with an old secret",
}
_T = TypeVar("_T")


def routes(sandbox: Sandbox) -> list[Route]:
    return [
        Route("/settings", respond_with(sandbox, _show), methods=["GET"]),
        Route("/settings/chaos", respond_with(sandbox, _turn), methods=["POST"]),
        Route("/settings/collection", respond_with(sandbox, _collect), methods=["POST"]),
    ]


def _show(sandbox: Sandbox, _: Request, __: dict[str, str]) -> Response:
    return page("Chaos and collection", _chaos(sandbox), _collection(sandbox.collection), back())


def _field(label: str, name: str, value: object, **attributes: str) -> Html:
    shown = element("span", label, class_="soft")
    return element("label", shown, element("input", name=name, value=f"{value}", **attributes))


def _tick(label: str, name: str, *, is_on: bool) -> Html:
    ticked = element("input", type="checkbox", name=name, value="true", checked=is_on)
    return element("label", ticked, f" {label}")


def _chaos(sandbox: Sandbox) -> Html:
    chaos = sandbox.deliveries.dial.chaos
    now = msgspec.to_builtins(chaos)
    share = {"type": "number", "min": "0", "max": "1", "step": "any"}
    seconds = {"type": "number", "min": "0", "max": "86400", "step": "any"}
    shortest, longest = chaos.delay_seconds
    return section(
        "Chaos",
        element(
            "p", "What goes wrong with events on their way to the endpoints. Shares go from 0 to 1.", class_="soft"
        ),
        form(
            "/settings/chaos",
            [_field(label, name, f"{now[name]:g}", **share) for name, label in _RATES.items()],
            _field("Shuffled within so many seconds", "shuffleSeconds", f"{chaos.shuffle_seconds:g}", **seconds),
            _field("Delayed by at least so many seconds", "shortest", f"{shortest:g}", **seconds),
            _field("and by at most", "longest", f"{longest:g}", **seconds),
            _tick("Hold everything back", "stopped", is_on=chaos.stopped),
            button("Set the dial", is_main=True),
        ),
    )


def _turn(sandbox: Sandbox, _: Request, sent: dict[str, str]) -> Response:
    given: dict[str, Any] = dict(sent)
    given["delaySeconds"] = [given.pop("shortest", "0"), given.pop("longest", "0")]
    chaos = _read({**given, "oldSecret": sandbox.deliveries.dial.chaos.old_secret}, Chaos)
    chaos.check()
    sandbox.deliveries.turn(chaos)
    return redirect("/settings")


def _read(given: dict[str, Any], kind: type[_T]) -> _T:
    try:
        return msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as error:
        raise StripeError(f"Invalid setting: {error}") from error


def _collection(rules: Collection) -> Html:
    choices = [
        element("option", label, value=word, selected=word == rules.after_last_retry)
        for word, label in AFTER_LAST_RETRY.items()
    ]
    days = ", ".join(map(str, rules.retry_days))
    return section(
        "Collection",
        form(
            "/settings/collection",
            _field("Days from a failed payment to the next attempt, each after the one before", "retryDays", days),
            element(
                "label",
                element("span", "After the last attempt the subscription", class_="soft"),
                element("select", choices, name="afterLastRetry"),
            ),
            _tick(
                "Refuse payments of customers without a card",
                "requirePaymentMethod",
                is_on=rules.require_payment_method,
            ),
            button("Collect so", is_main=True),
        ),
    )


def _collect(sandbox: Sandbox, _: Request, sent: dict[str, str]) -> Response:
    days = [part.strip() for part in sent.get("retryDays", "").split(",") if part.strip()]
    collect_by(sandbox, _read({**sent, "retryDays": days}, Collection))
    return redirect("/settings")
