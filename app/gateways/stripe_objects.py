"""Where Stripe's API has each type of object that we mirror, what is expanded, and which lists are in it."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

PRODUCT_FEATURES: Final = "entitlement_features"
"""Where a product's features stand in what we keep of it: Stripe has a list of its own for them."""

FEATURES: Final = "/v1/entitlements/features"
ACTIVE_ENTITLEMENTS: Final = "/v1/entitlements/active_entitlements"
PAYMENTS: Final = "/v1/invoice_payments"


class Sublist(msgspec.Struct, frozen=True):
    """A list in an object: the rest of it is at `path`, under the object's id, or filtered by it as `parameter`."""

    field: str
    path: str
    parameter: str | None = None

    def segments(self, id: str) -> tuple[str, ...]:
        """Return what follows the path."""
        return () if self.parameter else (id, self.field)

    def filters(self, id: str) -> dict[str, str]:
        """Return the parameters that narrow the list to the object."""
        return {self.parameter: id} if self.parameter else {}


class Resource(msgspec.Struct, frozen=True):
    """A type of object: `expand` names what Stripe leaves out unless asked for, and costs no request of its own."""

    path: str
    expand: tuple[str, ...] = ()
    sublists: tuple[Sublist, ...] = ()


_INVOICES: Final = "/v1/invoices"
_SESSIONS: Final = "/v1/checkout/sessions"

RESOURCES: Final[Mapping[str, Resource]] = {
    "customer": Resource("/v1/customers"),
    "product": Resource("/v1/products"),
    "price": Resource("/v1/prices", expand=("tiers",)),
    "coupon": Resource("/v1/coupons", expand=("applies_to",)),
    "promotion_code": Resource("/v1/promotion_codes"),
    "billing.meter": Resource("/v1/billing/meters"),
    "subscription": Resource(
        "/v1/subscriptions", sublists=(Sublist("items", "/v1/subscription_items", "subscription"),)
    ),
    "subscription_schedule": Resource("/v1/subscription_schedules"),
    "invoice": Resource(
        _INVOICES,
        expand=("payments",),
        sublists=(Sublist("lines", _INVOICES), Sublist("payments", PAYMENTS, "invoice")),
    ),
    "checkout.session": Resource(_SESSIONS, expand=("line_items",), sublists=(Sublist("line_items", _SESSIONS),)),
    "payment_intent": Resource("/v1/payment_intents"),
    "charge": Resource("/v1/charges"),
    "refund": Resource("/v1/refunds", expand=("charge",)),
    "dispute": Resource("/v1/disputes", expand=("charge",)),
    "event": Resource("/v1/events"),
}
"""By Stripe's name of the type; active entitlements are a list that has no object around it."""


def lacks_invoice(type: str, found: Mapping[str, Any]) -> bool:
    """Tell whether this is a payment in trouble that does not say for which invoice, as none does since basil."""
    is_in_trouble = found.get("status") == "requires_action" or found.get("last_payment_error") is not None
    return type == "payment_intent" and "invoice" not in found and is_in_trouble
