"""Coupons: listed, and a code judged for a plan."""

from collections.abc import Sequence

import msgspec

from app.domain.change import Instant
from app.domain.coupon import Redemption, Verdict, judge
from app.domain.faults import NAME_MAX, is_storable
from app.domain.stripe_facts import CouponFacts, PriceFacts, PromotionCodeFacts
from app.ports.store import Page
from app.runtime import Runtime
from app.services.mirrors import Mirrored, find_mirrors, known


class Coupon(msgspec.Struct, frozen=True):
    """A coupon and the promotion codes that lead to it, by their ids."""

    id: str
    facts: CouponFacts
    promotions: tuple[Mirrored[PromotionCodeFacts], ...] = ()


async def coupons_page(rt: Runtime, *, after: str | None, first: int) -> Page[Coupon]:
    """Return the coupons that exist at Stripe by ascending id, with their promotion codes."""
    # No workspace is ever known for a coupon, so this is all of them.
    page = await rt.store.unlinked_page("coupon", after=after, first=first)
    coupons = known(page.items, CouponFacts)
    promotions = await promotion_codes_of(rt, [coupon.id for coupon in coupons])
    items = [
        Coupon(coupon.id, coupon.facts, tuple(one for one in promotions if one.facts.coupon_id == coupon.id))
        for coupon in coupons
    ]
    return Page(tuple(items), page.has_next)


async def promotion_codes_of(rt: Runtime, coupon_ids: Sequence[str]) -> tuple[Mirrored[PromotionCodeFacts], ...]:
    """Return the promotion codes that lead to these coupons, by id."""
    found = await rt.mirrors.promotion_codes_of(coupon_ids) if coupon_ids else []
    return tuple(sorted(known(found, PromotionCodeFacts), key=lambda promotion: promotion.id))


async def validate_coupon(rt: Runtime, code: str, plan_key: str, *, workspace_id: str | None, at: Instant) -> Verdict:
    """Judge a promotion code, whichever case it is typed in, or a coupon's id, for the plan's latest version."""
    if not 1 <= len(code) <= NAME_MAX or not is_storable(code):
        return judge((), None, customer_ids=(), at=at)
    customers = await rt.store.customers_of((workspace_id,)) if workspace_id else []
    return judge(
        await _redemptions(rt, code),
        await _prices(rt, plan_key),
        customer_ids=[customer.id for customer in customers],
        at=at,
    )


async def _redemptions(rt: Runtime, code: str) -> list[Redemption]:
    promotions = known(await rt.mirrors.promotion_codes_named(code), PromotionCodeFacts)
    ids = {promotion.facts.coupon_id or "" for promotion in promotions}
    coupons = await find_mirrors(rt, CouponFacts, {code, *ids} - {""})
    promotions.sort(key=lambda promotion: (not promotion.facts.active, -promotion.facts.created_at, promotion.id))
    by_code = [
        Redemption(coupon_id=coupon.id, coupon=coupon.facts, promotion_id=promotion.id, promotion=promotion.facts)
        for promotion in promotions
        if (coupon := coupons.get(promotion.facts.coupon_id or ""))
    ]
    by_id = [Redemption(coupon_id=code, coupon=coupons[code].facts)] if code in coupons else []
    return [*by_code, *by_id]


async def _prices(rt: Runtime, plan_key: str) -> Sequence[tuple[str, PriceFacts]] | None:
    plan = rt.cache.catalogue().plan(plan_key)
    if plan is None:
        return None
    found = known(await rt.mirrors.prices_named(plan.price_names), PriceFacts) if plan.prices else []
    return [(price.id, price.facts) for price in found if price.facts.active]
