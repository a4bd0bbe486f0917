"""The web application: every route of the process, and answers for what none of them takes."""

from collections.abc import Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute

from app.http.health import health_routes
from app.http.metrics import metrics_routes
from app.http.middleware import RequestContext
from app.runtime import Runtime


def build_app(rt: Runtime, *, routes: Sequence[BaseRoute]) -> Starlette:
    """Build the ASGI app: probes and metrics, and the routes handed in (the API, the webhook)."""
    return Starlette(
        routes=[*health_routes(rt), *metrics_routes(rt), *routes],
        middleware=[Middleware(RequestContext, new_id=lambda: rt.ids.new("req"))],
        exception_handlers={HTTPException: _refuse, Exception: _fail},
    )


async def _refuse(request: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = getattr(error, "headers", None)
    message = error.detail if isinstance(error, HTTPException) else "something went wrong"
    return JSONResponse(_body(request, f"HTTP_{status}", message), status, headers)


async def _fail(request: Request, _: Exception) -> JSONResponse:
    """Answer for a bug; the server logs its traceback with the same request id."""
    return JSONResponse(_body(request, "INTERNAL", "something went wrong on our side; quote the requestId"), 500)


def _body(request: Request, code: str, message: str) -> dict[str, Any]:
    request_id = request.scope.get("state", {}).get("request_id", "")
    return {"errors": [{"message": message, "extensions": {"code": code, "requestId": request_id}}]}
