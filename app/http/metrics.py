"""`/metrics` in Prometheus' text format, put together when it is asked for."""

import asyncio
from collections import Counter
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from app.domain.change import Kind
from app.domain.errors import UnavailableError
from app.domain.sync_status import WorkerState
from app.runtime import Runtime

_STATUS_TIMEOUT_S: Final = 2.0
_HELD: Final = tuple(kind for kind in Kind if kind is not Kind.STRIPE_OBJECT)


def metrics_routes(rt: Runtime) -> list[BaseRoute]:
    """Return `/metrics`. Labels are ours, never a caller's input."""
    registry = CollectorRegistry()
    registry.register(rt.metrics)

    async def metrics(_: Request) -> Response:
        _gather_cache(rt)
        await _gather_workers(rt)
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return [Route("/metrics", metrics)]


def _gather_cache(rt: Runtime) -> None:
    for kind in _HELD:
        rt.metrics.set("records", len(rt.cache.ids(kind)), kind.value)
    by_outcome: Counter[str] = Counter()
    for (_, _, outcome), count in rt.cache.counters.items():
        by_outcome[outcome.value] += count
    for outcome, count in by_outcome.items():
        rt.metrics.set("apply", count, outcome)


async def _gather_workers(rt: Runtime) -> None:
    """Set the workers' states; where the status cannot be had, they keep what was last known."""
    try:
        async with asyncio.timeout(_STATUS_TIMEOUT_S):
            status = await rt.sync.status()
    except (TimeoutError, UnavailableError):
        return
    for worker in status.workers:
        rt.metrics.set("worker_valid", worker.state is WorkerState.VALID, worker.name)
