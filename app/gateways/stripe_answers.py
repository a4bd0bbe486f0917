"""What is in Stripe's answers: JSON of the shape that was asked for, or `ProcessorUnavailableError`."""

from typing import Any, TypeVar, cast

import httpx
import msgspec

from app.domain.stripe_setup import WebhookEndpoint
from app.ports.stripe import ProcessorUnavailableError

S = TypeVar("S", bound=msgspec.Struct)


class HasId(msgspec.Struct, frozen=True):
    """A reference that came as an object."""

    id: str


class Attached(msgspec.Struct, frozen=True):
    """A feature that comes with a product."""

    entitlement_feature: HasId


class Endpoint(msgspec.Struct, frozen=True):
    """A webhook endpoint in Stripe's words."""

    id: str
    url: str
    enabled_events: tuple[str, ...]
    status: str
    created: int
    api_version: str | None = None


class ListPage(msgspec.Struct):
    """A page of a list, each object in it as the JSON that came."""

    data: list[msgspec.Raw]
    has_more: bool = False


def to_endpoint(found: Endpoint) -> WebhookEndpoint:
    """Translate."""
    return WebhookEndpoint(
        id=found.id,
        url=found.url,
        enabled_events=found.enabled_events,
        is_enabled=found.status == "enabled",
        api_version=found.api_version,
        created_at=found.created * 1000,
    )


def read_as(value: object, type: type[S], path: str) -> S:
    """Read one thing that was told of a path."""
    try:
        return msgspec.convert(value, type)
    except msgspec.ValidationError as error:
        raise ProcessorUnavailableError(f"what Stripe tells of {path} is not as expected: {error}") from error


def read_page(body: str) -> ListPage:
    """Read a page and leave its objects as they came."""
    try:
        return msgspec.json.decode(body, type=ListPage)
    except (ValueError, RecursionError) as error:
        raise ProcessorUnavailableError(f"Stripe's answer is not the list that was expected: {error}") from error


def id_of(found: dict[str, Any]) -> str:
    """Return the id of a listed object."""
    id = found.get("id")  # noqa: A001 - the API's word
    if not isinstance(id, str) or not id:
        raise ProcessorUnavailableError("Stripe's list holds something without an id")
    return id


def json_object(value: Any) -> dict[str, Any]:
    """Take a value for an object."""
    if not isinstance(value, dict):
        raise ProcessorUnavailableError("Stripe's answer is not the JSON object that was expected")
    return cast("dict[str, Any]", value)


def json_array(value: Any) -> list[Any]:
    """Take a value for a list, and return a copy."""
    if not isinstance(value, list):
        raise ProcessorUnavailableError("Stripe's answer lacks the list that was expected")
    return list(cast("list[Any]", value))


class TooLargeError(Exception):
    """The answer is longer than any object of Stripe's."""


async def read_bounded(answer: httpx.Response, most_bytes: int) -> bytes:
    """Return the whole body. Raises `TooLargeError`."""
    body = bytearray()
    async for chunk in answer.aiter_bytes():
        body += chunk
        if len(body) > most_bytes:
            raise TooLargeError(f"more than {most_bytes} bytes")
    return bytes(body)
