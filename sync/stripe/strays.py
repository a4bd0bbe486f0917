"""What is not where its customer is: looked at again after every word on the customer, so that no crash loses it."""

from collections.abc import Iterable

from app.domain.change import Kind
from app.domain.stripe_event import ObjectName
from app.domain.stripe_object import ENTITLEMENTS, StripeObject, entitlements_id
from app.runtime import Runtime


async def strays(rt: Runtime, customers: Iterable[StripeObject]) -> list[ObjectName]:
    """Return the subscriptions and entitlements that another workspace has than their customer is linked to.

    A subscription may say so itself: then looking again changes nothing. Of a customer that nobody names any more the
    subscriptions stay. Raises `UnavailableError`.
    """
    owners = {customer.id: customer.workspace_id for customer in customers}
    if not owners:
        return []
    subs = await rt.store.subscriptions_of_customers(owners)
    found = [
        ObjectName("subscription", sub.id)
        for sub in subs
        if (owner := owners[sub.stripe_customer_id]) and owner != sub.workspace_id
    ]
    ids = {entitlements_id(customer_id): customer_id for customer_id in owners}
    for summary in (await rt.store.read(Kind.STRIPE_OBJECT, ids)).values():
        if not isinstance(summary, StripeObject) or summary.gone or summary.parked_under:
            continue  # what is parked is released by its customer
        if summary.workspace_id != owners[ids[summary.id]]:
            found.append(ObjectName(ENTITLEMENTS, summary.id))
    return found
