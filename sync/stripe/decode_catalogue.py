"""What is sold, as Stripe's JSON of any API version tells it: products, prices, coupons, promotion codes, meters.

What only an expanded object holds (features, tiers, products of a coupon) stays as it was where it is left out.
"""

from decimal import Decimal

import msgspec

from app.domain.stripe_facts import (
    CouponFacts,
    MeterFacts,
    PriceFacts,
    PriceTier,
    ProductFacts,
    PromotionCodeFacts,
    StripeFacts,
)
from sync.stripe.wire import Amount, Id, Number, Quantity, Reference, Seconds, decimal, ms, read, ref_id


class _Feature(msgspec.Struct, gc=False):
    lookup_key: str


class _Attached(msgspec.Struct, gc=False):
    entitlement_feature: _Feature


class _Features(msgspec.Struct, gc=False):
    data: list[_Attached]


class _Product(msgspec.Struct, gc=False):
    id: Id
    name: str = ""
    active: bool | None = None
    created: Seconds = 0
    entitlement_features: _Features | msgspec.UnsetType = msgspec.UNSET  # added by our gateway: Stripe lists them apart


class _Recurring(msgspec.Struct, gc=False):
    interval: str | None = None
    interval_count: Quantity | None = None
    usage_type: str | None = None
    meter: Reference = None


class _Tier(msgspec.Struct, gc=False):
    up_to: Quantity | str | None = None  # "inf" where it was not yet null
    unit_amount: Amount | None = None
    unit_amount_decimal: Number = None
    flat_amount: Amount | None = None
    flat_amount_decimal: Number = None


class _Price(msgspec.Struct, gc=False):
    id: Id
    currency: str
    product: Reference = None
    active: bool | None = None
    lookup_key: str | None = None
    unit_amount: Amount | None = None
    unit_amount_decimal: Number = None
    recurring: _Recurring | None = None
    tiers_mode: str | None = None
    tiers: list[_Tier] | msgspec.UnsetType | None = msgspec.UNSET
    created: Seconds = 0


class _AppliesTo(msgspec.Struct, gc=False):
    products: list[Id] = []


class _Coupon(msgspec.Struct, gc=False):
    id: Id
    duration: str
    name: str | None = None
    percent_off: Number = None
    amount_off: Amount | None = None
    currency: str | None = None
    duration_in_months: Quantity | None = None
    max_redemptions: Quantity | None = None
    times_redeemed: Quantity | None = None
    redeem_by: Seconds | None = None
    valid: bool | None = None
    applies_to: _AppliesTo | msgspec.UnsetType | None = msgspec.UNSET
    created: Seconds = 0


class _Promotion(msgspec.Struct, gc=False):
    coupon: Reference = None


class _PromotionCode(msgspec.Struct, gc=False):
    id: Id
    code: str
    promotion: _Promotion | None = None
    coupon: Reference = None
    active: bool | None = None
    customer: Reference = None
    max_redemptions: Quantity | None = None
    times_redeemed: Quantity | None = None
    expires_at: Seconds | None = None
    created: Seconds = 0


class _Aggregation(msgspec.Struct, gc=False):
    formula: str | None = None


class _Meter(msgspec.Struct, gc=False):
    id: Id
    event_name: str
    status: str
    display_name: str | None = None
    default_aggregation: _Aggregation | None = None


def decode_product(raw: str, before: StripeFacts | None) -> ProductFacts:
    """Read a product, with the features that our gateway adds."""
    product = read(raw, _Product)
    if product.entitlement_features is not msgspec.UNSET:
        keys = {attached.entitlement_feature.lookup_key for attached in product.entitlement_features.data}
        features = tuple(sorted(keys))
    else:
        features = before.features if isinstance(before, ProductFacts) else ()
    return ProductFacts(
        name=product.name, active=product.active is not False, features=features, created_at=product.created * 1000
    )


def decode_price(raw: str, before: StripeFacts | None) -> PriceFacts:
    """Read a price; how often it recurs and what it is counted with are None where it is paid once."""
    price = read(raw, _Price)
    recurring = price.recurring or _Recurring()
    if price.tiers is not msgspec.UNSET:
        tiers = tuple(_tier(tier) for tier in price.tiers or ())
    else:
        tiers = before.tiers if isinstance(before, PriceFacts) else ()
    return PriceFacts(
        product_id=ref_id(price.product),
        active=price.active is not False,
        currency=price.currency,
        lookup_key=price.lookup_key,
        unit_amount=_either(price.unit_amount_decimal, price.unit_amount),
        interval=recurring.interval,
        interval_count=recurring.interval_count or 1,
        is_metered=recurring.usage_type == "metered",
        meter_id=ref_id(recurring.meter),
        tiers_mode=price.tiers_mode,
        tiers=tiers,
        created_at=price.created * 1000,
    )


def decode_coupon(raw: str, before: StripeFacts | None) -> CouponFacts:
    """Read a coupon."""
    coupon = read(raw, _Coupon)
    if coupon.applies_to is not msgspec.UNSET:
        products = tuple(coupon.applies_to.products) if coupon.applies_to else ()
    else:
        products = before.product_ids if isinstance(before, CouponFacts) else ()
    return CouponFacts(
        name=coupon.name,
        percent_off=decimal(coupon.percent_off),
        amount_off=coupon.amount_off,
        currency=coupon.currency,
        duration=coupon.duration,
        duration_months=coupon.duration_in_months,
        max_redemptions=coupon.max_redemptions,
        times_redeemed=coupon.times_redeemed or 0,
        redeem_by_at=ms(coupon.redeem_by),
        valid=coupon.valid is not False,
        product_ids=products,
        created_at=coupon.created * 1000,
    )


def decode_promotion_code(raw: str, _before: StripeFacts | None) -> PromotionCodeFacts:
    """Read a promotion code: its coupon is under `promotion` since clover, and its own before."""
    code = read(raw, _PromotionCode)
    return PromotionCodeFacts(
        code=code.code,
        coupon_id=ref_id(code.promotion.coupon) if code.promotion else ref_id(code.coupon),
        active=code.active is not False,
        customer_id=ref_id(code.customer),
        max_redemptions=code.max_redemptions,
        times_redeemed=code.times_redeemed or 0,
        expires_at=ms(code.expires_at),
        created_at=code.created * 1000,
    )


def decode_meter(raw: str, _before: StripeFacts | None) -> MeterFacts:
    """Read a meter."""
    meter = read(raw, _Meter)
    return MeterFacts(
        event_name=meter.event_name,
        display_name=meter.display_name,
        status=meter.status,
        aggregation=meter.default_aggregation.formula if meter.default_aggregation else None,
    )


def _tier(tier: _Tier) -> PriceTier:
    return PriceTier(
        up_to=tier.up_to if isinstance(tier.up_to, int) else None,
        unit_amount=_either(tier.unit_amount_decimal, tier.unit_amount),
        flat_amount=_either(tier.flat_amount_decimal, tier.flat_amount),
    )


def _either(exact: Number, whole: int | None) -> Decimal | None:
    return decimal(whole if exact is None else exact)
