"""What can go wrong with a question.

EntitledError           the service refused: a wrong key, a missing scope, an invalid question
└── UnavailableError    the service could not tell: unreachable, too slow, not ready
"""

from collections.abc import Mapping
from typing import Any, Final

_PASSING: Final = frozenset({"NOT_READY", "UNAVAILABLE", "INTERNAL"})
_PASSING_STATUS: Final = frozenset({408, 425, 429})
_SERVER_ERROR: Final = 500


class EntitledError(Exception):
    """The service refused to answer; asking the same again does not help.

    Attributes: `code` is stable, `message` is for people, `request_id` is for support and often None.
    """

    def __init__(self, code: str, message: str, request_id: str | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.request_id = request_id


class UnavailableError(EntitledError):
    """The service could not tell. Whether that opens or closes a gate is for its owner to decide."""


def data_of(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data of a GraphQL answer. Raises the first of its errors."""
    if errors := answer.get("errors"):
        raise refusal(errors[0])
    return answer["data"]


def refusal(error: Mapping[str, Any]) -> EntitledError:
    """Translate an error of a GraphQL answer."""
    extensions: Mapping[str, Any] = error.get("extensions") or {}
    code = extensions.get("code", "UNKNOWN")
    kind = UnavailableError if code in _PASSING else EntitledError
    return kind(code, error.get("message", "refused without a reason"), extensions.get("requestId"))


def no_graphql(url: str, status: int) -> EntitledError:
    """Say that something else than the service answered: a proxy, or another path."""
    message = f"{url} answered {status} without GraphQL"
    if status >= _SERVER_ERROR or status in _PASSING_STATUS:
        return UnavailableError("UNREACHABLE", message)
    return EntitledError("NO_GRAPHQL", f"{message}; the address is to name the endpoint, as in https://HOST/graphql")
