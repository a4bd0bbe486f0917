"""`/metrics` in Prometheus' text format, put together when it is asked for."""

from collections import Counter

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from app.cache.cache import HELD
from app.runtime import Runtime


def metrics_routes(rt: Runtime) -> list[BaseRoute]:
    """Return `/metrics`. Labels are ours, never a caller's input."""
    registry = CollectorRegistry()
    registry.register(rt.metrics)

    async def metrics(_: Request) -> Response:
        _gather_cache(rt)
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return [Route("/metrics", metrics)]


def _gather_cache(rt: Runtime) -> None:
    for kind in HELD:
        rt.metrics.set("records", len(rt.cache.ids(kind)), kind.value)
    by_outcome: Counter[str] = Counter()
    for (_, _, outcome), count in rt.cache.counters.items():
        by_outcome[outcome.value] += count
    for outcome, count in by_outcome.items():
        rt.metrics.set("apply", count, outcome)
