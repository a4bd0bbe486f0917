"""The sandbox's socket, and how it ends."""

import asyncio
import signal
import socket
import time

import httpx
import pytest

from app.sandbox.stripe.sandbox import Config, Sandbox
from app.sandbox.stripe.server import listen, serve, url_of


def test_an_answer_in_several_pieces_does_not_wait_for_acknowledgements() -> None:
    with listen("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_taken_port_is_an_error() -> None:
    with listen("127.0.0.1", 0) as taken, pytest.raises(OSError, match="in use"):
        listen("127.0.0.1", taken.getsockname()[1])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_it_and_goes_no_further(number: signal.Signals) -> None:
    with listen("127.0.0.1", 0) as listening:
        serving = asyncio.create_task(serve(_sandbox(), listening, announce=lambda: None))
        async with httpx.AsyncClient(base_url=url_of(listening), trust_env=False) as http:
            status = (await http.get("/v1/customers")).status_code
        signal.raise_signal(number)
        async with asyncio.timeout(10):
            await serving

    assert status == httpx.codes.UNAUTHORIZED


async def test_it_ends_when_it_is_told_that_it_is_over() -> None:
    said: list[str] = []
    with listen("127.0.0.1", 0) as listening:
        async with asyncio.timeout(10), httpx.AsyncClient(base_url=url_of(listening), trust_env=False) as http:
            serving = asyncio.create_task(
                serve(_sandbox(), listening, announce=lambda: said.append("on"), is_over=lambda: "over" in said)
            )
            await http.get("/v1/customers")
            said.append("over")
            await serving

    assert said == ["on", "over"]


def _sandbox() -> Sandbox:
    return Sandbox(Config(), now=lambda: time.time_ns() // 1_000_000_000)
