"""What a subscription is invoiced for: its start, its changes, its renewals and the end of its trial."""

from typing import Final

from app.sandbox.stripe import pending_updates
from app.sandbox.stripe.cards import Decline
from app.sandbox.stripe.collection import bill, decline_of, settle
from app.sandbox.stripe.dues import TRIAL_NOTICE_S
from app.sandbox.stripe.invoice_lines import period_line, period_of, proration_items
from app.sandbox.stripe.invoicing import DRAFT_S, finalize, issue, mark_uncollectible, new_invoice, pending_items, void
from app.sandbox.stripe.metered_lines import cut_off, is_metered, last_lines, usage_line
from app.sandbox.stripe.payment_methods import default_method
from app.sandbox.stripe.periods import next_period_end
from app.sandbox.stripe.redemptions import follow, held_by
from app.sandbox.stripe.sandbox import Sandbox
from app.sandbox.stripe.store import Store
from app.sandbox.stripe.wire import JsonObject

_PRORATED: Final = ("active", "past_due")
_COUNTED: Final = (*_PRORATED, "unpaid")
_PERIOD: Final = ("current_period_start", "current_period_end")


def start(sandbox: Sandbox, created: JsonObject, payment_behavior: str | None) -> JsonObject:
    """Store a new subscription with its first invoice, which is finalized and charged at once.

    It is incomplete from the start where that fails, or where `default_incomplete` leaves it to the customer.
    """
    invoice = first_invoice(sandbox, created)
    automatic = created["collection_method"] == "charge_automatically"
    owes = automatic and created["status"] != "trialing" and _is_due(sandbox, invoice)
    decline = decline_of(sandbox, default_method(sandbox, created)) if owes else None
    waits = owes and payment_behavior == "default_incomplete"
    if decline and payment_behavior == "error_if_incomplete":
        raise decline.to_error("subscription")
    if waits or decline:
        created = {**created, "status": "incomplete"}
    subscription = _save(sandbox, None, {**created, "latest_invoice": invoice["id"]})
    bill(sandbox, invoice, attempt=not waits)
    if created["status"] == "trialing" and created["trial_end"] <= sandbox.now() + TRIAL_NOTICE_S:
        sandbox.put(subscription, subscription, "customer.subscription.trial_will_end")
    return sandbox.store.get("subscription", subscription["id"])


def first_invoice(sandbox: Sandbox, created: JsonObject) -> JsonObject:
    """Return the draft of a new subscription's first invoice; nothing is stored yet."""
    return _invoice_of_periods(sandbox, created, created["items"]["data"], "subscription_create", created)


def _save(sandbox: Sandbox, before: JsonObject | None, after: JsonObject) -> JsonObject:
    """Store the subscription, and redeem its new discounts."""
    saved = sandbox.save(before, after)
    follow(sandbox, held_by(before) if before else [], held_by(after))
    return saved


def _is_due(sandbox: Sandbox, invoice: JsonObject) -> bool:
    customer = sandbox.store.get("customer", invoice["customer"])
    return invoice["total"] > 0 and invoice["total"] + customer["balance"] > 0


def _invoice_of_periods(
    sandbox: Sandbox, subscription: JsonObject, items: list[JsonObject], reason: str, before: JsonObject
) -> JsonObject:
    """Return a draft for the items' current periods; the invoice's own period is the one before."""
    lines = lines_of_periods(sandbox.store, before, subscription, items)
    old = before["items"]["data"][0]
    period = (sandbox.now(), sandbox.now()) if before is subscription else period_of(old)
    return new_invoice(sandbox, subscription, lines, reason, period=period)


def lines_of_periods(
    store: Store, before: JsonObject, after: JsonObject, items: list[JsonObject], until: int | None = None
) -> list[JsonObject]:
    """Return the lines with which items begin their periods: of the new one, and of what metered ones used in the old.

    `until` is when the old periods end, by default when they were to.
    """
    is_trial, counts = after["status"] == "trialing", before is not after and before["status"] in _COUNTED
    former = {item["id"]: item for item in before["items"]["data"] if counts and is_metered(store, item)}
    lines: list[JsonObject] = []
    for item in items:
        if old := former.get(item["id"]):
            ends: int = old[_PERIOD[1]] if until is None else until
            lines.append(usage_line(store, old, before, ends))
        if old is None or not is_metered(store, item):
            lines.append(period_line(store, item, after["currency"], is_trial=is_trial))
    return lines


def change(
    sandbox: Sandbox, before: JsonObject, after: JsonObject, *, proration: str, at: int, payment_behavior: str | None
) -> JsonObject:
    """Store a changed subscription, and invoice what the change costs.

    Items that begin a new period are invoiced for it at once. `proration` says what becomes of the time that is left
    in the others': lines of the next invoice (`create_prorations`), an invoice now (`always_invoice`), or `none`.
    `at` is the instant from which time is counted, in epoch seconds.
    """
    after, made = costs_of_change(sandbox, before, after, proration, at)
    restarted = restarted_by(before, after)
    if not restarted and not (made and proration == "always_invoice"):
        _keep(sandbox, made)
        return _save(sandbox, before, after)
    lines = lines_of_periods(sandbox.store, before, after, restarted, sandbox.now())
    decline = _decline_of(sandbox, after, [*lines, *made])
    if decline and payment_behavior == "error_if_incomplete":
        raise decline.to_error("subscription")
    _keep(sandbox, made)
    invoice = new_invoice(sandbox, after, lines, "subscription_update", period=(sandbox.now(), sandbox.now()))
    if decline and payment_behavior == pending_updates.BEHAVIOR:
        after = pending_updates.propose(before, after, sandbox.now())
    saved = _save(sandbox, before, {**after, "latest_invoice": invoice["id"]})
    waits = payment_behavior == "default_incomplete"
    billed = bill(sandbox, invoice, attempt=not waits)
    changed = sandbox.store.get("subscription", saved["id"])
    if waits and billed["status"] == "open" and changed["status"] == "active":
        return sandbox.save(changed, {**changed, "status": "past_due"})
    return changed


