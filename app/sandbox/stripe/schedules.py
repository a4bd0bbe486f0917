"""Subscription schedules: the operations of /v1/subscription_schedules, and how one goes from phase to phase."""

from typing import Final

from app.sandbox.stripe import billing, subscriptions
from app.sandbox.stripe.endings import end
from app.sandbox.stripe.errors import StripeError, missing, no_such
from app.sandbox.stripe.forms import Reader, boolean, fields, instant, metadata, one_of, read, text
from app.sandbox.stripe.phases import (
    PRORATION,
    SETTINGS,
    item_changes,
    lay_out,
    new_items,
    params_of,
    phase_of,
    read_phases,
    terms_of,
)
from app.sandbox.stripe.resources import keep_equal, list_page, with_changes
from app.sandbox.stripe.sandbox import Call, Sandbox
from app.sandbox.stripe.subscription_changes import with_params
from app.sandbox.stripe.wire import JsonObject, copy, new_id

KIND: Final = "subscription_schedule"
_GOING_ON: Final = ("not_started", "active")
_WRITABLE: Final[dict[str, Reader]] = {
    "default_settings": fields(**SETTINGS),
    "end_behavior": one_of("cancel", "release"),
    "metadata": metadata,
    "phases": read_phases,
}
_SETTINGS: Final[JsonObject] = {
    "application_fee_percent": None,
    "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
    "billing_cycle_anchor": "automatic",
    "billing_thresholds": None,
    "collection_method": "charge_automatically",
    "default_payment_method": None,
    "description": None,
    "invoice_settings": {
        "account_tax_ids": None,
        "custom_fields": None,
        "days_until_due": None,
        "description": None,
        "footer": None,
        "issuer": {"type": "self"},
    },
    "on_behalf_of": None,
    "transfer_data": None,
}


def create(sandbox: Sandbox, call: Call) -> JsonObject:
    """Schedule a new subscription, which starts at once unless `start_date` says otherwise, or take one over."""
    readers: dict[str, Reader] = {**_WRITABLE, "customer": text, "from_subscription": text, "start_date": instant}
    params = read(call.form, readers)
    if params.get("from_subscription"):
        return _take_over(sandbox, params)
    for name in ("customer", "phases"):
        if not params.get(name):
            raise missing(name)
    customer = sandbox.store.get("customer", params["customer"], param="customer")
    if customer.get("deleted"):
        raise no_such("customer", customer["id"], param="customer")
    start = params.get("start_date", "now")
    start = call.at if start == "now" else start
    if start < call.at:
        raise StripeError("The sandbox starts no schedule in the past.", param="start_date")
    phases = lay_out(sandbox.store, params["phases"], start, call.at)
    schedule = _with_params(_blank(sandbox, customer, phases, call.at), params)
    if start == call.at:
        schedule = _started(sandbox, schedule)
    return sandbox.put(None, schedule, f"{KIND}.created")


def _blank(sandbox: Sandbox, customer: JsonObject, phases: list[JsonObject], at: int) -> JsonObject:
    return {
        "id": new_id("sub_sched"),
        "object": KIND,
        "application": None,
        "billing_mode": {"flexible": {"proration_discounts": "included"}, "type": "flexible", "updated_at": at},
        "canceled_at": None,
        "completed_at": None,
        "created": sandbox.now(),
        "current_phase": None,
        "customer": customer["id"],
        "customer_account": None,
        "default_settings": copy(_SETTINGS),
        "end_behavior": "release",
        "livemode": False,
        "metadata": {},
        "pause_schedules": [],
        "phases": phases,
        "released_at": None,
        "released_subscription": None,
        "status": "not_started",
        "subscription": None,
        "test_clock": customer["test_clock"],
    }


def _with_params(schedule: JsonObject, params: JsonObject) -> JsonObject:
    changes = {name: params[name] for name in ("end_behavior", "metadata") if name in params}
    if settings := params.get("default_settings"):
        changes["default_settings"] = {**schedule["default_settings"], **settings}
    return with_changes(schedule, changes)


