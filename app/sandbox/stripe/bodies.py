"""The JSON bodies of the controls under /_sandbox."""

from typing import TypeVar

import msgspec

from app.sandbox.stripe.errors import StripeError

_T = TypeVar("_T")


def decode(body: bytes, type: type[_T]) -> _T:
    """Read a body, which may be empty; raise what says what is wrong with it."""
    try:
        return msgspec.json.decode(body or b"{}", type=type)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise StripeError(f"Invalid body: {error}") from error
