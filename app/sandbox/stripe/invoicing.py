"""Invoices from draft to paid, void or uncollectible."""

from typing import Final

from app.sandbox.stripe import payments
from app.sandbox.stripe.discounts import KIND, in_force, taken_off, total_amounts
from app.sandbox.stripe.invoice_lines import line_of
from app.sandbox.stripe.metered_lines import recounted
from app.sandbox.stripe.payment_methods import default_method
from app.sandbox.stripe.redemptions import use_up
from app.sandbox.stripe.sandbox import Sandbox
from app.sandbox.stripe.wire import JsonObject, copy, new_id

DRAFT_S: Final = 3_600
_DAY_S: Final = 86_400
_DAYS_UNTIL_DUE: Final = 30
_BLANK: Final[JsonObject] = {
    "object": "invoice",
    "account_country": "US",
    "account_name": "Sandbox",
    "account_tax_ids": None,
    "amount_overpaid": 0,
    "amount_paid": 0,
    "amount_shipping": 0,
    "application": None,
    "attempt_count": 0,
    "attempted": False,
    "auto_advance": True,
    "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None, "provider": None, "status": None},
    "automatically_finalizes_at": None,
    "custom_fields": None,
    "customer_account": None,
    "customer_shipping": None,
    "customer_tax_ids": [],
    "default_source": None,
    "default_tax_rates": [],
    "description": None,
    "discounts": [],
    "due_date": None,
    "effective_at": None,
    "ending_balance": None,
    "footer": None,
    "from_invoice": None,
    "hosted_invoice_url": None,
    "invoice_pdf": None,
    "issuer": {"type": "self"},
    "last_finalization_error": None,
    "latest_revision": None,
    "livemode": False,
    "metadata": {},
    "next_payment_attempt": None,
    "number": None,
    "on_behalf_of": None,
    "payment_settings": {"default_mandate": None, "payment_method_options": None, "payment_method_types": None},
    "post_payment_credit_notes_amount": 0,
    "pre_payment_credit_notes_amount": 0,
    "receipt_number": None,
    "rendering": None,
    "shipping_cost": None,
    "shipping_details": None,
    "starting_balance": 0,
    "statement_descriptor": None,
    "status": "draft",
    "status_transitions": {"finalized_at": None, "marked_uncollectible_at": None, "paid_at": None, "voided_at": None},
    "test_clock": None,
    "total_discount_amounts": [],
    "total_pretax_credit_amounts": [],
    "total_taxes": [],
    "webhooks_delivered_at": None,
}


def new_invoice(
    sandbox: Sandbox,
    subscription: JsonObject,
    lines: list[JsonObject],
    reason: str,
    *,
    period: tuple[int, int],
    more: list[JsonObject] | None = None,
    at: int | None = None,
    discounts: list[JsonObject] | None = None,
) -> JsonObject:
    """Return a draft of these lines, of the invoice items that wait for one, and of `more`; nothing is stored yet.

    The discounts taken off it are those in force at the instant `at` (by default now), or the given ones instead of
    the subscription's.
    """
    waiting = [*reversed(pending_items(sandbox, subscription["id"])), *(more or [])]
    own_id = new_id("in")
    discounts = in_force(sandbox.store, subscription, sandbox.now() if at is None else at, discounts)
    every = [{**line, "invoice": own_id} for line in (*map(line_of, waiting), *lines)]
    customer = sandbox.store.find(subscription["customer"]) or {}
    return {
        **copy(_BLANK),
        "id": own_id,
        "billing_reason": reason,
        "collection_method": subscription["collection_method"],
        "created": sandbox.now(),
        "currency": subscription["currency"],
        "customer": subscription["customer"],
        **{f"customer_{name}": customer.get(name) for name in ("address", "email", "name", "phone", "tax_exempt")},
        "default_payment_method": subscription["default_payment_method"],
        "discounts": [discount["id"] for discount in discounts if discount["subscription_item"] is None],
        "parent": {
            "quote_details": None,
            "subscription_details": {"metadata": subscription["metadata"], "subscription": subscription["id"]},
            "type": "subscription_details",
        },
        "period_end": period[1],
        "period_start": period[0],
        "test_clock": subscription["test_clock"],
        **_sums(every, discounts),
    }


def _sums(lines: list[JsonObject], discounts: list[JsonObject]) -> JsonObject:
    """Return the lines with what the discounts take off them, and what they come to."""
    discounted = taken_off(lines, discounts)
    taken = total_amounts(discounted, discounts)
    subtotal: int = sum(line["amount"] for line in discounted)
    total = subtotal - sum(each["amount"] for each in taken)
    return {
        "amount_due": max(total, 0),
        "amount_remaining": max(total, 0),
        "lines": {"object": "list", "data": discounted},
        "subtotal": subtotal,
        "subtotal_excluding_tax": subtotal,
        "total": total,
        "total_discount_amounts": taken,
        "total_excluding_tax": total,
    }


def pending_items(sandbox: Sandbox, subscription: str) -> list[JsonObject]:
    """Return the subscription's invoice items that no invoice has taken, newest first."""
    of_subscription = sandbox.store.having("invoiceitem", "subscription", subscription)
    return [item for item in of_subscription if item["invoice"] is None]


def subscription_of(sandbox: Sandbox, invoice: JsonObject) -> JsonObject:
    return sandbox.store.get("subscription", invoice["parent"]["subscription_details"]["subscription"])


