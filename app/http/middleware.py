"""Around every request: an id that its log lines and errors carry, and headers that keep browsers careful."""

import re
from collections.abc import Callable
from typing import Any, Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.telemetry import bound

HEADER: Final = "X-Request-ID"
_ACCEPTABLE: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SECURITY: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


class RequestContext:
    """ASGI middleware: takes the caller's request id where it is a plain word, else makes one, and sends it back."""

    def __init__(self, app: ASGIApp, *, new_id: Callable[[], str]) -> None:
        self._app = app
        self._new_id = new_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, its id in the scope's state and in every log line."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        request_id = _given(scope) or self._new_id()
        state: dict[str, Any] = scope.setdefault("state", {})
        state["request_id"] = request_id

        async def send_with_headers(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.accept"):
                headers = MutableHeaders(scope=message) if "headers" in message else MutableHeaders(raw=[])
                headers[HEADER] = request_id
                if message["type"] == "http.response.start":
                    for name, value in _SECURITY.items():
                        headers.setdefault(name, value)
                message["headers"] = headers.raw
            await send(message)

        with bound(request_id=request_id):
            await self._app(scope, receive, send_with_headers)


def _given(scope: Scope) -> str | None:
    name = HEADER.lower().encode()
    value = next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")
    return value if _ACCEPTABLE.fullmatch(value) else None
