"""The web server: an ASGI app on bound sockets until a signal ends it."""

import asyncio
import signal
import socket
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Final, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_DRAIN_S: Final = 5  # what a request under way is given at the end
_IDLE_S: Final = 75  # above the idle time of the clients' pools, so that they close first
_HEAD_S: Final = 10
_FRAME_BYTES: Final = 64 * 1024
_CONNECTIONS: Final = 2_000


class _Server(uvicorn.Server):
    """Leaves signals to us: uvicorn would raise them again at its end, before the rest of the process is put away."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


class _PromptProtocol(HttpToolsProtocol):
    """Hangs up on who does not finish a request's head in time: uvicorn's only timer runs between two requests."""

    def __init__(self, *args: Any, head_s: float, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_s = head_s
        self._head_limit: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] - as in uvicorn
        super().connection_made(transport)
        self._expect_head()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._expect_head()

    def on_headers_complete(self) -> None:
        self._stop_expecting()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_expecting()
        super().connection_lost(exc)

    def _expect_head(self) -> None:
        if self._head_limit is None:
            self._head_limit = self.loop.call_later(self._head_s, self.transport.close)

    def _stop_expecting(self) -> None:
        if self._head_limit is not None:
            self._head_limit.cancel()
            self._head_limit = None


async def serve_until_told(app: Any, sockets: Sequence[socket.socket], *, head_s: float = _HEAD_S) -> None:
    """Serve until SIGTERM or SIGINT; requests under way are given five seconds, a second signal ends them at once.

    `head_s` is how long a client may take to send a request's first line and headers.
    """
    server = _Server(
        uvicorn.Config(
            app,
            http=cast("type[asyncio.Protocol]", partial(_PromptProtocol, head_s=head_s)),
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=_IDLE_S,
            timeout_graceful_shutdown=_DRAIN_S,
            limit_concurrency=_CONNECTIONS,
            ws_max_size=_FRAME_BYTES,
        )
    )

    def end() -> None:
        server.force_exit = server.should_exit
        server.should_exit = True

    loop, numbers = asyncio.get_running_loop(), (signal.SIGTERM, signal.SIGINT)
    for number in numbers:
        loop.add_signal_handler(number, end)
    try:
        await server.serve(sockets=list(sockets))
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def url_of(listening: socket.socket) -> str:
    """Return the base URL that a bound socket answers at."""
    host, port = listening.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"