def _take_over(sandbox: Sandbox, params: JsonObject) -> JsonObject:
    if params.keys() != {"from_subscription"}:
        raise StripeError("With from_subscription no other parameter can be set.", param="from_subscription")
    subscription = sandbox.store.get("subscription", params["from_subscription"], param="from_subscription")
    if subscription["schedule"] or subscription["status"] not in ("active", "past_due", "trialing"):
        raise StripeError("This subscription has a schedule already or does not go on.", param="from_subscription")
    customer = sandbox.store.get("customer", subscription["customer"])
    phase = phase_of(sandbox.store, subscription)
    blank = _blank(sandbox, customer, [phase], sandbox.now())
    schedule = {**_at_phase(blank, phase), "subscription": subscription["id"]}
    made = sandbox.put(None, schedule, f"{KIND}.created")
    sandbox.save(subscription, {**subscription, "schedule": made["id"]})
    return made


def _at_phase(schedule: JsonObject, phase: JsonObject) -> JsonObject:
    bounds = {name: phase[name] for name in ("end_date", "start_date")}
    return {**schedule, "current_phase": bounds, "status": "active"}


def _started(sandbox: Sandbox, schedule: JsonObject) -> JsonObject:
    """Return the schedule in its first phase, having started its subscription."""
    first = schedule["phases"][0]
    params = params_of(first, schedule["default_settings"], sandbox.now())
    if (cancel_at := _end_of_subscription(schedule)) is not None:
        params["cancel_at"] = cancel_at
    started = subscriptions.begin(
        sandbox, schedule["customer"], {**params, "items": new_items(first), "schedule": schedule["id"]}
    )
    return {**_at_phase(schedule, first), "subscription": started["id"]}


def _end_of_subscription(schedule: JsonObject) -> int | None:
    return schedule["phases"][-1]["end_date"] if schedule["end_behavior"] == "cancel" else None


def move_on(sandbox: Sandbox, schedule: JsonObject) -> None:
    """Begin the first or the next phase; after the last one, leave the subscription to itself."""
    if schedule["status"] == "not_started":
        gone = sandbox.store.get("customer", schedule["customer"]).get("deleted")
        changed = _canceled(sandbox, schedule) if gone else _started(sandbox, schedule)
        sandbox.put(schedule, changed, f"{KIND}.{'canceled' if gone else 'updated'}")
        return
    over: int = schedule["current_phase"]["end_date"]
    following = next((phase for phase in schedule["phases"] if phase["start_date"] == over), None)
    if following is None:
        done = {"completed_at": sandbox.now(), "current_phase": None, "status": "completed"}
        sandbox.put(schedule, {**schedule, **done}, f"{KIND}.completed")
        _let_go(sandbox, schedule, keeps_end=True)
        return
    moved = sandbox.put(schedule, _at_phase(schedule, following), f"{KIND}.updated")
    _apply(sandbox, moved, following, proration=following["proration_behavior"])


def _apply(
    sandbox: Sandbox, schedule: JsonObject, phase: JsonObject, *, proration: str, more: JsonObject | None = None
) -> None:
    """Make the subscription what the phase says, now; where its period is over there is nothing to prorate."""
    at = sandbox.now()
    subscription = sandbox.store.get("subscription", schedule["subscription"])
    params = {**params_of(phase, schedule["default_settings"], at), **(more or {})}
    params["items"] = item_changes(subscription, phase)
    anchor = phase["billing_cycle_anchor"] or schedule["default_settings"]["billing_cycle_anchor"]
    if anchor == "phase_start" and phase["start_date"] == at:
        params["billing_cycle_anchor"] = "now"
    is_over = all(item["current_period_end"] <= at for item in subscription["items"]["data"])
    changed = with_params(subscription, params, sandbox.store, at)
    billing.change(
        sandbox, subscription, changed, proration="none" if is_over else proration, at=at, payment_behavior=None
    )


