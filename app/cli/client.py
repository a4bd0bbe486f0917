"""The CLI's side of the GraphQL API: requests and pages, and its refusals as exit codes."""

import ipaddress
import json
import os
import re
import time
import uuid
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast
from urllib.parse import urlsplit

from app.cli import output
from app.cli.failure import CommandError, ExitCode

if TYPE_CHECKING:
    import httpx  # takes longer than all else that a command loads

DEFAULT_URL: Final = "http://127.0.0.1:8080/graphql"
_TIMEOUT_S: Final = 60
_PATIENCE_S: Final = 60
_ASKED_AGAIN_S: Final = 0.3
_PAGE: Final = 100
_OF_CODE: Final[Mapping[str, ExitCode]] = {
    "UNAUTHENTICATED": ExitCode.NOT_ALLOWED,
    "FORBIDDEN": ExitCode.NOT_ALLOWED,
    "NOT_FOUND": ExitCode.NO,
    "NOT_READY": ExitCode.UNREACHABLE,
    "UNAVAILABLE": ExitCode.UNREACHABLE,
    "BAD_USER_INPUT": ExitCode.USAGE,
    "VALIDATION_FAILED": ExitCode.USAGE,
    "STRIPE_REFUSED": ExitCode.CONFIGURATION,
}
_GATEWAY_FAULTS: Final = (502, 503, 504)
_RETRY: Final = "; retry with the same idempotencyKey"  # which a query has not, and `change` names
_VARIABLE: Final = re.compile(r"^Variable '\$(?:input' has invalid value at \.|(\w+)' has invalid value(?=: ))")

Fields = dict[str, Any]
T = TypeVar("T")


