"""Whether a code takes something off a plan now, why not, and what it takes off."""

from collections.abc import Collection, Iterator, Sequence
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Final

import msgspec

from app.domain.change import Instant
from app.domain.stripe_facts import CouponFacts, PriceFacts, PromotionCodeFacts

_PERCENT: Final = 100
_ONE: Final = Decimal(1)


class CouponRefusal(StrEnum):
    """Why a code takes nothing off, the most telling first."""

    UNKNOWN = "UNKNOWN"
    EXPIRED = "EXPIRED"
    USED_UP = "USED_UP"
    INACTIVE = "INACTIVE"
    OTHER_CUSTOMER = "OTHER_CUSTOMER"
    PLAN_NOT_FOUND = "PLAN_NOT_FOUND"
    PLAN_WITHOUT_PRICE = "PLAN_WITHOUT_PRICE"
    OTHER_PRODUCTS = "OTHER_PRODUCTS"
    OTHER_CURRENCY = "OTHER_CURRENCY"


class Redemption(msgspec.Struct, frozen=True, kw_only=True):
    """A coupon that a code leads to: by a promotion code, or by being its id."""

    coupon_id: str
    coupon: CouponFacts
    promotion_id: str | None = None
    promotion: PromotionCodeFacts | None = None


class PriceCut(msgspec.Struct, frozen=True, kw_only=True):
    """What is taken off one piece of a price for one period, in minor units; None where that depends on the usage."""

    price_id: str
    price: PriceFacts
    amount: int | None
    discount: int | None


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """`refusal` None says that it can be used, for the prices of `cuts`."""

    redemption: Redemption | None = None
    refusal: CouponRefusal | None = None
    cuts: tuple[PriceCut, ...] = ()


def judge(
    redemptions: Sequence[Redemption],
    prices: Collection[tuple[str, PriceFacts]] | None,
    *,
    customer_ids: Collection[str],
    at: Instant,
) -> Verdict:
    """Judge what a code leads to for a plan's prices, None where there is no such plan.

    Several promotion codes may have had one code, of which one at most is active for a customer: the first that can be
    used counts, else the first.
    """
    verdicts = [_judged(each, prices, customer_ids, at) for each in redemptions]
    usable = [verdict for verdict in verdicts if verdict.refusal is None]
    return next(iter((*usable, *verdicts)), Verdict(refusal=CouponRefusal.UNKNOWN))


def _judged(
    redemption: Redemption,
    prices: Collection[tuple[str, PriceFacts]] | None,
    customer_ids: Collection[str],
    at: Instant,
) -> Verdict:
    refusal = next(_refusals(redemption, customer_ids, at), None) or _misfit(redemption.coupon, prices)
    if refusal is not None:
        return Verdict(redemption=redemption, refusal=refusal)
    cuts = [_cut(redemption.coupon, name, price) for name, price in prices or () if _fits(redemption.coupon, price)]
    return Verdict(redemption=redemption, cuts=tuple(sorted(cuts, key=lambda cut: cut.price_id)))


def _refusals(redemption: Redemption, customer_ids: Collection[str], at: Instant) -> Iterator[CouponRefusal]:
    coupon, promotion = redemption.coupon, redemption.promotion
    ends = (coupon.redeem_by_at, promotion.expires_at if promotion else None)
    if any(end is not None and end <= at for end in ends):
        yield CouponRefusal.EXPIRED
    if any(_is_used_up(each.max_redemptions, each.times_redeemed) for each in (coupon, promotion) if each):
        yield CouponRefusal.USED_UP
    if not coupon.valid or (promotion and not promotion.active):
        yield CouponRefusal.INACTIVE
    if promotion and promotion.customer_id and promotion.customer_id not in customer_ids:
        yield CouponRefusal.OTHER_CUSTOMER


def _is_used_up(most: int | None, used: int) -> bool:
    return most is not None and used >= most


def _misfit(coupon: CouponFacts, prices: Collection[tuple[str, PriceFacts]] | None) -> CouponRefusal | None:
    if prices is None:
        return CouponRefusal.PLAN_NOT_FOUND
    if not prices:
        return CouponRefusal.PLAN_WITHOUT_PRICE
    of_products = [price for _, price in prices if _is_for_product(coupon, price)]
    if not of_products:
        return CouponRefusal.OTHER_PRODUCTS
    return None if any(_fits(coupon, price) for price in of_products) else CouponRefusal.OTHER_CURRENCY


def _is_for_product(coupon: CouponFacts, price: PriceFacts) -> bool:
    return not coupon.product_ids or price.product_id in coupon.product_ids


def _fits(coupon: CouponFacts, price: PriceFacts) -> bool:
    return _is_for_product(coupon, price) and (coupon.percent_off is not None or coupon.currency == price.currency)


def _cut(coupon: CouponFacts, price_id: str, price: PriceFacts) -> PriceCut:
    if price.unit_amount is None or price.is_metered or price.tiers:
        return PriceCut(price_id=price_id, price=price, amount=None, discount=None)
    amount = _whole(price.unit_amount)
    if coupon.percent_off is None:
        discount = min(coupon.amount_off or 0, amount)
    else:
        discount = _whole(amount * coupon.percent_off / _PERCENT)
    return PriceCut(price_id=price_id, price=price, amount=amount, discount=discount)


def _whole(amount: Decimal) -> int:
    return int(amount.quantize(_ONE, ROUND_HALF_UP))
