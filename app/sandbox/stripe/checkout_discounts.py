"""Coupons and promotion codes on a checkout session: which may be redeemed, and their redemption."""

from app.sandbox.stripe import promotion_codes
from app.sandbox.stripe.checkout_lines import sums_of, with_coupon
from app.sandbox.stripe.coupons import is_valid
from app.sandbox.stripe.errors import StripeError
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
    """Return the session with this one discount (`coupon` or `promotion_code`), or without any."""
    coupon: JsonObject | None = None
    discounts: list[JsonObject] = []
    if given:
        coupon = _coupon_of(sandbox, session, given)
        discounts = [{"coupon": None if given.get("promotion_code") else coupon["id"], "promotion_code": None} | given]
    prices = [sandbox.store.get("price", line["price"]) for line in session["_lines"]]
    lines = with_coupon(session["_lines"], [price["product"] for price in prices], coupon)
    return {**session, "discounts": discounts, "_lines": lines, **sums_of(lines)}


def _coupon_of(sandbox: Sandbox, session: JsonObject, given: JsonObject) -> JsonObject:
    """Return what the discount takes off, or raise why it cannot be redeemed here and now."""
    named: str | None = given.get("coupon")
    if code_id := given.get("promotion_code"):
        code = sandbox.store.get(promotion_codes.KIND, code_id, param="discounts[0][promotion_code]")
        _check_code(sandbox, session, code)
        named = code["promotion"]["coupon"]
    coupon = sandbox.store.get("coupon", named or "", param="discounts[0][coupon]")
    if not is_valid(coupon, sandbox.now()):
        raise StripeError(f"Coupon {coupon['id']} is expired and cannot be applied.", code="coupon_expired")
    if coupon["amount_off"] is not None and coupon["currency"] != session["currency"]:
        raise StripeError(f"Coupon {coupon['id']} is in {coupon['currency']}, not in {session['currency']}.")
    return coupon


def _check_code(sandbox: Sandbox, session: JsonObject, code: JsonObject) -> None:
    limits: JsonObject = code["restrictions"]
    is_over = code["expires_at"] is not None and code["expires_at"] <= sandbox.now()
    is_used_up = code["max_redemptions"] is not None and code["times_redeemed"] >= code["max_redemptions"]
    if not code["active"] or is_over or is_used_up:
        raise StripeError("This promotion code has expired.", code="promotion_code_expired")
    if code["customer"] not in (None, session["customer"]):
        raise StripeError("This promotion code is for another customer.")
    if limits["first_time_transaction"] and _has_paid(sandbox, session["customer"]):
        raise StripeError("This promotion code is for a customer's first payment only.")
    least, currency = limits["minimum_amount"], limits["minimum_amount_currency"]
    if least is not None and (currency or session["currency"]) == session["currency"]:
        subtotal = sum(line["amount_subtotal"] for line in session["_lines"])
        if subtotal < least:
            raise StripeError("The amount is below what this promotion code asks for.")


def _has_paid(sandbox: Sandbox, customer: str | None) -> bool:
    return customer is not None and any(
        made["customer"] == customer and made["paid"] for made in sandbox.store.all("charge")
    )


def redeem(sandbox: Sandbox, session: JsonObject) -> None:
    """Count what the session redeems, once it is complete; a subscription counts its discounts itself."""
    counted: list[JsonObject] = [] if session["mode"] == "subscription" else session["discounts"]
    for discount in counted:
        code = sandbox.store.find(discount["promotion_code"] or "")
        coupon = sandbox.store.find(code["promotion"]["coupon"] if code else discount["coupon"])
        for used in filter(None, (code, coupon)):
            sandbox.store.put({**used, "times_redeemed": used["times_redeemed"] + 1})
