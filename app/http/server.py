"""The web server: an ASGI app on bound sockets until a signal ends it."""

import asyncio
import signal
import socket
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import uvicorn

_DRAIN_S: Final = 5  # what a request under way is given at the end
_IDLE_S: Final = 75  # above the idle time of the clients' pools, so that they close first
_FRAME_BYTES: Final = 64 * 1024
_CONNECTIONS: Final = 2_000


class _Server(uvicorn.Server):
    """Leaves signals to us: uvicorn would raise them again at its end, before the rest of the process is put away."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


async def serve_until_told(app: Any, sockets: Sequence[socket.socket]) -> None:
    """Serve until SIGTERM or SIGINT; requests under way are given five seconds, a second signal ends them at once."""
    server = _Server(
        uvicorn.Config(
            app,
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
