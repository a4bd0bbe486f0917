"""The operations of /v1/webhook_endpoints. Stripe sends no events of these."""

import re

from app.sandbox.stripe.delivery import EVERY_EVENT, Endpoint
from app.sandbox.stripe.errors import StripeError
from app.sandbox.stripe.forms import FormValue, Reader, api_version, boolean, list_of, metadata, read, text
from app.sandbox.stripe.resources import list_page, with_changes
from app.sandbox.stripe.sandbox import Call, Sandbox
from app.sandbox.stripe.wire import JsonObject, new_id

KIND = "webhook_endpoint"
_MOST = 16
_EVENT_TYPE = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)+")


def _url(path: str, value: FormValue) -> str:
    if not isinstance(value, str) or not re.match(r"https?://[^/\s]+", value):
        raise StripeError(
            "Invalid URL: an endpoint's URL begins with http:// or https://.", code="url_invalid", param=path
        )
    return value


def _event_type(path: str, value: FormValue) -> str:
    """Read a type of events, or `*` for all; Stripe takes no other wildcards."""
    if not isinstance(value, str) or (value != EVERY_EVENT and not _EVENT_TYPE.fullmatch(value)):
        raise StripeError(f"Invalid {path}: {value} is no event type. '*' alone stands for all of them.", param=path)
    return value


_WRITABLE: dict[str, Reader] = {
    "description": text,
    "enabled_events": list_of(_event_type),
    "metadata": metadata,
    "url": _url,
}


def create(sandbox: Sandbox, call: Call) -> JsonObject:
    """Create an endpoint; no other answer shows its secret."""
    params = read(call.form, {**_WRITABLE, "api_version": api_version}, required=("enabled_events", "url"))
    if len(sandbox.store.all(KIND)) >= _MOST:
        raise StripeError(f"You have reached the maximum of {_MOST} test webhook endpoints.")
    blank: JsonObject = {
        "id": new_id("we"),
        "object": KIND,
        "api_version": None,
        "application": None,
        "created": call.at,
        "description": None,
        "enabled_events": [],
        "livemode": False,
        "metadata": {},
        "status": "enabled",
        "url": None,
    }
    endpoint = with_changes(blank, params)
    secret = new_id("whsec", 32)
    sandbox.store.put(endpoint)
    sandbox.deliveries.endpoints[endpoint["id"]] = _target(endpoint, secret)
    return {**endpoint, "secret": secret}


def _target(endpoint: JsonObject, secret: str) -> Endpoint:
    is_enabled = endpoint["status"] == "enabled"
    types: tuple[str, ...] = tuple(endpoint["enabled_events"]) if is_enabled else ()
    return Endpoint(endpoint["url"], secret, types, endpoint["api_version"])


def update(sandbox: Sandbox, call: Call) -> JsonObject:
    endpoint = sandbox.store.get(KIND, call.id)
    params = read(call.form, {**_WRITABLE, "disabled": boolean})
    if "disabled" in params:
        params["status"] = "disabled" if params.pop("disabled") else "enabled"
    changed = with_changes(endpoint, params)
    sandbox.store.put(changed)
    sandbox.deliveries.endpoints[call.id] = _target(changed, sandbox.deliveries.endpoints[call.id].secret)
    return changed


def delete(sandbox: Sandbox, call: Call) -> JsonObject:
    """Delete the endpoint; what is on its way to it is given up."""
    read(call.form, {})
    sandbox.store.remove(sandbox.store.get(KIND, call.id))
    del sandbox.deliveries.endpoints[call.id]
    return {"id": call.id, "object": KIND, "deleted": True}


def list_all(sandbox: Sandbox, call: Call) -> JsonObject:
    return list_page(sandbox, call, KIND, {}, lambda _params, _endpoint: True)
