"""Injected faults: what the next matching requests meet instead of, or before, their answer."""

from fnmatch import fnmatchcase
from typing import Annotated, Literal

import msgspec

from app.sandbox.stripe.errors import StripeError

_WORDS: dict[int, tuple[str, str, str | None]] = {
    409: (
        "This object cannot be accessed right now because another API request is accessing it.",
        "invalid_request_error",
        "lock_timeout",
    ),
    429: ("Request rate limit exceeded.", "invalid_request_error", "rate_limit"),
}
_API_ERROR = ("An error occurred. Contact support.", "api_error", None)


class Fault(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """A rule for the next `times` requests (null: all, until it is cleared) of `method` (null: any) to `path`.

    `path` is the beginning of a path, or with `*` a pattern for all of it (`/v1/subscriptions/*`).
    `status` answers with that status, and `should_retry` and `retry_after` (seconds) as headers where they are given;
    `delay` waits, then works; `slow_read` works at once and answers late, so that its body is stale when it arrives.
    `met` counts the requests that have met the rule.
    """

    kind: Literal["status", "delay", "slow_read"]
    method: Literal["GET", "POST", "DELETE"] | None = None
    path: str = "/v1/"
    times: Annotated[int, msgspec.Meta(ge=1)] | None = 1
    status: Annotated[int, msgspec.Meta(ge=400, le=599)] = 500
    should_retry: bool | None = None
    retry_after: Annotated[int, msgspec.Meta(ge=0)] | None = None
    delay_ms: Annotated[int, msgspec.Meta(ge=0)] = 0
    met: int = 0

    def matches(self, method: str, path: str) -> bool:
        is_path = fnmatchcase(path, self.path) if "*" in self.path else path.startswith(self.path)
        return is_path and self.method in (None, method)

    def is_used_up(self) -> bool:
        return self.times is not None and self.met >= self.times

    def to_error(self) -> StripeError:
        message, kind, code = _WORDS.get(self.status, _API_ERROR)
        return StripeError(
            message,
            status=self.status,
            type=kind,
            code=code,
            should_retry=self.should_retry,
            retry_after=self.retry_after,
        )


class Faults:
    """The rules in force, oldest first; `met` counts what requests have met, by kind or status."""

    def __init__(self) -> None:
        self.met: dict[str, int] = {}
        self._rules: list[Fault] = []

    @property
    def rules(self) -> tuple[Fault, ...]:
        return tuple(self._rules)

    def add(self, fault: Fault) -> None:
        self._rules.append(fault)

    def clear(self) -> None:
        self._rules.clear()
        self.met.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """Return the first rule that matches, and use it up by one."""
        for rule in self._rules:
            if rule.matches(method, path):
                rule.met += 1
                name = str(rule.status) if rule.kind == "status" else rule.kind
                self.met[name] = self.met.get(name, 0) + 1
                if rule.is_used_up():
                    self._rules.remove(rule)
                return rule
        return None