def is_automatic(invoice: JsonObject) -> bool:
    return invoice["collection_method"] == "charge_automatically"


def issue(sandbox: Sandbox, invoice: JsonObject, *, finalizes_at: int | None) -> JsonObject:
    """Store a new draft, and take its invoice items; it is finalized at that instant, or when somebody asks."""
    for item in pending_items(sandbox, invoice["parent"]["subscription_details"]["subscription"]):
        sandbox.store.put({**item, "invoice": invoice["id"]})
    plan = {
        "auto_advance": finalizes_at is not None,
        "automatically_finalizes_at": finalizes_at,
        "next_payment_attempt": finalizes_at if is_automatic(invoice) else None,
    }
    issued = sandbox.put(None, {**invoice, **plan}, "invoice.created")
    use_up(sandbox, issued)
    return issued


def finalize(sandbox: Sandbox, invoice: JsonObject) -> JsonObject:
    """Close a draft: give it its number, settle the customer's balance, and ask for payment.

    Where nothing is due after that it is paid.
    """
    at = sandbox.now()
    invoice = _recount(sandbox, invoice)
    number, starting, ending = _settle(sandbox, invoice)
    due = max(invoice["total"] + starting, 0) if invoice["total"] else 0
    days: int = subscription_of(sandbox, invoice)["days_until_due"] or _DAYS_UNTIL_DUE
    opened = {
        **invoice,
        "amount_due": due,
        "amount_remaining": due,
        "automatically_finalizes_at": None,
        "due_date": None if is_automatic(invoice) else at + days * _DAY_S,
        "effective_at": at,
        "ending_balance": ending,
        "next_payment_attempt": None,
        "number": number,
        "starting_balance": starting,
        "status": "open",
        "status_transitions": {**invoice["status_transitions"], "finalized_at": at},
    }
    if not due:
        sandbox.put(invoice, opened, "invoice.finalized")
        return mark_paid(sandbox, opened)
    sandbox.put(invoice, opened, "invoice.finalized", *(() if is_automatic(opened) else ("invoice.sent",)))
    payments.ask(sandbox, opened, default_method(sandbox, subscription_of(sandbox, opened)))
    return opened


def _recount(sandbox: Sandbox, draft: JsonObject) -> JsonObject:
    """Return the draft with what was used by now; events of its period may have come since it was made."""
    lines: list[JsonObject] = draft["lines"]["data"]
    counted = recounted(sandbox.store, lines, draft["customer"])
    if counted == lines:
        return draft
    discounts = [sandbox.store.get(KIND, each["discount"]) for each in draft["total_discount_amounts"]]
    changed = {**draft, **_sums(counted, discounts)}
    use_up(sandbox, changed)
    return sandbox.save(draft, changed)


def _settle(sandbox: Sandbox, invoice: JsonObject) -> tuple[str, int, int]:
    """Take the next number and move the customer's balance; return the number, and the balance before and after."""
    customer = sandbox.store.get("customer", invoice["customer"])
    if customer.get("deleted"):
        return f"{new_id('x', 8)[2:].upper()}-0001", 0, 0
    sequence: int = customer["next_invoice_sequence"]
    starting: int = customer["balance"]
    ending = min(invoice["total"] + starting, 0) if invoice["total"] else starting
    numbered = {**customer, "next_invoice_sequence": sequence + 1}
    sandbox.store.put(numbered)
    sandbox.save(numbered, {**numbered, "balance": ending})
    return f"{customer['invoice_prefix']}-{sequence:04}", starting, ending


def mark_paid(sandbox: Sandbox, invoice: JsonObject, *, off_stripe: bool = False) -> JsonObject:
    due: int = invoice["amount_due"]
    paid = {
        **invoice,
        "amount_paid": due,
        "amount_remaining": 0,
        "attempted": True,
        "auto_advance": False,
        "next_payment_attempt": None,
        "status": "paid",
        "status_transitions": {**invoice["status_transitions"], "paid_at": sandbox.now()},
    }
    if off_stripe:
        paid["amount_paid_off_stripe"] = due
    told = ("invoice.updated",) if due else ()
    return sandbox.put(invoice, paid, *told, "invoice.paid", "invoice.payment_succeeded")


def void(sandbox: Sandbox, invoice: JsonObject) -> JsonObject:
    payments.withdraw(sandbox, invoice, "void_invoice")
    return _close(sandbox, invoice, "void", "voided_at", "invoice.voided")


def mark_uncollectible(sandbox: Sandbox, invoice: JsonObject) -> JsonObject:
    return _close(sandbox, invoice, "uncollectible", "marked_uncollectible_at", "invoice.marked_uncollectible")


def _close(sandbox: Sandbox, invoice: JsonObject, status: str, time: str, told: str) -> JsonObject:
    closed = {
        **invoice,
        "auto_advance": False,
        "next_payment_attempt": None,
        "status": status,
        "status_transitions": {**invoice["status_transitions"], time: sandbox.now()},
    }
    return sandbox.put(invoice, closed, "invoice.updated", told)


def stop_collecting(sandbox: Sandbox, subscription: JsonObject) -> None:
    """Neither finalize nor charge what is left of a subscription that has ended, unless somebody asks."""
    stopped = {"auto_advance": False, "automatically_finalizes_at": None, "next_payment_attempt": None}
    for invoice in sandbox.store.having("invoice", "subscription", subscription["id"]):
        if invoice["status"] in ("draft", "open"):
            sandbox.save(invoice, {**invoice, **stopped})
