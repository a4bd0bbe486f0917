"""What invoices, checkouts and Stripe's entitlements change beside their mirrors."""

from functools import partial

import msgspec

from app.domain.grant import Grant
from app.domain.stripe_facts import ActiveEntitlementsFacts, CheckoutSessionFacts, InvoiceFacts
from app.domain.stripe_object import StripeObject, StripeSource, customer_of_entitlements
from app.domain.subscription import Subscription
from sync.stripe.entitlements import Entitled, changed_grants
from sync.stripe.grace import with_failure, with_grace
from sync.stripe.links import link_customer, workspace_of
from sync.stripe.mirror import is_newer, mirror_of
from sync.stripe.purchases import bought, unsold
from sync.stripe.readings import Reading
from sync.stripe.touched import touched
from sync.stripe.verdict import STALE, Fate, Verdict
from sync.stripe.view import View


def decide_mirror(view: View, reading: Reading, stored: StripeObject | None) -> Verdict:
    """Keep what Stripe says, whether or not its customer is known: nothing is parked, see `StripeObject`."""
    mirror, before = mirror_of(stored, reading), None if reading.is_again else stored
    view.put(mirror)
    return Verdict(fate=Fate.DONE, touched=touched(mirror, before) if reading.source is StripeSource.FETCH else ())


def decide_invoice(view: View, reading: Reading, stored: StripeObject | None) -> Verdict:
    """Keep an invoice, and when it failed first; count its subscription's grace from that.

    Also an invoice that was read earlier than what is stored may come with the event of the first failure.
    """
    verdict = decide_mirror(view, reading, stored) if is_newer(stored, reading) else STALE
    mirror = view.get(StripeObject, reading.id)
    if mirror is None or not isinstance(mirror.facts, InvoiceFacts):
        return verdict
    if reading.first_failed_at is not None:
        view.put(msgspec.structs.replace(mirror, facts=with_failure(mirror.facts, reading.first_failed_at)))
    sub = view.get(Subscription, mirror.facts.subscription_id or "")
    if sub is not None:
        view.put(graced(view, sub))
    return verdict


def graced(view: View, sub: Subscription) -> Subscription:
    """Return the subscription with its grace by the invoices in the view."""
    return with_grace(sub, (invoice for _, invoice in view.mirrors(InvoiceFacts)))


def decide_checkout(view: View, reading: Reading, stored: StripeObject | None) -> Verdict:
    """Keep a checkout; once it is complete, link its customer, and grant once what was bought and paid.

    A payload alone grants nothing: what is worth money is asked for.
    """
    verdict = decide_mirror(view, reading, stored)
    mirror = view.get(StripeObject, reading.id)
    if mirror is None or mirror.gone or not isinstance(session := mirror.facts, CheckoutSessionFacts):
        return verdict
    if session.status != "complete":
        return verdict
    linked = _link_customer_of(view, session)
    workspace_id = _workspace_of_checkout(view, session)
    grants = list(bought(mirror.id, session, workspace_id or "", view.catalogue, reading.at))
    if workspace_id is None and (session.workspace_ref or (grants and session.customer_id)):
        parent = session.workspace_ref or session.customer_id or ""
        view.put(msgspec.structs.replace(mirror, parked_under=(parent,)))
        reason = f"no workspace is known for {parent!r}"
        return msgspec.structs.replace(verdict, fate=Fate.PARKED, reason=reason, parents=(parent,))
    view.put(msgspec.structs.replace(mirror, workspace_id=workspace_id))
    if workspace_id and reading.source is StripeSource.FETCH:
        for grant in grants:
            if view.get(Grant, grant.id) is None:
                view.put(grant)
    return msgspec.structs.replace(
        verdict,
        reason=_unsold_reason(session, view),
        linked=linked.linked if linked else None,
        missing_customer=session.customer_id if session.workspace_ref and linked is None else None,
    )


def _link_customer_of(view: View, session: CheckoutSessionFacts) -> Verdict | None:
    """Link the customer anew where the checkout names a workspace; None where it is not known yet."""
    customer = view.get(StripeObject, session.customer_id or "")
    if customer is None or customer.gone:
        return None
    return link_customer(view, customer) if session.workspace_ref else Verdict(fate=Fate.DONE)


def _workspace_of_checkout(view: View, session: CheckoutSessionFacts) -> str | None:
    if session.workspace_ref:
        return view.refs.get(session.workspace_ref)
    return workspace_of(view, session.customer_id) if session.customer_id else None


def _unsold_reason(session: CheckoutSessionFacts, view: View) -> str | None:
    prices = unsold(session, view.catalogue) if session.is_paid else ()
    if not prices:
        return None
    names = ", ".join(prices)
    return f"nothing was granted for {names}: name it in an add-on of the catalogue, then replay this event"


def decide_entitlements(view: View, reading: Reading, stored: StripeObject | None) -> Verdict:
    """Keep what Stripe entitles a customer to, and replace what its workspace is granted because of that."""
    mirror = mirror_of(stored, reading)
    before = _entitled(stored)
    if isinstance(mirror.facts, ActiveEntitlementsFacts) and not mirror.facts.is_complete:
        kept = stored or msgspec.structs.replace(mirror, facts=None)  # and with it whose grants there are
        view.put(
            msgspec.structs.replace(
                mirror, facts=kept.facts, workspace_id=kept.workspace_id, parked_under=kept.parked_under
            )
        )
        return Verdict(fate=Fate.DONE, reason="only a first page came with the event: set STRIPE_SECRET_KEY")
    customer_id = customer_of_entitlements(reading.id)
    workspace_id = None if mirror.gone else workspace_of(view, customer_id)
    parents = () if mirror.gone or workspace_id else (customer_id,)
    mirror = msgspec.structs.replace(mirror, workspace_id=workspace_id, parked_under=parents)
    view.put(mirror)
    for grant in changed_grants(before, _entitled(mirror), partial(view.get, Grant), reading.at):
        view.put(grant)
    if not parents:
        return Verdict(fate=Fate.DONE)
    is_unknown = view.get(StripeObject, customer_id) is None
    return Verdict(
        fate=Fate.PARKED,
        reason=f"no workspace is known for {customer_id!r}",
        parents=parents,
        missing_customer=customer_id if is_unknown else None,
    )


def _entitled(mirror: StripeObject | None) -> Entitled | None:
    if mirror is None or mirror.workspace_id is None or not isinstance(mirror.facts, ActiveEntitlementsFacts):
        return None
    return Entitled(mirror.workspace_id, mirror.facts)
