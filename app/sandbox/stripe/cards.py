"""Stripe's test cards: how each behaves when it is attached and when it is charged."""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from app.sandbox.stripe.errors import StripeError
from app.sandbox.stripe.wire import JsonObject


class Decline(msgspec.Struct, frozen=True):
    """Why a charge does not go through; `needs_action` where the customer can still allow it."""

    code: str
    decline_code: str | None
    message: str
    needs_action: bool = False

    def to_error(self, about: str = "") -> StripeError:
        """Return what is raised; about an `invoice` or a `subscription` it has a code of its own for authentication."""
        asks = self.needs_action and about
        code = f"{about}_payment_intent_requires_action" if asks else self.code
        error = StripeError(self.message, status=402, type="card_error", code=code)
        error.more = {"decline_code": self.decline_code}
        return error

    def to_payment_error(self, method: JsonObject | None) -> JsonObject:
        """Return it as `last_payment_error` tells it."""
        told: JsonObject = {"code": self.code, "message": self.message, "type": "card_error"}
        if self.decline_code:
            told["decline_code"] = self.decline_code
        return {**told, "payment_method": method} if method else told


class Grievance(msgspec.Struct, frozen=True):
    """What a customer's bank complains of; an inquiry takes no money."""

    reason: str
    network_reason_code: str
    is_inquiry: bool = False


class Card(msgspec.Struct, frozen=True):
    """How a card behaves when it is attached, charged, refunded.

    `when_allowed` is why a charge fails that was authenticated before; `refund_ends_as` what becomes of a refund later.
    """

    brand: str
    last4: str
    when_attached: Decline | None = None
    when_charged: Decline | None = None
    when_allowed: Decline | None = None
    refund_ends_as: Literal["failed", "succeeded"] | None = None
    disputed_as: Grievance | None = None


def _declined(decline_code: str) -> Decline:
    return Decline("card_declined", decline_code, "Your card was declined.")


_GENERIC: Final = _declined("generic_decline")
_FUNDS: Final = Decline("card_declined", "insufficient_funds", "Your card has insufficient funds.")
_EXPIRED: Final = Decline("expired_card", None, "Your card has expired.")
_CVC: Final = Decline("incorrect_cvc", None, "Your card's security code is incorrect.")
_PROCESSING: Final = Decline("processing_error", None, "An error occurred while processing your card.")
_ACTION: Final = Decline(
    "authentication_required", "authentication_required", "This payment needs the customer's authentication.", True
)
NO_METHOD: Final = Decline(
    "resource_missing", None, "This customer has no attached payment source or default payment method."
)

NOT_AUTHENTICATED: Final = Decline(
    "payment_intent_authentication_failure",
    None,
    "We are unable to authenticate your payment method. Please choose a different payment method and try again.",
)

_BY_NAME: Final[Mapping[str, Card]] = {
    "visa": Card("visa", "4242"),
    "visa_debit": Card("visa", "5556"),
    "mastercard": Card("mastercard", "4444"),
    "amex": Card("amex", "0005"),
    "chargeCustomerFail": Card("visa", "0341", when_charged=_GENERIC),
    "authenticationRequired": Card("visa", "3184", when_charged=_ACTION),
    "threeDSecure2Required": Card("visa", "3220", when_charged=_ACTION),
    "threeDSecureRequiredChargeDeclined": Card("visa", "1629", when_charged=_ACTION, when_allowed=_GENERIC),
    "refundFail": Card("visa", "5126", refund_ends_as="failed"),
    "pendingRefund": Card("visa", "7726", refund_ends_as="succeeded"),
    "createDispute": Card("visa", "0259", disputed_as=Grievance("fraudulent", "10.4")),
    "createDisputeProductNotReceived": Card("visa", "2685", disputed_as=Grievance("product_not_received", "13.1")),
    "createDisputeInquiry": Card("visa", "1976", disputed_as=Grievance("fraudulent", "10", is_inquiry=True)),
    "chargeDeclined": Card("visa", "0002", _GENERIC, _GENERIC),
    "chargeDeclinedInsufficientFunds": Card("visa", "9995", _FUNDS, _FUNDS),
    "chargeDeclinedLostCard": Card("visa", "9987", _declined("lost_card"), _declined("lost_card")),
    "chargeDeclinedStolenCard": Card("visa", "9979", _declined("stolen_card"), _declined("stolen_card")),
    "chargeDeclinedExpiredCard": Card("visa", "0069", _EXPIRED, _EXPIRED),
    "chargeDeclinedIncorrectCvc": Card("visa", "0127", _CVC, _CVC),
    "chargeDeclinedProcessingError": Card("visa", "0119", _PROCESSING, _PROCESSING),
}
_BY_LAST4: Final[Mapping[str, Card]] = {card.last4: card for card in _BY_NAME.values()}


def find_card(id: str) -> Card | None:
    """Return the card of a magic id, such as `pm_card_visa` or `tok_chargeCustomerFail`."""
    for prefix in ("pm_card_", "tok_"):
        if id.startswith(prefix):
            return _BY_NAME.get(id.removeprefix(prefix))
    return None


def card_of_number(number: str) -> Card:
    """Return the card with this number; only the last four digits count."""
    card = _BY_LAST4.get(number[-4:])
    if card is None or not number.isdecimal():
        raise StripeError("Your card number is incorrect.", status=402, type="card_error", code="incorrect_number")
    return card


def card_of_method(method: JsonObject) -> Card:
    """Return the card of a payment method: its last four digits decide, and one that is not known succeeds."""
    details: JsonObject = method.get("card") or {}
    return _BY_LAST4.get(details.get("last4", ""), _BY_NAME["visa"])


def card_of_charge(charge: JsonObject) -> Card:
    """Return the card that was charged; where it is not known, one that succeeds."""
    return card_of_method(charge["payment_method_details"] or {})
