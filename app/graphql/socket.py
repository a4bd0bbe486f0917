"""`/graphql` over WebSocket: the graphql-transport-ws protocol, and nothing older.

https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, cast

import msgspec
import orjson
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from app.domain.api_key import Principal
from app.graphql.context import Context
from app.graphql.documents import Documents
from app.graphql.errors import LIMIT_EXCEEDED, RequestError, coded, wire
from app.graphql.limits import SocketLimits
from app.graphql.pagination import Cursors
from app.graphql.request import Request, is_object, parse_json, to_request
from app.graphql.schema import SCHEMA
from app.runtime import Runtime

PROTOCOL: Final = "graphql-transport-ws"

INVALID_MESSAGE: Final = 4400
UNAUTHORIZED: Final = 4401
FORBIDDEN: Final = 4403
NOT_ACCEPTABLE: Final = 4406
INIT_TIMEOUT: Final = 4408
DUPLICATE_ID: Final = 4409
TOO_MANY: Final = 4429
TOO_BIG: Final = 1009
TRY_AGAIN: Final = 1013
_LONGEST_TIMER_S: Final = 3600.0
_MAX_ID: Final = 255


class Sockets:
    """Accepts sockets and counts them by principal."""

    def __init__(
        self,
        rt: Runtime,
        authenticate: Callable[[str | None], Principal | None],
        documents: Documents,
        cursors: Cursors,
        *,
        limits: SocketLimits,
    ) -> None:
        self.rt = rt
        self.limits = limits
        self.authenticate = authenticate
        self.documents = documents
        self.cursors = cursors
        self.open: Counter[str] = Counter()

    async def serve(self, websocket: WebSocket) -> None:
        """Serve one socket until either side closes it."""
        if not _is_allowed(websocket):
            await websocket.close(FORBIDDEN)
            return
        if PROTOCOL not in websocket.scope.get("subprotocols", ()):
            await websocket.accept()
            await websocket.close(NOT_ACCEPTABLE, f"only {PROTOCOL} is spoken here")
            return
        await websocket.accept(PROTOCOL)
        await _Socket(self, websocket).run()


def _is_allowed(websocket: WebSocket) -> bool:
    """Let through whoever is no browser, or comes from our own origin."""
    origin = websocket.headers.get("origin")
    return origin is None or origin.partition("://")[2].lower() == websocket.headers.get("host", "").lower()


class _CloseError(Exception):
    """The socket is to be closed with this code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class _Caller(msgspec.Struct, frozen=True):
    """Who opened the socket, and with what; it is presented again whenever the key changes."""

    principal: Principal
    authorization: str


