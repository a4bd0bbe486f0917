"""What a checkout session asks for: its lines, what is taken off them, and their sums. Pure."""

from app.sandbox.stripe.discounts import cuts
from app.sandbox.stripe.proration import amount_of, round_half_away
from app.sandbox.stripe.wire import JsonObject, new_id


def new_line(price: JsonObject, name: str, given: JsonObject, *, is_free: bool) -> JsonObject:
    """Return the line for a quantity of a price; during a trial it is free."""
    quantity: int | None = given.get("quantity")
    amount = 0 if is_free else round_half_away(amount_of(price, quantity))
    return {
        "id": new_id("li"),
        "object": "item",
        "adjustable_quantity": None,
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
