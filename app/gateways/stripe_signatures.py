"""Whether a webhook is Stripe's: its signature, checked with the SDK, and its age by our clock."""

from collections.abc import Sequence
from typing import Final

import stripe

from app.ports.stripe import SignatureError
from app.ports.system import Clock

TOLERANCE_S: Final = 300
"""How far a signature's time may be from ours, either way."""


class StripeSignatures:
    """Tells whether a webhook's raw body was signed with one of our secrets, just now."""

    def __init__(self, secrets: Sequence[str], clock: Clock) -> None:
        self._secrets = tuple(secrets)
        self._clock = clock

    def verify(self, payload: bytes, header: str | None) -> None:
        """Raise `SignatureError` unless one secret made the signature, not more than 300 s before or after now."""
        if header is None or not header.isascii():
            raise SignatureError("the Stripe-Signature header is missing or malformed")
        if not any(_is_signed(payload, header, secret) for secret in self._secrets):
            raise SignatureError("the signature matches no webhook secret")
        # The SDK lets times of the future pass, and asks the system's clock.
        if abs(self._clock.now_at() / 1000 - _signed_at_s(header)) > TOLERANCE_S:
            raise SignatureError(f"the signature's time is more than {TOLERANCE_S} s from ours")


def _is_signed(payload: bytes, header: str, secret: str) -> bool:
    try:
        return stripe.WebhookSignature.verify_header(payload, header, secret)  # pyright: ignore[reportUnknownMemberType] - the SDK leaves a parameter untyped
    except (stripe.SignatureVerificationError, UnicodeDecodeError):
        return False


def _signed_at_s(header: str) -> int:
    parts = (part.split("=", 2) for part in header.split(","))
    return int(next(part[1] for part in parts if part[0] == "t"))
