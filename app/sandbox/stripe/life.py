"""What happens by itself as time passes."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Final

from app.sandbox.stripe import (
    billing,
    captures,
    checkout,
    customers,
    disputes,
    dues,
    endings,
    payments,
    pending_updates,
    previews,
    redemptions,
    refunds,
    schedules,
)
from app.sandbox.stripe.clock import Due, Entry
from app.sandbox.stripe.collection import collect
from app.sandbox.stripe.errors import StripeError
from app.sandbox.stripe.invoicing import subscription_of, void
from app.sandbox.stripe.payment_methods import default_method
from app.sandbox.stripe.sandbox import Sandbox
from app.sandbox.stripe.wire import JsonObject


def run_due(sandbox: Sandbox, until: int, *, clock: str | None = None) -> int:
    """Let happen all that is due by `until`, in order, each at its own instant; return how much that was.

    `clock` is the test clock whose objects are meant; without one they are those that live by the sandbox's own time.
    """
    happened = 0
    hold = sandbox.clock.apart if clock else sandbox.clock.held
    while entry := sandbox.agendas[clock].take(until):
        obj = _object_of(sandbox, entry)
        if obj is None:
            continue
        # Somebody may have set it to what cannot be, such as a customer that there is not: then it stays as it is.
        with hold(entry.due.at), suppress(StripeError):
            _HAPPENINGS[entry.due.what](sandbox, obj)
        happened += 1
    return happened


def _object_of(sandbox: Sandbox, entry: Entry) -> JsonObject | None:
    """Return the object to which this is still to happen; it may have changed since that was noted."""
    obj = sandbox.store.find(entry.id)
    return obj if obj is not None and entry.due in dues.dues_of(obj) else None


def next_dues(sandbox: Sandbox) -> Iterator[tuple[Due, JsonObject]]:
    """Yield what is to happen by the sandbox's own time and to which object, the next first."""
    for entry in sandbox.agendas[None].entries():
        if obj := _object_of(sandbox, entry):
            yield entry.due, obj


def _cancel(sandbox: Sandbox, subscription: JsonObject) -> None:
    endings.end(sandbox, subscription)
    billing.close(sandbox, subscription, prorate=False, invoice_now=True)


def _expire(sandbox: Sandbox, subscription: JsonObject) -> None:
    first = sandbox.store.find(subscription["latest_invoice"] or "")
    if first and first["status"] == "open":
        void(sandbox, first)
    endings.expire(sandbox, subscription)


def _expire_session(sandbox: Sandbox, session: JsonObject) -> None:
    checkout.expire(sandbox, session)


def _end_pending_update(sandbox: Sandbox, subscription: JsonObject) -> None:
    pending_updates.give_up(sandbox, subscription)


def _resume_collection(sandbox: Sandbox, subscription: JsonObject) -> None:
    sandbox.save(subscription, {**subscription, "pause_collection": None})


def _announce_trial_end(sandbox: Sandbox, subscription: JsonObject) -> None:
    sandbox.put(subscription, subscription, "customer.subscription.trial_will_end")


def _end_trial(sandbox: Sandbox, subscription: JsonObject) -> None:
    """End the trial as its settings say for one without a payment method, else with an invoice."""
    behavior: str = subscription["trial_settings"]["end_behavior"]["missing_payment_method"]
    if behavior == "create_invoice" or default_method(sandbox, subscription) is not None:
        billing.end_trial(sandbox, subscription)
    elif behavior == "cancel":
        endings.end(sandbox, subscription, reason="payment_failed")
    else:
        why = {"type": "trial_end_without_payment_method"}
        because = {"subscription": why, "transitioned_at": sandbox.now(), "type": "subscription"}
        sandbox.save(subscription, {**subscription, "status": "paused", "status_details": {"paused": because}})


def _announce_renewal(sandbox: Sandbox, subscription: JsonObject) -> None:
    preview = previews.upcoming(sandbox, subscription)
    del preview["id"]  # the event's invoice has none, for it does not exist yet
    sandbox.record(None, preview, type="invoice.upcoming")


def _announce_schedule_end(sandbox: Sandbox, schedule: JsonObject) -> None:
    sandbox.put(schedule, schedule, "subscription_schedule.expiring")


def _finalize(sandbox: Sandbox, invoice: JsonObject) -> None:
    billing.finalize_cycle(sandbox, invoice, subscription_of(sandbox, invoice))


def _retry(sandbox: Sandbox, invoice: JsonObject) -> None:
    collect(sandbox, invoice)


def _tell_overdue(sandbox: Sandbox, invoice: JsonObject) -> None:
    sandbox.put(invoice, invoice, "invoice.overdue")
    subscription = subscription_of(sandbox, invoice)
    if subscription["status"] == "active":
        sandbox.save(subscription, {**subscription, "status": "past_due"})


def _settle(sandbox: Sandbox, obj: JsonObject) -> None:
    match obj["object"]:
        case refunds.KIND:
            refunds.settle(sandbox, obj)
        case payments.INTENT:
            checkout.follow_payment(sandbox, obj)
        case _:
            disputes.end_in_time(sandbox, obj)


def delete_clock(sandbox: Sandbox, clock: JsonObject) -> None:
    """Delete a test clock and its customers, whose subscriptions are canceled."""
    for customer in sandbox.store.all("customer"):
        if customer["test_clock"] == clock["id"]:
            with sandbox.clock.apart(clock["frozen_time"]):
                customers.remove(sandbox, customer)
    sandbox.record(clock, clock, type="test_helpers.test_clock.deleted")
    sandbox.store.remove(clock)


_HAPPENINGS: Final[Mapping[str, Callable[[Sandbox, JsonObject], None]]] = {
    dues.CANCEL: _cancel,
    dues.CAPTURE_END: captures.expire,
    dues.CLOCK_END: delete_clock,
    dues.COLLECTION_RESUME: _resume_collection,
    dues.DISCOUNT_END: redemptions.end_in_time,
    dues.DISPUTE: disputes.open_of_card,
    dues.EXPIRE: _expire,
    dues.EXPIRING: _announce_schedule_end,
    dues.EXPIRE_SESSION: _expire_session,
    dues.FINALIZE: _finalize,
    dues.NEXT_PHASE: schedules.move_on,
    dues.OVERDUE: _tell_overdue,
    dues.PENDING_END: _end_pending_update,
    dues.RENEW: billing.renew,
    dues.RETRY: _retry,
    dues.SETTLE: _settle,
    dues.TRIAL_END: _end_trial,
    dues.TRIAL_WILL_END: _announce_trial_end,
    dues.UPCOMING: _announce_renewal,
}
