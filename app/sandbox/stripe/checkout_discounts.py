"""Coupons and promotion codes on a checkout session: which may be redeemed, and their redemption."""

from app.sandbox.stripe import promotion_codes
from app.sandbox.stripe.checkout_lines import sums_of, with_coupon
from app.sandbox.stripe.discounts import is_running
from app.sandbox.stripe.errors import StripeError
from app.sandbox.stripe.proration import amount_of, round_half_away
from app.sandbox.stripe.redemptions import Cart, redeem
from app.sandbox.stripe.sandbox import Sandbox
from app.sandbox.stripe.wire import JsonObject


def find_code(sandbox: Sandbox, word: str) -> JsonObject:
    """Return the active promotion code that a person typed."""
    wanted = word.strip().lower()
    known = sandbox.store.all(promotion_codes.KIND)
    found = next((code for code in known if code["active"] and code["code"].lower() == wanted), None)
    if found is None:
        raise StripeError("This code is invalid.", param="promotion_code")
    return found


def with_discount(sandbox: Sandbox, session: JsonObject, given: JsonObject | None) -> JsonObject:
    """Return the session with this one discount (`coupon` or `promotion_code`), or without any.

    Raises why it cannot be redeemed here and now.
    """
    promised = _redeem(sandbox, session, given) if given else _inherited(sandbox, session)
    prices = [sandbox.store.get("price", line["price"]) for line in session["_lines"]]
    lines = with_coupon(
        session["_lines"], [price["product"] for price in prices], promised["_coupon"] if promised else None
    )
    named = [{"coupon": None, "promotion_code": None, **given}] if given else []
    return {**session, "discounts": named, "_lines": lines, **sums_of(lines)}


def _redeem(sandbox: Sandbox, session: JsonObject, given: JsonObject) -> JsonObject:
    cart = Cart(session["customer"], session["currency"], worth_of(sandbox, session))
    return redeem(sandbox.store, given, cart, "discounts[0]", sandbox.now())


def _inherited(sandbox: Sandbox, session: JsonObject) -> JsonObject | None:
    """Return the discount that the customer's subscriptions have without one of their own."""
    customer: JsonObject = sandbox.store.find(session["customer"] or "") or {}
    held: JsonObject | None = customer.get("discount") if session["mode"] == "subscription" else None
    return held if held and is_running(held, sandbox.now()) else None


def worth_of(sandbox: Sandbox, session: JsonObject) -> int:
    """Return what the session's lines cost without discounts and after a trial."""
    return sum(
        round_half_away(amount_of(sandbox.store.get("price", line["price"]), line["quantity"]))
        for line in session["_lines"]
    )


def redeemed(sandbox: Sandbox, session: JsonObject) -> list[JsonObject]:
    """Return the session's discounts, or raise why they can no longer be redeemed; nothing is counted yet."""
    return [_redeem(sandbox, session, given) for given in session["discounts"]]
