"""Answers kept by idempotency key."""

import msgspec

from app.sandbox.stripe.errors import StripeError

_KEPT = 50_000


class Answer(msgspec.Struct, frozen=True):
    request: str
    request_id: str
    body: bytes


class Answers:
    """The last answers to requests that carried a key."""

    def __init__(self) -> None:
        self._by_key: dict[str, Answer] = {}

    def find(self, key: str, request: str) -> Answer | None:
        """Return the kept answer; another request under the key is refused."""
        answer = self._by_key.get(key)
        if answer is not None and answer.request != request:
            raise StripeError(
                "Keys for idempotent requests can only be used with the same parameters "
                f"they were first used with: '{key}'.",
                type="idempotency_error",
            )
        return answer

    def keep(self, key: str, answer: Answer) -> None:
        self._by_key[key] = answer
        if len(self._by_key) > _KEPT:
            del self._by_key[next(iter(self._by_key))]
