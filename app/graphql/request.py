"""One GraphQL request as JSON: read from text within bounds, checked, never trusted."""

from typing import Any, TypeGuard

import msgspec
import orjson

from app.graphql.errors import BAD_USER_INPUT, RequestError, coded


class Request(msgspec.Struct, frozen=True, rename="camel"):
    """What a caller sends, by the GraphQL over HTTP specification. Other members are ignored."""

    query: str
    operation_name: str | None = None
    variables: dict[str, Any] | None = None
    extensions: dict[str, Any] | None = None


def parse_json(body: bytes | str) -> Any:
    """Read JSON. orjson refuses NaN, nesting beyond 1,024 levels and broken UTF-8. Raises `RequestError`."""
    try:
        return orjson.loads(body)
    except (orjson.JSONDecodeError, RecursionError) as error:
        raise RequestError([coded(BAD_USER_INPUT, "the body is not JSON")]) from error


def to_request(parsed: object) -> Request:
    """Check the shape of a request. Raises `RequestError`."""
    if isinstance(parsed, list):
        raise _refused("batches are not supported; send one operation per request")
    try:
        request = msgspec.convert(parsed, Request)
    except msgspec.ValidationError as error:
        raise _refused(f"not a GraphQL request: {error}") from error
    if not request.query.strip():
        raise _refused("query must hold an operation")
    return request


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """Tell whether parsed JSON is an object."""
    return isinstance(value, dict)


def _refused(message: str) -> RequestError:
    return RequestError([coded(BAD_USER_INPUT, message)])
