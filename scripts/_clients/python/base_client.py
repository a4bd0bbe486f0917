"""Carries questions to one Entitled service, and its answers back."""

from collections.abc import AsyncGenerator, Mapping
from typing import Any, Self, cast

import httpx
import pydantic

# Relative, so that the package may be put into another one.
from .base_model import UNSET  # noqa: TID252
from .errors import EntitledError, UnavailableError, data_of, no_graphql  # noqa: TID252
from .live import follow  # noqa: TID252


class BaseClient:
    """Asks the GraphQL endpoint at `url` with an API key; use it in `async with`, or await `aclose()` at the end.

    `timeout_s` bounds each step of a question: connecting, sending, waiting. An `http_client` of your own keeps its own
    timeouts; it is closed with this client.
    """

    def __init__(
        self, url: str, api_key: str, *, timeout_s: float = 2.0, http_client: httpx.AsyncClient | None = None
    ) -> None:
        self.url = url
        self.timeout_s = timeout_s
        self._authorization = f"Bearer {api_key}"
        self._http = http_client or httpx.AsyncClient(timeout=timeout_s)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._http.aclose()

    async def execute(
        self, query: str, operation_name: str, variables: Mapping[str, object], **kwargs: Any
    ) -> httpx.Response:
        """Send one operation; `kwargs` go to httpx. Raises `UnavailableError` where no answer comes."""
        headers = {"Authorization": self._authorization, **kwargs.pop("headers", {})}
        body = _body(query, operation_name, variables)
        try:
            return await self._http.post(self.url, json=body, headers=headers, **kwargs)
        except (httpx.UnsupportedProtocol, httpx.LocalProtocolError) as error:
            raise EntitledError("BAD_ADDRESS", f"{self.url} cannot be asked: {error}") from error
        except httpx.TransportError as error:
            raise UnavailableError("UNREACHABLE", f"no answer from {self.url}: {error!r}") from error

    def get_data(self, response: httpx.Response) -> dict[str, Any]:
        """Return the answer's data. Raises `EntitledError` where the service gave none."""
        try:
            answer: Any = response.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict) or not ("data" in answer or "errors" in answer):
            raise no_graphql(self.url, response.status_code)
        return data_of(cast("dict[str, Any]", answer))  # JSON's objects have strings for names

    def execute_ws(
        self, query: str, operation_name: str, variables: Mapping[str, object], **kwargs: Any
    ) -> AsyncGenerator[dict[str, Any]]:
        """Follow one live operation; `kwargs` go to websockets. Raises `UnavailableError` when the connection ends."""
        address = self.url.replace("http", "ws", 1)
        body = _body(query, operation_name, variables)
        return follow(address, self._authorization, body, timeout_s=self.timeout_s, **kwargs)


def _body(query: str, operation_name: str, variables: Mapping[str, object]) -> dict[str, object]:
    given = {name: _to_json(value) for name, value in variables.items() if value is not UNSET}
    return {"query": query, "operationName": operation_name, "variables": given}


def _to_json(value: object) -> object:
    match value:
        case pydantic.BaseModel():
            return value.model_dump(mode="json", by_alias=True, exclude_unset=True)
        case list():
            return [_to_json(item) for item in cast("list[object]", value)]
        case _:
            return value
