"""When something happens to an object by itself, read from the object alone. Pure."""

from typing import Final

from app.sandbox.stripe.clock import Due
from app.sandbox.stripe.wire import JsonObject, is_hash

_HOUR_S: Final = 3_600
_DAY_S: Final = 24 * _HOUR_S

CLOCK_LIFE_S: Final = 30 * _DAY_S
TIME_TO_FIRST_PAYMENT_S: Final = 23 * _HOUR_S
TRIAL_NOTICE_S: Final = 3 * _DAY_S
UPCOMING_NOTICE_S: Final = 7 * _DAY_S

CANCEL: Final = "cancel"
CLOCK_END: Final = "clock_end"
COLLECTION_RESUME: Final = "collection_resume"
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
    NEXT_PHASE,
    FINALIZE,
    RETRY,
    OVERDUE,
    DISPUTE,
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
    match obj.get("object"):
        case "subscription":
            known = _of_subscription(obj)
        case "subscription_schedule":
            known = _of_schedule(obj)
        case "invoice":
            known = _of_invoice(obj)
        case "charge":
            known = {DISPUTE: obj.get("_disputed_at")}
        case "refund" | "dispute" | "payment_intent":
            known = {SETTLE: obj.get("_ends_at")}
        case "test_helpers.test_clock":
            known = {CLOCK_END: _instant(obj["deletes_after"])}
        case "checkout.session":
            known = {EXPIRE_SESSION: _instant(obj["expires_at"])} if obj["status"] == "open" else {}
        case _:
            return []
    return [Due(at, _ORDER.index(what), what) for what, at in known.items() if at is not None]


def _of_subscription(subscription: JsonObject) -> dict[str, int | None]:
    status = subscription["status"]
    if status == "incomplete":
        return {EXPIRE: _later(subscription["created"], TIME_TO_FIRST_PAYMENT_S)}
    if status not in (*_BILLED, "trialing", "paused"):
        return {}
    cancel_at = _instant(subscription["cancel_at"])
    known: dict[str, int | None] = {CANCEL: cancel_at}
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
