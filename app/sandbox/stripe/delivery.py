"""Webhook delivery: signed, retried with backoff, in the background, a few at a time."""

import asyncio
import hashlib
import hmac
from collections import deque
from collections.abc import Callable

import httpx
import msgspec

from app.sandbox.stripe.wire import JsonObject, encode

_ATTEMPTS_KEPT = 20_000
# Shorter than a server's usual 5 s, so that no delivery runs into a connection that is being closed.
_KEEPALIVE_S = 2


class Endpoint(msgspec.Struct, frozen=True):
    url: str
    secret: str


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
    body: bytes
    attempts: int = 0


class Deliveries:
    """Sends events to one endpoint; `run` does the work."""

    def __init__(
        self,
        endpoint: Endpoint | None,
        *,
        retry_delays_s: tuple[float, ...],
        concurrency: int,
        timeout_s: float,
        now: Callable[[], int],
    ) -> None:
        self.endpoint = endpoint
        self.attempts: deque[Attempt] = deque(maxlen=_ATTEMPTS_KEPT)
        self.unfinished: dict[str, int] = {}
        self._retry_delays_s = retry_delays_s
        self._concurrency = concurrency
        self._timeout_s = timeout_s
        self._now = now
        self._queue: asyncio.Queue[_Delivery] = asyncio.Queue()

    def send(self, event: JsonObject) -> None:
        """Queue the event; without an endpoint it is dropped, as Stripe does."""
        if self.endpoint is None:
            return
        event_id = event["id"]
        self.unfinished[event_id] = self.unfinished.get(event_id, 0) + 1
        self._queue.put_nowait(_Delivery(event_id, event["type"], encode({**event, "pending_webhooks": 1})))

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
            accepted = self.endpoint is None or await self._attempt(client, self.endpoint, delivery)
            if accepted or delivery.attempts == len(self._retry_delays_s):
                self._finish(delivery.event_id)
                continue
            again = msgspec.structs.replace(delivery, attempts=delivery.attempts + 1)
            asyncio.get_running_loop().call_later(
                self._retry_delays_s[delivery.attempts], self._queue.put_nowait, again
            )

    async def _attempt(self, client: httpx.AsyncClient, endpoint: Endpoint, delivery: _Delivery) -> bool:
        at, started = self._now(), asyncio.get_running_loop().time()
        status, error = None, None
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": sign(delivery.body, endpoint.secret, at),
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


def sign(body: bytes, secret: str, at: int) -> str:
    """Return the `Stripe-Signature` header of scheme v1 (https://docs.stripe.com/webhooks#verify-manually)."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"
