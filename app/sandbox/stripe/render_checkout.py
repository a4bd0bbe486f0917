"""Checkout sessions in the shape of an API version."""

from typing import Final

from app.sandbox.stripe.wire import JsonObject

_DAHLIA: Final = "2026-03-25"  # since then `hosted_page` is what was `hosted`
_BASIL: Final = "2025-03-31"
_SINCE_BASIL: Final = (
    *("collected_information", "customer_account", "integration_identifier", "origin_context", "permissions"),
    "wallet_options",
)


def session_in(session: JsonObject, version: str) -> JsonObject:
    """Return the session, whose page had another name once."""
    shown = {**session, "discounts": [dict(discount) for discount in session["discounts"]]}
    if version < _DAHLIA:
        shown["ui_mode"] = "hosted"
    if version >= _BASIL:
        return shown
    old = {key: value for key, value in shown.items() if key not in _SINCE_BASIL}
    return {**old, "shipping_details": None}
