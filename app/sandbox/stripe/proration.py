"""What a price costs, for a period or for the rest of one. Pure and exact; rounded once per line."""

from fractions import Fraction

from app.sandbox.stripe.wire import JsonObject


def amount_of(price: JsonObject, quantity: Fraction | int | None) -> Fraction:
    """Return what the quantity costs for a whole period, in minor units; without one (metered) nothing."""
    if quantity is None:
        return Fraction(0)
    if price["billing_scheme"] == "tiered":
        return _volume(price["tiers"], quantity) if price["tiers_mode"] == "volume" else _graduated(price, quantity)
    return Fraction(price["unit_amount_decimal"] or 0) * _packages(price["transform_quantity"], quantity)


def _packages(transform: JsonObject | None, quantity: Fraction | int) -> Fraction | int:
    if not transform:
        return quantity
    size: int = transform["divide_by"]
    return quantity // size if transform.get("round") == "down" else -(-quantity // size)


def _volume(tiers: list[JsonObject], quantity: Fraction | int) -> Fraction:
    tier = next((each for each in tiers if each["up_to"] is None or quantity <= each["up_to"]), tiers[-1])
    return _of_tier(tier, quantity)


def _graduated(price: JsonObject, quantity: Fraction | int) -> Fraction:
    total, below = Fraction(0), 0
    for tier in price["tiers"]:
        if below and quantity <= below:
            break
        upper: Fraction | int = quantity if tier["up_to"] is None else min(quantity, tier["up_to"])
        total += _of_tier(tier, upper - below)
        below = upper
    return total


def _of_tier(tier: JsonObject, quantity: Fraction | int) -> Fraction:
    return Fraction(tier["unit_amount_decimal"] or 0) * quantity + Fraction(tier["flat_amount_decimal"] or 0)


def prorate(amount: Fraction, *, at: int, start: int, end: int) -> int:
    """Return the share of `amount` for the time from `at` to the period's end, to the second.

    Rounded half away from zero, once (https://docs.stripe.com/billing/subscriptions/prorations).
    """
    if not start < end or at >= end:
        return 0
    return round_half_away(amount * Fraction(end - max(at, start), end - start))


def round_half_away(amount: Fraction) -> int:
    rounded = int(abs(amount) + Fraction(1, 2))
    return rounded if amount >= 0 else -rounded
