"""Which of the objects that we mirror an event is about: the one in it, or the one that this tells of."""

from collections.abc import Mapping
from typing import Any, Final, cast

from app.domain.stripe_event import ObjectName
from app.domain.stripe_object import ENTITLEMENTS, SYNCED_TYPES, entitlements_id

UPCOMING: Final = "invoice.upcoming"
"""Its object is a preview, which cannot be asked for: the event is its subscription's."""

_TELLS_OF: Final[Mapping[str, tuple[str, ...]]] = {
    "invoice_payment": ("invoice",),
    "invoiceitem": ("invoice",),
    "discount": ("subscription", "invoice", "customer"),
}
"""Fields of objects that are not mirrored, named as the types that they refer to: the first that is set is meant."""


def subject_of(event_type: str, told: Mapping[str, Any]) -> ObjectName | None:
    """Return the object that is to be looked at because of an event with this object; None where there is none."""
    type = told.get("object")  # noqa: A001 - the API's word
    if event_type == UPCOMING:
        return _named("subscription", told.get("subscription") or _subscription_of(told))
    if type == ENTITLEMENTS:
        customer = _named("customer", told.get("customer"))
        return ObjectName(ENTITLEMENTS, entitlements_id(customer.id)) if customer else None
    if type in SYNCED_TYPES:
        return _named(type, told.get("id"))
    named = (_named(field, told.get(field)) for field in _TELLS_OF.get(str(type), ()))
    return next((one for one in named if one), None)


def _subscription_of(invoice: Mapping[str, Any]) -> Any:
    return _inner(_inner(invoice, "parent"), "subscription_details").get("subscription")


def _inner(told: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    found = told.get(field)
    return cast("Mapping[str, Any]", found) if isinstance(found, dict) else {}


def _named(type: str, reference: Any) -> ObjectName | None:
    """Name an object by its id, or by itself where it is expanded."""
    id = _inner({"": reference}, "").get("id", reference)  # noqa: A001 - the API's word
    return ObjectName(type, id) if isinstance(id, str) and id else None
