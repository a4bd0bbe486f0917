"""Checkout sessions in the shape of an API version."""

from typing import Final

from app.sandbox.stripe.versions import BASIL, DAHLIA
from app.sandbox.stripe.wire import JsonObject

_SINCE_BASIL: Final = (
    *("collected_information", "customer_account", "integration_identifier", "origin_context", "permissions"),
    "wallet_options",
)


def session_in(session: JsonObject, version: str) -> JsonObject:
    """Return the session, whose page had another name once."""
    shown = {**session, "discounts": [dict(discount) for discount in session["discounts"]]}
    if version < DAHLIA:
        shown["ui_mode"] = "hosted"
    if version >= BASIL:
        return shown
    old = {key: value for key, value in shown.items() if key not in _SINCE_BASIL}
    return {**old, "shipping_details": None}
