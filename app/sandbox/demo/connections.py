"""The demo's two connections: the service's GraphQL API and the Stripe sandbox."""

from collections.abc import Mapping
from typing import Any, Final

import httpx

_TIMEOUT_S: Final = 30
_CONNECTIONS: Final = 16

Fields = dict[str, Any]


class DemoError(Exception):
    """The demo's data could not be brought in."""


class Api:
    """The service's GraphQL API with one key."""

    def __init__(self, url: str, api_key: str) -> None:
        self._url = url
        self._http = _client({"Authorization": f"Bearer {api_key}"})

    async def query(self, document: str, variables: Mapping[str, Any] | None = None) -> Fields:
        answer = await self._http.post(self._url, json={"query": document, "variables": variables or {}})
        body: Fields = answer.json()
        if body.get("errors") or not isinstance(body.get("data"), dict):
            raise DemoError(f"{document.strip()[:80]} {variables}: {answer.status_code} {answer.text[:500]}")
        return body["data"]

    async def mutate(self, name: str, selection: str = "", /, **input: Any) -> Fields:
        """Run a mutation whose input type is named after it. A refusal is an error here."""
        document = (
            f"mutation($input: {name[0].upper()}{name[1:]}Input!) {{ {name}(input: $input) {{ __typename {selection} "
            "... on UserError { code message } } }"
        )
        result: Fields = (await self.query(document, {"input": input}))[name]
        if str(result["__typename"]).endswith("Error"):
            raise DemoError(f"{name} {input!s:.300}: {result['message']}")
        return result

    async def close(self) -> None:
        await self._http.aclose()


class Stripe:
    """The sandbox: Stripe's API, and the controls that Stripe does not offer."""

    def __init__(self, url: str, api_key: str) -> None:
        self._url = url
        self._http = _client({"Authorization": f"Bearer {api_key}"})

    async def create(self, kind: str, **form: Any) -> Fields:
        """Create an object of `kind` (products, subscriptions, …), or change the one at that path.

        Names in `form` are as Stripe's API has them.
        """
        return _checked(await self._http.post(f"{self._url}/v1/{kind}", data=form))

    async def delete(self, path: str) -> Fields:
        """Delete or cancel the object at this path below /v1."""
        return _checked(await self._http.delete(f"{self._url}/v1/{path}"))

    async def set(self, id: str, fields: Mapping[str, Any]) -> Fields:
        """Set fields of an object and send the event that tells of it; also where nothing changed."""
        return _checked(await self._http.post(f"{self._url}/_sandbox/objects/{id}", json={"set": fields}))

    async def send_events_to(self, url: str, secret: str) -> None:
        """Deliver events there from now on."""
        _checked(await self._http.post(f"{self._url}/_sandbox/webhook", json={"url": url, "secret": secret}))

    async def close(self) -> None:
        await self._http.aclose()


def _client(headers: dict[str, str]) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=_CONNECTIONS)
    return httpx.AsyncClient(headers=headers, timeout=_TIMEOUT_S, limits=limits, trust_env=False)


def _checked(answer: httpx.Response) -> Fields:
    if not answer.is_success:
        raise DemoError(f"{answer.request.url}: {answer.status_code} {answer.text[:500]}")
    return answer.json()
