"""What Stripe's objects are mirrored as, where people read them."""

from collections.abc import Collection
from typing import Protocol

from app.domain.stripe_object import StripeObject
from app.ports.store import Page


class Mirrors(Protocol):
    """Listings of the mirrors of what exists at Stripe. Every call has a deadline and raises `UnavailableError`."""

    async def page_of_customers(
        self,
        type: str,
        customer_ids: Collection[str],
        *,
        statuses: Collection[str] = (),
        after: tuple[int, str] | None,
        first: int,
    ) -> Page[StripeObject]:
        """Return what these customers have of a type, the newest made at Stripe first.

        `after` is when the last one read was made, and its id. Empty `statuses` (Stripe's words) means every status.
        """
        ...

    async def count_of_customers(
        self, type: str, customer_ids: Collection[str], *, statuses: Collection[str] = ()
    ) -> int:
        """Count the same on all pages."""
        ...

    async def disputes_of(self, charge_ids: Collection[str]) -> list[StripeObject]:
        """Return the disputes about these charges."""
        ...

    async def invoices_paid_by(self, payment_intent_ids: Collection[str]) -> list[StripeObject]:
        """Return the invoices that name one of these payment intents."""
        ...

    async def promotion_codes_of(self, coupon_ids: Collection[str]) -> list[StripeObject]:
        """Return the promotion codes that lead to these coupons."""
        ...

    async def promotion_codes_named(self, code: str) -> list[StripeObject]:
        """Return the promotion codes that a person types so, in whichever case."""
        ...

    async def prices_named(self, names: Collection[str]) -> list[StripeObject]:
        """Return the prices with one of these ids or lookup keys."""
        ...
