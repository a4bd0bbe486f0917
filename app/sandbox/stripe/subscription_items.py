"""Items of a subscription: made, changed, and their periods; /v1/subscription_items lists them."""

from app.sandbox.stripe.errors import StripeError, missing, no_such
from app.sandbox.stripe.forms import boolean, fields, integer, list_of, metadata, read, text
from app.sandbox.stripe.periods import add_interval
from app.sandbox.stripe.redemptions import kept_of, read_discounts
from app.sandbox.stripe.resources import merge_metadata
from app.sandbox.stripe.sandbox import Call, Sandbox
from app.sandbox.stripe.store import PAGE_READERS, Store, page
from app.sandbox.stripe.wire import JsonObject, new_id

read_new = list_of(fields(discounts=read_discounts, price=text, quantity=integer, metadata=metadata))
read_changes = list_of(
    fields(discounts=read_discounts, id=text, price=text, quantity=integer, metadata=metadata, deleted=boolean)
)


def new_item(store: Store, subscription: str, given: JsonObject, path: str, at: int) -> JsonObject:
    """Return an item whose first period starts at `at`; where it `is_agreed` already, its price may be archived."""
    price = sellable_price(store, given, path)
    metered = price["recurring"]["usage_type"] == "metered"
    return {
        "id": new_id("si", 14),
        "object": "subscription_item",
        "billing_thresholds": None,
        "created": at,
        "current_period_end": period_end(price, at),
        "current_period_start": at,
        "discounts": given.get("discounts") or [],
        "metadata": merge_metadata({}, given.get("metadata") or {}),
        "price": price["id"],
        "quantity": None if metered else given.get("quantity", 1),
        "subscription": subscription,
        "tax_rates": [],
    }


def sellable_price(store: Store, given: JsonObject, path: str) -> JsonObject:
    param = f"{path}[price]"
    if not given.get("price"):
        raise missing(param)
    price = store.get("price", given["price"], param=param)
    if not price["active"] and not given.get("is_agreed"):
        raise StripeError("The price specified is inactive. This field only accepts active prices.", param=param)
    if price["type"] != "recurring":
        raise StripeError(
            "The price specified is set to `type=one_time` but this field only accepts prices with `type=recurring`.",
            param=param,
        )
    return price


def period_end(price: JsonObject, start: int) -> int:
    return add_interval(start, price["recurring"]["interval"], price["recurring"]["interval_count"])


def with_item_changes(store: Store, subscription: JsonObject, changes: list[JsonObject], at: int) -> JsonObject:
    """Apply `items[]` of an update: one with an id changes or deletes that item, one without adds an item.

    An item whose price has another interval begins a new period, and with it the billing cycle.
    """
    items: dict[str, JsonObject] = {item["id"]: item for item in subscription["items"]["data"]}
    anchor: int = subscription["billing_cycle_anchor"]
    for index, change in enumerate(changes):
        path, changing = f"items[{index}]", change.get("id")
        if changing is None:
            added = _in_cycle(store, new_item(store, subscription["id"], change, path, at), subscription)
            items[added["id"]] = added
            continue
        if changing not in items:
            raise no_such("subscription_item", changing, param=f"{path}[id]")
        if change.get("deleted"):
            del items[changing]
            continue
        changed = _with_change(store, items[changing], change, path, at)
        anchor = at if changed["current_period_start"] != items[changing]["current_period_start"] else anchor
        items[changing] = changed
    if not items:
        raise StripeError("A subscription must have at least one active plan.", param="items")
    return {
        **subscription,
        "billing_cycle_anchor": anchor,
        "items": {**subscription["items"], "data": list(items.values())},
    }


def _in_cycle(store: Store, added: JsonObject, subscription: JsonObject) -> JsonObject:
    """Return an added item in the period of one that has the same interval, if there is one."""
    interval = _interval(store, added)
    for item in subscription["items"]["data"]:
        if _interval(store, item) == interval:
            return {**added, **{name: item[name] for name in ("current_period_start", "current_period_end")}}
    return added


def _interval(store: Store, item: JsonObject) -> tuple[str, int]:
    recurring = store.get("price", item["price"])["recurring"]
    return recurring["interval"], recurring["interval_count"]


def _with_change(store: Store, item: JsonObject, change: JsonObject, path: str, at: int) -> JsonObject:
    changed = {**item, "quantity": change.get("quantity", item["quantity"])}
    if "metadata" in change:
        changed["metadata"] = merge_metadata(item["metadata"], change["metadata"])
    if "discounts" in change:
        changed["discounts"] = kept_of(item["discounts"], change["discounts"], f"{path}[discounts]")
    if not change.get("price") or change["price"] == item["price"]:
        return changed
    price = sellable_price(store, change, path)
    changed["price"] = price["id"]
    metered = price["recurring"]["usage_type"] == "metered"
    changed["quantity"] = None if metered else changed["quantity"] or 1
    if _interval(store, item) != _interval(store, changed):
        changed |= {"current_period_start": at, "current_period_end": period_end(price, at)}
    return changed


def with_period(subscription: JsonObject, start: int, end: int | None, store: Store) -> JsonObject:
    """Return the subscription with all items in a period from `start`, to `end` or for their price's interval."""
    items = [
        {
            **item,
            "current_period_start": start,
            "current_period_end": end or period_end(store.get("price", item["price"]), start),
        }
        for item in subscription["items"]["data"]
    ]
    return {**subscription, "items": {**subscription["items"], "data": items}}


def list_all(sandbox: Sandbox, call: Call) -> JsonObject:
    params = read(call.form, {**PAGE_READERS, "subscription": text}, required=("subscription",))
    subscription = sandbox.store.get("subscription", params["subscription"], param="subscription")
    return page(subscription["items"]["data"], params, "/v1/subscription_items", lambda _: True)
