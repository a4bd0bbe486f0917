"""/_sandbox, which Stripe does not offer: set any field, send events again, move the webhook, chaos and faults."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.sandbox.stripe import clock_control, collection_control, money_control
from app.sandbox.stripe.bodies import decode
from app.sandbox.stripe.changes import derive_type
from app.sandbox.stripe.chaos import Chaos
from app.sandbox.stripe.delivery import Endpoint
from app.sandbox.stripe.errors import StripeError, no_such
from app.sandbox.stripe.faults import Fault
from app.sandbox.stripe.sandbox import Sandbox
from app.sandbox.stripe.test_clocks import time_of
from app.sandbox.stripe.wire import JsonObject, copy, is_array, is_hash

_NOT_TO_SET = ("event", "webhook_endpoint")
_PERIOD = ("current_period_start", "current_period_end")


class ObjectChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Fields to set, and how to tell of it.

    `set` names fields by dotted path (`items.data.0.quantity`) or nested; hashes merge, arrays of hashes merge by
    position, null in metadata removes its key, and a period set on a subscription goes to all its items.
    `event` is the event's type, by default the one that Stripe would send; `created` its time, by default now;
    `api_version` the shape of its payload, by default the account's.
    """

    set: JsonObject = {}
    event: str | None = None
    created: int | None = None
    deliver: bool = True
    api_version: str | None = None


def routes(sandbox: Sandbox) -> list[Route]:
    table: tuple[tuple[str, str, Callable[[Sandbox, Request, bytes], JsonObject]], ...] = (
        ("POST", "/_sandbox/objects/{id}", _set_object),
        ("POST", "/_sandbox/events/{id}/deliver", _deliver_again),
        ("POST", "/_sandbox/webhook", _set_webhook),
        ("GET", "/_sandbox/clock", clock_control.show),
        ("POST", "/_sandbox/clock", clock_control.advance),
        ("GET", "/_sandbox/collection", collection_control.show),
        ("POST", "/_sandbox/collection", collection_control.configure),
        ("POST", "/_sandbox/refunds/{id}", money_control.settle_refund),
        ("POST", "/_sandbox/payment_intents/{id}/authenticate", money_control.authenticate),
        ("POST", "/_sandbox/charges/{id}/dispute", money_control.dispute_charge),
        ("POST", "/_sandbox/disputes/{id}", money_control.decide_dispute),
        ("GET", "/_sandbox/deliveries", _list_deliveries),
        ("POST", "/_sandbox/chaos", _turn_dial),
        ("GET", "/_sandbox/chaos", _show_dial),
        ("DELETE", "/_sandbox/chaos", _reset_dial),
        ("POST", "/_sandbox/faults", _add_fault),
        ("GET", "/_sandbox/faults", _list_faults),
        ("DELETE", "/_sandbox/faults", _clear_faults),
    )
    return [Route(path, _endpoint(sandbox, command), methods=[method]) for method, path, command in table]


def _endpoint(
    sandbox: Sandbox, command: Callable[[Sandbox, Request, bytes], JsonObject]
) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            status, body = 200, command(sandbox, request, await request.body())
        except StripeError as error:
            status, body = error.status, error.to_body()
        return Response(msgspec.json.encode(body), status, media_type="application/json")

    return answer


def _set_object(sandbox: Sandbox, request: Request, body: bytes) -> JsonObject:
    change = decode(body, ObjectChange)
    before = sandbox.store.find(request.path_params["id"])
    if before is None or before["object"] in _NOT_TO_SET or before.get("deleted"):
        raise no_such("object", request.path_params["id"])
    after = copy(before)
    for path, value in change.set.items():
        _set(after, path, value)
    _check_references(sandbox, after)
    sandbox.store.put(after)
    with sandbox.clock.apart(time_of(sandbox, before)):
        return sandbox.record(
            before,
            after,
            type=change.event or derive_type(before, after),
            at=change.created,
            version=change.api_version,
            deliver=change.deliver,
        )


def _set(obj: JsonObject, path: str, value: Any) -> None:
    names = path.replace("[", ".").replace("]", "").split(".")
    if obj["object"] == "subscription" and path in _PERIOD:
        for item in obj["items"]["data"]:
            item[path] = value
        return
    if names[0] not in obj or names[0] in ("id", "object"):
        raise StripeError(f"A {obj['object']} has no field {names[0]} to set.", code="parameter_unknown", param=path)
    change: Any = value
    for name in reversed(names[1:]):
        change = {name: change}
    obj[names[0]] = _merged(obj[names[0]], change)
    if names[0] == "metadata":
        obj["metadata"] = {key: text for key, text in obj["metadata"].items() if text is not None}


