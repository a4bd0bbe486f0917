"""What parameters do to a subscription: trial, scheduled cancellation, paused collection, fields. Pure."""

from app.sandbox.stripe.errors import StripeError
from app.sandbox.stripe.forms import FormValue, Reader, boolean, fields, instant, integer, metadata, one_of, text
from app.sandbox.stripe.redemptions import read_discounts, redeem_for_subscription, with_items_redeemed
from app.sandbox.stripe.resources import with_changes
from app.sandbox.stripe.store import Store
from app.sandbox.stripe.subscription_items import with_item_changes, with_period
from app.sandbox.stripe.wire import JsonObject, copy

_DAY_S = 86_400
_AFTER_END = {"metadata", "cancellation_details"}
_OF_BILLING: dict[str, Reader] = {
    "off_session": boolean,
    "payment_behavior": one_of(
        "allow_incomplete", "default_incomplete", "error_if_incomplete", "pending_if_incomplete"
    ),
    "proration_behavior": one_of("always_invoice", "create_prorations", "none"),
    "proration_date": integer,
}
_BLANK: JsonObject = {
    "object": "subscription",
    "application": None,
    "application_fee_percent": None,
    "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
    "billing_cycle_anchor_config": None,
    "billing_schedules": [],
    "billing_thresholds": None,
    "cancel_at": None,
    "cancel_at_period_end": False,
    "canceled_at": None,
    "cancellation_details": {"comment": None, "feedback": None, "feedback_option": None, "reason": None},
    "collection_method": "charge_automatically",
    "customer_account": None,
    "days_until_due": None,
    "default_payment_method": None,
    "default_source": None,
    "default_tax_rates": [],
    "description": None,
    "discounts": [],
    "ended_at": None,
    "invoice_settings": {
        "account_tax_ids": None,
        "custom_fields": None,
        "description": None,
        "footer": None,
        "issuer": {"type": "self"},
    },
    "latest_invoice": None,
    "livemode": False,
    "metadata": {},
    "next_pending_invoice_item_invoice": None,
    "on_behalf_of": None,
    "pause_collection": None,
    "payment_settings": {
        "payment_method_options": None,
        "payment_method_types": None,
        "save_default_payment_method": "off",
    },
    "pending_invoice_item_interval": None,
    "pending_setup_intent": None,
    "pending_update": None,
    "schedule": None,
    "status": "active",
    "status_details": None,
    "test_clock": None,
    "transfer_data": None,
    "trial_end": None,
    "trial_settings": {"end_behavior": {"missing_payment_method": "create_invoice"}},
    "trial_start": None,
}

read_cancellation_details = fields(comment=text, feedback=text)
_read_trial_settings = fields(end_behavior=fields(missing_payment_method=one_of("cancel", "create_invoice", "pause")))


def _read_scheduled_end(path: str, value: FormValue) -> int | str | None:
    return value if value in ("min_period_end", "max_period_end") else integer(path, value)


CREATABLE: dict[str, Reader] = {
    **_OF_BILLING,
    "cancel_at": _read_scheduled_end,
    "cancel_at_period_end": boolean,
    "collection_method": one_of("charge_automatically", "send_invoice"),
    "days_until_due": integer,
    "default_payment_method": text,
    "description": text,
    "discounts": read_discounts,
    "metadata": metadata,
    "trial_end": instant,
    "trial_settings": _read_trial_settings,
}
UPDATABLE: dict[str, Reader] = {
    **CREATABLE,
    "billing_cycle_anchor": one_of("now", "unchanged"),
    "cancellation_details": read_cancellation_details,
    "pause_collection": fields(behavior=one_of("keep_as_draft", "mark_uncollectible", "void"), resumes_at=integer),
}


def blank_subscription(id: str, customer: str, currency: str, items: list[JsonObject], at: int) -> JsonObject:
    """Return an active subscription from `at` on."""
    return {
        **copy(_BLANK),
        "id": id,
        "billing_cycle_anchor": at,
        "billing_mode": {"flexible": {"proration_discounts": "included"}, "type": "flexible", "updated_at": at},
        "created": at,
        "currency": currency,
        "customer": customer,
        "items": {"object": "list", "data": items},
        "start_date": at,
    }


