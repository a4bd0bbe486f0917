"""A GraphQL server that answers what a test tells it, and remembers what it was asked."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


class FakeGraphQL:
    """`answer` is the next body, after those in `first`; `requests` what came in; `keys` the credentials of each."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.status = 200
        self.answer: Any = {"data": {}}
        self.first: list[Any] = []
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []

    async def respond(self, request: Request) -> Response:
        self.requests.append(json.loads(await request.body()))
        self.keys.append(request.headers.get("authorization"))
        answer = self.first.pop(0) if self.first else self.answer
        body = answer if isinstance(answer, str) else json.dumps(answer)
        return Response(body, self.status, media_type="application/json")


@contextmanager
def running() -> Iterator[FakeGraphQL]:
    """Serve in a thread of its own on a free port."""
    listening = socket.create_server(("127.0.0.1", 0))
    fake = FakeGraphQL(f"http://127.0.0.1:{listening.getsockname()[1]}/graphql")
    app = Starlette(routes=[Route("/graphql", fake.respond, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="none", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield fake
    finally:
        server.should_exit = True
        thread.join(10)
        listening.close()