def update(sandbox: Sandbox, call: Call) -> JsonObject:
    """Change a schedule; what changes of its current phase changes the subscription at once."""
    schedule = _going_on(sandbox, call)
    params = read(call.form, {**_WRITABLE, "proration_behavior": PRORATION})
    changed = _with_params(schedule, params)
    if "phases" in params:
        phases = lay_out(sandbox.store, params["phases"], _start_of(schedule, params["phases"], call.at), call.at)
        changed = {**changed, "phases": phases}
    if schedule["status"] == "not_started":
        return sandbox.save(schedule, changed)
    current = _phase_at(changed, call.at)
    changed = sandbox.save(schedule, _at_phase(changed, current))
    end_at = _end_of_subscription(changed)
    more = {"cancel_at": end_at} if end_at != _end_of_subscription(schedule) else {}
    if more or terms_of(current) != terms_of(_phase_at(schedule, call.at)):
        proration = params.get("proration_behavior", "create_prorations")
        _apply(sandbox, changed, current, proration=proration, more=more)
    return changed


def _going_on(sandbox: Sandbox, call: Call) -> JsonObject:
    schedule = sandbox.store.get(KIND, call.id)
    if schedule["status"] not in _GOING_ON:
        raise StripeError(f"This subscription schedule can no longer be changed: it is {schedule['status']}.")
    return schedule


def _start_of(schedule: JsonObject, given: list[JsonObject], at: int) -> int:
    """Return where new phases begin: with the current phase, or one before it; later only if nothing has begun."""
    now: int = (schedule["current_phase"] or schedule["phases"][0])["start_date"]
    told = given[0].get("start_date", now) if given else now
    start: int = at if told == "now" else told
    known = [phase["start_date"] for phase in schedule["phases"] if phase["start_date"] <= now]
    if start not in known and (schedule["status"] == "active" or start < at):
        raise StripeError("The first phase must start with the current one.", param="phases[0][start_date]")
    return start


def _phase_at(schedule: JsonObject, at: int) -> JsonObject:
    for phase in schedule["phases"]:
        if phase["start_date"] <= at < phase["end_date"]:
            return phase
    raise StripeError("A schedule that has started must have a current phase.", param="phases")


def release(sandbox: Sandbox, call: Call) -> JsonObject:
    """End the schedule and leave its subscription as it is, without the end that the schedule gave it."""
    schedule = _going_on(sandbox, call)
    params = read(call.form, {"preserve_cancel_date": boolean})
    gone = {
        "current_phase": None,
        "released_at": call.at,
        "released_subscription": schedule["subscription"],
        "status": "released",
        "subscription": None,
    }
    released = sandbox.put(schedule, {**schedule, **gone}, f"{KIND}.released")
    if schedule["subscription"]:
        _let_go(sandbox, schedule, keeps_end=params.get("preserve_cancel_date", False))
    return released


def _let_go(sandbox: Sandbox, schedule: JsonObject, *, keeps_end: bool) -> None:
    subscription = sandbox.store.get("subscription", schedule["subscription"])
    freed = {**subscription, "schedule": None}
    if not keeps_end and _end_of_subscription(schedule) is not None:
        freed = with_params(freed, {"cancel_at": None}, sandbox.store, sandbox.now())
    sandbox.save(subscription, freed)


def cancel(sandbox: Sandbox, call: Call) -> JsonObject:
    """Cancel the schedule and, if it has started, its subscription, with a last invoice unless told otherwise."""
    schedule = _going_on(sandbox, call)
    params = read(call.form, {"invoice_now": boolean, "prorate": boolean})
    if schedule["status"] == "not_started":
        return sandbox.put(schedule, _canceled(sandbox, schedule), f"{KIND}.canceled")
    subscription = sandbox.store.get("subscription", schedule["subscription"])
    end(sandbox, subscription)
    asked = {name: params.get(name, True) for name in ("prorate", "invoice_now")}
    billing.close(sandbox, subscription, **asked)
    return sandbox.store.get(KIND, call.id)


def _canceled(sandbox: Sandbox, schedule: JsonObject) -> JsonObject:
    return {**schedule, "canceled_at": sandbox.now(), "status": "canceled"}


def list_all(sandbox: Sandbox, call: Call) -> JsonObject:
    """List schedules; with `scheduled` those that have not started."""

    def keep(params: JsonObject, schedule: JsonObject) -> bool:
        waits = schedule["status"] == "not_started"
        return keep_equal(params, schedule, "customer") and (waits or not params.get("scheduled"))

    return list_page(sandbox, call, KIND, {"customer": text, "scheduled": boolean}, keep)
