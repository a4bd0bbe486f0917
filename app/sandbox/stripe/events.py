"""The operations of /v1/events and /v2/core/events."""

from fnmatch import fnmatchcase

from app.sandbox.stripe.forms import list_of, read, text
from app.sandbox.stripe.resources import list_page
from app.sandbox.stripe.sandbox import Call, Sandbox
from app.sandbox.stripe.thin import full, snapshot_id
from app.sandbox.stripe.wire import JsonObject

_REACH_S = 30 * 86_400


def retrieve(sandbox: Sandbox, call: Call) -> JsonObject:
    read(call.form, {})
    return _with_pending(sandbox, sandbox.store.get("event", call.id))


def retrieve_thin(sandbox: Sandbox, call: Call) -> JsonObject:
    """Retrieve an event as API v2 knows it."""
    read(call.form, {})
    return full(sandbox.store.get("event", snapshot_id(call.id)))


def list_all(sandbox: Sandbox, call: Call) -> JsonObject:
    """List the last 30 days, newest first; `type` takes wildcards (`customer.*`)."""

    def keep(params: JsonObject, event: JsonObject) -> bool:
        patterns: list[str] = params.get("types") or [params.get("type") or "*"]
        return event["created"] >= call.at - _REACH_S and any(
            fnmatchcase(event["type"], pattern) for pattern in patterns
        )

    found = list_page(sandbox, call, "event", {"type": text, "types": list_of(text)}, keep)
    return {**found, "data": [_with_pending(sandbox, event) for event in found["data"]]}


def _with_pending(sandbox: Sandbox, event: JsonObject) -> JsonObject:
    return {**event, "pending_webhooks": sandbox.deliveries.pending(event["id"])}
