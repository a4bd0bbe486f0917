"""What discounts take off an invoice's lines, and off what a price costs for the rest of a period. Pure and exact."""

from fractions import Fraction
from typing import Final, NamedTuple

from app.sandbox.stripe.proration import round_half_away
from app.sandbox.stripe.store import Store
from app.sandbox.stripe.wire import JsonObject

KIND: Final = "discount"
_PERCENT: Final = 100
_FINE: Final = 10**9


class Share(NamedTuple):
    """The part of an amount that a discount takes off."""

    discount: str
    part: Fraction


def in_force(
    store: Store, subscription: JsonObject, at: int, instead: list[JsonObject] | None = None
) -> list[JsonObject]:
    """Return the discounts of an invoice made at that instant: the items', then the subscription's or `instead`.

    A subscription without any has its customer's. An amount in another currency is none.
    """
    customer = store.find(subscription["customer"]) or {}
    inherited: list[JsonObject] = [customer["discount"]] if customer.get("discount") else []
    of_items: list[JsonObject] = [one for item in subscription["items"]["data"] for one in item["discounts"]]
    own = _fitting(subscription["discounts"], subscription, at) or _fitting(inherited, subscription, at)
    return [*_fitting(of_items, subscription, at), *(own if instead is None else instead)]


def _fitting(held: list[JsonObject], subscription: JsonObject, at: int) -> list[JsonObject]:
    currencies = (None, subscription["currency"])
    return [one for one in held if is_running(one, at) and one["_coupon"]["currency"] in currencies]


def is_running(discount: JsonObject, at: int) -> bool:
    return discount["end"] is None or at < discount["end"]


def taken_off(lines: list[JsonObject], discounts: list[JsonObject]) -> list[JsonObject]:
    """Return the lines with what the discounts take off them, each off what those before it have left.

    A share is rounded per line; an amount is spread over the lines by what they come to, and never exceeds that.
    """
    left = [line["amount"] if line["discountable"] and line["amount"] > 0 else 0 for line in lines]
    products: list[str] = [line["pricing"]["price_details"]["product"] for line in lines]
    taken: list[list[JsonObject]] = [[] for _ in lines]
    for discount in discounts:
        coupon: JsonObject = discount["_coupon"]
        for index, amount in enumerate(cuts(coupon, products, _open_to(discount, lines, left))):
            if amount:
                left[index] -= amount
                taken[index].append({"amount": amount, "discount": discount["id"]})
    return [
        {**line, "discount_amounts": amounts, "discounts": _own(discounts, line)}
        for line, amounts in zip(lines, taken, strict=True)
    ]


def _open_to(discount: JsonObject, lines: list[JsonObject], left: list[int]) -> list[int]:
    """Return what is left of the lines that the discount is for: an item's is for its own."""
    item: str | None = discount["subscription_item"]
    return [amount if item in (None, item_of(line)) else 0 for amount, line in zip(left, lines, strict=True)]


def item_of(line: JsonObject) -> str:
    return line["parent"]["subscription_item_details"]["subscription_item"]


def _own(discounts: list[JsonObject], line: JsonObject) -> list[str]:
    return [discount["id"] for discount in discounts if discount["subscription_item"] == item_of(line)]


def cuts(coupon: JsonObject, products: list[str], left: list[int]) -> list[int]:
    """Return what the coupon takes off each line, of what is left of it; `products` are those of the lines."""
    applies_to: JsonObject = coupon.get("applies_to") or {}
    wanted: list[str] = applies_to.get("products") or products
    open_to = [amount if product in wanted else 0 for product, amount in zip(products, left, strict=True)]
    if coupon["percent_off"] is not None:
        part = Fraction(str(coupon["percent_off"])) / _PERCENT
        return [round_half_away(amount * part) for amount in open_to]
    return spread(min(coupon["amount_off"], sum(open_to)), open_to)


def spread(amount: int, weights: list[int]) -> list[int]:
    """Divide an amount by weights into whole numbers that add up to it; what is left over goes to the largest rests."""
    whole = sum(weights)
    if not whole:
        return [0 for _ in weights]
    exact = [Fraction(amount * weight, whole) for weight in weights]
    parts = [int(share) for share in exact]
    by_rest = sorted(range(len(parts)), key=lambda index: parts[index] - exact[index])
    for index in by_rest[: amount - sum(parts)]:
        parts[index] += 1
    return parts


def total_amounts(lines: list[JsonObject], discounts: list[JsonObject]) -> list[JsonObject]:
    """Return what each discount takes off all lines together."""
    totals: dict[str, int] = {discount["id"]: 0 for discount in discounts}
    for line in lines:
        for taken in line["discount_amounts"]:
            totals[taken["discount"]] += taken["amount"]
    return [{"amount": amount, "discount": discount} for discount, amount in totals.items()]


def shares_to_come(store: Store, subscription: JsonObject, lines: list[JsonObject], at: int) -> dict[str, list[Share]]:
    """Return by subscription item what part the discounts that last would take off these lines of whole periods."""
    lasting = [each for each in in_force(store, subscription, at) if each["_coupon"]["duration"] != "once"]
    return {item_of(line): _shares(line["discount_amounts"], line["amount"]) for line in taken_off(lines, lasting)}


def shares_billed(store: Store, item: JsonObject) -> list[Share]:
    """Return what part was taken off what the item's current period was billed with, at its price and quantity."""
    # A credit matches too, but has the shares of the charge that it gives back.
    for prorated in store.having("invoiceitem", "subscription", item["subscription"]):
        details = prorated["parent"]["subscription_details"]
        if details["subscription_item"] == item["id"] and _is_for(prorated, item):
            return [Share(discount, Fraction(part)) for discount, part in prorated["_shares"].items()]
    for invoice in store.having("invoice", "subscription", item["subscription"]):
        lines: list[JsonObject] = invoice["lines"]["data"] if invoice["status"] != "void" else []
        for line in lines:
            details = line["parent"]["subscription_item_details"]
            if details["subscription_item"] == item["id"] and not details["proration"] and _is_for(line, item):
                return _shares(line["discount_amounts"], line["amount"])
    return []


def _is_for(billed: JsonObject, item: JsonObject) -> bool:
    start, end = item["current_period_start"], item["current_period_end"]
    return (
        billed["period"]["end"] == end
        and billed["period"]["start"] >= start
        and billed["quantity"] == item["quantity"]
        and billed["pricing"]["price_details"]["price"] == item["price"]
    )


def _shares(taken: list[JsonObject], amount: int) -> list[Share]:
    return [Share(each["discount"], Fraction(each["amount"], amount)) for each in taken]


def amounts_by_share(taken: int, shares: list[Share]) -> list[JsonObject]:
    """Return what each discount took off, which together is `taken`; less than nothing where it is given back."""
    weights = [int(share.part * _FINE) for share in shares]
    parts = spread(abs(taken), weights)
    sign = -1 if taken < 0 else 1
    return [{"amount": sign * part, "discount": share.discount} for part, share in zip(parts, shares, strict=True)]
