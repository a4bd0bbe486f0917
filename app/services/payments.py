"""Payments: a workspace's, and one by id."""

from collections.abc import Sequence

from app.domain.payment import Payment, charges_of, compose
from app.domain.stripe_facts import ChargeFacts, DisputeFacts, InvoiceFacts, PaymentIntentFacts
from app.ports.store import Page
from app.runtime import Runtime
from app.services.mirrors import Mirrored, count_of_workspace, find_mirrors, known, page_of_workspace


async def payments_page(rt: Runtime, workspace_id: str, *, after: tuple[int, str] | None, first: int) -> Page[Payment]:
    """Return a workspace's payments, the newest first. Asks the store a few times, however many there are."""
    page = await page_of_workspace(rt, PaymentIntentFacts, workspace_id, after=after, first=first)
    return Page(tuple(await _with_surroundings(rt, page.items)), page.has_next)


async def count_payments(rt: Runtime, workspace_id: str) -> int:
    """Count the same on all pages."""
    return await count_of_workspace(rt, PaymentIntentFacts, workspace_id)


async def find_payment(rt: Runtime, id: str) -> Payment | None:
    """Return the payment with Stripe's id of its intent; None where none is known."""
    found = (await find_mirrors(rt, PaymentIntentFacts, (id,))).get(id)
    return (await _with_surroundings(rt, [found]))[0] if found else None


async def _with_surroundings(rt: Runtime, intents: Sequence[Mirrored[PaymentIntentFacts]]) -> list[Payment]:
    if not intents:
        return []
    facts = {intent.id: intent.facts for intent in intents}
    charge_ids = charges_of(facts.values())
    charges = await find_mirrors(rt, ChargeFacts, charge_ids)
    disputes = known(await rt.mirrors.disputes_of(charge_ids), DisputeFacts) if charge_ids else []
    invoices = known(await rt.mirrors.invoices_paid_by(tuple(facts)), InvoiceFacts)
    return compose(
        facts,
        charges={charge.id: charge.facts for charge in charges.values()},
        disputes={dispute.id: dispute.facts for dispute in disputes},
        invoices={invoice.id: invoice.facts for invoice in invoices},
    )
