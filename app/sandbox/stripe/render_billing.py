"""Invoices, their lines and their payments, and subscription schedules in the shape of an API version."""

from typing import Final

from app.sandbox.stripe.render_discounts import discount_in
from app.sandbox.stripe.store import Store
from app.sandbox.stripe.wire import JsonObject

_BEFORE_BASIL: Final = ""
_EMBEDDED_LINES: Final = 10
_INVOICE_SINCE_BASIL: Final = (
    "amount_overpaid",
    "amount_paid_off_stripe",
    "confirmation_secret",
    "customer_account",
    "parent",
    "payments",
    "total_taxes",
)
_LINE_SINCE_BASIL: Final = ("parent", "pricing", "quantity_decimal", "subtotal", "taxes")
_SCHEDULE_SINCE_BASIL: Final = ("billing_mode", "customer_account", "pause_schedules")
_INTENT_SINCE_BASIL: Final = ("customer_account",)


def invoice_in(invoice: JsonObject, store: Store, *, is_old: bool) -> JsonObject:
    """Return the invoice with its first lines; before basil it named its subscription and its payment itself."""
    every: list[JsonObject] = invoice["lines"]["data"]
    lines = {
        "object": "list",
        "data": [line_in(line, store, is_old=is_old) for line in every[:_EMBEDDED_LINES]],
        "has_more": len(every) > _EMBEDDED_LINES,
        "url": f"/v1/invoices/{invoice.get('id', 'upcoming')}/lines",
    }
    if not is_old:
        return {**invoice, "lines": lines}
    old = {key: value for key, value in invoice.items() if key not in _INVOICE_SINCE_BASIL}
    parent: JsonObject = invoice["parent"] or {}
    details: JsonObject = parent.get("subscription_details") or {}
    intent = _intent_of(invoice, store)
    return {
        **old,
        "application_fee_amount": None,
        "charge": intent["latest_charge"] if intent else None,
        "discount": _first_discount(invoice, store),
        "lines": lines,
        "paid": invoice["status"] == "paid",
        "paid_out_of_band": bool(invoice.get("amount_paid_off_stripe")),
        "payment_intent": intent["id"] if intent else None,
        "quote": None,
        "subscription": details.get("subscription"),
        "subscription_details": {"metadata": details.get("metadata")},
        "tax": None,
        "total_tax_amounts": [],
        "transfer_data": None,
    }


def _first_discount(invoice: JsonObject, store: Store) -> JsonObject | None:
    discounts: list[str] = invoice["discounts"]
    first = store.find(discounts[0]) if discounts else None
    return discount_in(first, _BEFORE_BASIL, store) if first else None


def _intent_of(invoice: JsonObject, store: Store) -> JsonObject | None:
    for link in store.having("invoice_payment", "invoice", invoice.get("id", "")):
        return store.find(link["payment"]["payment_intent"])
    return None


def line_in(line: JsonObject, store: Store, *, is_old: bool) -> JsonObject:
    """Return the line; before basil it held its price whole."""
    line = {key: value for key, value in line.items() if not key.startswith("_")}
    details = line["parent"]["subscription_item_details"]
    if not is_old:
        return {**line, "subscription": details["subscription"]}
    old = {key: value for key, value in line.items() if key not in _LINE_SINCE_BASIL}
    price = store.find(line["pricing"]["price_details"]["price"])
    shown = {key: value for key, value in price.items() if key != "tiers"} if price else None
    made_of: JsonObject = {"invoice_item": details["invoice_item"]} if details["invoice_item"] else {}
    return {
        **old,
        **made_of,
        "amount_excluding_tax": line["amount"],
        "plan": None,
        "price": shown,
        "proration": details["proration"],
        "proration_details": details["proration_details"],
        "subscription": details["subscription"],
        "subscription_item": details["subscription_item"],
        "tax_amounts": [],
        "tax_rates": [],
        "type": "invoiceitem" if details["invoice_item"] else "subscription",
        "unit_amount_excluding_tax": line["pricing"]["unit_amount_decimal"],
    }


def intent_in(intent: JsonObject, store: Store, *, is_old: bool) -> JsonObject:
    """Return the payment intent; before basil it named its invoice."""
    if not is_old:
        return dict(intent)
    shown = {key: value for key, value in intent.items() if key not in _INTENT_SINCE_BASIL}
    return {**shown, "invoice": _invoice_of(intent["id"], store)}


def charge_in(made: JsonObject, store: Store, *, is_old: bool) -> JsonObject:
    """Return the charge; before basil it named its invoice."""
    if not is_old:
        return dict(made)
    return {**made, "invoice": _invoice_of(made["payment_intent"], store)}


def _invoice_of(intent: str | None, store: Store) -> str | None:
    links = store.having("invoice_payment", "payment_intent", intent or "")
    return links[0]["invoice"] if links else None


def payments_of(invoice: JsonObject, store: Store) -> JsonObject:
    """Return the list that an invoice since basil holds where it is asked for."""
    links = store.having("invoice_payment", "invoice", invoice["id"])
    return {"object": "list", "data": links, "has_more": False, "url": f"/v1/invoice_payments?invoice={invoice['id']}"}


def secret_of(invoice: JsonObject, store: Store) -> JsonObject | None:
    """Return what a browser confirms the invoice's payment with."""
    intent = _intent_of(invoice, store)
    return {"client_secret": intent["client_secret"], "type": "payment_intent"} if intent else None


def invoice_item_in(item: JsonObject, store: Store, *, is_old: bool) -> JsonObject:
    """Return the invoice item; before basil it named its price and its subscription itself."""
    if not is_old:
        return dict(item)
    gone = ("customer_account", "net_amount", "parent", "pricing", "proration_details", "quantity_decimal")
    details = item["parent"]["subscription_details"]
    price = store.find(item["pricing"]["price_details"]["price"])
    return {
        **{key: value for key, value in item.items() if key not in gone},
        "plan": None,
        "price": {key: value for key, value in price.items() if key != "tiers"} if price else None,
        "subscription": details["subscription"],
        "subscription_item": details["subscription_item"],
        "unit_amount": int(price["unit_amount"] or 0) if price else None,
        "unit_amount_decimal": item["pricing"]["unit_amount_decimal"],
    }


def schedule_in(schedule: JsonObject, _: Store, *, is_old: bool) -> JsonObject:
    return {key: value for key, value in schedule.items() if not (is_old and key in _SCHEDULE_SINCE_BASIL)}
