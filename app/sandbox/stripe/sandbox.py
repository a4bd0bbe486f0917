"""The sandbox's state: objects, deliveries and faults; and the one way to change an object."""

from collections.abc import Callable

import msgspec

from app.sandbox.stripe.changes import derive_type, event_data, new_event
from app.sandbox.stripe.delivery import Deliveries, Endpoint
from app.sandbox.stripe.faults import Faults
from app.sandbox.stripe.forms import Form
from app.sandbox.stripe.store import Store
from app.sandbox.stripe.wire import JsonObject

API_VERSION = "2026-10-28.endive"


class Config(msgspec.Struct, frozen=True):
    """`api_version` is the account's: of requests that name none, and of events."""

    api_version: str = API_VERSION
    retry_delays_s: tuple[float, ...] = (0.2, 0.5, 1, 2, 5, 10, 30, 60)
    concurrency: int = 8
    delivery_timeout_s: float = 10


class Call(msgspec.Struct, frozen=True):
    """A request to the API: `id` from the path where it has one, parameters of query and body together."""

    id: str
    form: Form
    at: int
    request_id: str
    idempotency_key: str | None


class Sandbox:
    """A Stripe account in test mode."""

    def __init__(self, config: Config, *, now: Callable[[], int], endpoint: Endpoint | None = None) -> None:
        self.config = config
        self.now = now
        self.store = Store()
        self.faults = Faults()
        self.deliveries = Deliveries(
            endpoint,
            retry_delays_s=config.retry_delays_s,
            concurrency=config.concurrency,
            timeout_s=config.delivery_timeout_s,
            now=now,
        )

    def save(self, before: JsonObject | None, after: JsonObject, call: Call) -> JsonObject:
        """Store the object, record and send the event of its change, and return the object.

        A change that changes nothing makes no event, as at Stripe.
        """
        self.store.put(after)
        if before != after:
            self.record(before, after, type=derive_type(before, after), at=call.at, call=call)
        return after

    def record(
        self,
        before: JsonObject | None,
        after: JsonObject,
        *,
        type: str,
        at: int,
        call: Call | None = None,
        version: str | None = None,
        deliver: bool = True,
    ) -> JsonObject:
        """Record an event, caused by `call` or by Stripe itself, and send it; return it."""
        event = new_event(type, before, after, store=self.store, version=version or self.config.api_version, at=at)
        if call:
            event["request"] = {"id": call.request_id, "idempotency_key": call.idempotency_key}
        self.store.put(event)
        if deliver:
            self.deliveries.send(event, lambda shape: event_data(type, before, after, store=self.store, version=shape))
        return event
