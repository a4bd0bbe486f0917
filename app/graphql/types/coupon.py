"""Coupons, and what a code takes off, as GraphQL shows them."""

from decimal import Decimal

import strawberry

from app.domain import coupon as domain
from app.domain.stripe_facts import CouponFacts, PromotionCodeFacts
from app.graphql.context import Info
from app.graphql.permissions import READS_MONEY, requires
from app.graphql.scalars import DateTime, date_or_null
from app.graphql.types.exposing import expose
from app.graphql.types.money import Money
from app.services import coupons as service
from app.services.mirrors import Mirrored

expose(
    domain.CouponRefusal,
    "Why a code takes nothing off a plan. The first that holds is told.",
    {
        "UNKNOWN": "It is neither a promotion code nor a coupon's id.",
        "EXPIRED": "The code or its coupon could be used until earlier.",
        "USED_UP": "The code or its coupon was used as often as it may be.",
        "INACTIVE": "The code was switched off, or Stripe calls its coupon invalid.",
        "OTHER_CUSTOMER": "The code is for one customer, and not the workspace's.",
        "PLAN_NOT_FOUND": "No plan and no add-on has this key.",
        "PLAN_WITHOUT_PRICE": "Stripe sells no price of the plan.",
        "OTHER_PRODUCTS": "The coupon is for other products than the plan's.",
        "OTHER_CURRENCY": "The coupon takes off an amount in a currency that the plan's prices do not have.",
    },
)


@strawberry.type(directives=requires(*READS_MONEY), description="What a person types to get a coupon.")
class PromotionCode:
    id: strawberry.ID = strawberry.field(description="Stripe's id.")
    code: str = strawberry.field(description="What is typed, in any case.")
    active: bool = strawberry.field(description="Whether it can be used, as far as Stripe told.")
    max_redemptions: int | None = strawberry.field(description="How often it can be used; null for no limit.")
    times_redeemed: int = strawberry.field(description="How often it was used.")
    expires_at: DateTime | None = strawberry.field(description="Until when it can be used; null for no end.")
    customer_id: strawberry.ID | None = strawberry.field(
        description="Stripe's id of the only customer who may use it; null for everybody."
    )

    @classmethod
    def from_domain(cls, id: str, promotion: PromotionCodeFacts) -> "PromotionCode":
        """Translate."""
        return cls(
            id=strawberry.ID(id),
            code=promotion.code,
            active=promotion.active,
            max_redemptions=promotion.max_redemptions,
            times_redeemed=promotion.times_redeemed,
            expires_at=date_or_null(promotion.expires_at),
            customer_id=strawberry.ID(promotion.customer_id) if promotion.customer_id else None,
        )


@strawberry.type(
    directives=requires(*READS_MONEY),
    description="A discount, as Stripe last told. Either `percentOff` or `amountOff` is set.",
)
class Coupon:
    codes: strawberry.Private[tuple[Mirrored[PromotionCodeFacts], ...] | None] = None
    id: strawberry.ID = strawberry.field(description="Stripe's id.")
    name: str | None = strawberry.field(description="For people.")
    percent_off: Decimal | None = strawberry.field(description="The percentage taken off: `12.5`.")
    amount_off: Money | None = strawberry.field(description="The amount taken off an invoice.")
    duration: str = strawberry.field(description="Stripe's word: `once`, `repeating` or `forever`.")
    duration_months: int | None = strawberry.field(description="For how many months it repeats; else null.")
    max_redemptions: int | None = strawberry.field(description="How often it can be used; null for no limit.")
    times_redeemed: int = strawberry.field(description="How often it was used.")
    redeem_by_at: DateTime | None = strawberry.field(description="Until when it can be used; null for no end.")
    valid: bool = strawberry.field(description="Whether it can be used, as far as Stripe told.")
    product_ids: list[strawberry.ID] = strawberry.field(
        description="Stripe's ids of the products it is for; empty for all."
    )

    @strawberry.field(description="The codes that lead to it, active or not, by id.")
    async def promotion_codes(self, info: Info) -> list[PromotionCode]:
        codes = await service.promotion_codes_of(info.context.rt, [self.id]) if self.codes is None else self.codes
        return [PromotionCode.from_domain(code.id, code.facts) for code in codes]

    @classmethod
    def from_domain(
        cls, id: str, coupon: CouponFacts, codes: tuple[Mirrored[PromotionCodeFacts], ...] | None = None
    ) -> "Coupon":
        """Translate; `codes` None are asked for once they are selected."""
        amount, currency = coupon.amount_off, coupon.currency
        return cls(
            codes=codes,
            id=strawberry.ID(id),
            name=coupon.name,
            percent_off=coupon.percent_off,
            amount_off=None if amount is None or currency is None else Money.of(amount, currency),
            duration=coupon.duration,
            duration_months=coupon.duration_months,
            max_redemptions=coupon.max_redemptions,
            times_redeemed=coupon.times_redeemed,
            redeem_by_at=date_or_null(coupon.redeem_by_at),
            valid=coupon.valid,
            product_ids=[strawberry.ID(product) for product in coupon.product_ids],
        )


@strawberry.type(
    directives=requires(*READS_MONEY), description="What a coupon takes off one piece of a price for one period."
)
class PriceCut:
    price_id: strawberry.ID = strawberry.field(description="Stripe's id of the price.")
    lookup_key: str | None = strawberry.field(description="Its lookup key: the same in test and live mode.")
    interval: str | None = strawberry.field(
        description="Stripe's word for what it is paid per: `month`. Null for a price that is paid once."
    )
    amount: Money | None = strawberry.field(
        description="What one costs without the coupon, before tax; null where that depends on quantity or usage."
    )
    discount: Money | None = strawberry.field(
        description="What is taken off `amount`, an amount off in full: never more than `amount`. Null as `amount` is."
    )

    @classmethod
    def from_domain(cls, cut: domain.PriceCut) -> "PriceCut":
        """Translate."""
        currency = cut.price.currency
        return cls(
            price_id=strawberry.ID(cut.price_id),
            lookup_key=cut.price.lookup_key,
            interval=cut.price.interval,
            amount=None if cut.amount is None else Money.of(cut.amount, currency),
            discount=None if cut.discount is None else Money.of(cut.discount, currency),
        )


@strawberry.type(directives=requires(*READS_MONEY), description="Whether a code can be used for a plan now.")
class CouponValidation:
    valid: bool = strawberry.field(description="Whether it can.")
    reason: domain.CouponRefusal | None = strawberry.field(description="Why not; null where it can.")
    coupon: Coupon | None = strawberry.field(description="What the code leads to; null where nothing is known by it.")
    promotion_code: PromotionCode | None = strawberry.field(
        description="The promotion code; null where `code` is a coupon's id."
    )
    prices: list[PriceCut] = strawberry.field(
        description="The plan's prices that it can be used for, by id; empty where it cannot be used."
    )

    @classmethod
    def from_domain(cls, verdict: domain.Verdict) -> "CouponValidation":
        """Translate."""
        found = verdict.redemption
        promotion = found.promotion if found else None
        return cls(
            valid=verdict.refusal is None,
            reason=verdict.refusal,
            coupon=Coupon.from_domain(found.coupon_id, found.coupon) if found else None,
            promotion_code=PromotionCode.from_domain(found.promotion_id or "", promotion)
            if found and promotion
            else None,
            prices=[PriceCut.from_domain(cut) for cut in verdict.cuts],
        )
