"""Invoices that do not exist yet: of the next renewal, and of a change."""

from app.sandbox.stripe.billing import costs_of_change, lines_of_periods, next_period_of, restarted_by
from app.sandbox.stripe.invoice_lines import period_of
from app.sandbox.stripe.invoicing import DRAFT_S, new_invoice
from app.sandbox.stripe.metered_lines import last_lines
from app.sandbox.stripe.sandbox import Sandbox
from app.sandbox.stripe.wire import JsonObject


def preview(
    sandbox: Sandbox,
    before: JsonObject,
    after: JsonObject,
    *,
    proration: str,
    at: int,
    discounts: list[JsonObject] | None = None,
) -> JsonObject:
    """Return the next invoice as it would be if `before` became `after`; nothing is stored.

    `discounts` are taken off instead of those in force.
    """
    after, made = costs_of_change(sandbox, before, after, proration, at)
    restarted = restarted_by(before, after)
    if not restarted and not (made and proration == "always_invoice"):
        return upcoming(sandbox, after, made, discounts)
    lines = lines_of_periods(sandbox.store, before, after, restarted, sandbox.now())
    period = (sandbox.now(), sandbox.now())
    return new_invoice(sandbox, after, lines, "subscription_update", period=period, more=made, discounts=discounts)


def upcoming(
    sandbox: Sandbox,
    subscription: JsonObject,
    more: list[JsonObject] | None = None,
    discounts: list[JsonObject] | None = None,
) -> JsonObject:
    """Return the invoice of the next renewal as it would be today, with `more` invoice items; nothing is stored."""
    ends: int = (
        subscription["trial_end"]
        if subscription["status"] == "trialing"
        else min(item["current_period_end"] for item in subscription["items"]["data"])
    )
    lines = _lines_at(sandbox, subscription, ends)
    period = period_of(subscription["items"]["data"][0])
    drafted = new_invoice(
        sandbox, subscription, lines, "upcoming", period=period, more=more, at=ends, discounts=discounts
    )
    return {**drafted, "next_payment_attempt": ends + DRAFT_S}


def _lines_at(sandbox: Sandbox, subscription: JsonObject, ends: int) -> list[JsonObject]:
    """Return the lines of a renewal, or what is left to be charged for where the subscription ends by then."""
    if subscription["cancel_at"] is not None and subscription["cancel_at"] <= ends:
        return last_lines(sandbox.store, subscription, subscription["cancel_at"])
    items = [
        next_period_of(sandbox.store, subscription, {**item, "current_period_end": ends})
        for item in subscription["items"]["data"]
        if item["current_period_end"] <= ends
    ]
    renewed = {**subscription, "status": "active"}
    return lines_of_periods(sandbox.store, subscription, renewed, items, ends)
