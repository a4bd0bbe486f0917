"""Objects as a caller sees them: the shape of an API version, and references expanded."""

from collections.abc import Callable, Mapping
from typing import Final

from app.sandbox.stripe.entitling import visible
from app.sandbox.stripe.errors import StripeError
from app.sandbox.stripe.render_billing import (
    charge_in,
    intent_in,
    invoice_in,
    invoice_item_in,
    line_in,
    payments_of,
    schedule_in,
    secret_of,
)
from app.sandbox.stripe.render_checkout import session_in
from app.sandbox.stripe.render_discounts import coupon_in, customer_in, discount_in, promotion_code_in
from app.sandbox.stripe.store import Store
from app.sandbox.stripe.versions import BASIL
from app.sandbox.stripe.wire import JsonObject, is_array, is_hash

_EMBEDDED_ITEMS = 10
_OF_BILLING = {
    "charge": charge_in,
    "invoice": invoice_in,
    "invoiceitem": invoice_item_in,
    "line_item": line_in,
    "payment_intent": intent_in,
    "subscription_schedule": schedule_in,
}
_EXPAND_DEPTH = 4
_ON_REQUEST = {"price": "tiers", "coupon": "applies_to"}
_PLAN_FIELDS = (
    "active",
    "billing_scheme",
    "created",
    "currency",
    "id",
    "livemode",
    "metadata",
    "nickname",
    "product",
    "tiers_mode",
)
_RECURRING_FIELDS = ("interval", "interval_count", "meter", "trial_period_days", "usage_type")
_SINCE_BASIL = ("billing_mode", "billing_schedules", "status_details")


def render(obj: JsonObject, version: str, store: Store) -> JsonObject:
    """Return `obj` in the shape of the API version; what `expand` changes of it is not the stored object."""
    if obj.get("deleted") and obj["object"] != "discount":
        return dict(obj)
    obj = {key: value for key, value in obj.items() if not key.startswith("_")}  # those are the sandbox's own notes
    of_billing = _OF_BILLING.get(obj["object"])
    if of_billing:
        return of_billing(obj, store, is_old=version < BASIL)
    in_shape = _IN_SHAPE.get(obj["object"])
    return in_shape(obj, version, store) if in_shape else obj


def _render_list(page: JsonObject, version: str, store: Store) -> JsonObject:
    return {**page, "data": [render(element, version, store) for element in page["data"]]}


def _render_price(price: JsonObject, _version: str, _store: Store) -> JsonObject:
    return {key: value for key, value in price.items() if key != "tiers"}


def _render_product_feature(link: JsonObject, _version: str, store: Store) -> JsonObject:
    shown = {key: value for key, value in link.items() if key != "product"}
    return {**shown, "entitlement_feature": store.get("entitlements.feature", link["entitlement_feature"])}


def _render_subscription(subscription: JsonObject, version: str, store: Store) -> JsonObject:
    every: list[JsonObject] = subscription["items"]["data"]
    items = {
        "object": "list",
        "data": [_render_item(item, version, store) for item in every[:_EMBEDDED_ITEMS]],
        "has_more": len(every) > _EMBEDDED_ITEMS,
        "url": f"/v1/subscription_items?subscription={subscription['id']}",
    }
    if pending := subscription["pending_update"]:
        waiting = [_render_item(item, version, store) for item in pending["subscription_items"]]
        subscription = {**subscription, "pending_update": {**pending, "subscription_items": waiting}}
    given: list[JsonObject] = subscription["discounts"]
    subscription = {**subscription, "discounts": [discount["id"] for discount in given]}
    if version >= BASIL:
        return {**subscription, "items": items}
    old = {key: value for key, value in subscription.items() if key not in _SINCE_BASIL}
    period = {key: every[0][key] if every else None for key in ("current_period_end", "current_period_start")}
    discount = discount_in(given[0], version, store) if given else None
    return {**old, **period, "discount": discount, "items": items}


def _render_item(item: JsonObject, version: str, store: Store) -> JsonObject:
    price = render(store.get("price", item["price"]), version, store)
    shown = {key: value for key, value in item.items() if not key.startswith("_")}
    discounts = [discount["id"] for discount in item["discounts"]]
    rendered = {**shown, "discounts": discounts, "price": price, "plan": _plan_of(price)}
    if rendered["quantity"] is None:  # metered
        del rendered["quantity"]
    if version < BASIL:
        del rendered["current_period_start"], rendered["current_period_end"]
    return rendered


