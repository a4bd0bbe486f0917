"""The TypeScript client against the real service, and against one that misbehaves."""

import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support import graphql_server
from support.node import find_node
from support.service import Service, api, free_port
from websockets.sync.server import ServerConnection, serve

NODE = find_node()
SCRIPT = Path(__file__).with_name("conversation.mts")

pytestmark = pytest.mark.skipif(NODE is None, reason="no node here, or one older than 22.18, which takes no types off")


@contextmanager
def conversation(what: str, url: str, key: str, **options: int) -> Iterator[Iterator[Any]]:
    """Let the client do something; what is given yields the values it tells."""
    command = [str(NODE), str(SCRIPT), what, url, key, json.dumps({"timeoutMs": 10_000, **options})]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield (json.loads(line) for line in process.stdout)
            assert process.wait(20) == 0
        finally:
            process.kill()


def test_checks_one_by_one_and_together(service: Service) -> None:
    with conversation("ask", f"{service.url}/graphql", service.key) as told:
        assert list(told) == [[True, False], 1]


def test_usage_is_recorded_once_and_a_refusal_is_a_result(service: Service) -> None:
    with conversation("use", f"{service.url}/graphql", service.key) as told:
        assert list(told) == [[False, "2.5"], [True, "2.5"], ["NotFoundError", "NOT_FOUND"]]


def test_what_is_consumed_and_reserved_stays_within_its_limit(service: Service) -> None:
    with conversation("hold", f"{service.url}/graphql", service.key) as told:
        assert list(told) == [1, [0, "USAGE_LIMIT_EXCEEDED"], "SettlePayload", "ReleasePayload"]


async def test_changes_arrive_by_themselves(service: Service) -> None:
    with conversation("follow", f"{service.url}/graphql", service.key) as told:
        assert next(told) is False
        async with api(service) as client:
            granted = {"workspaceId": "bare", "featureKey": "sso", "source": "MANUAL"}
            await client.mutate("grantEntitlement", "... on GrantPayload { replayed }", **granted)
        assert next(told) is True


def test_following_can_be_stopped(service: Service) -> None:
    with conversation("stop", f"{service.url}/graphql", service.key) as told:
        assert list(told) == [None, "stopped"]


@pytest.mark.parametrize(("what", "code"), [("ask", "UNAUTHENTICATED"), ("follow", "FORBIDDEN")])
def test_a_wrong_key_is_a_mistake(service: Service, what: str, code: str) -> None:
    with conversation(what, f"{service.url}/graphql", "wrong") as told:
        assert next(told)[:2] == ["EntitledError", code]


@pytest.mark.parametrize("what", ["ask", "follow"])
def test_nobody_answers(what: str) -> None:
    with conversation(what, f"http://127.0.0.1:{free_port()}/graphql", "any") as told:
        assert next(told)[:2] == ["UnavailableError", "UNREACHABLE"]


@pytest.mark.parametrize("what", ["ask", "follow"])
def test_one_that_never_answers_is_unavailable(what: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/graphql"

        with conversation(what, url, "any", timeoutMs=100) as told:
            assert next(told)[:2] == ["UnavailableError", "UNREACHABLE"]


def test_one_that_falls_silent_is_given_up() -> None:
    def fall_silent(connection: ServerConnection) -> None:
        connection.recv()
        connection.send('{"type": "connection_ack"}')
        for _ in connection:
            pass  # neither an answer nor a pong

    with serve(fall_silent, "127.0.0.1", 0, subprotocols=["graphql-transport-ws"]) as server:  # type: ignore[list-item]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.socket.getsockname()[1]}/graphql"
        with conversation("follow", url, "any", beatMs=50) as told:
            name, code, message = next(told)
        server.shutdown()
        thread.join(10)

    assert (name, code) == ("UnavailableError", "UNREACHABLE")
    assert message.endswith("silent")


@pytest.mark.parametrize(
    ("status", "answer", "error"),
    [
        pytest.param(404, "nothing here", ["EntitledError", "NO_GRAPHQL"], id="another path"),
        pytest.param(502, "<html>", ["UnavailableError", "UNREACHABLE"], id="a proxy's fault"),
        pytest.param(429, "[]", ["UnavailableError", "UNREACHABLE"], id="a proxy's limit"),
        pytest.param(200, {"errors": [{"message": "m"}]}, ["EntitledError", "UNKNOWN"], id="no code"),
        pytest.param(
            503,
            {"errors": [{"message": "m", "extensions": {"code": "NOT_READY"}}]},
            ["UnavailableError", "NOT_READY"],
            id="not ready",
        ),
    ],
)
def test_what_is_no_answer(status: int, answer: Any, error: list[str]) -> None:
    with graphql_server.running() as fake:
        fake.status, fake.answer = status, answer
        with conversation("ask", fake.url, "any") as told:
            assert next(told)[:2] == error
