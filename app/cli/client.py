"""The CLI's side of the GraphQL API: one request, its refusals as exit codes."""

import ipaddress
import os
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, cast
from urllib.parse import urlsplit

import httpx

from app.cli.failure import CommandError, ExitCode

DEFAULT_URL: Final = "http://127.0.0.1:8080/graphql"
_TIMEOUT_S: Final = 60
_OF_CODE: Final[Mapping[str, ExitCode]] = {
    "UNAUTHENTICATED": ExitCode.NOT_ALLOWED,
    "FORBIDDEN": ExitCode.NOT_ALLOWED,
    "NOT_READY": ExitCode.UNREACHABLE,
    "UNAVAILABLE": ExitCode.UNREACHABLE,
    "BAD_USER_INPUT": ExitCode.USAGE,
    "VALIDATION_FAILED": ExitCode.USAGE,
}
_GATEWAY_FAULTS: Final = (502, 503, 504)

Fields = dict[str, Any]


class Client:
    """Talks to one server with one API key."""

    def __init__(self, url: str, api_key: str) -> None:
        self.url = url
        self._headers = {"Authorization": f"Bearer {api_key}"}

    @classmethod
    def from_environment(cls) -> "Client":
        """Return the client that ENTITLED_URL and ENTITLED_API_KEY describe."""
        url = os.environ.get("ENTITLED_URL") or DEFAULT_URL
        key = os.environ.get("ENTITLED_API_KEY") or ""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise CommandError(f"ENTITLED_URL {url!r} is no http:// or https:// address", ExitCode.CONFIGURATION)
        if not key:
            raise CommandError(
                "ENTITLED_API_KEY is not set; `entitled keys bootstrap` makes the first key", ExitCode.CONFIGURATION
            )
        if not key.isascii() or not key.isprintable():
            raise CommandError("ENTITLED_API_KEY holds characters that no API key of ours has", ExitCode.CONFIGURATION)
        return cls(url, key)

    def query(self, document: str, variables: Mapping[str, Any] | None = None) -> Fields:
        """Return `data`. Raises `CommandError` for everything else."""
        try:
            answer = httpx.post(
                self.url,
                json={"query": document, "variables": variables or {}},
                headers=self._headers,
                timeout=_TIMEOUT_S,
                trust_env=not _is_loopback(self.url),
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise CommandError(
                f"no answer from {self.url} ({type(error).__name__}: {error}); "
                "is `entitled serve` running there? ENTITLED_URL names the place",
                ExitCode.UNREACHABLE,
            ) from error
        return _data(self.url, answer)

    def mutate(self, name: str, input_type: str, selection: str, input: Mapping[str, Any]) -> Fields:
        """Run one mutation; what it refuses becomes a `CommandError`."""
        document = (
            f"mutation($input: {input_type}!) {{ {name}(input: $input) {{ __typename {selection} "
            "... on UserError { code message } } }"
        )
        result: Fields = self.query(document, {"input": input})[name]
        if str(result["__typename"]).endswith("Error"):
            raise CommandError(str(result["message"]), _OF_CODE.get(str(result["code"]), ExitCode.NO))
        return result


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _data(url: str, answer: httpx.Response) -> Fields:
    if answer.status_code == HTTPStatus.NOT_FOUND:
        raise CommandError(
            f"{url} answered 404; ENTITLED_URL is to name the GraphQL endpoint, as {DEFAULT_URL} does",
            ExitCode.CONFIGURATION,
        )
    try:
        body: Any = answer.json()
        errors, data = body.get("errors"), body.get("data")
    except (ValueError, AttributeError):
        code = ExitCode.UNREACHABLE if answer.status_code in _GATEWAY_FAULTS else ExitCode.BUG
        raise CommandError(
            f"{url} answered {answer.status_code} without GraphQL; is the address right?", code
        ) from None
    if errors:
        raise _refusal(errors[0])
    if not isinstance(data, dict):
        raise CommandError(f"{url} answered {answer.status_code} with neither data nor errors", ExitCode.BUG)
    return cast("Fields", data)  # JSON's objects have strings for names


def _refusal(error: Fields) -> CommandError:
    extensions: Fields = error.get("extensions") or {}
    code = _OF_CODE.get(str(extensions.get("code")), ExitCode.BUG)
    request = f" (request {extensions['requestId']})" if code is ExitCode.BUG and "requestId" in extensions else ""
    return CommandError(f"{error.get('message', 'refused without a reason')}{request}", code)
