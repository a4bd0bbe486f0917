"""Invoices: a workspace's, and one by id."""

from collections.abc import Collection

from app.domain.invoice import InvoiceStatus
from app.domain.stripe_facts import InvoiceFacts
from app.ports.store import Page
from app.runtime import Runtime
from app.services.mirrors import Mirrored, count_of_workspace, find_mirrors, page_of_workspace


async def invoices_page(
    rt: Runtime,
    workspace_id: str,
    *,
    statuses: Collection[InvoiceStatus],
    after: tuple[int, str] | None,
    first: int,
) -> Page[Mirrored[InvoiceFacts]]:
    """Return a workspace's invoices, the newest first; empty `statuses` means every status."""
    return await page_of_workspace(rt, InvoiceFacts, workspace_id, statuses=_words(statuses), after=after, first=first)


async def count_invoices(rt: Runtime, workspace_id: str, *, statuses: Collection[InvoiceStatus]) -> int:
    """Count the same on all pages."""
    return await count_of_workspace(rt, InvoiceFacts, workspace_id, statuses=_words(statuses))


async def find_invoice(rt: Runtime, id: str) -> Mirrored[InvoiceFacts] | None:
    """Return the invoice with Stripe's id; None where none is known."""
    return (await find_mirrors(rt, InvoiceFacts, (id,))).get(id)


def _words(statuses: Collection[InvoiceStatus]) -> tuple[str, ...]:
    return tuple(status.value for status in statuses)
