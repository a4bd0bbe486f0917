"""Webhook delivery: to every endpoint that wants the event, signed, retried with backoff, a few at a time."""

import asyncio
import hashlib
import hmac
from collections import deque
from collections.abc import Callable
from itertools import count
from typing import Literal, TypeAlias

import httpx
import msgspec

from app.sandbox.stripe.chaos import Chaos, Dial, Fate
from app.sandbox.stripe.thin import thin
from app.sandbox.stripe.wire import JsonObject, encode

DataIn: TypeAlias = Callable[[str], JsonObject]
"""Gives an event's `data` in the shape of an API version."""

EVERY_EVENT = "*"
_GIVEN = "given"
_ATTEMPTS_KEPT = 20_000
_SHAPES_KEPT = 2_000
# Shorter than a server's usual 5 s, so that no delivery runs into a connection that is being closed.
_KEEPALIVE_S = 2


class Endpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """Where events go; `api_version` is the shape of what it gets, by default the account's.

    The payload `thin` only names the object that an event is about, as Stripe's event destinations of API v2 may.
    """

    url: str
    secret: str
    enabled_events: tuple[str, ...] = (EVERY_EVENT,)
    api_version: str | None = None
    payload: Literal["snapshot", "thin"] = "snapshot"

    def wants(self, type: str) -> bool:
        return EVERY_EVENT in self.enabled_events or type in self.enabled_events


class Attempt(msgspec.Struct, frozen=True, rename="camel"):
    """One request: `status` of the answer, or `error` where none came."""

    event_id: str
    type: str
    url: str
    attempt: int
    at: int
    duration_ms: float
    status: int | None
    error: str | None


class _Delivery(msgspec.Struct, frozen=True):
    event_id: str
    type: str
    endpoint_id: str
    body: bytes
    secret: str | None = None
    attempts: int = 0


class _Waiting(msgspec.Struct, frozen=True):
    delivery: _Delivery
    until: float
    timer: asyncio.TimerHandle


