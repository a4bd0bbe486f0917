"""Deliveries that run in the test's own loop."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from sandbox.webhook_receiver import SECRET

from app.sandbox.stripe.delivery import Deliveries, Endpoint
from app.sandbox.stripe.wire import JsonObject

AT = 1_800_000_000


@asynccontextmanager
async def running(
    url: str,
    *,
    retry_delays_s: tuple[float, ...] = (0.01, 0.02),
    concurrency: int = 4,
    now: Callable[[], int] = lambda: AT,
    time_of_day: Callable[[], int] | None = None,
) -> AsyncIterator[Deliveries]:
    deliveries = Deliveries(
        Endpoint(url, SECRET),
        retry_delays_s=retry_delays_s,
        concurrency=concurrency,
        timeout_s=2,
        now=now,
        time_of_day=time_of_day,
    )
    async with at_work(deliveries):
        yield deliveries


@asynccontextmanager
async def at_work(deliveries: Deliveries) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        work = tasks.create_task(deliveries.run())
        yield
        work.cancel()


async def until_over(deliveries: Deliveries) -> None:
    async with asyncio.timeout(10):
        while deliveries.unfinished:
            await asyncio.sleep(0.005)


def event(number: int = 0, type: str = "customer.created") -> JsonObject:
    return {
        "id": f"evt_{number}",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "data": {"object": {"shape": "account's"}},
        "pending_webhooks": 0,
        "type": type,
    }


def data_in(version: str) -> JsonObject:
    return {"object": {"shape": version}}
