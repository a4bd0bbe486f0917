"""What Stripe's word about one object changes in our records: pure decisions over records that were loaded."""

import msgspec

from app.domain.stripe_object import ENTITLEMENTS, StripeObject, StripeSource
from app.domain.subscription import RANK, TERMINAL, Subscription, SubscriptionStatus, is_known_transition
from sync.stripe.consequences import decide_checkout, decide_entitlements, decide_invoice, decide_mirror, graced
from sync.stripe.decode import decode_subscription
from sync.stripe.links import link_customer, linked_by_operator, workspace_of
from sync.stripe.mirror import is_newer, mirror_of
from sync.stripe.readings import Reading
from sync.stripe.verdict import STALE, Fate, Verdict
from sync.stripe.view import View
from sync.stripe.wire import DecodeError, workspace_ref


def decide(view: View, reading: Reading) -> Verdict:
    """Put into the view what the reading changes."""
    stored = view.get(StripeObject, reading.id)
    try:
        match reading.type:
            case "subscription":
                return _decide_subscription(view, reading, stored)
            case "invoice":
                return decide_invoice(view, reading, stored)
            case _ if not is_newer(stored, reading):
                return STALE
            case "customer":
                return link_customer(view, mirror_of(stored, reading))
            case "checkout.session":
                return decide_checkout(view, reading, stored)
            case type if type == ENTITLEMENTS:
                return decide_entitlements(view, reading, stored)
            case _:
                return decide_mirror(view, reading, stored)
    except DecodeError as error:
        _keep_unread(view, reading, stored)
        return Verdict(fate=Fate.DEAD, reason=str(error))


def _is_newer_status(
    stored: StripeObject | None, reading: Reading, before: SubscriptionStatus, after: SubscriptionStatus
) -> bool:
    """Tell the same of a subscription: events of one second are ordered by how far along its status is."""
    if reading.source is StripeSource.FETCH:
        return is_newer(stored, reading)
    if before in TERMINAL and after not in TERMINAL:
        return False
    is_tied = stored is not None and stored.event_at == reading.event_at and stored.source is StripeSource.EVENT
    if is_tied and RANK[before] != RANK[after]:
        return RANK[after] > RANK[before]
    return is_newer(stored, reading)


def _decide_subscription(view: View, reading: Reading, stored: StripeObject | None) -> Verdict:
    before = view.get(Subscription, reading.id)
    if reading.gone:
        return _end_subscription(view, reading, stored, before)
    provisional = reading.source is StripeSource.EVENT
    after = decode_subscription(reading.raw, stored=before, at=reading.at, provisional=provisional)
    if not _is_newer_status(stored, reading, before.status if before else after.status, after.status):
        return STALE
    customer = view.get(StripeObject, after.stripe_customer_id)
    ref = None if linked_by_operator(customer) else workspace_ref(after.metadata)
    found = view.refs.get(ref) if ref else workspace_of(view, after.stripe_customer_id)
    # Without a link a subscription stays where it was; one that names an unknown workspace also waits for it.
    workspace_id = found or (before.workspace_id if before else None)
    parents = (ref or after.stripe_customer_id,) if found is None and (ref or before is None) else ()
    view.put(mirror_of(stored, reading, workspace_id=workspace_id, parked_under=parents))
    if workspace_id:
        view.put(graced(view, msgspec.structs.replace(after, workspace_id=workspace_id)))
    return Verdict(
        fate=Fate.PARKED if parents else Fate.DONE,
        reason=f"no workspace is known for {parents[0]!r}" if parents else None,
        parents=parents,
        missing_customer=after.stripe_customer_id if parents and not ref and customer is None else None,
        is_unknown_transition=before is not None and not is_known_transition(before.status, after.status),
    )


def _end_subscription(
    view: View, reading: Reading, stored: StripeObject | None, before: Subscription | None
) -> Verdict:
    if not is_newer(stored, reading):
        return STALE
    view.put(mirror_of(stored, reading, workspace_id=before.workspace_id if before else None))
    if before is None or before.status in TERMINAL:
        return Verdict(fate=Fate.DONE)
    ended = msgspec.structs.replace(
        before,
        status=SubscriptionStatus.CANCELED,
        canceled_at=before.canceled_at or reading.at,
        ended_at=reading.at,
        past_due_at=None,
        unpaid_period_start_at=None,
        provisional=False,
    )
    view.put(ended)
    return Verdict(
        fate=Fate.DONE, is_unknown_transition=not is_known_transition(before.status, SubscriptionStatus.CANCELED)
    )


def _keep_unread(view: View, reading: Reading, stored: StripeObject | None) -> None:
    # What the API says is kept also where we cannot read it; a payload that we cannot read says nothing.
    if reading.source is StripeSource.FETCH and is_newer(stored, reading):
        mirror = mirror_of(stored, reading, is_read=False)
        # what was granted because of entitlements must be known to be taken back
        kept = mirror if reading.type == ENTITLEMENTS else msgspec.structs.replace(mirror, facts=None)
        view.put(msgspec.structs.replace(kept, workspace_id=stored.workspace_id if stored else None))
