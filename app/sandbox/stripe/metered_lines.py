"""What metered items cost: what their meters have counted, charged for the time that is over."""

from fractions import Fraction
from typing import Final

from app.sandbox.stripe.invoice_lines import new_invoice_item, new_line, period_of
from app.sandbox.stripe.meter_events import usage_of
from app.sandbox.stripe.proration import amount_of, round_half_away
from app.sandbox.stripe.store import Store
from app.sandbox.stripe.wire import JsonObject

_BILLED: Final = ("active", "past_due", "unpaid")


def is_metered(store: Store, item: JsonObject) -> bool:
    return store.get("price", item["price"])["recurring"]["usage_type"] == "metered"


def usage_line(store: Store, item: JsonObject, subscription: JsonObject, until: int) -> JsonObject:
    """Return the line for what was used in the item's current period up to `until`, and was not billed before."""
    price = store.get("price", item["price"])
    span = (_since(item), until)
    line = new_line(item, price, 0, subscription["currency"], _description(store, price), span)
    return _counted(store, {**line, "_is_usage": True}, subscription["customer"])


def _since(item: JsonObject) -> int:
    return max(item.get("_billed_until", 0), item["current_period_start"])


def _description(store: Store, price: JsonObject) -> str:
    name: str = (store.find(price["product"]) or {}).get("name") or price["product"]
    return f"Usage of {name}"


def _counted(store: Store, line: JsonObject, customer: str) -> JsonObject:
    price = store.get("price", line["pricing"]["price_details"]["price"])
    amount, quantities = _cost(store, price, customer, (line["period"]["start"], line["period"]["end"]))
    return {**line, "amount": amount, "subtotal": amount, **quantities}


def _cost(store: Store, price: JsonObject, customer: str, span: tuple[int, int]) -> tuple[int, JsonObject]:
    """Return what was used within the span costs, and how much it was; less than nothing counts as nothing."""
    used = usage_of(store, price["recurring"]["meter"], customer, *span)
    amount = round_half_away(amount_of(price, Fraction(used)))
    return amount, {"quantity": int(used), "quantity_decimal": f"{used.normalize():f}"}


def recounted(store: Store, lines: list[JsonObject], customer: str) -> list[JsonObject]:
    """Return the lines with what was used by now: events may be told late, until the invoice is finalized."""
    return [_counted(store, line, customer) if line.get("_is_usage") else line for line in lines]


def last_lines(store: Store, subscription: JsonObject, at: int) -> list[JsonObject]:
    """Return the lines for what a subscription has used that ends at this instant."""
    if subscription["status"] not in _BILLED:
        return []
    metered = [item for item in subscription["items"]["data"] if is_metered(store, item)]
    lines = [usage_line(store, item, subscription, min(at, item["current_period_end"])) for item in metered]
    return [line for line in lines if line["amount"]]


def cut_off(store: Store, before: JsonObject, after: JsonObject, at: int) -> tuple[JsonObject, list[JsonObject]]:
    """Bill what was used of metered items that a change removes or sells at another price, within their period.

    Returns the changed subscription, whose items remember until when they were billed, and the invoice items.
    """
    if before["status"] not in _BILLED:
        return after, []
    new = {item["id"]: item for item in after["items"]["data"]}
    made: list[JsonObject] = []
    switched: set[str] = set()
    for item in before["items"]["data"]:
        current = new.get(item["id"])
        stays = current is not None and (current["price"] == item["price"] or period_of(current) != period_of(item))
        if not stays and is_metered(store, item):
            switched.add(item["id"])
            made.append(_usage_item(store, item, after, at))
    items = [{**item, "_billed_until": at} if item["id"] in switched else item for item in after["items"]["data"]]
    changed = {**after, "items": {**after["items"], "data": items}} if switched else after
    return changed, [item for item in made if item["amount"]]


def _usage_item(store: Store, item: JsonObject, subscription: JsonObject, at: int) -> JsonObject:
    price = store.get("price", item["price"])
    span = (_since(item), at)
    amount, quantities = _cost(store, price, subscription["customer"], span)
    description = _description(store, price)
    made = new_invoice_item(item, price, subscription, amount=amount, description=description, span=span, now=at)
    return {**made, **quantities, "discountable": True, "proration": False, "_shares": {}}