def with_params(subscription: JsonObject, params: JsonObject, store: Store, at: int) -> JsonObject:
    """Apply the parameters of an update, in the order in which they build on each other."""
    params = {key: value for key, value in params.items() if key not in _OF_BILLING}
    if subscription["ended_at"] and params.keys() - _AFTER_END:
        raise StripeError("A canceled subscription can only update its cancellation_details and metadata.")
    changed = with_item_changes(store, subscription, params.pop("items", []), at)
    changed = with_items_redeemed(store, changed, at)
    if params.pop("billing_cycle_anchor", None) == "now":
        changed = {**with_period(changed, at, None, store), "billing_cycle_anchor": at}
    if (trial_end := params.pop("trial_end", None)) is not None:
        changed = with_trial_end(changed, trial_end, store, at)
    if (asked := params.pop("discounts", None)) is not None:
        changed = {**changed, "discounts": redeem_for_subscription(store, changed, asked, at)}
    if "cancel_at_period_end" in params and params.get("cancel_at") is not None:
        raise StripeError(
            "You may only specify one of these parameters: cancel_at, cancel_at_period_end.", param="cancel_at"
        )
    if "cancel_at" in params or "cancel_at_period_end" in params:
        at_period_end = params.pop("cancel_at_period_end", False)
        end = params.pop("cancel_at", None)
        changed = _with_scheduled_end(
            changed, "min_period_end" if at_period_end else end, at, at_period_end=at_period_end
        )
    return with_changes(changed, _merged(changed, params))


def _merged(subscription: JsonObject, params: JsonObject) -> JsonObject:
    """Return the parameters with those hashes whole of which a caller may give a part."""
    merged = dict(params)
    details: JsonObject | None = merged.pop("cancellation_details", None)
    if details:
        merged["cancellation_details"] = {**subscription["cancellation_details"], **details}
    pause: JsonObject | None = merged.get("pause_collection")
    if pause:
        merged["pause_collection"] = {"resumes_at": None, **pause}
    return merged


def with_trial_end(subscription: JsonObject, trial_end: int | str, store: Store, at: int) -> JsonObject:
    """Begin or move the trial, or end it now; the billing cycle starts when it ends."""
    if trial_end == "now":
        if subscription["status"] != "trialing":
            return subscription
        ended = with_period(subscription, at, None, store)
        return {**ended, "status": "active", "trial_end": at, "billing_cycle_anchor": at}
    if isinstance(trial_end, str) or trial_end <= at:
        raise StripeError("Invalid timestamp: must be an integer Unix timestamp in the future.", param="trial_end")
    start: int = subscription["trial_start"] if subscription["status"] == "trialing" else at
    trialing = with_period(subscription, start, trial_end, store)
    return {
        **trialing,
        "status": "trialing",
        "trial_start": start,
        "trial_end": trial_end,
        "billing_cycle_anchor": trial_end,
    }


def trial_end_after(days: int, at: int) -> int:
    return at + days * _DAY_S


def _with_scheduled_end(subscription: JsonObject, end: int | str | None, at: int, *, at_period_end: bool) -> JsonObject:
    ends = [item["current_period_end"] for item in subscription["items"]["data"]]
    match end:
        case "min_period_end":
            cancel_at = min(ends)
        case "max_period_end":
            cancel_at = max(ends)
        case _:
            cancel_at = end
    if isinstance(end, int) and end <= at:
        raise StripeError("Invalid timestamp: cancel_at must be in the future.", param="cancel_at")
    requested = cancel_at is not None
    return {
        **subscription,
        "cancel_at": cancel_at,
        "cancel_at_period_end": at_period_end,
        "canceled_at": at if requested else None,
        "cancellation_details": {
            **subscription["cancellation_details"],
            "reason": "cancellation_requested" if requested else None,
        },
    }
