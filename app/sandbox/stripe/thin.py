"""Thin events (API v2): that something happened, and to which object, without the object. Pure."""

from datetime import UTC, datetime
from typing import Final

from app.sandbox.stripe.wire import JsonObject

KIND: Final = "v2.core.event"
_PREFIX: Final = "evt_test_"
_SNAPSHOT_PREFIX: Final = "evt_"


def thin(event: JsonObject) -> JsonObject:
    """Return the thin event that tells of the same as a snapshot event; it has an id of its own."""
    told: JsonObject = {
        "id": _PREFIX + event["id"].removeprefix(_SNAPSHOT_PREFIX),
        "object": KIND,
        "context": None,
        "created": datetime.fromtimestamp(event["created"], UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "livemode": False,
        "snapshot_event": event["id"],
        "type": f"v1.{event['type']}",
    }
    request = event["request"]
    if request["id"]:
        asked = {"id": request["id"], "idempotency_key": request["idempotency_key"] or ""}
        told["reason"] = {"request": asked, "type": "request"}
    about = event["data"]["object"]
    if about.get("id"):  # a summary of entitlements and an invoice to come have none
        told["related_object"] = {"id": about["id"], "type": about["object"], "url": _url(about)}
    return told


def _url(obj: JsonObject) -> str:
    return f"/v1/{obj['object'].replace('.', '/')}s/{obj['id']}"


def full(event: JsonObject) -> JsonObject:
    """Return the thin event as it is fetched: with what there is to say of an object without an id."""
    about = event["data"]["object"]
    if event["type"] != "invoice.upcoming":
        return thin(event)
    parent = about.get("parent") or {"subscription_details": about}  # before basil the invoice named it itself
    subscription = parent["subscription_details"]["subscription"]
    return {**thin(event), "data": {"customer": about["customer"], "subscription": subscription}}


def snapshot_id(id: str) -> str:
    """Return the id of the snapshot event that a thin event's id belongs to."""
    return _SNAPSHOT_PREFIX + id.removeprefix(_PREFIX)
