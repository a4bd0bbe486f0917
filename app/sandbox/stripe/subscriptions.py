"""The operations of /v1/subscriptions."""

from typing import Any

from app.sandbox.stripe import billing, pending_updates
from app.sandbox.stripe.endings import ENDED, end
from app.sandbox.stripe.errors import StripeError, missing, no_such
from app.sandbox.stripe.forms import Reader, boolean, integer, one_of, read, text
from app.sandbox.stripe.payment_methods import resolve
from app.sandbox.stripe.redemptions import OLD_READERS, take_old_params
from app.sandbox.stripe.resources import keep_equal, list_page
from app.sandbox.stripe.sandbox import Call, Sandbox
from app.sandbox.stripe.store import Store
from app.sandbox.stripe.subscription_changes import (
    CREATABLE,
    UPDATABLE,
    blank_subscription,
    read_cancellation_details,
    trial_end_after,
    with_params,
)
from app.sandbox.stripe.subscription_items import new_item, read_changes, read_new, with_period
from app.sandbox.stripe.versions import BASIL
from app.sandbox.stripe.wire import JsonObject, new_id

_OF_RESUMING = ("payment_behavior", "proration_behavior", "proration_date")
_STATUSES = ("active", "canceled", "incomplete", "incomplete_expired", "past_due", "paused", "trialing", "unpaid")


def create(sandbox: Sandbox, call: Call) -> JsonObject:
    readers: dict[str, Reader] = {
        **CREATABLE,
        "customer": text,
        "currency": text,
        "items": read_new,
        "trial_period_days": integer,
    }
    params = _read(call, readers, required=("customer", "items"))
    customer = sandbox.store.get("customer", params.pop("customer"), param="customer")
    if customer.get("deleted"):
        raise no_such("customer", customer["id"], param="customer")
    return begin(sandbox, customer["id"], params)


def _read(call: Call, readers: dict[str, Reader], *, required: tuple[str, ...] = ()) -> JsonObject:
    """Read the parameters; before basil a subscription had a single coupon or promotion code."""
    if call.version >= BASIL:
        return read(call.form, readers, required=required)
    params = read(call.form, {**readers, **OLD_READERS}, required=required)
    if (asked := take_old_params(params)) is not None:
        params["discounts"] = asked
    return params


def begin(sandbox: Sandbox, customer: str, params: JsonObject) -> JsonObject:
    """Start a customer's subscription with parameters that were read."""
    payment_behavior: str | None = params.get("payment_behavior")
    return billing.start(sandbox, unsaved(sandbox, customer, params), payment_behavior)


def unsaved(sandbox: Sandbox, customer: str, params: JsonObject) -> JsonObject:
    """Return the subscription that these parameters make; nothing is stored yet."""
    at = sandbox.now()
    days: int | None = params.pop("trial_period_days", None)
    if days and "trial_end" in params:
        raise StripeError(
            "You may only specify one of these parameters: trial_end, trial_period_days.", param="trial_period_days"
        )
    if days:
        params["trial_end"] = trial_end_after(days, at)

    _resolve_method(sandbox, customer, params)
    return with_params(_start(sandbox.store, customer, params, at), params, sandbox.store, at)


def _resolve_method(sandbox: Sandbox, customer: str, params: JsonObject) -> None:
    if given := params.get("default_payment_method"):
        params["default_payment_method"] = resolve(sandbox, given, customer, "default_payment_method")


def _start(store: Store, customer: str, params: JsonObject, at: int) -> JsonObject:
    """Return the bare subscription to the items given, which it takes out of `params`."""
    new = new_id("sub")
    items = [new_item(store, new, given, f"items[{index}]", at) for index, given in enumerate(params.pop("items"))]
    if not items:
        raise missing("items")
    currencies = {store.get("price", item["price"])["currency"] for item in items} | (
        {params.pop("currency", None)} - {None}
    )
    if len(currencies) > 1:
        raise StripeError("All prices on a subscription must have the same currency.", param="items")
    started = blank_subscription(new, customer, currencies.pop(), items, at)
    return {**started, "test_clock": store.get("customer", customer)["test_clock"]}