def costs_of_change(
    sandbox: Sandbox, before: JsonObject, after: JsonObject, proration: str, at: int
) -> tuple[JsonObject, list[JsonObject]]:
    """Return the changed subscription with the invoice items for what was used, and for the time that is left."""
    after, made = cut_off(sandbox.store, before, after, sandbox.now())
    if proration != "none" and before["status"] in _PRORATED:
        made = [*made, *proration_items(sandbox.store, before, after, at, sandbox.now())]
    return after, made


def restarted_by(before: JsonObject, after: JsonObject) -> list[JsonObject]:
    """Return the items that begin a new period which is to be paid for."""
    if after["status"] not in _PRORATED:
        return []
    old = {item["id"]: item for item in before["items"]["data"]}
    return [
        item for item in after["items"]["data"] if item["id"] in old and period_of(old[item["id"]]) != period_of(item)
    ]


def _decline_of(sandbox: Sandbox, after: JsonObject, charged: list[JsonObject]) -> Decline | None:
    """Return why the payment of a change would fail, if it would."""
    is_owing = sum(line["amount"] for line in charged) > 0
    return decline_of(sandbox, default_method(sandbox, after)) if is_owing else None


def _keep(sandbox: Sandbox, invoice_items: list[JsonObject]) -> None:
    for item in invoice_items:
        sandbox.put(None, item, "invoiceitem.created")


def renew(sandbox: Sandbox, subscription: JsonObject) -> None:
    """Begin the next period of the items whose period is over, and draft the invoice for it."""
    now = sandbox.now()
    over = {item["id"] for item in subscription["items"]["data"] if item[_PERIOD[1]] <= now}
    items = [
        next_period_of(sandbox.store, subscription, item) if item["id"] in over else item
        for item in subscription["items"]["data"]
    ]
    renewed = {**subscription, "items": {**subscription["items"], "data": items}}
    _bill_cycle(sandbox, subscription, renewed, [item for item in items if item["id"] in over])


def next_period_of(store: Store, subscription: JsonObject, item: JsonObject) -> JsonObject:
    """Return the item in the period that follows its current one."""
    recurring = store.get("price", item["price"])["recurring"]
    begin: int = item[_PERIOD[1]]
    end = next_period_end(
        begin, subscription["billing_cycle_anchor"], recurring["interval"], recurring["interval_count"]
    )
    return {**item, _PERIOD[0]: begin, _PERIOD[1]: end}


def caught_up(sandbox: Sandbox, subscription: JsonObject) -> JsonObject:
    """Return the subscription with its items in the period of their billing cycle that is now."""
    items: list[JsonObject] = []
    for held in subscription["items"]["data"]:
        item = held
        while item[_PERIOD[1]] <= sandbox.now():
            item = next_period_of(sandbox.store, subscription, item)
        items.append(item)
    return {**subscription, "items": {**subscription["items"], "data": items}}


def end_trial(sandbox: Sandbox, subscription: JsonObject) -> None:
    """Make the subscription active and draft its first paid invoice."""
    renewed = {**subscription, "status": "active"}
    items = [
        next_period_of(sandbox.store, renewed, {**item, _PERIOD[1]: subscription["trial_end"]})
        for item in subscription["items"]["data"]
    ]
    renewed["items"] = {**subscription["items"], "data": items}
    _bill_cycle(sandbox, subscription, renewed, items)


def _bill_cycle(sandbox: Sandbox, before: JsonObject, after: JsonObject, items: list[JsonObject]) -> None:
    invoice = _invoice_of_periods(sandbox, after, items, "subscription_cycle", before)
    sandbox.save(before, {**after, "latest_invoice": invoice["id"]})
    pause: JsonObject = after["pause_collection"] or {}
    stays = after["status"] == "unpaid" or pause.get("behavior") == "keep_as_draft"
    issue(sandbox, invoice, finalizes_at=None if stays else sandbox.now() + DRAFT_S)


def finalize_cycle(sandbox: Sandbox, invoice: JsonObject, subscription: JsonObject) -> None:
    """Finalize a draft whose hour is over, and charge it unless its collection is paused."""
    finalized = finalize(sandbox, invoice)
    pause: JsonObject = subscription["pause_collection"] or {}
    match pause.get("behavior"):
        case "void" if finalized["status"] == "open":
            void(sandbox, finalized)
        case "mark_uncollectible" if finalized["status"] == "open":
            mark_uncollectible(sandbox, finalized)
        case _:
            settle(sandbox, finalized)


def close(sandbox: Sandbox, subscription: JsonObject, *, prorate: bool, invoice_now: bool) -> None:
    """Credit the time that is left of a subscription that has ended, and invoice what waits, as far as asked."""
    if prorate and subscription["status"] in _PRORATED:
        none: list[JsonObject] = []
        nothing: JsonObject = {**subscription, "items": {**subscription["items"], "data": none}}
        _keep(sandbox, proration_items(sandbox.store, subscription, nothing, sandbox.now(), sandbox.now()))
    used = last_lines(sandbox.store, subscription, sandbox.now()) if invoice_now else []
    if used or (invoice_now and pending_items(sandbox, subscription["id"])):
        ended = sandbox.store.get("subscription", subscription["id"])
        invoice = new_invoice(sandbox, ended, used, "subscription_update", period=(sandbox.now(), sandbox.now()))
        sandbox.save(ended, {**ended, "latest_invoice": invoice["id"]})
        bill(sandbox, invoice)
