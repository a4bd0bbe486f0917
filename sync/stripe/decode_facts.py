"""Stripe's JSON of any type that is mirrored, in either API shape, to its normalised form."""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from app.domain.stripe_facts import ActiveEntitlementsFacts, CustomerFacts, StripeFacts
from sync.stripe.decode_catalogue import (
    decode_coupon,
    decode_meter,
    decode_price,
    decode_product,
    decode_promotion_code,
)
from sync.stripe.decode_invoice import decode_invoice
from sync.stripe.decode_payments import decode_charge, decode_dispute, decode_payment_intent, decode_refund
from sync.stripe.decode_sales import decode_checkout_session, decode_schedule
from sync.stripe.wire import Id, Ref, Seconds, id_of, read, workspace_ref

NORM_VERSION: Final = 2
"""Raised when the decoders read more out of the same JSON: mirrors of before are then read anew."""


class _Customer(msgspec.Struct, gc=False):
    id: Id
    name: str | None = None
    email: str | None = None
    currency: str | None = None
    delinquent: bool | None = None
    metadata: dict[str, str] | None = None
    created: Seconds = 0


class _Active(msgspec.Struct, gc=False):
    lookup_key: str


class _ActiveList(msgspec.Struct, gc=False):
    data: list[_Active]
    has_more: bool = False


class _Summary(msgspec.Struct, gc=False):
    customer: Id | Ref
    entitlements: _ActiveList


def decode_facts(type: str, raw: str, before: StripeFacts | None = None) -> StripeFacts | None:
    """Read an object of this type; None where a type has no such form (a subscription has a record of its own).

    `before` is what was known of it: that stays where this JSON leaves it out. Raises `DecodeError`.
    """
    decode = _DECODERS.get(type)
    return decode(raw, before) if decode else None


def decode_customer(raw: str, _before: StripeFacts | None = None) -> CustomerFacts:
    """Read a customer."""
    customer = read(raw, _Customer)
    return CustomerFacts(
        name=customer.name,
        email=customer.email,
        currency=customer.currency,
        delinquent=customer.delinquent is True,
        workspace_ref=workspace_ref(customer.metadata),
        created_at=customer.created * 1000,
    )


def _decode_entitlements(raw: str, _before: StripeFacts | None) -> ActiveEntitlementsFacts:
    summary = read(raw, _Summary)
    keys = {active.lookup_key for active in summary.entitlements.data}
    return ActiveEntitlementsFacts(
        customer_id=id_of(summary.customer),
        lookup_keys=tuple(sorted(keys)),
        is_complete=not summary.entitlements.has_more,
    )


_DECODERS: Final[Mapping[str, Callable[[str, StripeFacts | None], StripeFacts]]] = {
    "customer": decode_customer,
    "product": decode_product,
    "price": decode_price,
    "coupon": decode_coupon,
    "promotion_code": decode_promotion_code,
    "billing.meter": decode_meter,
    "subscription_schedule": decode_schedule,
    "invoice": decode_invoice,
    "checkout.session": decode_checkout_session,
    "payment_intent": decode_payment_intent,
    "charge": decode_charge,
    "refund": decode_refund,
    "dispute": decode_dispute,
    "entitlements.active_entitlement_summary": _decode_entitlements,
}
