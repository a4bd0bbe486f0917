"""The operations of /v1/billing/meter_events, their adjustments, and what a meter has counted."""

from decimal import Decimal, InvalidOperation

from app.sandbox.stripe import meters
from app.sandbox.stripe.errors import StripeError, missing, no_such
from app.sandbox.stripe.forms import FormValue, Reader, fields, integer, one_of, read, text
from app.sandbox.stripe.sandbox import Call, Sandbox
from app.sandbox.stripe.store import PAGE_READERS, Store, page
from app.sandbox.stripe.wire import JsonObject, new_id

KIND = "billing.meter_event"
_BACKDATED_S = 35 * 86_400
_AHEAD_S = 300
_CANCELABLE_S = 86_400
_WINDOW_S = {"hour": 3600, "day": 86_400}
_ALIGNED_S = 60
_PAGE = {name: reader for name, reader in PAGE_READERS.items() if name != "created"}


def _payload(path: str, value: FormValue) -> dict[str, str]:
    if isinstance(value, str) or not all(isinstance(inner, str) for inner in value.values()):
        raise StripeError("Invalid hash: a payload's values are strings.", param=path)
    return {key: inner for key, inner in value.items() if isinstance(inner, str)}


def create(sandbox: Sandbox, call: Call) -> JsonObject:
    """Take a meter event; an identifier is taken once, for ever (Stripe remembers it for a day at least)."""
    readers: dict[str, Reader] = {"event_name": text, "identifier": text, "payload": _payload, "timestamp": integer}
    params = read(call.form, readers, required=("event_name", "payload"))
    meter = meters.find_active(sandbox, params["event_name"])
    if meter is None:
        raise StripeError(f"No active meter found for event name {params['event_name']}.", param="event_name")
    _check_payload(sandbox, meter, params["payload"])
    identifier: str = params.get("identifier") or new_id("evt", 32)
    if sandbox.store.find(_key(identifier)):
        raise StripeError(f"An event already exists with identifier {identifier}.", param="identifier")
    event = {
        "object": KIND,
        "created": call.at,
        "event_name": params["event_name"],
        "identifier": identifier,
        "livemode": False,
        "payload": params["payload"],
        "timestamp": _check_time(params.get("timestamp"), call.at),
    }
    sandbox.store.put({**event, "id": _key(identifier), "meter": meter["id"]})
    return event


def _key(identifier: str) -> str:
    """Return what no other object's id is."""
    return f"{KIND}/{identifier}"


def _check_payload(sandbox: Sandbox, meter: JsonObject, payload: dict[str, str]) -> None:
    customer_key = meter["customer_mapping"]["event_payload_key"]
    if not payload.get(customer_key):
        raise missing(f"payload[{customer_key}]")
    if sandbox.store.get("customer", payload[customer_key], param=f"payload[{customer_key}]").get("deleted"):
        raise no_such("customer", payload[customer_key], param=f"payload[{customer_key}]")
    if meter["default_aggregation"]["formula"] != "count":
        _value(meter, payload)


def _value(meter: JsonObject, payload: dict[str, str]) -> Decimal:
    key = meter["value_settings"]["event_payload_key"]
    try:
        value = Decimal(payload[key])
    except (InvalidOperation, KeyError):
        value = None
    if value is None or not value.is_finite():
        raise StripeError(f"Invalid value: payload[{key}] must be a number.", param=f"payload[{key}]")
    return value


def _check_time(timestamp: int | None, at: int) -> int:
    if timestamp is None:
        return at
    if not at - _BACKDATED_S <= timestamp <= at + _AHEAD_S:
        raise StripeError("The timestamp must be within the past 35 days or up to 5 minutes ahead.", param="timestamp")
    return timestamp


