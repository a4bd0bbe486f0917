"""What plays Stripe's API over HTTP: a server that answers what a test tells it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

from app.gateways.stripe import StripeProcessor

Answer = tuple[int, dict[str, str], bytes]


def answer(body: Any, status: int = 200, **headers: str) -> Answer:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return status, {"content-type": "application/json", **headers}, raw


def fault(status: int, code: str | None = None, message: str = "no", **headers: str) -> Answer:
    return answer({"error": {"type": "api_error", "code": code, "message": message}}, status, **headers)


class Server:
    def __init__(self, respond: Callable[[str, dict[str, list[str]]], Answer | None]) -> None:
        self.respond = respond
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.base = ""
        self.connections: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.current_task()
        assert connection is not None
        self.connections.add(connection)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                target, headers = _parse(head)
                self.seen.append((target, headers))
                url = urlsplit(target)
                given = self.respond(url.path, parse_qs(url.query))
                if given is None:
                    await asyncio.sleep(60)
                    return
                status, extra, body = given
                lines = [
                    f"HTTP/1.1 {status} x",
                    f"content-length: {len(body)}",
                    *(f"{k}: {v}" for k, v in extra.items()),
                ]
                writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


def _parse(head: bytes) -> tuple[str, dict[str, str]]:
    first, *rest = head.decode().strip().split("\r\n")
    return first.split(" ")[1], {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in rest)}


@asynccontextmanager
async def serving(
    respond: Callable[[str, dict[str, list[str]]], Answer | None], **settings: Any
) -> AsyncIterator[tuple[StripeProcessor, Server]]:
    server = Server(respond)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.base = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    quick = {"rate_per_s": 1000, "endpoint_rate_per_s": 1000}
    processor = StripeProcessor("sk_test_1", api_base=server.base, **{**quick, **settings})
    try:
        yield processor, server
    finally:
        await processor.close()
        listening.close()
        for connection in server.connections:
            connection.cancel()
        await asyncio.gather(*server.connections, return_exceptions=True)


def listed(*data: dict[str, Any], has_more: bool = False) -> Answer:
    return answer({"object": "list", "data": list(data), "has_more": has_more})