def update(sandbox: Sandbox, call: Call) -> JsonObject:
    subscription = sandbox.store.get("subscription", call.id)
    params = _read(call, {**UPDATABLE, "items": read_changes})
    pending_updates.check(params)
    subscription = pending_updates.make_way(sandbox, subscription, params)
    _resolve_method(sandbox, subscription["customer"], params)
    since = proration_instant(subscription, params, call.at)
    changed = with_params(subscription, params, sandbox.store, call.at)
    return billing.change(
        sandbox,
        subscription,
        changed,
        proration=params.get("proration_behavior", "create_prorations"),
        at=since,
        payment_behavior=params.get("payment_behavior"),
    )


def proration_instant(subscription: JsonObject, params: JsonObject, at: int) -> int:
    """Return from when time is counted: the `proration_date`, which lies in a current period, else now."""
    date: int | None = params.get("proration_date")
    if date is None:
        return at
    items = subscription["items"]["data"]
    if not any(item["current_period_start"] <= date <= item["current_period_end"] for item in items):
        raise StripeError("The proration date must be within the current period.", param="proration_date")
    return date


def cancel(sandbox: Sandbox, call: Call) -> JsonObject:
    subscription = sandbox.store.get("subscription", call.id)
    params = read(
        call.form, {"cancellation_details": read_cancellation_details, "invoice_now": boolean, "prorate": boolean}
    )
    if subscription["status"] in ENDED:
        raise no_such("subscription", call.id)
    details: dict[str, str] = params.get("cancellation_details") or {}
    end(sandbox, subscription, **details)
    asked = {name: params.get(name, False) for name in ("prorate", "invoice_now")}
    billing.close(sandbox, subscription, **asked)
    return sandbox.store.get("subscription", call.id)


def pause(sandbox: Sandbox, call: Call) -> JsonObject:
    subscription = sandbox.store.get("subscription", call.id)
    read(call.form, {"type": one_of("subscription"), "invoicing_behavior": text})
    if subscription["status"] not in ("active", "trialing"):
        raise StripeError(f"This subscription cannot be paused because its status is `{subscription['status']}`.")
    because = {"subscription": {"type": "pause_requested"}, "transitioned_at": call.at, "type": "subscription"}
    return sandbox.save(subscription, {**subscription, "status": "paused", "status_details": {"paused": because}}, call)


def resume(sandbox: Sandbox, call: Call) -> JsonObject:
    """Make a paused subscription active, in a new period unless the billing cycle is to stay."""
    subscription = sandbox.store.get("subscription", call.id)
    readers: dict[str, Reader] = {name: UPDATABLE[name] for name in _OF_RESUMING}
    params = read(call.form, {"billing_cycle_anchor": one_of("now", "unchanged"), **readers})
    if subscription["status"] != "paused":
        raise StripeError("This subscription cannot be resumed because it is not paused.")
    resumed = {**subscription, "status": "active", "status_details": None}
    if params.get("billing_cycle_anchor", "now") == "now":
        resumed = {**with_period(resumed, call.at, None, sandbox.store), "billing_cycle_anchor": call.at}
    else:
        resumed = billing.caught_up(sandbox, resumed)
    behavior = params.get("payment_behavior")
    return billing.change(sandbox, subscription, resumed, proration="none", at=call.at, payment_behavior=behavior)


def list_all(sandbox: Sandbox, call: Call) -> JsonObject:
    """List the subscriptions that are not canceled, or those that `status` (a status, `ended`, `all`) names.

    Those on a test clock are among them only where it or the customer is named.
    """
    readers: dict[str, Reader] = {"customer": text, "price": text, "collection_method": text, "test_clock": text}

    def keep(params: JsonObject, subscription: JsonObject) -> bool:
        status, price = params.get("status"), params.get("price")
        return (
            _is_status(subscription["status"], status)
            and (bool(params.get("customer")) or subscription["test_clock"] == params.get("test_clock"))
            and keep_equal(params, subscription, "customer", "collection_method")
            and (price is None or any(item["price"] == price for item in subscription["items"]["data"]))
        )

    customer: Any = call.form.get("customer")
    if customer:
        sandbox.store.get("customer", customer, param="customer")
    return list_page(sandbox, call, "subscription", {**readers, "status": one_of(*_STATUSES, "ended", "all")}, keep)


def _is_status(status: str, wanted: str | None) -> bool:
    match wanted:
        case None:
            return status != "canceled"
        case "all":
            return True
        case "ended":
            return status in ENDED
        case _:
            return status == wanted
