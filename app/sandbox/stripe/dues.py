"""When something happens to an object by itself, read from the object alone. Pure."""

from typing import Final

from app.sandbox.stripe.clock import Due
from app.sandbox.stripe.wire import JsonObject

_HOUR_S: Final = 3_600
_DAY_S: Final = 24 * _HOUR_S

TIME_TO_FIRST_PAYMENT_S: Final = 23 * _HOUR_S
TRIAL_NOTICE_S: Final = 3 * _DAY_S
UPCOMING_NOTICE_S: Final = 7 * _DAY_S

CANCEL: Final = "cancel"
COLLECTION_RESUME: Final = "collection_resume"
EXPIRE: Final = "expire"
FINALIZE: Final = "finalize"
OVERDUE: Final = "overdue"
RENEW: Final = "renew"
RETRY: Final = "retry"
TRIAL_END: Final = "trial_end"
TRIAL_WILL_END: Final = "trial_will_end"
UPCOMING: Final = "upcoming"

# A subscription that is canceled at its period's end is not renewed, and what is paid is not tried again.
_ORDER: Final = (
    CANCEL,
    EXPIRE,
    COLLECTION_RESUME,
    FINALIZE,
    RETRY,
    OVERDUE,
    TRIAL_END,
    RENEW,
    TRIAL_WILL_END,
    UPCOMING,
)
_BILLED: Final = ("active", "past_due", "unpaid")


def dues_of(obj: JsonObject) -> list[Due]:
    """Return what is to happen to the object and when, by the state that it is in."""
    match obj.get("object"):
        case "subscription":
            known = _of_subscription(obj)
        case "invoice":
            known = _of_invoice(obj)
        case _:
            return []
    return [Due(at, _ORDER.index(what), what) for what, at in known.items() if isinstance(at, int)]


def _of_subscription(subscription: JsonObject) -> dict[str, int | None]:
    status = subscription["status"]
    if status == "incomplete":
        return {EXPIRE: subscription["created"] + TIME_TO_FIRST_PAYMENT_S}
    if status not in (*_BILLED, "trialing", "paused"):
        return {}
    known: dict[str, int | None] = {CANCEL: subscription["cancel_at"]}
    if pause := subscription["pause_collection"]:
        known[COLLECTION_RESUME] = pause.get("resumes_at")
    if status == "trialing" and subscription["trial_end"] is not None:
        known[TRIAL_END] = subscription["trial_end"]
        known[TRIAL_WILL_END] = subscription["trial_end"] - TRIAL_NOTICE_S
    if status in _BILLED:
        known[RENEW] = min((item["current_period_end"] for item in subscription["items"]["data"]), default=None)
    renewal = known.get(TRIAL_END) or known.get(RENEW)
    if renewal is not None and (subscription["cancel_at"] is None or subscription["cancel_at"] > renewal):
        known[UPCOMING] = renewal - UPCOMING_NOTICE_S
    return known


def _of_invoice(invoice: JsonObject) -> dict[str, int | None]:
    match invoice["status"]:
        case "draft":
            return {FINALIZE: invoice["automatically_finalizes_at"]}
        case "open":
            return {RETRY: invoice["next_payment_attempt"], OVERDUE: invoice["due_date"]}
        case _:
            return {}
