"""Whom Stripe entitles to something, found in a page of subscriptions: nobody lists active entitlements as a whole."""

from collections.abc import Iterator, Sequence

from app.domain.change import Kind
from app.domain.stripe_event import ObjectName
from app.domain.stripe_facts import ProductFacts
from app.domain.stripe_object import ENTITLEMENTS, StripeObject, entitlements_id
from app.domain.subscription import TERMINAL, Subscription
from app.runtime import Runtime
from sync.stripe.decode import decode_subscription
from sync.stripe.readings import Reading
from sync.stripe.wire import DecodeError


async def entitled(rt: Runtime, readings: Sequence[Reading]) -> list[ObjectName]:
    """Name the entitlements that were never fetched of those who subscribe to a product with features.

    So an account without features costs no request, and one with features a request for each customer, once.
    """
    subs = list(_living(readings))
    products = await _mirrors(rt, {item.product_id for sub in subs for item in sub.items if item.product_id})
    featured = {one.id for one in products.values() if isinstance(one.facts, ProductFacts) and one.facts.features}
    wanted = {
        entitlements_id(sub.stripe_customer_id)
        for sub in subs
        if any(item.product_id in featured for item in sub.items)
    }
    known = await _mirrors(rt, wanted)
    return [ObjectName(ENTITLEMENTS, id) for id in sorted(wanted - known.keys())]  # noqa: A001 - the API's word


def _living(readings: Sequence[Reading]) -> Iterator[Subscription]:
    for reading in readings:
        try:
            sub = decode_subscription(reading.raw, stored=None, at=reading.at, provisional=False)
        except DecodeError:
            continue
        if sub.status not in TERMINAL:
            yield sub


async def _mirrors(rt: Runtime, ids: set[str]) -> dict[str, StripeObject]:
    found = await rt.store.read(Kind.STRIPE_OBJECT, ids) if ids else {}
    return {one.id: one for one in found.values() if isinstance(one, StripeObject)}
