"""Which workspace a customer pays for: decided here, named by Stripe's metadata, or by a checkout."""

import msgspec

from app.domain.stripe_facts import CheckoutSessionFacts, CustomerFacts
from app.domain.stripe_object import LinkedBy, StripeObject
from app.domain.workspace import Workspace
from sync.stripe.policy import workspace_for
from sync.stripe.verdict import Fate, Verdict
from sync.stripe.view import View


def link_customer(view: View, customer: StripeObject) -> Verdict:
    """Put the customer into the view, linked to its workspace, which is taken from the one that had it.

    What somebody decided here goes before the metadata, that before the checkouts that the customer completed, and that
    before the workspace that the policy has made for it, or makes now.
    """
    stored = view.get(StripeObject, customer.id)
    before = stored.workspace_id if stored else None
    operators = None if customer.gone else linked_by_operator(customer)
    ref = None if customer.gone or operators else _ref_of(view, customer)
    if not customer.gone and not operators and not (ref and ref in view.refs):
        customer = _linked_by_policy(view, customer, ref)
    workspace_id = operators or (view.refs.get(ref) if ref else None) or (None if customer.gone else customer.linked_to)
    parents = (ref,) if ref and ref not in view.refs else ()
    linked = msgspec.structs.replace(customer, workspace_id=workspace_id, parked_under=parents)
    view.put(linked)
    if before and before != workspace_id:
        _unlink(view, before, customer.id)
    if workspace_id:
        _link(view, workspace_id, linked)
    return Verdict(
        fate=Fate.PARKED if parents else Fate.DONE,
        reason=f"no workspace is named {ref!r}" if parents else None,
        parents=parents,
        linked=customer.id if workspace_id and workspace_id != before else None,
    )


def workspace_of(view: View, customer_id: str) -> str | None:
    """Return the workspace of a customer: the one that it is linked to, or that claims it."""
    customer = view.get(StripeObject, customer_id)
    return (customer.workspace_id if customer else None) or view.customers.get(customer_id)


def linked_by_operator(customer: StripeObject | None) -> str | None:
    """Return the workspace that somebody linked the customer to: that goes before all that Stripe says."""
    return customer.linked_to if customer and customer.linked_by is LinkedBy.OPERATOR else None


def _linked_by_policy(view: View, customer: StripeObject, ref: str | None) -> StripeObject:
    """Make a workspace for a customer that nothing else links, where that is wanted and none was made before.

    Its external id makes it one, however often and wherever the customer is read.
    """
    fresh_id = view.fresh_ids.get(customer.id)
    if customer.linked_to is not None or fresh_id is None or not isinstance(customer.facts, CustomerFacts):
        return customer
    made = workspace_for(ref or customer.id, customer.facts, id=fresh_id)
    if made is None:
        return customer
    if (ref or customer.id) not in view.refs:
        view.put(made)
        view.refs[ref or customer.id] = made.id
    return msgspec.structs.replace(customer, linked_to=view.refs[ref or customer.id], linked_by=LinkedBy.POLICY)


def _ref_of(view: View, customer: StripeObject) -> str | None:
    """Return the name of the workspace: by the customer's metadata, else by the last checkout that names one."""
    if isinstance(customer.facts, CustomerFacts) and customer.facts.workspace_ref:
        return customer.facts.workspace_ref
    checkouts = [
        (session.created_at, mirror.id, session.workspace_ref)
        for mirror, session in view.mirrors(CheckoutSessionFacts)
        if session.customer_id == customer.id and session.status == "complete" and session.workspace_ref
    ]
    return max(checkouts)[2] if checkouts else None


def _link(view: View, workspace_id: str, customer: StripeObject) -> None:
    workspace = view.get(Workspace, workspace_id)
    if workspace is None or workspace.stripe_customer_id == customer.id:
        return
    rival = view.get(StripeObject, workspace.stripe_customer_id) if workspace.stripe_customer_id else None
    # Of several customers that name one workspace the youngest is its own, in whatever order they were read; unless
    # somebody has linked one of them.
    if rival and rival.workspace_id == workspace_id and not linked_by_operator(customer):
        is_rivals = linked_by_operator(rival) or _age(rival) > _age(customer)
        if is_rivals:
            return
    view.put(msgspec.structs.replace(workspace, stripe_customer_id=customer.id))


def _age(customer: StripeObject) -> tuple[int, str]:
    return customer.facts.created_at if isinstance(customer.facts, CustomerFacts) else 0, customer.id


def _unlink(view: View, workspace_id: str, customer_id: str) -> None:
    """Take the customer from the workspace; of others that are linked to it one takes its place."""
    workspace = view.get(Workspace, workspace_id)
    if workspace is None or workspace.stripe_customer_id != customer_id:
        return
    others = [
        (linked_by_operator(mirror) is not None, _age(mirror), mirror.id)
        for mirror, _ in view.mirrors(CustomerFacts)
        if mirror.workspace_id == workspace_id and mirror.id != customer_id
    ]
    view.put(msgspec.structs.replace(workspace, stripe_customer_id=max(others)[2] if others else None))
