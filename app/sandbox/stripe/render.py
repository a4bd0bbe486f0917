"""Objects as a caller sees them: the shape of an API version, and references expanded."""

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
from app.sandbox.stripe.store import Store
from app.sandbox.stripe.wire import JsonObject, is_array, is_hash

BASIL = "2025-03-31"  # since then periods belong to items
_CLOVER = "2025-09-30"  # since then promotion codes name their coupon under `promotion`
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
    if obj.get("deleted"):
        return dict(obj)
    obj = {key: value for key, value in obj.items() if not key.startswith("_")}  # those are the sandbox's own notes
    if obj["object"] == "checkout.session":
        return session_in(obj, version)
    if obj["object"] == "item":
        return {**obj, "price": render(store.get("price", obj["price"]), version, store)}
    of_billing = _OF_BILLING.get(obj["object"])
    return of_billing(obj, store, is_old=version < BASIL) if of_billing else _render(obj, version, store)


def _render(obj: JsonObject, version: str, store: Store) -> JsonObject:
    match obj["object"]:
        case "list":
            return {**obj, "data": [render(element, version, store) for element in obj["data"]]}
        case "subscription":
            return _render_subscription(obj, version, store)
        case "subscription_item":
            return _render_item(obj, version, store)
        case "price" | "coupon" as kind:
            return {key: value for key, value in obj.items() if key != _ON_REQUEST[kind]}
        case "promotion_code" if version < _CLOVER:
            return _render_old_promotion_code(obj, version, store)
        case "entitlements.active_entitlement":
            return visible(obj)
        case "product_feature":
            shown = {key: value for key, value in obj.items() if key != "product"}
            return {**shown, "entitlement_feature": store.get("entitlements.feature", obj["entitlement_feature"])}
        case _:
            return dict(obj)


def _render_old_promotion_code(code: JsonObject, version: str, store: Store) -> JsonObject:
    coupon_id = code["promotion"]["coupon"]
    coupon = store.find(coupon_id) or {"id": coupon_id, "object": "coupon", "deleted": True}
    shown = {key: value for key, value in code.items() if key != "promotion"}
    return {**shown, "coupon": render(coupon, version, store)}


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
    if version >= BASIL:
        return {**subscription, "items": items}
    old = {key: value for key, value in subscription.items() if key not in _SINCE_BASIL}
    period = {key: every[0][key] if every else None for key in ("current_period_end", "current_period_start")}
    return {**old, **period, "items": items}


def _render_item(item: JsonObject, version: str, store: Store) -> JsonObject:
    price = render(store.get("price", item["price"]), version, store)
    rendered = {**item, "price": price, "plan": _plan_of(price)}
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
