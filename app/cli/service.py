"""The service in this process: its socket, the embedded MongoDB, and what start-up refusals mean for the shell."""

import asyncio
import errno
import signal
import socket
from collections.abc import Coroutine, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.cli.failure import CommandError, ExitCode

_BACKLOG = 2048


def listen(host: str, port: int) -> socket.socket:
    """Return a socket bound to the address; exit code 78 where that cannot be."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        listening = socket.socket(family, kind, protocol)
    except OSError as error:
        raise CommandError(f"HOST {host!r} is no address to listen on: {error}", ExitCode.CONFIGURATION) from None
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise CommandError(_describe(host, port, error), ExitCode.CONFIGURATION) from None
    return listening


def _describe(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is taken by another process; end that one, or set PORT (--port) to a free one"
    if error.errno == errno.EACCES:
        return f"port {port} on {host} is not ours to take ({error.strerror}); set PORT (--port) to one above 1023"
    return f"cannot listen on {host} port {port}: {error.strerror}; HOST and PORT name the place"


@contextmanager
def embedded_mongodb(data_dir: Path, *, alone: bool = False) -> Generator[str]:
    """Run an embedded MongoDB, or use the one that another process runs there unless `alone`; give its address.

    Call from the main thread, before any event loop.
    """
    from app.sandbox.mongod import EmbeddedMongod, MongodUnavailableError

    try:
        mongod = EmbeddedMongod.start(data_dir)
    except MongodUnavailableError as error:
        raise CommandError(str(error), ExitCode.CONFIGURATION) from None
    except OSError as error:
        raise CommandError(f"the directory {data_dir} cannot be used: {error}", ExitCode.CONFIGURATION) from None
    if alone and not mongod.owner:
        raise CommandError(
            f"another process uses {data_dir}; end it, or take another directory", ExitCode.CONFIGURATION
        )
    try:
        yield mongod.uri
    finally:
        mongod.stop()


def run_until_done(service: Coroutine[Any, Any, None]) -> None:
    """Run the service; refusals at start-up become exit codes."""
    from app.domain.errors import UnavailableError
    from app.store.mongo import SetupError

    try:
        asyncio.run(service)
    except SetupError as error:
        raise CommandError(str(error), ExitCode.CONFIGURATION) from None
    except UnavailableError as error:
        raise CommandError(str(error), ExitCode.UNREACHABLE) from None


def ignore_signals() -> None:
    """Let what is being stopped stop undisturbed; each part of it is bounded."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def termination_as_interrupt() -> Generator[None]:
    """Let SIGTERM end what stands inside as Ctrl-C does, so that what was started is stopped."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
