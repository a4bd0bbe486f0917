"""The graphql-transport-ws protocol: what is spoken, and how each breach ends."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from structlog.testing import capture_logs
from support.api import SECRET, Api, closed, greet, read, send, served, socket, subscribe, until
from support.records import feature, workspace
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from app.graphql.limits import SocketLimits

PLANS = "{ features { key } }"
CHANGED = "subscription($w: ID!) { entitlementsChanged(workspaceId: $w) { version } }"


@pytest.fixture
def limits() -> SocketLimits:
    return SocketLimits()


@pytest.fixture
def api(limits: SocketLimits) -> Api:
    api = Api(socket_limits=limits)
    api.put(feature(), workspace())
    return api


@pytest.fixture
async def host(api: Api) -> AsyncIterator[str]:
    async with served(api.app) as host:
        yield host


async def test_queries_and_mutations_run_over_a_socket_too(api: Api, host: str) -> None:
    async with socket(host) as ws:
        await greet(ws, api.key())
        await subscribe(ws, PLANS, "x")

        assert await read(ws) == {
            "id": "x",
            "type": "next",
            "payload": {"data": {"features": [{"key": "api_calls"}]}},
        }
        assert await read(ws) == {"id": "x", "type": "complete"}
        await subscribe(ws, PLANS, "x")
        assert (await read(ws))["type"] == "next"


async def test_the_key_may_be_named_as_the_header_is(api: Api, host: str) -> None:
    async with socket(host) as ws:
        await send(ws, {"type": "connection_init", "payload": {"Authorization": api.key()}})

        assert await read(ws) == {"type": "connection_ack"}


@pytest.mark.parametrize(
    "payload",
    [None, {}, {"authorization": None}, {"authorization": 1}, {"authorization": "Bearer ent_key_1_wrong"}],
)
async def test_without_a_good_key_the_socket_is_forbidden(api: Api, host: str, payload: Any) -> None:
    api.key()
    async with socket(host) as ws:
        await send(ws, {"type": "connection_init", "payload": payload})

        assert await closed(ws) == 4403


async def test_before_the_keys_are_loaded_the_client_is_to_come_again(api: Api, host: str) -> None:
    api.rt.cache.ready = False
    async with socket(host) as ws:
        await send(ws, {"type": "connection_init", "payload": {"authorization": f"Bearer ent_key_1_{SECRET}"}})

        assert await closed(ws) == 1013


async def test_nothing_is_done_before_the_handshake(host: str) -> None:
    async with socket(host) as ws:
        await subscribe(ws, PLANS)

        assert await closed(ws) == 4401


@pytest.mark.parametrize("limits", [SocketLimits(init_timeout_s=0.05)])
async def test_silence_ends_the_handshake(host: str) -> None:
    async with socket(host) as ws:
        assert await closed(ws) == 4408


@pytest.mark.parametrize("limits", [SocketLimits(init_timeout_s=0.1)])
async def test_pings_do_not_put_the_timeout_off(host: str) -> None:
    async with socket(host) as ws:
        await send(ws, {"type": "ping"})

        assert await read(ws) == {"type": "pong"}
        assert await closed(ws) == 4408


async def test_a_second_handshake_is_too_many(api: Api, host: str) -> None:
    async with socket(host) as ws:
        await greet(ws, api.key())
        await send(ws, {"type": "connection_init"})

        assert await closed(ws) == 4429


@pytest.mark.parametrize("offered", [[], ["graphql-ws"]])
async def test_older_protocols_are_refused(host: str, offered: list[Any]) -> None:
    async with connect(f"ws://{host}/graphql", subprotocols=offered or None) as ws:
        assert await closed(ws) == 4406


MALFORMED = [
    "",
    "{",
    "[]",
    "1",
    "null",
    '"subscribe"',
    "{}",
    '{"type": 1}',
    '{"type": "unknown"}',
    '{"type": "start"}',
    '{"type": "subscribe"}',
    '{"type": "subscribe", "id": 1, "payload": {"query": "{ a }"}}',
    '{"type": "subscribe", "id": "", "payload": {"query": "{ a }"}}',
    '{"type": "subscribe", "id": "1"}',
    '{"type": "subscribe", "id": "1", "payload": []}',
    '{"type": "subscribe", "id": "1", "payload": {}}',
    '{"type": "subscribe", "id": "1", "payload": {"query": 1}}',
    '{"type": "complete"}',
    '{"type": "complete", "id": {}}',
    "[" * 10_000,
    '{"type": NaN}',
    b"\x00\x01",
]


@pytest.mark.parametrize("text", MALFORMED, ids=lambda text: repr(text)[:50])
async def test_odd_messages_close_the_socket_without_a_traceback(
    api: Api, host: str, text: str | bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with capture_logs() as logged:
        async with socket(host) as ws:
            await greet(ws, api.key())
            await ws.send(text)

            assert await closed(ws) == 4400

    assert (logged, caplog.text) == ([], "")


@pytest.mark.parametrize(
    "message", [{"type": "connection_init", "payload": []}, [], {"type": "connection_init", "payload": "x"}]
)
async def test_an_odd_handshake_closes_the_socket(host: str, message: Any) -> None:
    async with socket(host) as ws:
        await send(ws, message)

        assert await closed(ws) == 4400


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"query": "{ features { key "}, "GRAPHQL_PARSE_FAILED"),
        ({"query": "{ nothing }"}, "GRAPHQL_VALIDATION_FAILED"),
        ({"query": CHANGED}, "BAD_USER_INPUT"),
        ({"query": " "}, "BAD_USER_INPUT"),
        ({"query": PLANS, "variables": []}, "BAD_USER_INPUT"),
        ({"query": PLANS, "operationName": "x"}, "BAD_USER_INPUT"),
        ({"query": "{ " + "a " * 4000 + "}"}, "OPERATION_LIMIT_EXCEEDED"),
    ],
)
async def test_a_bad_operation_is_an_error_message_and_the_socket_stays(
    api: Api, host: str, payload: dict[str, Any], code: str
) -> None:
    async with socket(host) as ws:
        await greet(ws, api.key())
        await send(ws, {"type": "subscribe", "id": "1", "payload": payload})
        message = await read(ws)

        assert (message["id"], message["type"]) == ("1", "error")
        assert message["payload"][0]["extensions"]["code"] == code
        await subscribe(ws, PLANS, "1")
        assert (await read(ws))["type"] == "next"


async def test_an_id_in_use_closes_the_socket(api: Api, host: str) -> None:
    async with socket(host) as ws:
        await greet(ws, api.key())
        await subscribe(ws, CHANGED, w="ws_1")
        await read(ws)
        await subscribe(ws, CHANGED, w="ws_1")

        assert await closed(ws) == 4409


async def test_completing_what_is_unknown_is_harmless(api: Api, host: str) -> None:
    async with socket(host) as ws:
        await greet(ws, api.key())
        await send(ws, {"type": "complete", "id": "never"})
        await send(ws, {"type": "ping", "payload": {"a": 1}})

        assert await read(ws) == {"type": "pong"}


@pytest.mark.parametrize("limits", [SocketLimits(operations=2)])
async def test_a_socket_has_a_limit_of_operations(api: Api, host: str) -> None:
    async with socket(host) as ws:
        await greet(ws, api.key())
        for number in range(3):
            await subscribe(ws, CHANGED, str(number), w="ws_1")
        messages = {m["id"]: m for m in [await read(ws) for _ in range(3)]}

        assert messages["2"]["payload"][0]["extensions"]["code"] == "OPERATION_LIMIT_EXCEEDED"
        assert messages["0"]["type"] == messages["1"]["type"] == "next"


@pytest.mark.parametrize("limits", [SocketLimits(sockets=1)])
async def test_a_key_has_a_limit_of_sockets_and_closing_frees_one(api: Api, host: str) -> None:
    key = api.key()
    async with socket(host) as first:
        await greet(first, key)
        async with socket(host) as second:
            await send(second, {"type": "connection_init", "payload": {"authorization": key}})
            assert await closed(second) == 4429
        async with socket(host) as other:
            await greet(other, api.key(id="key_2"))

    async def freed() -> bool:
        async with socket(host) as again:
            await send(again, {"type": "connection_init", "payload": {"authorization": key}})
            async with asyncio.timeout(5):
                async for _ in again:
                    return True
        return False

    async with asyncio.timeout(5):
        while not await freed():
            await asyncio.sleep(0.01)


async def test_a_message_beyond_the_size_closes_the_socket(api: Api, host: str) -> None:
    async with socket(host) as ws:
        await greet(ws, api.key())
        await send(ws, {"type": "ping", "payload": "x" * 65_000})
        assert await read(ws) == {"type": "pong"}
        await send(ws, {"type": "ping", "payload": "x" * 65_536})

        assert await closed(ws) == 1009


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://["])
async def test_pages_of_other_origins_may_not_open_a_socket(host: str, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with socket(host, origin=origin):
            pass

    assert refused.value.response.status_code == 403


async def test_pages_of_our_own_origin_may(api: Api, host: str) -> None:
    async with socket(host, origin=f"http://{host}") as ws:
        await greet(ws, api.key())


async def test_a_client_that_vanishes_leaves_nothing(api: Api, host: str) -> None:
    async with socket(host) as ws:
        await greet(ws, api.key())
        await subscribe(ws, CHANGED, w="ws_1")
        await read(ws)
        ws.transport.abort()

    await until(lambda: api.rt.metrics.value("live_subscribers") == 0 and not api.rt.cache.feed._by_topic)


async def test_a_bug_in_an_operation_is_masked_and_the_socket_stays(api: Api, host: str) -> None:
    async def broken() -> None:
        raise RuntimeError("password=hunter2")

    api.sync.status = broken  # type: ignore[method-assign]
    async with socket(host) as ws:
        await greet(ws, api.key())
        with capture_logs() as logged:
            await subscribe(ws, "subscription { syncStatusChanged { cache { ready } } }")
            message = await read(ws)

        assert message["type"] == "error"
        assert message["payload"][0]["extensions"]["code"] == "INTERNAL"
        assert "hunter2" not in str(message)
        assert [line["event"] for line in logged] == ["bug in a resolver"]
        await send(ws, {"type": "ping"})
        assert await read(ws) == {"type": "pong"}
