"""Top-level errors: their codes, what a caller may see of them, and what goes to the log."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from graphql import GraphQLError

from app.domain.errors import BillingError, UnavailableError, ValidationError
from app.telemetry import Metrics, logger

BAD_USER_INPUT: Final = "BAD_USER_INPUT"
PARSE_FAILED: Final = "GRAPHQL_PARSE_FAILED"
VALIDATION_FAILED: Final = "GRAPHQL_VALIDATION_FAILED"
LIMIT_EXCEEDED: Final = "OPERATION_LIMIT_EXCEEDED"
INTERNAL: Final = "INTERNAL"

STATUS_OF: Final[Mapping[str, int]] = {
    "UNAUTHENTICATED": 401,
    "FORBIDDEN": 403,
    "NOT_READY": 503,
    "UNAVAILABLE": 503,
    INTERNAL: 500,
}
"""The HTTP status of a request that was never executed; 400 for every code that is not here."""

MAX_ERRORS: Final = 20
_MAX_MESSAGE: Final = 500
_SUGGESTION: Final = re.compile(r"\s*Did you mean .*\?", re.DOTALL)
_log = logger(__name__)


class RequestError(Exception):
    """A request that is refused before anything of it is executed. Attributes: `errors`."""

    def __init__(self, errors: Iterable[GraphQLError]) -> None:
        self.errors = list(errors)
        super().__init__("; ".join(error.message for error in self.errors))


def coded(code: str, message: str, nodes: Any = None) -> GraphQLError:
    """Build an error with a code; `nodes` say where in the document."""
    return GraphQLError(message, nodes, extensions={"code": code})


def bad_input(message: str) -> GraphQLError:
    """Build the error for an argument that breaks a rule."""
    return coded(BAD_USER_INPUT, message)


def refusal(error: BillingError) -> GraphQLError:
    """Wrap a domain error that no union carries."""
    return GraphQLError(error.message, original_error=error)


def code_of(error: GraphQLError) -> str:
    """Return the error's code; what nobody foresaw is INTERNAL."""
    origin = _origin(error)
    if isinstance(origin, ValidationError):
        return BAD_USER_INPUT
    if isinstance(origin, BillingError):
        return origin.code
    if error.extensions and isinstance(code := error.extensions.get("code"), str):
        return code
    if origin is not None:
        return INTERNAL
    # graphql-core names a missing argument during execution; everything else with a path is a value of ours that does
    # not fit the schema.
    foreseen = error.path is None or error.message.startswith("Argument ")
    return BAD_USER_INPUT if foreseen else INTERNAL


def wire(errors: Iterable[GraphQLError], request_id: str, metrics: Metrics) -> list[dict[str, Any]]:
    """Return errors as they are sent: coded, counted, without suggestions, bugs masked."""
    return [_wire(error, request_id, metrics) for error in list(errors)[:MAX_ERRORS]]


def _wire(error: GraphQLError, request_id: str, metrics: Metrics) -> dict[str, Any]:
    code = code_of(error)
    metrics.count("request_errors", code)
    message = "something went wrong on our side; quote the requestId" if code == INTERNAL else error.message
    sent: dict[str, Any] = {"message": _SUGGESTION.sub("", message)[:_MAX_MESSAGE]}
    if error.locations:
        sent["locations"] = [location.formatted for location in error.locations[:3]]
    if error.path is not None:
        sent["path"] = error.path
    extensions: dict[str, Any] = {"code": code, "requestId": request_id}
    origin = _origin(error)
    if isinstance(origin, ValidationError):
        extensions["fields"] = [
            {"path": list(fault.path), "code": fault.code, "message": fault.message} for fault in origin.fields
        ]
    sent["extensions"] = extensions
    return sent


def log_errors(errors: Iterable[GraphQLError], request_id: str) -> None:
    """Log bugs with their traceback, and in one line who does not answer (MongoDB, Stripe); no mistakes of clients."""
    for error in errors:
        origin = _origin(error)
        if code_of(error) == INTERNAL:
            _log.error("bug in a resolver", request_id=request_id, path=error.path, exc_info=origin or error)
        elif isinstance(origin, UnavailableError):
            _log.warning("unavailable", request_id=request_id, path=error.path, reason=origin.message)


def _origin(error: GraphQLError) -> Exception | None:
    """Return the first exception beneath that is not GraphQL's own."""
    origin: Exception | None = error
    while isinstance(origin, GraphQLError):
        origin = origin.original_error
    return origin