class Deliveries:
    """Sends events to the endpoints; `run` does the work.

    `endpoints` are those of the API by id, besides the one that is given from outside; `unfinished` counts, by event,
    the deliveries that are not yet over. `now` may be moved; signatures are of `time_of_day`, which receivers check.
    """

    def __init__(
        self,
        endpoint: Endpoint | None,
        *,
        retry_delays_s: tuple[float, ...],
        concurrency: int,
        timeout_s: float,
        now: Callable[[], int],
        time_of_day: Callable[[], int] | None = None,
    ) -> None:
        self.endpoints: dict[str, Endpoint] = {}
        self.endpoint = endpoint
        self.attempts: deque[Attempt] = deque(maxlen=_ATTEMPTS_KEPT)
        self.unfinished: dict[str, int] = {}
        self.dial = Dial(Chaos())
        self._retry_delays_s = retry_delays_s
        self._concurrency = concurrency
        self._timeout_s = timeout_s
        self._now = now
        self._time_of_day = time_of_day or now
        self._queue: asyncio.Queue[_Delivery] = asyncio.Queue()
        self._gathered: list[tuple[float, _Delivery]] = []
        self._waiting: dict[int, _Waiting] = {}
        self._numbers = count()
        self._untaken: dict[str, set[str]] = {}
        self._shapes: dict[str, DataIn] = {}
        self._flowing = asyncio.Event()
        self._flowing.set()

    @property
    def endpoint(self) -> Endpoint | None:
        """The endpoint that was given, at start or by a control; it is no object of the API."""
        return self.endpoints.get(_GIVEN)

    @endpoint.setter
    def endpoint(self, endpoint: Endpoint | None) -> None:
        self.endpoints.pop(_GIVEN, None)
        if endpoint is not None:
            self.endpoints = {_GIVEN: endpoint, **self.endpoints}

    def turn(self, chaos: Chaos) -> None:
        """Set the dial. What is on its way stays on it, except that `stopped` keeps all back that is not yet sent."""
        self.dial = Dial(chaos, seed=self.dial.seed)
        if chaos.stopped:
            self._flowing.clear()
        else:
            self._flowing.set()

    def pending(self, event_id: str) -> int:
        """Count the endpoints that should have taken the event and have not."""
        return len(self._untaken.get(event_id, ()))

    def send(self, event: JsonObject, data_in: DataIn | None = None) -> None:
        """Send the event to the endpoints that want it, as the dial decides; without any it goes nowhere."""
        self._keep_shape(event["id"], data_in)
        wanting = self._wanting(event)
        for endpoint_id, fates in zip(wanting, self.dial.decide(len(wanting)), strict=True):
            for fate in fates:
                self._start(self._address(event, endpoint_id, fate), fate)

    def send_again(self, event: JsonObject) -> None:
        """Send the event once more to the endpoints that want it, whatever the dial says."""
        for endpoint_id in self._wanting(event):
            self._queue_up(self._address(event, endpoint_id, Fate()))

    def _wanting(self, event: JsonObject) -> list[str]:
        """Return the ids of the endpoints that want the event, which is pending there from now on."""
        wanting = [key for key, endpoint in self.endpoints.items() if endpoint.wants(event["type"])]
        if wanting:
            self._untaken.setdefault(event["id"], set()).update(wanting)
        return wanting

    def _keep_shape(self, event_id: str, data_in: DataIn | None) -> None:
        if data_in is not None:
            self._shapes[event_id] = data_in
            if len(self._shapes) > _SHAPES_KEPT:
                del self._shapes[next(iter(self._shapes))]

    def _address(self, event: JsonObject, endpoint_id: str, fate: Fate) -> _Delivery:
        chaos = self.dial.chaos
        version = chaos.old_api_version if fate.is_old_shape else self.endpoints[endpoint_id].api_version
        data_in = self._shapes.get(event["id"])
        if version and data_in and version != event["api_version"]:
            event = {**event, "api_version": version, "data": data_in(version)}
        if self.endpoints[endpoint_id].payload == "thin":
            body = encode(thin(event))
        else:
            body = encode({**event, "pending_webhooks": self.pending(event["id"])})
        secret = chaos.old_secret if fate.is_old_secret else None
        return _Delivery(event["id"], event["type"], endpoint_id, body, secret)

    def _start(self, delivery: _Delivery, fate: Fate) -> None:
        if fate.delay_s:
            self._count(delivery)
            self._put_off(delivery, fate.delay_s)
        elif self.dial.chaos.shuffle_seconds:
            self._count(delivery)
            self._gather(delivery, fate.rank)
        else:
            self._queue_up(delivery)

    def _count(self, delivery: _Delivery) -> None:
        self.unfinished[delivery.event_id] = self.unfinished.get(delivery.event_id, 0) + 1

    def _queue_up(self, delivery: _Delivery) -> None:
        self._count(delivery)
        self._queue.put_nowait(delivery)

    def _gather(self, delivery: _Delivery, rank: float) -> None:
        if not self._gathered:
            asyncio.get_running_loop().call_later(self.dial.chaos.shuffle_seconds, self._let_go)
        self._gathered.append((rank, delivery))

    def _let_go(self) -> None:
        for _, delivery in sorted(self._gathered, key=lambda ranked: ranked[0]):
            self._queue.put_nowait(delivery)
        self._gathered.clear()

    def _put_off(self, delivery: _Delivery, delay_s: float) -> None:
        number = next(self._numbers)
        timer = asyncio.get_running_loop().call_later(delay_s, self._resume, number)
        self._waiting[number] = _Waiting(delivery, self._now() + delay_s, timer)

    def _resume(self, number: int) -> None:
        self._queue.put_nowait(self._waiting.pop(number).delivery)

    def follow_clock(self) -> None:
        """Send what the clock, having been moved, says is due; by itself a second here is a second outside."""
        due = [(waiting.until, number) for number, waiting in self._waiting.items() if waiting.until <= self._now()]
        for _, number in sorted(due):
            self._waiting[number].timer.cancel()
            self._resume(number)

    async def run(self) -> None:
        limits = httpx.Limits(max_connections=self._concurrency, keepalive_expiry=_KEEPALIVE_S)
        async with (
            httpx.AsyncClient(timeout=self._timeout_s, limits=limits, trust_env=False) as client,
            asyncio.TaskGroup() as workers,
        ):
            for _ in range(self._concurrency):
                workers.create_task(self._work(client))

    async def _work(self, client: httpx.AsyncClient) -> None:
        while True:
            delivery = await self._queue.get()
            await self._flowing.wait()
            endpoint = self.endpoints.get(delivery.endpoint_id)
            if endpoint is None or await self._attempt(client, endpoint, delivery):
                self._untaken.get(delivery.event_id, set()).discard(delivery.endpoint_id)
                self._finish(delivery.event_id)
            elif delivery.attempts == len(self._retry_delays_s):
                self._finish(delivery.event_id)
            else:
                again = msgspec.structs.replace(delivery, attempts=delivery.attempts + 1)
                self._put_off(again, self._retry_delays_s[delivery.attempts])

    async def _attempt(self, client: httpx.AsyncClient, endpoint: Endpoint, delivery: _Delivery) -> bool:
        at, started = self._now(), asyncio.get_running_loop().time()
        status, error = None, None
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": sign(delivery.body, delivery.secret or endpoint.secret, self._time_of_day()),
        }
        try:
            status = (await client.post(endpoint.url, content=delivery.body, headers=headers)).status_code
        except (httpx.HTTPError, httpx.InvalidURL) as failure:
            error = f"{type(failure).__name__}: {failure}"
        duration_ms = (asyncio.get_running_loop().time() - started) * 1000
        self.attempts.append(
            Attempt(
                delivery.event_id,
                delivery.type,
                endpoint.url,
                delivery.attempts + 1,
                at,
                round(duration_ms, 3),
                status,
                error,
            )
        )
        return status is not None and httpx.codes.is_success(status)

    def _finish(self, event_id: str) -> None:
        self.unfinished[event_id] -= 1
        if not self.unfinished[event_id]:
            del self.unfinished[event_id]
            if not self.pending(event_id):
                self._untaken.pop(event_id, None)


def sign(body: bytes, secret: str, at: int) -> str:
    """Return the `Stripe-Signature` header of scheme v1 (https://docs.stripe.com/webhooks#verify-manually)."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"
