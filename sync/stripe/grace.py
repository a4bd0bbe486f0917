"""Since when a subscription is past due: told by the oldest of its invoices that are still unpaid. Pure."""

from collections.abc import Iterable

import msgspec

from app.domain.stripe_facts import OWED, InvoiceFacts
from app.domain.subscription import PAST_DUE, Subscription


def with_grace(sub: Subscription, invoices: Iterable[InvoiceFacts]) -> Subscription:
    """Return the subscription past due since its oldest unpaid invoice failed first; as it is where none is known.

    The invoices may be of others too. What is paid or voided counts no more, so each unpaid invoice fixes it once.
    """
    if sub.status not in PAST_DUE:
        return msgspec.structs.replace(sub, past_due_at=None, unpaid_period_start_at=None)
    failures = [(at, one) for one in invoices if one.subscription_id == sub.id and (at := _failed_at(one)) is not None]
    if not failures:
        return sub
    failed_at, oldest = min(failures, key=lambda failure: failure[0])
    return msgspec.structs.replace(
        sub, past_due_at=failed_at, unpaid_period_start_at=_period_start_at(oldest, sub) or sub.unpaid_period_start_at
    )


def with_failure(facts: InvoiceFacts, *told: int | None) -> InvoiceFacts:
    """Return the invoice with the earliest of the instants at which its first payment was told to have failed."""
    known = [at for at in (facts.first_failed_at, *told) if at is not None]
    return msgspec.structs.replace(facts, first_failed_at=min(known, default=None))


def _failed_at(invoice: InvoiceFacts) -> int | None:
    """Return when it failed first, None where it has not.

    Stripe tries for the first time when it finalises the invoice; one that is sent fails when it is overdue. Payments
    that take days to fail are only told of by their event.
    """
    if invoice.status not in OWED:
        return None
    if invoice.first_failed_at is not None:
        return invoice.first_failed_at
    if invoice.collection_method == "send_invoice":
        return invoice.due_at
    return (invoice.finalized_at or invoice.created_at) if invoice.attempted or invoice.attempt_count else None


def _period_start_at(invoice: InvoiceFacts, sub: Subscription) -> int | None:
    """Return the start of what it is for; a proration is for the rest of a period that has begun before."""
    starts = [
        line.period_start_at
        for line in invoice.lines
        if line.subscription_id in (None, sub.id) and not line.proration and line.period_start_at is not None
    ]
    return min(starts, default=None)
