"""`/graphql` over HTTP: GraphQL over HTTP, POST only, refused with 4xx before anything is executed."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson
from graphql import OperationType
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute

from app.domain.api_key import Principal
from app.domain.errors import NotReadyError, UnauthenticatedError
from app.graphql.context import Context
from app.graphql.documents import Documents
from app.graphql.errors import BAD_USER_INPUT, STATUS_OF, RequestError, code_of, coded, wire
from app.graphql.limits import BODY_LIMIT_BYTES, SocketLimits
from app.graphql.pagination import Cursors
from app.graphql.request import Request, parse_json, to_request
from app.graphql.schema import SCHEMA
from app.graphql.socket import Sockets
from app.runtime import Runtime

Authenticate = Callable[[str | None], Principal | None]
"""From an Authorization header's value to who presents it; None where it is good for nothing."""

PATH: Final = "/graphql"
BODY_TIMEOUT_S: Final = 10.0
_RESPONSE_TYPE: Final = "application/graphql-response+json"
_LEGACY_TYPE: Final = "application/json"


def graphql_routes(
    rt: Runtime,
    *,
    authenticate: Authenticate,
    cursor_secret: bytes,
    socket_limits: SocketLimits | None = None,
) -> list[BaseRoute]:
    """Return the routes of the API: HTTP and WebSocket on one path.

    `cursor_secret` signs cursors: the same on every replica.
    """
    documents, cursors = Documents(SCHEMA.graphql), Cursors(cursor_secret)
    endpoint = Endpoint(rt, authenticate, documents, cursors)
    sockets = Sockets(rt, authenticate, documents, cursors, limits=socket_limits or SocketLimits())
    return [Route(PATH, endpoint, name="graphql"), WebSocketRoute(PATH, sockets.serve, name="graphql-live")]


class _HttpError(Exception):
    """A request that is no GraphQL request at all. Its status holds whatever the client accepts."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.error = coded(code, message)
        self.headers = dict(headers or {})


class Endpoint:
    """The ASGI app that answers operations sent by POST."""

    def __init__(self, rt: Runtime, authenticate: Authenticate, documents: Documents, cursors: Cursors) -> None:
        self._rt = rt
        self._authenticate = authenticate
        self._documents = documents
        self._cursors = cursors

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        http = HttpRequest(scope, receive)
        request_id: str = scope.get("state", {}).get("request_id", "")
        media_type = _negotiated(http.headers.get("accept"))
        try:
            response = await self._answer(http, request_id, media_type)
        except _HttpError as error:
            errors = wire([error.error], request_id, self._rt.metrics)
            response = _response(error.status, {"errors": errors}, media_type, error.headers)
        except RequestError as error:
            status = STATUS_OF.get(code_of(error.errors[0]), 400) if media_type == _RESPONSE_TYPE else 200
            response = self._refused(error, status, request_id, media_type)
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    async def _answer(self, http: HttpRequest, request_id: str, media_type: str) -> Response:
        if http.method != "POST":
            raise _HttpError(405, "METHOD_NOT_ALLOWED", "send operations by POST", {"Allow": "POST"})
        principal = self._principal(http)
        _check_content_type(http)
        body = await _body(http)
        try:
            request = to_request(parse_json(body))
        except RequestError as error:
            return self._refused(error, 400, request_id, media_type)
        return await self._execute(request, principal, request_id, media_type)

    async def _execute(self, request: Request, principal: Principal, request_id: str, media_type: str) -> Response:
        operation = self._documents.operation(request.query, request.operation_name or None, principal)
        if operation.type is OperationType.SUBSCRIPTION:
            raise RequestError([coded(BAD_USER_INPUT, "live operations need a WebSocket (graphql-transport-ws)")])
        self._rt.metrics.count("requests", operation.type.value)
        context = Context(
            self._rt, principal=principal, operation=operation, cursors=self._cursors, request_id=request_id
        )
        result = await SCHEMA.execute(
            operation.text,
            variable_values=request.variables,
            context_value=context,
            operation_name=operation.name,
        )
        errors = result.errors or []
        if result.data is None and errors and all(error.path is None for error in errors):
            raise RequestError(errors)
        answer: dict[str, Any] = {"data": result.data}
        if errors:
            answer["errors"] = wire(errors, request_id, self._rt.metrics)
        return _response(200, answer, media_type)

    def _principal(self, http: HttpRequest) -> Principal:
        principal = self._authenticate(http.headers.get("authorization"))
        if principal is not None:
            return principal
        if not self._rt.cache.ready:
            # The keys are in RAM, which is still empty: nobody can be told apart yet.
            raise _HttpError(503, NotReadyError.code, NotReadyError().message, {"Retry-After": "1"})
        error = UnauthenticatedError()
        raise _HttpError(401, error.code, error.message, {"WWW-Authenticate": "Bearer"})

    def _refused(self, error: RequestError, status: int, request_id: str, media_type: str) -> Response:
        return _response(status, {"errors": wire(error.errors, request_id, self._rt.metrics)}, media_type)


def _negotiated(accept: str | None) -> str:
    """Return the media type to answer in: the newer one only for clients that name it."""
    for part in (accept or "").split(","):
        media_range, *parameters = (piece.strip().lower() for piece in part.split(";"))
        if media_range == _RESPONSE_TYPE and not any(p.replace(" ", "") in {"q=0", "q=0.0"} for p in parameters):
            return _RESPONSE_TYPE
    return _LEGACY_TYPE


def _check_content_type(http: HttpRequest) -> None:
    media_type, *parameters = (part.strip().lower() for part in http.headers.get("content-type", "").split(";"))
    charsets = [p.partition("=")[2].strip('"') for p in parameters if p.startswith("charset=")]
    if media_type != _LEGACY_TYPE or any(charset not in {"utf-8", "utf8"} for charset in charsets):
        raise _HttpError(415, "UNSUPPORTED_MEDIA_TYPE", "send application/json in UTF-8")
    if http.headers.get("content-encoding", "identity").lower() != "identity":
        raise _HttpError(415, "UNSUPPORTED_MEDIA_TYPE", "send the body without Content-Encoding")


async def _body(http: HttpRequest) -> bytes:
    """Read the body, counting while it streams, so that a false Content-Length helps nobody."""
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for chunk in http.stream():
                size += len(chunk)
                if size > BODY_LIMIT_BYTES:
                    raise _HttpError(
                        413, "PAYLOAD_TOO_LARGE", f"at most {BODY_LIMIT_BYTES} bytes", {"Connection": "close"}
                    )
                chunks.append(chunk)
    except TimeoutError as error:
        raise _HttpError(408, "REQUEST_TIMEOUT", "the body came too slowly", {"Connection": "close"}) from error
    return b"".join(chunks)


def _response(
    status: int, answer: dict[str, Any], media_type: str, headers: Mapping[str, str] | None = None
) -> Response:
    return Response(orjson.dumps(answer), status, headers, media_type=f"{media_type}; charset=utf-8")
