"""Lines of an invoice, and the invoice items that wait to become lines: for whole periods and prorated. Pure."""

from datetime import UTC, datetime
from typing import Final

from app.sandbox.stripe.discounts import Share, amounts_by_share, shares_billed, shares_to_come
from app.sandbox.stripe.proration import amount_of, prorate, round_half_away
from app.sandbox.stripe.store import Store
from app.sandbox.stripe.wire import JsonObject, copy, new_id

_PRICED: Final = ("price", "quantity")
_INVOICE_ITEM: Final[JsonObject] = {
    "object": "invoiceitem",
    "customer_account": None,
    "discountable": False,
    "discounts": [],
    "invoice": None,
    "livemode": False,
    "metadata": {},
    "proration": True,
    "proration_details": {"discount_amounts": []},
    "tax_rates": [],
    "test_clock": None,
}


def period_line(store: Store, item: JsonObject, currency: str, *, is_trial: bool = False) -> JsonObject:
    """Return the line for an item's current period."""
    price = store.get("price", item["price"])
    name = _product_name(store, price)
    description = f"Trial period for {name}" if is_trial else f"{_times(item['quantity'])}{name}"
    amount = 0 if is_trial else round_half_away(amount_of(price, item["quantity"]))
    return new_line(item, price, amount, currency, description, period_of(item))


def _times(quantity: int | None) -> str:
    return "" if quantity is None else f"{quantity} × "  # noqa: RUF001 - as Stripe writes it


def _product_name(store: Store, price: JsonObject) -> str:
    return (store.find(price["product"]) or {}).get("name") or price["product"]


def new_line(
    item: JsonObject, price: JsonObject, amount: int, currency: str, description: str, span: tuple[int, int]
) -> JsonObject:
    return {
        "id": new_id("il"),
        "object": "line_item",
        "amount": amount,
        "currency": currency,
        "description": description,
        "discount_amounts": [],
        "discountable": True,
        "discounts": [],
        "invoice": None,
        "livemode": False,
        "metadata": {},
        "parent": {
            "invoice_item_details": None,
            "subscription_item_details": {
                "invoice_item": None,
                "proration": False,
                "proration_details": {"credited_items": None},
                "subscription": item["subscription"],
                "subscription_item": item["id"],
            },
            "type": "subscription_item_details",
        },
        "period": {"end": span[1], "start": span[0]},
        "pretax_credit_amounts": [],
        "pricing": _pricing(price),
        "quantity": item["quantity"],
        "quantity_decimal": None if item["quantity"] is None else str(item["quantity"]),
        "subtotal": amount,
        "taxes": [],
    }


def proration_items(store: Store, before: JsonObject, after: JsonObject, at: int, now: int) -> list[JsonObject]:
    """Return invoice items for what changed between two states: a credit for the old, a charge for the new.

    An item that begins a new period with the change is credited only: the new period is charged whole. Both are net
    of discounts: of those that the old was billed with, and of those that last.
    """
    old = {item["id"]: item for item in before["items"]["data"]}
    new = {item["id"]: item for item in after["items"]["data"]}
    lines = [period_line(store, item, after["currency"]) for item in new.values()]
    to_come = shares_to_come(store, after, lines, now)
    made: list[JsonObject] = []
    for item_id in [*old, *(added for added in new if added not in old)]:
        former, current = old.get(item_id), new.get(item_id)
        if former and current and _is_same(former, current):
            continue
        if former and former["quantity"] is not None:
            shares = shares_billed(store, former)
            made.append(_prorated(store, former, after, shares, at=at, now=now, is_credit=True))
        begins_anew = former is not None and current is not None and period_of(former) != period_of(current)
        if current and current["quantity"] is not None and not begins_anew:
            made.append(_prorated(store, current, after, to_come[item_id], at=at, now=now, is_credit=False))
    return made


def period_of(item: JsonObject) -> tuple[int, int]:
    return item["current_period_start"], item["current_period_end"]


def _is_same(former: JsonObject, current: JsonObject) -> bool:
    return period_of(former) == period_of(current) and all(former[name] == current[name] for name in _PRICED)


def _prorated(
    store: Store,
    item: JsonObject,
    subscription: JsonObject,
    shares: list[Share],
    *,
    at: int,
    now: int,
    is_credit: bool,
) -> JsonObject:
    price = store.get("price", item["price"])
    start, end = item["current_period_start"], item["current_period_end"]
    sign = -1 if is_credit else 1
    whole = sign * amount_of(price, item["quantity"])
    net = whole * (1 - sum(share.part for share in shares))
    amount = prorate(net, at=at, start=start, end=end)
    taken = prorate(whole, at=at, start=start, end=end) - amount
    day = datetime.fromtimestamp(at, UTC).strftime("%d %b %Y")
    words = "Unused" if is_credit else "Remaining"
    description = f"{words} time on {_times(item['quantity'])}{_product_name(store, price)} after {day}"
    span = (max(at, start), end)
    return {
        **new_invoice_item(item, price, subscription, amount=amount, description=description, span=span, now=now),
        "proration_details": {"discount_amounts": amounts_by_share(taken, shares)},
        "_shares": {share.discount: str(share.part) for share in shares},
    }


def new_invoice_item(
    item: JsonObject,
    price: JsonObject,
    subscription: JsonObject,
    *,
    amount: int,
    description: str,
    span: tuple[int, int],
    now: int,
) -> JsonObject:
    """Return an invoice item of a subscription's item that waits for its next invoice."""
    return {
        **copy(_INVOICE_ITEM),
        "id": new_id("ii"),
        "amount": amount,
        "currency": subscription["currency"],
        "customer": subscription["customer"],
        "date": now,
        "description": description,
        "net_amount": amount,
        "parent": {
            "subscription_details": {"subscription": subscription["id"], "subscription_item": item["id"]},
            "type": "subscription_details",
        },
        "period": {"end": span[1], "start": span[0]},
        "pricing": _pricing(price),
        "quantity": item["quantity"] or 0,
        "quantity_decimal": str(item["quantity"] or 0),
        "test_clock": subscription["test_clock"],
    }


def _pricing(price: JsonObject) -> JsonObject:
    return {
        "price_details": {"price": price["id"], "product": price["product"]},
        "type": "price_details",
        "unit_amount_decimal": price["unit_amount_decimal"],
    }


def line_of(invoice_item: JsonObject) -> JsonObject:
    """Return the line that an invoice item becomes."""
    details = invoice_item["parent"]["subscription_details"]
    return {
        "id": new_id("il"),
        "object": "line_item",
        **{name: invoice_item[name] for name in ("amount", "currency", "description", "discountable", "discounts")},
        "discount_amounts": [],
        "invoice": None,
        "livemode": False,
        "metadata": invoice_item["metadata"],
        "parent": {
            "invoice_item_details": None,
            "subscription_item_details": {
                "invoice_item": invoice_item["id"],
                "proration": invoice_item["proration"],
                "proration_details": {"credited_items": None},
                **details,
            },
            "type": "subscription_item_details",
        },
        **{name: invoice_item[name] for name in ("period", "pricing", "quantity", "quantity_decimal")},
        "pretax_credit_amounts": [],
        "subtotal": invoice_item["amount"],
        "taxes": [],
    }
