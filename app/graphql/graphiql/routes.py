"""`/graphiql`: the page and its files, for keys that may introspect; nothing of it comes from elsewhere."""

import base64
import binascii
import hashlib
from collections.abc import Callable, Mapping
from importlib.resources import files
from typing import Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from app.domain.api_key import Principal
from app.domain.errors import ForbiddenError, NotReadyError
from app.graphql.permissions import INTROSPECTION, check
from app.runtime import Runtime

PATH: Final = "/graphiql"
_PAGE: Final = "page.html"
_FILES: Final[Mapping[str, str]] = {
    "graphiql.js": "text/javascript",
    "graphiql.css": "text/css",
    "LICENSES.txt": "text/plain",
}
_CHALLENGE: Final = 'Basic realm="Entitled: an API key as the password, any user name", charset="UTF-8"'
_HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "private, no-cache",
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "Vary": "Authorization",
}


class _Asset(msgspec.Struct, frozen=True):
    """A file as it is sent."""

    content: bytes
    media_type: str
    etag: str


def graphiql_routes(rt: Runtime, *, authenticate: Callable[[str | None], Principal | None]) -> list[BaseRoute]:
    """Return the routes of the page and its files, which are read once.

    A browser asks its user for the key (Basic, the user name is ignored). `/graphql` itself never takes Basic, because
    browsers attach it to whatever other sites make them send; the page asks for the key again and sends it as Bearer.
    """

    def route(path: str, asset: _Asset) -> Route:
        async def serve(request: Request) -> Response:
            _admit(rt, authenticate(_as_bearer(request.headers.get("authorization"))))
            headers = {**_HEADERS, "ETag": asset.etag}
            if asset.etag in request.headers.get("if-none-match", ""):
                return Response(status_code=304, headers=headers)
            return Response(asset.content, headers=headers, media_type=asset.media_type)

        return Route(path, serve)

    files_of_page = [route(f"{PATH}/{name}", _read(name, media_type)) for name, media_type in _FILES.items()]
    return [route(PATH, _read(_PAGE, "text/html")), *files_of_page]


def _read(name: str, media_type: str) -> _Asset:
    content = (files("app.graphql.graphiql") / "assets" / name).read_bytes()
    return _Asset(content, media_type, f'"{hashlib.sha256(content).hexdigest()[:32]}"')


def _admit(rt: Runtime, principal: Principal | None) -> None:
    """Let whoever may introspect pass."""
    if principal is None and not rt.cache.ready:
        raise HTTPException(503, NotReadyError().message, {"Retry-After": "1"})
    if principal is None:
        raise HTTPException(
            401, "a valid API key is needed, as the password of any user", {"WWW-Authenticate": _CHALLENGE}
        )
    try:
        check(principal, INTROSPECTION)
    except ForbiddenError as error:
        raise HTTPException(403, error.message) from error


def _as_bearer(authorization: str | None) -> str | None:
    """Return the header with a Basic password as the key; anything else as it is."""
    scheme, _, credentials = (authorization or "").strip().partition(" ")
    if scheme.lower() != "basic":
        return authorization
    try:
        _, _, password = base64.b64decode(credentials.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return f"Bearer {password}"
