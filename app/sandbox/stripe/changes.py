"""From a change of an object to the event that tells of it, in the shape of one API version."""

from typing import Any

from app.sandbox.stripe.render import render
from app.sandbox.stripe.store import Store
from app.sandbox.stripe.wire import JsonObject, copy, is_hash, new_id

_STEMS = {"subscription": "customer.subscription"}
_VERBS = {"complete": "completed", "expired": "expired", "inactive": "deactivated", "paused": "paused"}
_WITH_FORMER_VALUES = (".updated", ".paused", ".resumed", ".deactivated", ".reactivated")


def new_event(
    type: str, before: JsonObject | None, after: JsonObject, *, store: Store, version: str, at: int
) -> JsonObject:
    """Return the event that tells of `before` (None: the object is new) becoming `after`."""
    return {
        "id": new_id("evt"),
        "object": "event",
        "api_version": version,
        "created": at,
        "data": event_data(type, before, after, store=store, version=version),
        "livemode": False,
        "pending_webhooks": 0,
        "request": {"id": None, "idempotency_key": None},
        "type": type,
    }


def event_data(type: str, before: JsonObject | None, after: JsonObject, *, store: Store, version: str) -> JsonObject:
    """Return what an event holds in the shape of `version`: the object, and the former values of what changed."""
    snapshot = copy(render(after, version, store))
    content: JsonObject = {"object": snapshot}
    if before is not None and type.endswith(_WITH_FORMER_VALUES):
        content["previous_attributes"] = difference(copy(render(before, version, store)), snapshot)
    return content


def derive_type(before: JsonObject | None, after: JsonObject) -> str:
    """Return Stripe's name for the change, such as `customer.subscription.paused`."""
    stem = _STEMS.get(after["object"], after["object"])
    return f"{stem}.{_verb(before, after)}"


def _verb(before: JsonObject | None, after: JsonObject) -> str:
    if before is None:
        return "created"
    match before.get("status"), after.get("status"):
        case old, new if old == new:
            return "updated"
        case _, "canceled":
            return "deleted" if after["object"] == "subscription" else "canceled"
        case "paused", "active":
            return "resumed"
        case "inactive", "active":
            return "reactivated"
        case _, new:
            return _VERBS.get(new or "", "updated")


def difference(before: JsonObject, after: JsonObject) -> JsonObject:
    """Return the former values of what differs: hashes by key, arrays whole, null for what was absent."""
    changed: JsonObject = {}
    for key in before.keys() | after.keys():
        old: Any = before.get(key)
        new: Any = after.get(key)
        if old == new:
            continue
        changed[key] = difference(old, new) if is_hash(old) and is_hash(new) else old
    return changed
