"""When something happens to an object by itself, read from the object alone. Pure."""

from collections.abc import Callable, Mapping
from typing import Final

from app.sandbox.stripe.clock import Due
from app.sandbox.stripe.wire import JsonObject, is_array, is_hash

_HOUR_S: Final = 3_600
_DAY_S: Final = 24 * _HOUR_S

CLOCK_LIFE_S: Final = 30 * _DAY_S
TIME_TO_FIRST_PAYMENT_S: Final = 23 * _HOUR_S
TRIAL_NOTICE_S: Final = 3 * _DAY_S
UPCOMING_NOTICE_S: Final = 7 * _DAY_S

CANCEL: Final = "cancel"
CAPTURE_END: Final = "capture_end"
CLOCK_END: Final = "clock_end"
COLLECTION_RESUME: Final = "collection_resume"
DISCOUNT_END: Final = "discount_end"
DISPUTE: Final = "dispute"
EXPIRE: Final = "expire"
EXPIRE_SESSION: Final = "expire_session"
EXPIRING: Final = "expiring"
FINALIZE: Final = "finalize"
NEXT_PHASE: Final = "next_phase"
OVERDUE: Final = "overdue"
PENDING_END: Final = "pending_end"
RENEW: Final = "renew"
RETRY: Final = "retry"
SETTLE: Final = "settle"
TRIAL_END: Final = "trial_end"
TRIAL_WILL_END: Final = "trial_will_end"
UPCOMING: Final = "upcoming"

# A subscription that is canceled at its period's end is not renewed, one that changes with it is renewed as changed,
# and what is paid is not tried again.
_ORDER: Final = (
    CANCEL,
    EXPIRE,
    EXPIRE_SESSION,
    PENDING_END,
    COLLECTION_RESUME,
    DISCOUNT_END,
    NEXT_PHASE,
    FINALIZE,
    RETRY,
    OVERDUE,
    DISPUTE,
    CAPTURE_END,
    SETTLE,
    TRIAL_END,
    RENEW,
    TRIAL_WILL_END,
    UPCOMING,
    EXPIRING,
    CLOCK_END,
)
_BILLED: Final = ("active", "past_due", "unpaid")


def dues_of(obj: JsonObject) -> list[Due]:
    """Return what is to happen to the object and when, by the state that it is in."""
    known_of = _OF_KIND.get(obj.get("object", ""))
    known = known_of(obj) if known_of else {}
    return [Due(at, _ORDER.index(what), what) for what, at in known.items() if at is not None]


def _of_subscription(subscription: JsonObject) -> dict[str, int | None]:
    status = subscription["status"]
    if status == "incomplete":
        return {EXPIRE: _later(subscription["created"], TIME_TO_FIRST_PAYMENT_S)}
    if status not in (*_BILLED, "trialing", "paused"):
        return {}
    cancel_at = _instant(subscription["cancel_at"])
    known: dict[str, int | None] = {CANCEL: cancel_at, DISCOUNT_END: _first_end(_discounts_of(subscription))}
    if is_hash(pause := subscription["pause_collection"]):
        known[COLLECTION_RESUME] = _instant(pause.get("resumes_at"))
    if is_hash(pending := subscription.get("pending_update")):
        known[PENDING_END] = _instant(pending.get("expires_at"))
    if status == "trialing":
        known[TRIAL_END] = _instant(subscription["trial_end"])
        known[TRIAL_WILL_END] = _later(subscription["trial_end"], -TRIAL_NOTICE_S)
    else:
        ends = [_instant(item.get("current_period_end")) for item in subscription["items"]["data"]]
        known[RENEW] = min((end for end in ends if end is not None), default=None) if status in _BILLED else None
    renewal = known.get(TRIAL_END) or known.get(RENEW)
    if renewal is not None and (cancel_at is None or cancel_at > renewal):
        known[UPCOMING] = renewal - UPCOMING_NOTICE_S
    return known


def _discounts_of(subscription: JsonObject) -> list[object]:
    held = (subscription.get("discounts"), *(item.get("discounts") for item in subscription["items"]["data"]))
    return [discount for discounts in held if is_array(discounts) for discount in discounts]


def _first_end(discounts: object) -> int | None:
    held = discounts if is_array(discounts) else []
    ends = [_instant(discount.get("end")) for discount in held if is_hash(discount)]
    return min((end for end in ends if end is not None), default=None)


def _instant(value: object) -> int | None:
    """Return the value if it can be an instant: anything may have been set."""
    return value if isinstance(value, int) else None


def _later(value: object, seconds: int) -> int | None:
    return value + seconds if isinstance(value, int) else None


def _of_invoice(invoice: JsonObject) -> dict[str, int | None]:
    match invoice["status"]:
        case "draft":
            return {FINALIZE: _instant(invoice["automatically_finalizes_at"])}
        case "open":
            return {RETRY: _instant(invoice["next_payment_attempt"]), OVERDUE: _instant(invoice["due_date"])}
        case _:
            return {}


def _of_schedule(schedule: JsonObject) -> dict[str, int | None]:
    match schedule["status"]:
        case "not_started":
            return {NEXT_PHASE: _instant(schedule["phases"][0]["start_date"])}
        case "active":
            last = _later(schedule["phases"][-1]["end_date"], -UPCOMING_NOTICE_S)
            return {NEXT_PHASE: _instant(schedule["current_phase"]["end_date"]), EXPIRING: last}
        case _:
            return {}


def _of_session(session: JsonObject) -> dict[str, int | None]:
    return {EXPIRE_SESSION: _instant(session["expires_at"])} if session["status"] == "open" else {}


def _of_customer(customer: JsonObject) -> dict[str, int | None]:
    return {DISCOUNT_END: _first_end([customer.get("discount")])}


def _of_charge(charge: JsonObject) -> dict[str, int | None]:
    return {DISPUTE: charge.get("_disputed_at")}


def _of_unsettled(obj: JsonObject) -> dict[str, int | None]:
    return {SETTLE: obj.get("_ends_at")}


def _of_intent(intent: JsonObject) -> dict[str, int | None]:
    return {SETTLE: intent.get("_ends_at"), CAPTURE_END: intent.get("_capture_before")}


def _of_clock(clock: JsonObject) -> dict[str, int | None]:
    return {CLOCK_END: _instant(clock["deletes_after"])}


_OF_KIND: Final[Mapping[str, Callable[[JsonObject], dict[str, int | None]]]] = {
    "charge": _of_charge,
    "checkout.session": _of_session,
    "customer": _of_customer,
    "dispute": _of_unsettled,
    "invoice": _of_invoice,
    "payment_intent": _of_intent,
    "refund": _of_unsettled,
    "subscription": _of_subscription,
    "subscription_schedule": _of_schedule,
    "test_helpers.test_clock": _of_clock,
}
