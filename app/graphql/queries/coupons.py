"""Coupons, from the store."""

from typing import Annotated

import strawberry

from app.graphql.context import Info
from app.graphql.pagination import Connection, connection_of, page_size
from app.graphql.permissions import READS_MONEY, requires
from app.graphql.types.coupon import Coupon, CouponValidation
from app.services.coupons import coupons_page, validate_coupon

_LISTING = "coupons"


@strawberry.type
class CouponQueries:
    @strawberry.field(
        directives=requires(*READS_MONEY),
        description="All coupons that exist at Stripe, by id, those that can no longer be used too. `first` at most "
        "100; not counted.",
    )
    async def coupons(self, info: Info, first: int | None = 50, after: str | None = None) -> Connection[Coupon]:
        cursors = info.context.cursors
        start = cursors.read(_LISTING, after)
        return connection_of(
            await coupons_page(info.context.rt, after=start, first=page_size(first)),
            after=after,
            cursor=lambda coupon: cursors.write(_LISTING, coupon.id),
            translate=lambda coupon: Coupon.from_domain(coupon.id, coupon.facts, coupon.promotions),
        )

    @strawberry.field(
        directives=requires(*READS_MONEY),
        description="Whether a code can be used for a plan now, why not, and what it takes off. Answers from what "
        "Stripe last told and reserves nothing: of two who use the last one, Stripe refuses one. Does not look at a "
        "code's minimum amount, nor at whether it is for first payments only.",
    )
    async def validate_coupon(
        self,
        info: Info,
        *,
        code: Annotated[str, strawberry.argument(description="A promotion code, in any case, or a coupon's id.")],
        plan_key: Annotated[str, strawberry.argument(description="A plan's or an add-on's key; its latest version.")],
        workspace_id: Annotated[
            strawberry.ID | None,
            strawberry.argument(
                description="Who wants to use it, by our id or your external id: for codes that are one customer's."
            ),
        ] = None,
    ) -> CouponValidation:
        rt = info.context.loaded()
        owner = None if workspace_id is None else await info.context.workspace_id(workspace_id)
        return CouponValidation.from_domain(
            await validate_coupon(rt, code, plan_key, workspace_id=owner, at=info.context.at)
        )
