"""The sandbox as a server: its socket, and serving until a signal ends it."""

import asyncio
import signal
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager

import uvicorn

from app.sandbox.stripe.application import make_application
from app.sandbox.stripe.sandbox import Sandbox

_POLL_S = 1
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _Server(uvicorn.Server):
    """Leaves signals to us: uvicorn would raise them again at its end."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens there, on a free port for 0; whoever connects does not wait for acknowledgements."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family, backlog=512)
    # asyncio sets it only on sockets of its own making; without it a response waits 40 ms for an acknowledgement.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def url_of(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


async def serve(
    sandbox: Sandbox,
    listening: socket.socket,
    *,
    announce: Callable[[], None],
    is_over: Callable[[], bool] = lambda: False,
) -> None:
    """Serve until SIGINT, SIGTERM or, looked at every second, `is_over`; `announce` once a signal would end it well."""
    server = _Server(
        uvicorn.Config(
            make_application(sandbox),
            log_level="warning",
            access_log=False,
            ws="none",
            timeout_keep_alive=75,  # longer than callers pool their connections
            timeout_graceful_shutdown=2,
        )
    )
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, _end, server)
    try:
        async with asyncio.TaskGroup() as tasks:
            watch = tasks.create_task(_end_when(server, is_over))
            announce()
            await server.serve(sockets=[listening])
            watch.cancel()
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


def _end(server: uvicorn.Server) -> None:
    """End it, and at the second time without waiting for anybody."""
    server.force_exit = server.should_exit
    server.should_exit = True


async def _end_when(server: uvicorn.Server, is_over: Callable[[], bool]) -> None:
    while not is_over():  # noqa: ASYNC110 - nobody sets an asyncio.Event
        await asyncio.sleep(_POLL_S)
    server.should_exit = True
