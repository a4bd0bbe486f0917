"""The operations of /v1/billing/meters."""

from app.sandbox.stripe.errors import StripeError, missing
from app.sandbox.stripe.forms import Reader, fields, one_of, read, text
from app.sandbox.stripe.resources import keep_equal
from app.sandbox.stripe.sandbox import Call, Sandbox
from app.sandbox.stripe.store import PAGE_READERS, page
from app.sandbox.stripe.wire import JsonObject, new_id

KIND = "billing.meter"
ACTIVE, INACTIVE = "active", "inactive"
_AT_CREATION: dict[str, Reader] = {
    "customer_mapping": fields(event_payload_key=text, type=one_of("by_id")),
    "default_aggregation": fields(formula=one_of("count", "last", "sum")),
    "display_name": text,
    "event_name": text,
    "event_time_window": one_of("day", "hour"),
    "value_settings": fields(event_payload_key=text),
}
_PAGE = {name: reader for name, reader in PAGE_READERS.items() if name != "created"}


def create(sandbox: Sandbox, call: Call) -> JsonObject:
    params = read(call.form, _AT_CREATION, required=("default_aggregation", "display_name", "event_name"))
    if not params["default_aggregation"].get("formula"):
        raise missing("default_aggregation[formula]")
    _claim(sandbox, params["event_name"])
    return sandbox.save(None, {**_blank(call.at), **params}, call)


def _claim(sandbox: Sandbox, event_name: str) -> None:
    if find_active(sandbox, event_name) is not None:
        raise StripeError(
            f"There is already an active meter with the event name {event_name}.",
            code="resource_already_exists",
            param="event_name",
        )


def find_active(sandbox: Sandbox, event_name: str) -> JsonObject | None:
    """Return the one meter that counts events of this name now."""
    meters = sandbox.store.all(KIND)
    return next((meter for meter in meters if meter["status"] == ACTIVE and meter["event_name"] == event_name), None)


def _blank(at: int) -> JsonObject:
    return {
        "id": new_id("mtr_test", 33),
        "object": KIND,
        "created": at,
        "customer_mapping": {"event_payload_key": "stripe_customer_id", "type": "by_id"},
        "default_aggregation": None,
        "display_name": None,
        "event_name": None,
        "event_time_window": None,
        "livemode": False,
        "status": ACTIVE,
        "status_transitions": {"deactivated_at": None},
        "updated": at,
        "value_settings": {"event_payload_key": "value"},
    }


def update(sandbox: Sandbox, call: Call) -> JsonObject:
    meter = sandbox.store.get(KIND, call.id)
    changed = {**meter, **read(call.form, {"display_name": text})}
    return sandbox.save(meter, changed if changed == meter else {**changed, "updated": call.at}, call)


def deactivate(sandbox: Sandbox, call: Call) -> JsonObject:
    read(call.form, {})
    return _become(sandbox, call, INACTIVE, deactivated_at=call.at)


def reactivate(sandbox: Sandbox, call: Call) -> JsonObject:
    read(call.form, {})
    meter = sandbox.store.get(KIND, call.id)
    if meter["status"] == INACTIVE:
        _claim(sandbox, meter["event_name"])
    return _become(sandbox, call, ACTIVE, deactivated_at=None)


def _become(sandbox: Sandbox, call: Call, status: str, *, deactivated_at: int | None) -> JsonObject:
    meter = sandbox.store.get(KIND, call.id)
    if meter["status"] == status:
        raise StripeError(f"The meter is {status} already.")
    transitions = {"deactivated_at": deactivated_at}
    changed = {**meter, "status": status, "status_transitions": transitions, "updated": call.at}
    return sandbox.save(meter, changed, call)


def list_all(sandbox: Sandbox, call: Call) -> JsonObject:
    params = read(call.form, {**_PAGE, "status": one_of(ACTIVE, INACTIVE)})
    return page(
        sandbox.store.all(KIND), params, "/v1/billing/meters", lambda meter: keep_equal(params, meter, "status")
    )