def _plan_of(price: JsonObject) -> JsonObject:
    return {
        **{key: price[key] for key in _PLAN_FIELDS},
        **{key: price["recurring"][key] for key in _RECURRING_FIELDS},
        "object": "plan",
        "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"],
        "transform_usage": price["transform_quantity"],
    }


_IN_SHAPE: Final[Mapping[str, Callable[[JsonObject, str, Store], JsonObject]]] = {
    "checkout.session": lambda obj, version, _store: session_in(obj, version),
    "coupon": coupon_in,
    "customer": customer_in,
    "discount": discount_in,
    "entitlements.active_entitlement": lambda obj, _version, _store: visible(obj),
    "item": lambda obj, version, store: {**obj, "price": render(store.get("price", obj["price"]), version, store)},
    "list": _render_list,
    "price": _render_price,
    "product_feature": _render_product_feature,
    "promotion_code": promotion_code_in,
    "subscription": _render_subscription,
    "subscription_item": _render_item,
}


def expand(rendered: JsonObject, paths: list[str], version: str, store: Store) -> None:
    """Replace the ids that `paths` lead to (`data.customer`, `items.data.price.product`) by their objects, in place."""
    for path in paths:
        names = path.split(".")
        if len([name for name in names if name != "data"]) > _EXPAND_DEPTH:
            raise StripeError(f"You cannot expand more than {_EXPAND_DEPTH} levels of a property.", param="expand")
        _expand(rendered, names, version, store)


def _expand(parent: JsonObject, names: list[str], version: str, store: Store) -> None:
    name, *rest = names
    if name not in parent:
        _include(parent, name, version, store)
    value = parent[name]
    if isinstance(value, str):
        value = _resolve(value, name, version, store)
        parent[name] = value
    elif is_hash(value):
        value = dict(value)
        parent[name] = value
    elif is_array(value) and value and all(isinstance(element, str) for element in value):
        value = [_resolve(element, name, version, store) for element in value]
        parent[name] = value
    if not rest:
        return
    for element in value if is_array(value) else [value]:
        if is_hash(element):
            _expand(element, rest, version, store)


def _resolve(id: str, name: str, version: str, store: Store) -> JsonObject:
    target = store.find(id)
    if target is None:
        raise StripeError(f"This property cannot be expanded ({name}).", param="expand")
    return render(target, version, store)


def _include(parent: JsonObject, name: str, version: str, store: Store) -> None:
    """Add what Stripe leaves out unless it is asked for."""
    match parent.get("object"), name:
        case "customer", "subscriptions":
            of_customer = [
                sub
                for sub in store.all("subscription")
                if sub["customer"] == parent["id"] and sub["status"] != "canceled"
            ]
            chosen = [render(sub, version, store) for sub in of_customer[:_EMBEDDED_ITEMS]]
            url = f"/v1/customers/{parent['id']}/subscriptions"
            parent[name] = {"object": "list", "data": chosen, "has_more": len(of_customer) > len(chosen), "url": url}
        case "checkout.session", "line_items":
            parent[name] = _lines_of(parent["id"], version, store)
        case "invoice", "payments":
            parent[name] = payments_of(parent, store)
        case "charge", "refunds":
            parent[name] = _refunds_of(parent, version, store)
        case "invoice", "confirmation_secret":
            parent[name] = secret_of(parent, store)
        case ("price" | "coupon") as kind, _ if name == _ON_REQUEST[kind]:
            parent[name] = store.get(kind, parent["id"])[name]
        case _:
            raise StripeError(f"This property cannot be expanded ({name}).", param="expand")


def _refunds_of(charge: JsonObject, version: str, store: Store) -> JsonObject:
    found = store.having("refund", "charge", charge["id"])
    chosen = [render(refund, version, store) for refund in found[:_EMBEDDED_ITEMS]]
    url = f"/v1/refunds?charge={charge['id']}"
    return {"object": "list", "data": chosen, "has_more": len(found) > len(chosen), "url": url}


def _lines_of(session: str, version: str, store: Store) -> JsonObject:
    every: list[JsonObject] = store.get("checkout.session", session)["_lines"]
    shown = [render(line, version, store) for line in every[:_EMBEDDED_ITEMS]]
    url = f"/v1/checkout/sessions/{session}/line_items"
    return {"object": "list", "data": shown, "has_more": len(every) > len(shown), "url": url}
