"""Follows one live operation over graphql-transport-ws.

https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, InvalidURI, WebSocketException
from websockets.typing import Subprotocol

from .errors import EntitledError, UnavailableError, data_of, no_graphql, refusal  # noqa: TID252  movable

_PROTOCOL: Final = Subprotocol("graphql-transport-ws")
_OURS: Final = range(4400, 4500)
_INIT_TIMEOUT: Final = 4408


async def follow(
    url: str, authorization: str, operation: Mapping[str, object], *, timeout_s: float, **kwargs: Any
) -> AsyncGenerator[dict[str, Any]]:
    """Yield what is pushed until the operation is complete. Raises `EntitledError`, also when the connection ends."""
    try:
        async with _opened(url, authorization, timeout_s, kwargs) as socket:
            await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": operation}))
            while True:
                match json.loads(await socket.recv()):
                    case {"type": "next", "payload": answer}:
                        yield data_of(answer)
                    case {"type": "error", "payload": [error, *_]}:
                        raise refusal(error)
                    case {"type": "complete"}:
                        return
                    case {"type": "ping"}:
                        await socket.send('{"type": "pong"}')
                    case _:
                        pass  # the protocol may grow
    except (OSError, TimeoutError, WebSocketException) as error:
        raise _translated(url, error) from error


@asynccontextmanager
async def _opened(
    url: str, authorization: str, timeout_s: float, kwargs: Mapping[str, Any]
) -> AsyncGenerator[ClientConnection]:
    """Connect, and wait until the key is accepted."""
    async with connect(url, subprotocols=[_PROTOCOL], open_timeout=timeout_s, **kwargs) as socket:
        await socket.send(json.dumps({"type": "connection_init", "payload": {"Authorization": authorization}}))
        async with asyncio.timeout(timeout_s):
            while json.loads(await socket.recv()).get("type") != "connection_ack":
                await socket.send('{"type": "pong"}')  # all that may come before it is a ping
        yield socket


def _translated(url: str, error: Exception) -> EntitledError:
    match error:
        case ConnectionClosed(rcvd=close) if close and close.code in _OURS and close.code != _INIT_TIMEOUT:
            return EntitledError("FORBIDDEN", f"{url} closed the socket with {close.code}: {close.reason}")
        case InvalidStatus():
            return no_graphql(url, error.response.status_code)
        case InvalidURI():
            return EntitledError("BAD_ADDRESS", str(error))
        case _:
            return UnavailableError("UNREACHABLE", f"no answer from {url}: {error!r}")
