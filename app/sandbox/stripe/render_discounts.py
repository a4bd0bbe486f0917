"""Coupons, promotion codes and discounts in the shape of an API version."""

from app.sandbox.stripe.store import Store
from app.sandbox.stripe.versions import CLOVER
from app.sandbox.stripe.wire import JsonObject, is_hash


def coupon_in(coupon: JsonObject, _version: str, _store: Store) -> JsonObject:
    """Return the coupon without the products that it is for, which Stripe shows on request only."""
    return {key: value for key, value in coupon.items() if key != "applies_to"}


def promotion_code_in(code: JsonObject, version: str, store: Store) -> JsonObject:
    """Return the promotion code; before clover it held its coupon whole."""
    if version >= CLOVER:
        return dict(code)
    shown = {key: value for key, value in code.items() if key != "promotion"}
    return {**shown, "coupon": _coupon(code["promotion"]["coupon"], version, store)}


def discount_in(discount: JsonObject, version: str, store: Store) -> JsonObject:
    """Return the discount without the sandbox's notes; before clover it held its coupon whole."""
    shown = {key: value for key, value in discount.items() if not key.startswith("_")}
    if version >= CLOVER:
        return shown
    old = {key: value for key, value in shown.items() if key not in ("customer_account", "source")}
    return {**old, "coupon": _coupon(discount["source"]["coupon"], version, store)}


def _coupon(id: str, version: str, store: Store) -> JsonObject:
    coupon = store.find(id)
    return coupon_in(coupon, version, store) if coupon else {"id": id, "object": "coupon", "deleted": True}


def customer_in(customer: JsonObject, version: str, store: Store) -> JsonObject:
    held = customer["discount"]
    return {**customer, "discount": discount_in(held, version, store) if is_hash(held) else held}
