"""Probes: is the process alive, is it fit to answer, and if not, why."""

import asyncio
from collections.abc import Iterator
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from app.domain.errors import UnavailableError
from app.domain.sync_status import SyncStatus, WorkerState
from app.runtime import Runtime
from app.telemetry import redact

_STATUS_TIMEOUT_S: Final = 2.0
_FIT: Final = frozenset({WorkerState.VALID, WorkerState.OFF})


def health_routes(rt: Runtime) -> list[BaseRoute]:
    """Return `/livez`, which says that the process runs, and `/readyz`, which is 503 until RAM is loaded and live."""

    async def livez(_: Request) -> JSONResponse:
        return JSONResponse({"alive": True})

    async def readyz(_: Request) -> JSONResponse:
        if rt.sync.is_ready():
            return JSONResponse({"ready": True, "reasons": []})
        return JSONResponse({"ready": False, "reasons": await _reasons(rt)}, 503, {"Retry-After": "1"})

    return [Route("/livez", livez), Route("/readyz", readyz)]


async def _reasons(rt: Runtime) -> list[str]:
    try:
        async with asyncio.timeout(_STATUS_TIMEOUT_S):
            status = await rt.sync.status()
    except (TimeoutError, UnavailableError):
        return ["the database does not answer"]
    return list(_problems(status)) or ["starting"]


def _problems(status: SyncStatus) -> Iterator[str]:
    if not status.cache.ready:
        yield f"RAM is loading: {status.cache.records} records so far"
    for worker in status.workers:
        if worker.state not in _FIT:
            cause = f": {redact(worker.last_error)}" if worker.last_error else ""
            yield f"{worker.name} is {worker.state}{cause}"
