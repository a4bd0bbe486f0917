"""What a checkout session asks for: its lines, what is taken off them, and their sums. Pure."""

from app.sandbox.stripe.discounts import cuts
from app.sandbox.stripe.errors import StripeError
from app.sandbox.stripe.proration import amount_of, round_half_away
from app.sandbox.stripe.wire import JsonObject, new_id


def new_line(price: JsonObject, name: str, given: JsonObject, session: JsonObject) -> JsonObject:
    """Return the line for a quantity of a price; before a trial it is free."""
    quantity: int | None = given.get("quantity")
    amount = 0 if is_free(session) else round_half_away(amount_of(price, quantity))
    limits: JsonObject = given.get("adjustable_quantity") or {}
    return {
        "id": new_id("li"),
        "object": "item",
        "adjustable_quantity": {"maximum": 99, "minimum": 1, **limits} if limits.get("enabled") else None,
        "amount_discount": 0,
        "amount_subtotal": amount,
        "amount_tax": 0,
        "amount_total": amount,
        "currency": price["currency"],
        "description": name,
        "metadata": given.get("metadata") or {},
        "price": price["id"],
        "quantity": quantity,
    }


def is_free(session: JsonObject) -> bool:
    """Say whether nothing is due now because a trial comes first."""
    terms: JsonObject = session["_subscription_data"]
    return bool(terms.get("trial_period_days") or terms.get("trial_end"))


def with_quantity(line: JsonObject, price: JsonObject, session: JsonObject, quantity: int) -> JsonObject:
    """Return the line with another quantity, or refuse what its limits do not allow."""
    limits: JsonObject = line["adjustable_quantity"]
    if not limits["minimum"] <= quantity <= limits["maximum"]:
        raise StripeError(f"Choose a quantity from {limits['minimum']} to {limits['maximum']}.", param="quantity")
    amount = 0 if is_free(session) else round_half_away(amount_of(price, quantity))
    return {**line, "amount_discount": 0, "amount_subtotal": amount, "amount_total": amount, "quantity": quantity}


def with_coupon(lines: list[JsonObject], products: list[str], coupon: JsonObject | None) -> list[JsonObject]:
    """Return the lines with what the coupon takes off, if there is one; `products` are those of the lines."""
    amounts: list[int] = [line["amount_subtotal"] for line in lines]
    taken = cuts(coupon, products, amounts) if coupon else [0] * len(lines)
    return [
        {**line, "amount_discount": off, "amount_total": line["amount_subtotal"] - off}
        for line, off in zip(lines, taken, strict=True)
    ]


def sums_of(lines: list[JsonObject]) -> JsonObject:
    """Return the fields of a session that add its lines up."""
    return {
        "amount_subtotal": sum(line["amount_subtotal"] for line in lines),
        "amount_total": sum(line["amount_total"] for line in lines),
        "total_details": {
            "amount_discount": sum(line["amount_discount"] for line in lines),
            "amount_shipping": 0,
            "amount_tax": 0,
        },
    }
