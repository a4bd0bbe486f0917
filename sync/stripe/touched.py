"""Which other objects may have changed along with a mirror: one table, and it comes to rest."""

from collections.abc import Iterator

import msgspec

from app.domain.stripe_event import ObjectName
from app.domain.stripe_facts import ChargeFacts, DisputeFacts, InvoiceFacts, RefundFacts, StripeFacts
from app.domain.stripe_object import StripeObject


def touched(mirror: StripeObject, before: StripeObject | None) -> tuple[ObjectName, ...]:
    """Return what is to be looked at again, now that the mirror is as it is.

    That is nothing where the mirror says the same as before; and it leads from refunds and disputes to charges, from
    there to payments and invoices, from there to subscriptions, and never back: so looking again ends.
    """
    if before is not None and _lasting(before) == _lasting(mirror) and before.gone == mirror.gone:
        return ()
    return tuple(ObjectName(type, id) for type, id in _named(mirror, before) if id)  # noqa: A001 - the API's words


def _lasting(mirror: StripeObject) -> StripeFacts | None:
    """Leave out the address of an invoice's page, of which Stripe makes another each time it is asked."""
    facts = mirror.facts
    return msgspec.structs.replace(facts, hosted_url=None) if isinstance(facts, InvoiceFacts) else facts


def _named(mirror: StripeObject, before: StripeObject | None) -> Iterator[tuple[str, str | None]]:
    match mirror.facts:
        case InvoiceFacts() as invoice:
            yield "subscription", invoice.subscription_id
        case RefundFacts() | DisputeFacts() as withdrawn:
            yield "charge", withdrawn.charge_id
        case ChargeFacts() as charge:
            # A payment and its invoice tell how it went, and nothing of refunds. An invoice since basil is not named
            # by its charge: it names its payments itself, and events of its own tell that it was paid.
            if not (before and isinstance(before.facts, ChargeFacts) and before.facts.status == charge.status):
                yield "payment_intent", charge.payment_intent_id
                yield "invoice", charge.invoice_id
        case _:
            return
