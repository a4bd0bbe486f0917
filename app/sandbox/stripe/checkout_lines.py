"""What a checkout session asks for: its lines, what is taken off them, and their sums. Pure."""

from fractions import Fraction

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
    wanted: JsonObject = (coupon or {}).get("applies_to") or {}
    named: list[str] = wanted.get("products") or products
    eligible = [
        line["amount_subtotal"] if product in named else 0 for line, product in zip(lines, products, strict=True)
    ]
    return [
        {**line, "amount_discount": off, "amount_total": line["amount_subtotal"] - off}
        for line, off in zip(lines, _spread(_value_of(coupon, sum(eligible)), eligible), strict=True)
    ]


def _value_of(coupon: JsonObject | None, amount: int) -> int:
    if coupon is None:
        return 0
    if coupon["percent_off"] is not None:
        return round_half_away(amount * Fraction(str(coupon["percent_off"])) / 100)
    return min(coupon["amount_off"], amount)


def _spread(total: int, over: list[int]) -> list[int]:
    """Share `total` out in proportion; what is lost in rounding goes to the first that have a share."""
    whole = sum(over) or 1
    shares = [total * part // whole for part in over]
    for index in [index for index, part in enumerate(over) if part][: total - sum(shares)]:
        shares[index] += 1
    return shares


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