def adjust(sandbox: Sandbox, call: Call) -> JsonObject:
    """Take back an event of the last day."""
    readers: dict[str, Reader] = {
        "cancel": fields(identifier=text),
        "event_name": text,
        "type": one_of("cancel"),
    }
    params = read(call.form, readers, required=("event_name", "type"))
    cancel: JsonObject = params.get("cancel") or {}
    identifier: str | None = cancel.get("identifier")
    if not identifier:
        raise missing("cancel[identifier]")
    event = sandbox.store.find(_key(identifier))
    if event is None or event["event_name"] != params["event_name"]:
        raise no_such("meter event", identifier, param="cancel[identifier]")
    if call.at - event["created"] > _CANCELABLE_S:
        raise StripeError("An event can be cancelled within 24 hours only.", param="cancel[identifier]")
    sandbox.store.put({**event, "is_cancelled": True})
    return {
        "object": "billing.meter_event_adjustment",
        "cancel": {"identifier": identifier},
        "event_name": params["event_name"],
        "livemode": False,
        "status": "complete",
        "type": "cancel",
    }


def list_summaries(sandbox: Sandbox, call: Call) -> JsonObject:
    """List what the meter has counted for a customer: in all, or in the windows in which there was something."""
    readers: dict[str, Reader] = {
        **_PAGE,
        "customer": text,
        "end_time": integer,
        "start_time": integer,
        "value_grouping_window": one_of(*_WINDOW_S),
    }
    params = read(call.form, readers, required=("customer", "end_time", "start_time"))
    meter = sandbox.store.get(meters.KIND, call.id)
    start: int = params["start_time"]
    end: int = params["end_time"]
    grouped_s: int | None = _WINDOW_S.get(params.get("value_grouping_window", ""))
    _check_range(start, end, grouped_s or _ALIGNED_S)
    length = grouped_s or end - start
    windows: dict[int, list[JsonObject]] = {} if grouped_s else {start: []}
    for event in _events_of(sandbox.store, meter, params["customer"], start, end):
        windows.setdefault(event["timestamp"] - (event["timestamp"] - start) % length, []).append(event)
    summaries = [_summary(meter, within, at, at + length) for at, within in sorted(windows.items(), reverse=True)]
    return page(summaries, params, f"/v1/billing/meters/{call.id}/event_summaries", lambda _: True)


def _check_range(start: int, end: int, aligned_s: int) -> None:
    for name, at in (("start_time", start), ("end_time", end)):
        if at % aligned_s:
            raise StripeError(f"{name} must be a multiple of {aligned_s} seconds.", param=name)
    if end <= start:
        raise StripeError("end_time must be after start_time.", param="end_time")


def usage_of(store: Store, meter: str | None, customer: str, start: int, end: int) -> Decimal:
    """Return what the meter has counted for the customer within the range, at least nothing; no meter counts that."""
    if meter is None:
        return Decimal(0)
    counting = store.get(meters.KIND, meter)
    return max(_aggregate(counting, _events_of(store, counting, customer, start, end)), Decimal(0))


def _events_of(store: Store, meter: JsonObject, customer: str, start: int, end: int) -> list[JsonObject]:
    """Return the meter's events of the customer within the range, oldest first."""
    key = meter["customer_mapping"]["event_payload_key"]
    found = [
        event
        for event in reversed(store.having(KIND, "meter", meter["id"]))
        if event["payload"][key] == customer and start <= event["timestamp"] < end and not event.get("is_cancelled")
    ]
    return sorted(found, key=lambda event: event["timestamp"])


def _summary(meter: JsonObject, events: list[JsonObject], start: int, end: int) -> JsonObject:
    return {
        "id": f"mtrusg_test_{meter['id']}_{start}_{end}",
        "object": "billing.meter_event_summary",
        "aggregated_value": float(_aggregate(meter, events)),
        "end_time": end,
        "livemode": False,
        "meter": meter["id"],
        "start_time": start,
    }


def _aggregate(meter: JsonObject, events: list[JsonObject]) -> Decimal:
    match meter["default_aggregation"]["formula"]:
        case "count":
            return Decimal(len(events))
        case "last":
            return _value(meter, events[-1]["payload"]) if events else Decimal(0)
        case _:
            return sum((_value(meter, event["payload"]) for event in events), Decimal(0))
