"""Stripe's error envelope."""

from app.sandbox.stripe.wire import JsonObject


class StripeError(Exception):
    """A request that Stripe would refuse.

    Attributes: `status` (HTTP), `type`, `code` and `param` as in the envelope, `should_retry` and `retry_after`
    (seconds) as in the headers; `more` is what else the envelope holds, such as the payment intent that failed.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        type: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        should_retry: bool | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.type = type
        self.code = code
        self.param = param
        self.should_retry = should_retry
        self.retry_after = retry_after
        self.more: JsonObject = {}

    def to_headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        if self.should_retry is not None:
            headers["Stripe-Should-Retry"] = str(self.should_retry).lower()
        if self.retry_after is not None:
            headers["Retry-After"] = str(self.retry_after)
        return headers

    def to_body(self) -> JsonObject:
        facts = {"code": self.code, "message": str(self), "param": self.param, "type": self.type}
        return {"error": {key: value for key, value in (facts | self.more).items() if value is not None}}


def no_such(kind: str, id: str, *, param: str | None = None) -> StripeError:
    """Return the error for an id that does not exist: in the path, or in the parameter `param`."""
    message = f"No such {kind.replace('_', ' ')}: '{id}'"
    return StripeError(message, status=400 if param else 404, code="resource_missing", param=param or "id")


def missing(param: str) -> StripeError:
    return StripeError(f"Missing required param: {param}.", code="parameter_missing", param=param)
