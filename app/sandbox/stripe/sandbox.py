"""The sandbox's state: objects, time, deliveries and faults; and the one way to change an object."""

from collections import defaultdict
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Literal

import msgspec

from app.sandbox.stripe.changes import derive_type, event_data, new_event
from app.sandbox.stripe.clock import Agenda, Clock
from app.sandbox.stripe.delivery import Deliveries, Endpoint
from app.sandbox.stripe.dues import dues_of
from app.sandbox.stripe.entitling import SUMMARY, entitle
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


class Collection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """How payments are collected: when failed ones are tried again, and what follows the last failure.

    `require_payment_method` refuses payment where a customer has no default, as Stripe does; without it such a
    payment succeeds, so that a subscription needs no card.
    """

    retry_days: tuple[int, ...] = (3, 5, 7)
    after_last_retry: Literal["cancel", "unpaid", "past_due"] = "cancel"
    require_payment_method: bool = False


class Call(msgspec.Struct, frozen=True):
    """A request to the API: `id` from the path where it has one, parameters of query and body together.

    `parent` is the id of what the path names before it; `base_url`, without a slash at its end, is where the caller
    reaches the sandbox; `version` the API's that the caller speaks.
    """

    id: str
    form: Form
    at: int
    request_id: str
    idempotency_key: str | None
    parent: str = ""
    base_url: str = ""
    version: str = API_VERSION


class Sandbox:
    """A Stripe account in test mode."""

    def __init__(self, config: Config, *, now: Callable[[], int], endpoint: Endpoint | None = None) -> None:
        self.config = config
        self.clock = Clock(now)
        self.agendas: defaultdict[str | None, Agenda] = defaultdict(Agenda)
        self.collection = Collection()
        self.store = Store()
        self.faults = Faults()
        self._call: Call | None = None
        self.deliveries = Deliveries(
            endpoint,
            retry_delays_s=config.retry_delays_s,
            concurrency=config.concurrency,
            timeout_s=config.delivery_timeout_s,
            now=self.clock.own,
            time_of_day=now,
        )

    def now(self) -> int:
        """Return what time it is, in epoch seconds: the sandbox's, or the test clock's that something happens by."""
        return self.clock.now()

    @contextmanager
    def answering(self, call: Call) -> Generator[None]:
        """Let all that is done within happen at the call's instant, and its events name its request."""
        self._call = call
        try:
            with self.clock.held(self.clock.own()), self.clock.apart(call.at):
                yield
        finally:
            self._call = None

    def save(self, before: JsonObject | None, after: JsonObject, call: Call | None = None) -> JsonObject:
        """Store the object, record and send the event of its change, and return the object.

        A change that changes nothing makes no event, as at Stripe.
        """
        self.store.put(after)
        if before != after:
            self.record(before, after, type=derive_type(before, after), call=call)
        return after

    def put(self, before: JsonObject | None, after: JsonObject, *told: str) -> JsonObject:
        """Store the object, record and send events of these types, now, and return the object."""
        self.store.put(after)
        self._note_dues(after)
        for name in told:
            self.record(before, after, type=name)
        return after

    def record(
        self,
        before: JsonObject | None,
        after: JsonObject,
        *,
        type: str,
        at: int | None = None,
        call: Call | None = None,
        version: str | None = None,
        deliver: bool = True,
    ) -> JsonObject:
        """Record an event, caused by `call` or by Stripe itself, and send it; return it.

        Its time is `at`, by default the sandbox's own: events are in order, whatever clock their objects live by.
        """
        self._note_dues(after)
        at = self.clock.own() if at is None else at
        event = new_event(type, before, after, store=self.store, version=version or self.config.api_version, at=at)
        if call := call or self._call:
            event["request"] = {"id": call.request_id, "idempotency_key": call.idempotency_key}
        self.store.put(event)
        if deliver:
            self.deliveries.send(event, lambda shape: event_data(type, before, after, store=self.store, version=shape))
        if after["object"] == "subscription" and (summaries := entitle(self.store, before, after)):
            self.record(*summaries, type=f"{SUMMARY}.updated", at=at, call=call, version=version, deliver=deliver)
        return event

    def _note_dues(self, obj: JsonObject) -> None:
        """Note what will happen to the object by its clock; what somebody dates into the past stays as it was set."""
        for due in dues_of(obj):
            if due.at > self.now():
                self.agendas[self.store.clock_of(obj)].note(due, obj["id"])
