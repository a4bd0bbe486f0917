"""Injected faults: what the next matching requests meet instead of, or before, their answer."""

from typing import Literal

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


class Fault(msgspec.Struct, forbid_unknown_fields=True):
    """A rule for the next `times` requests of `method` (None: any) whose path starts with `path`.

    `status` answers with that status; `delay` waits, then works; `slow_read` works at once and answers late, so that
    its body is stale when it arrives.
    """

    kind: Literal["status", "delay", "slow_read"]
    method: str | None = None
    path: str = "/v1/"
    times: int = 1
    status: int = 500
    should_retry: bool | None = None
    delay_ms: int = 0

    def to_error(self) -> StripeError:
        message, kind, code = _WORDS.get(self.status, _API_ERROR)
        return StripeError(message, status=self.status, type=kind, code=code, should_retry=self.should_retry)


class Faults:
    """The rules in force, oldest first."""

    def __init__(self) -> None:
        self._rules: list[Fault] = []

    @property
    def rules(self) -> tuple[Fault, ...]:
        return tuple(self._rules)

    def add(self, fault: Fault) -> None:
        self._rules.append(fault)

    def clear(self) -> None:
        self._rules.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """Return the first rule that matches, and use it up by one."""
        for rule in self._rules:
            if rule.method in (None, method) and path.startswith(rule.path):
                rule.times -= 1
                if rule.times <= 0:
                    self._rules.remove(rule)
                return rule
        return None
