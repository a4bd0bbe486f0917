"""The web server over real sockets: clients that are slow to ask, and those that are not."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from app.http.server import serve_until_told

HEAD_S = 0.3
WHOLE = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    await Request(scope, receive).body()
    await asyncio.sleep(HEAD_S * 2 if scope["path"] == "/slow" else 0)
    await PlainTextResponse("hello")(scope, receive, send)


@pytest.fixture
async def port() -> AsyncIterator[int]:
    listening = socket.create_server(("127.0.0.1", 0))
    server = asyncio.create_task(serve_until_told(app, [listening], head_s=HEAD_S))
    yield listening.getsockname()[1]
    os.kill(os.getpid(), signal.SIGTERM)
    await server


async def ended(reader: asyncio.StreamReader) -> bytes:
    """Return what came until the server hung up."""
    return await asyncio.wait_for(reader.read(), HEAD_S * 10)


@pytest.mark.parametrize("begun", [b"", b"POST /gra", b"GET / HTTP/1.1\r\nHost: x\r\n"])
async def test_who_does_not_finish_asking_is_hung_up_on(port: int, begun: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(begun)

    assert await ended(reader) == b""
    writer.close()


async def test_who_begins_a_second_request_and_stops_is_hung_up_on(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(WHOLE)
    await reader.readuntil(b"hello")
    writer.write(WHOLE[:20])

    assert await ended(reader) == b""
    writer.close()


async def test_who_trickles_is_hung_up_on(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def trickle() -> None:
        writer.write(WHOLE[:-2])
        while True:
            writer.write(b"X: y\r\n")
            await asyncio.sleep(HEAD_S / 5)

    trickling = asyncio.create_task(trickle())
    with suppress(ConnectionResetError):  # what was on its way when the server hung up
        assert await ended(reader) == b""
    trickling.cancel()
    writer.close()


async def test_answers_and_pauses_may_take_longer(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(WHOLE.replace(b"/ ", b"/slow "))
    assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200")
    await asyncio.sleep(HEAD_S * 1.5)
    writer.write(WHOLE)

    assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200")
    writer.close()