def patiently(ask: Callable[[], T], *, every_s: float = _ASKED_AGAIN_S) -> T:
    """Ask; where nobody answers, as while a server restarts, ask again for a minute."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return ask()
        except CommandError as error:
            if error.exit_code != ExitCode.UNREACHABLE or time.monotonic() > deadline:
                raise
        time.sleep(every_s)


class UnansweredError(CommandError):
    """The request may have reached the server; what it did there is unknown."""

    def __init__(self, message: str) -> None:
        super().__init__(message, ExitCode.UNREACHABLE)


class RefusedError(CommandError):
    """A mutation answered with a refusal. Attributes: `answer`, the union member."""

    def __init__(self, answer: Fields) -> None:
        super().__init__(_reason(answer), _OF_CODE.get(str(answer["code"]), ExitCode.NO))
        self.answer = answer


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

    def query(
        self, document: str, variables: Mapping[str, Any] | None = None, *, timeout_s: float = _TIMEOUT_S
    ) -> Fields:
        """Return `data`. Raises `CommandError` for everything else."""
        with self._connection(timeout_s) as http:
            return self._ask(http, document, variables or {})

    def collect(
        self, document: str, listing: str, variables: Mapping[str, Any] | None = None, *, limit: int | None = None
    ) -> list[Fields]:
        """Return the records of a paged root field, to its end or to `limit`; a note tells where more follow.

        The document takes the variables `first` and `after`, and selects `nodes` and `pageInfo`.
        """
        found: list[Fields] = []
        after = None
        with self._connection() as http:
            while True:
                first = _PAGE if limit is None else min(_PAGE, limit - len(found))
                page = self._ask(http, document, {**(variables or {}), "first": first, "after": after})[listing]
                found += page["nodes"]
                if not page["pageInfo"]["hasNextPage"]:
                    return found
                if len(found) == limit:
                    output.note("there are more; raise --limit")
                    return found
                if after == (after := page["pageInfo"]["endCursor"]):
                    raise CommandError(f"{self.url} gave the same page of {listing} twice", ExitCode.BUG)

    def mutate(
        self,
        name: str,
        input_type: str,
        selection: str,
        input: Mapping[str, Any],
        *,
        timeout_s: float = _TIMEOUT_S,
    ) -> Fields:
        """Run one mutation; what it refuses becomes a `RefusedError`."""
        document = (
            f"mutation($input: {input_type}!) {{ {name}(input: $input) {{ __typename {selection} "
            "... on UserError { code message path } } }"
        )
        result: Fields = self.query(document, {"input": input}, timeout_s=timeout_s)[name]
        if str(result.pop("__typename")).endswith("Error"):
            raise RefusedError(result)
        return result

    def change(self, name: str, selection: str, key: str | None, /, **input: Any) -> Fields:
        """Run one mutation under an idempotency key, a fresh one unless given.

        A note tells that the answer is an earlier request's; an error whose outcome is unknown names the key.
        """
        sent = {"idempotencyKey": str(uuid.uuid4()) if key is None else key, **input}
        try:
            result = self.mutate(name, f"{name[0].upper()}{name[1:]}Input", selection, sent)
        except UnansweredError as error:
            again = f"--idempotency-key {sent['idempotencyKey']}"
            raise UnansweredError(f"{error}; it may have been done: with {again} it is done once") from error
        if result.get("replayed"):
            output.note("this idempotency key was used before; nothing was done now, and this is the answer of then")
        return result

    def _connection(self, timeout_s: float = _TIMEOUT_S) -> "httpx.Client":
        import httpx

        return httpx.Client(headers=self._headers, timeout=timeout_s, trust_env=not _is_loopback(self.url))

    def _ask(self, http: "httpx.Client", document: str, variables: Mapping[str, Any]) -> Fields:
        import httpx

        try:
            answer = http.post(self.url, json={"query": document, "variables": variables})
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise CommandError(_silence(self.url, error), ExitCode.UNREACHABLE) from error
        except httpx.HTTPError as error:
            raise UnansweredError(_silence(self.url, error)) from error
        return _data(self.url, answer.status_code, answer.content)


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _silence(url: str, error: Exception) -> str:
    return (
        f"no answer from {url} ({type(error).__name__}: {error}); "
        "is `entitled serve` running there? ENTITLED_URL names the place"
    )


def _data(url: str, status: int, content: bytes) -> Fields:
    if status == HTTPStatus.NOT_FOUND:
        raise CommandError(
            f"{url} answered 404; ENTITLED_URL is to name the GraphQL endpoint, as {DEFAULT_URL} does",
            ExitCode.CONFIGURATION,
        )
    try:
        body: Any = json.loads(content)
        errors, data = body.get("errors"), body.get("data")
    except (ValueError, AttributeError):
        message = f"{url} answered {status} without GraphQL; is the address right?"
        if status in _GATEWAY_FAULTS:
            raise UnansweredError(message) from None
        raise CommandError(message, ExitCode.BUG) from None
    if errors:
        raise _refusal(errors[0])
    if not isinstance(data, dict):
        raise CommandError(f"{url} answered {status} with neither data nor errors", ExitCode.BUG)
    return cast("Fields", data)  # JSON's objects have strings for names


def _refusal(error: Fields) -> CommandError:
    extensions: Fields = error.get("extensions") or {}
    message = _VARIABLE.sub(r"\1", _line(error.get("message") or "refused without a reason"))
    if extensions.get("code") == "UNAVAILABLE":
        return UnansweredError(message.removesuffix(_RETRY))
    code = _OF_CODE.get(str(extensions.get("code")), ExitCode.BUG)
    request = f" (request {extensions['requestId']})" if code is ExitCode.BUG and "requestId" in extensions else ""
    return CommandError(f"{message}{request}", code)


def _reason(answer: Fields) -> str:
    """Return the refusal's sentence, with the input field's name where it says no name itself."""
    message = _line(answer["message"])
    path: list[str] = answer.get("path") or []
    field = ".".join(path[1:])
    return f"{field}: {message}" if field and field not in message else message


def _line(text: object) -> str:
    return " ".join(str(text).split())