def _merged(current: Any, change: Any) -> Any:
    """Return `current` with `change` laid over it.

    A hash of indices (`{"0": …}`) goes into an array, an empty array empties it.
    """
    if is_array(current) and is_array(change) and change and all(is_hash(element) for element in [*current, *change]):
        change = {str(index): element for index, element in enumerate(change)}
    if not is_hash(change):
        return change
    if is_array(current):
        return _merged_array(current, change)
    start = current if is_hash(current) else {}
    return {**start, **{key: _merged(start.get(key), value) for key, value in change.items()}}


def _merged_array(current: list[Any], change: JsonObject) -> list[Any]:
    elements = list(current)
    for index, element in change.items():
        if not index.isdecimal() or int(index) >= len(elements):
            raise StripeError(f"There is no element {index} to set.")
        elements[int(index)] = _merged(elements[int(index)], element)
    return elements


def _check_references(sandbox: Sandbox, obj: JsonObject) -> None:
    if obj["object"] == "customer" and obj["discount"] is not None:
        _check_discounts([obj["discount"]])
    if obj["object"] != "subscription":
        return
    _check_discounts(obj["discounts"])
    items: Any = obj["items"].get("data") if is_hash(obj["items"]) else None
    if not is_array(items) or not all(is_hash(item) and isinstance(item.get("price"), str) for item in items):
        raise StripeError("Name an item's price by its id: items.data.0.price.", param="items")
    for item in items:
        sandbox.store.get("price", item["price"], param="price")
        _check_discounts(item["discounts"])


def _check_discounts(given: Any) -> None:
    """Refuse discounts that were not redeemed: they do not say what they take off."""
    if not is_array(given) or not all(is_hash(discount) and is_hash(discount.get("_coupon")) for discount in given):
        raise StripeError("Discounts are given by redeeming a coupon, and can only be taken away here.", param="set")


def _deliver_again(sandbox: Sandbox, request: Request, _: bytes) -> JsonObject:
    event = sandbox.store.get("event", request.path_params["id"])
    sandbox.deliveries.send_again(event)
    return event


def _set_webhook(sandbox: Sandbox, _: Request, body: bytes) -> JsonObject:
    sandbox.deliveries.endpoint = decode(body, Endpoint)
    return {"url": sandbox.deliveries.endpoint.url}


def _list_deliveries(sandbox: Sandbox, request: Request, _: bytes) -> JsonObject:
    """List the attempts, oldest first (of one event with `?event=`), and how many deliveries are not yet over."""
    wanted = request.query_params.get("event")
    attempts = [attempt for attempt in sandbox.deliveries.attempts if wanted in (None, attempt.event_id)]
    return {"attempts": attempts, "unfinished": sum(sandbox.deliveries.unfinished.values())}


def _turn_dial(sandbox: Sandbox, request: Request, body: bytes) -> JsonObject:
    chaos = decode(body, Chaos)
    chaos.check()
    sandbox.deliveries.turn(chaos)
    return _show_dial(sandbox, request, body)


def _show_dial(sandbox: Sandbox, _request: Request, _body: bytes) -> JsonObject:
    """Return where the dial stands, and under `done` what it has done since it was set."""
    dial = sandbox.deliveries.dial
    return {**msgspec.to_builtins(dial.chaos), "done": dial.done}


def _reset_dial(sandbox: Sandbox, request: Request, body: bytes) -> JsonObject:
    sandbox.deliveries.turn(Chaos())
    return _show_dial(sandbox, request, body)


def _add_fault(sandbox: Sandbox, request: Request, body: bytes) -> JsonObject:
    sandbox.faults.add(decode(body, Fault))
    return _list_faults(sandbox, request, body)


def _list_faults(sandbox: Sandbox, _request: Request, _body: bytes) -> JsonObject:
    """Return the rules in force, and how often requests have met which kind since they were cleared."""
    return {"faults": sandbox.faults.rules, "met": sandbox.faults.met}


def _clear_faults(sandbox: Sandbox, request: Request, body: bytes) -> JsonObject:
    sandbox.faults.clear()
    return _list_faults(sandbox, request, body)