class _Socket:
    """One connection: reads messages, runs operations as tasks, ends when its key does."""

    def __init__(self, sockets: Sockets, websocket: WebSocket) -> None:
        self._all = sockets
        self._limits = sockets.limits
        self._ws = websocket
        self._request_id: str = websocket.scope.get("state", {}).get("request_id", "")
        self._operations: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Speak the protocol until the end."""
        try:
            caller = await self._initialised()
            try:
                await self._serve(caller)
            finally:
                self._all.open[caller.principal.id] -= 1
                self._all.open += Counter()
        except _CloseError as end:
            await self._close(end)
        except WebSocketDisconnect:
            pass

    async def _initialised(self) -> _Caller:
        """Await `connection_init` with a good key, and acknowledge it."""
        try:
            async with asyncio.timeout(self._limits.init_timeout_s):
                message = await self._message()
                while message["type"] in ("ping", "pong"):
                    await self._answer_ping(message)
                    message = await self._message()
        except TimeoutError as error:
            raise _CloseError(INIT_TIMEOUT, "connection_init did not come in time") from error
        if message["type"] != "connection_init":
            raise _CloseError(UNAUTHORIZED, "connection_init comes first")
        caller = self._caller(message.get("payload"))
        if self._all.open[caller.principal.id] >= self._limits.sockets:
            raise _CloseError(TOO_MANY, f"at most {self._limits.sockets} sockets per API key")
        self._all.open[caller.principal.id] += 1
        await self._send({"type": "connection_ack"})
        return caller

    def _caller(self, payload: Any) -> _Caller:
        given: Any = {} if payload is None else payload
        if not is_object(given):
            raise _CloseError(INVALID_MESSAGE, "the payload of connection_init must be an object")
        authorization = given.get("authorization", given.get("Authorization"))
        if isinstance(authorization, str) and (principal := self._all.authenticate(authorization)):
            return _Caller(principal, authorization)
        if not self._all.rt.cache.ready:
            raise _CloseError(TRY_AGAIN, "the service is still loading")
        raise _CloseError(FORBIDDEN, "a valid API key is needed")

    async def _serve(self, caller: _Caller) -> None:
        """Read messages and watch the key, both at once; whichever ends first ends the socket."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._watch(caller))
                while True:
                    await self._handle(await self._message(), caller, tasks)
        except BaseExceptionGroup as group:
            ends, others = group.split((_CloseError, WebSocketDisconnect))
            if others is not None or ends is None:
                raise
            raise _first(ends) from None

    async def _watch(self, caller: _Caller) -> None:
        """Raise once the key is expired, revoked or gone: at its instant, not at the next message."""
        rt, expires_at = self._all.rt, caller.principal.expires_at
        with rt.cache.feed.subscribe(caller.principal.id) as changes:
            while self._all.authenticate(caller.authorization) == caller.principal:
                left_s = _LONGEST_TIMER_S if expires_at is None else (expires_at - rt.clock.now_at()) / 1000
                await changes.wait(min(max(left_s, 0.001), _LONGEST_TIMER_S))
        raise _CloseError(FORBIDDEN, "the API key ended")

    async def _handle(self, message: dict[str, Any], caller: _Caller, tasks: asyncio.TaskGroup) -> None:
        match message["type"]:
            case "ping" | "pong":
                await self._answer_ping(message)
            case "subscribe":
                await self._subscribe(message, caller, tasks)
            case "complete":
                if task := self._operations.pop(_id_of(message), None):
                    task.cancel()
            case "connection_init":
                raise _CloseError(TOO_MANY, "connection_init comes once")
            case _:
                raise _CloseError(INVALID_MESSAGE, "unknown message type")

    async def _subscribe(self, message: dict[str, Any], caller: _Caller, tasks: asyncio.TaskGroup) -> None:
        operation_id = _id_of(message)
        if operation_id in self._operations:
            raise _CloseError(DUPLICATE_ID, f"Subscriber for {operation_id} already exists")
        payload = message.get("payload")
        if not is_object(payload) or not isinstance(payload.get("query"), str):
            raise _CloseError(INVALID_MESSAGE, "subscribe needs a payload with a query")
        if len(self._operations) >= self._limits.operations:
            error = coded(LIMIT_EXCEEDED, f"at most {self._limits.operations} operations per socket")
            await self._send(self._errors(operation_id, RequestError([error])))
            return
        task = tasks.create_task(self._run(operation_id, payload, caller.principal))
        task.add_done_callback(lambda _: self._count(-1))
        self._operations[operation_id] = task
        self._count(1)

    async def _run(self, id: str, payload: dict[str, Any], principal: Principal) -> None:
        try:
            await self._execute(id, to_request(payload), principal)
            done: dict[str, Any] = {"id": id, "type": "complete"}
        except RequestError as error:
            done = self._errors(id, error)
        finally:
            if self._operations.get(id) is asyncio.current_task():
                del self._operations[id]
        await self._send(done)

    async def _execute(self, id: str, request: Request, principal: Principal) -> None:
        rt = self._all.rt
        operation = self._all.documents.operation(request.query, request.operation_name or None, principal)
        rt.metrics.count("requests", operation.type.value)
        context = Context(
            rt, principal=principal, operation=operation, cursors=self._all.cursors, request_id=self._request_id
        )
        results = await SCHEMA.stream(
            operation.text,
            variable_values=request.variables,
            context_value=context,
            operation_name=operation.name,
        )
        try:
            async for result in results:
                errors: list[Any] = getattr(result, "errors", None) or []
                data: Any = getattr(result, "data", None)
                if data is None and errors and all(error.path is None for error in errors):
                    raise RequestError(errors)
                answer: dict[str, Any] = {"data": data}
                if errors:
                    answer["errors"] = wire(errors, self._request_id, rt.metrics)
                await self._send({"id": id, "type": "next", "payload": answer})
        finally:
            await results.aclose()

    def _count(self, by: int) -> None:
        metrics = self._all.rt.metrics
        metrics.set("live_subscribers", metrics.value("live_subscribers") + by)

    async def _message(self) -> dict[str, Any]:
        """Read one message: an object with a `type`, as text, within the size."""
        frame = await self._ws.receive()
        if frame["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(frame.get("code", 1000), frame.get("reason"))
        text = frame.get("text")
        if text is None:
            raise _CloseError(INVALID_MESSAGE, "messages are text")
        if len(text.encode("utf-8", "surrogatepass")) > self._limits.message_bytes:
            raise _CloseError(TOO_BIG, f"at most {self._limits.message_bytes} bytes per message")
        try:
            message = parse_json(text)
        except RequestError as error:
            raise _CloseError(INVALID_MESSAGE, "messages are JSON") from error
        if not is_object(message) or not isinstance(message.get("type"), str):
            raise _CloseError(INVALID_MESSAGE, "a message is an object with a type")
        return message

    async def _answer_ping(self, message: dict[str, Any]) -> None:
        if message["type"] == "ping":
            await self._send({"type": "pong"})

    async def _send(self, message: dict[str, Any]) -> None:
        try:
            await self._ws.send_text(orjson.dumps(message).decode())
        except RuntimeError as error:
            # Starlette's word for a socket that was closed meanwhile.
            raise WebSocketDisconnect from error

    def _errors(self, id: str, error: RequestError) -> dict[str, Any]:
        return {"id": id, "type": "error", "payload": wire(error.errors, self._request_id, self._all.rt.metrics)}

    async def _close(self, end: _CloseError) -> None:
        if self._ws.application_state is WebSocketState.CONNECTED:
            try:
                await self._ws.close(end.code, end.reason)
            except (RuntimeError, WebSocketDisconnect):
                return


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the exception that ended the socket."""
    first = group.exceptions[0]
    return _first(cast("BaseExceptionGroup[BaseException]", first)) if isinstance(first, BaseExceptionGroup) else first


def _id_of(message: dict[str, Any]) -> str:
    operation_id = message.get("id")
    if not isinstance(operation_id, str) or not 0 < len(operation_id) <= _MAX_ID:
        raise _CloseError(INVALID_MESSAGE, "the message needs an id")
    return operation_id
