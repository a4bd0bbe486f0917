"""The sandbox's objects, in memory: by id, by kind, in pages."""

from collections.abc import Callable, Mapping
from typing import Final

from app.sandbox.stripe import forms
from app.sandbox.stripe.errors import StripeError, no_such
from app.sandbox.stripe.forms import FormValue, Reader, integer, text
from app.sandbox.stripe.wire import JsonObject

_PAGE_DEFAULT = 10
_PAGE_LIMIT = 100


def _subscription_of(obj: JsonObject) -> str | None:
    parent: JsonObject = obj["parent"] or {}
    details: JsonObject = parent.get("subscription_details") or {}
    return details.get("subscription")


_REFERENCES: Final[Mapping[str, Mapping[str, Callable[[JsonObject], str | None]]]] = {
    "checkout.session": {"payment_intent": lambda obj: obj["payment_intent"]},
    "billing.meter_event": {"meter": lambda obj: obj["meter"]},
    "charge": {"payment_intent": lambda obj: obj["payment_intent"]},
    "dispute": {"charge": lambda obj: obj["charge"]},
    "entitlements.active_entitlement": {"customer": lambda obj: obj["customer"]},
    "invoice": {"subscription": _subscription_of},
    "invoice_payment": {
        "invoice": lambda obj: obj["invoice"],
        "payment_intent": lambda obj: obj["payment"].get("payment_intent"),
    },
    "invoiceitem": {"subscription": _subscription_of},
    "payment_method": {"customer": lambda obj: obj["customer"]},
    "product_feature": {"product": lambda obj: obj["product"]},
    "refund": {"charge": lambda obj: obj["charge"]},
    "subscription": {"customer": lambda obj: obj["customer"]},
}


class Store:
    """Objects as the current API version shapes them, except that a subscription item holds its price's id.

    A stored object is never changed in place: a change puts a new one, so what was read stays as it was.
    """

    def __init__(self) -> None:
        self._by_kind: dict[str, dict[str, JsonObject]] = {}
        self._referring: dict[tuple[str, str, str], dict[str, None]] = {}

    def put(self, obj: JsonObject) -> None:
        kind: str = obj["object"]
        objects = self._by_kind.setdefault(kind, {})
        before = objects.get(obj["id"])
        objects[obj["id"]] = obj
        for name, target_of in _REFERENCES.get(kind, {}).items():
            target, former = target_of(obj), target_of(before) if before else None
            if former and former != target:
                self._referring[kind, name, former].pop(obj["id"], None)
            if target:
                self._referring.setdefault((kind, name, target), {})[obj["id"]] = None

    def remove(self, obj: JsonObject) -> None:
        del self._by_kind[obj["object"]][obj["id"]]
        for name, target_of in _REFERENCES.get(obj["object"], {}).items():
            if target := target_of(obj):
                self._referring[obj["object"], name, target].pop(obj["id"], None)

    def having(self, kind: str, name: str, target: str) -> list[JsonObject]:
        """Return the kind's objects whose reference `name` is `target`, newest first."""
        return [self._by_kind[kind][key] for key in reversed(self._referring.get((kind, name, target), {}))]

    def find(self, id: str) -> JsonObject | None:
        return next((objects[id] for objects in self._by_kind.values() if id in objects), None)

    def get(self, kind: str, id: str, *, param: str | None = None) -> JsonObject:
        """Return the object, or raise what Stripe answers: 404, or 400 where `param` named it."""
        obj = self._by_kind.get(kind, {}).get(id)
        if obj is None:
            raise no_such(kind, id, param=param)
        return obj

    def clock_of(self, obj: JsonObject | None) -> str | None:
        """Return the id of the test clock that an object lives by: its own, its customer's or its charge's."""
        while obj is not None and "test_clock" not in obj:
            owner = obj.get("customer") or obj.get("charge")
            obj = self.find(owner) if isinstance(owner, str) else None
        return obj["test_clock"] if obj else None

    def all(self, kind: str) -> list[JsonObject]:
        """Return the kind's objects, newest first; those without a time in the order they came."""
        newest_put_first = reversed(self._by_kind.get(kind, {}).values())
        living = (obj for obj in newest_put_first if not obj.get("deleted"))
        return sorted(living, key=lambda obj: -obj.get("created", 0))


def _created_range(path: str, value: FormValue) -> JsonObject:
    if isinstance(value, str):
        exact = integer(path, value)
        return {"gte": exact, "lte": exact}
    return forms.fields(gt=integer, gte=integer, lt=integer, lte=integer)(path, value)


PAGE_READERS: dict[str, Reader] = {
    "limit": integer,
    "starting_after": text,
    "ending_before": text,
    "created": _created_range,
}


def page(objects: list[JsonObject], params: JsonObject, url: str, keep: Callable[[JsonObject], bool]) -> JsonObject:
    """Return the page of `objects` (newest first) that the paging parameters ask for, as a list object."""
    limit = _PAGE_DEFAULT if params.get("limit") is None else params["limit"]
    if not 1 <= limit <= _PAGE_LIMIT:
        raise StripeError(
            "This value must be between 1 and 100 (inclusive).", code="parameter_invalid_integer", param="limit"
        )
    after, before = params.get("starting_after"), params.get("ending_before")
    if after and before:
        raise StripeError(
            "You may only specify one of these parameters: ending_before, starting_after.", param="starting_after"
        )
    matching = [obj for obj in objects if _is_created_within(obj, params.get("created") or {}) and keep(obj)]
    if before:
        rest = matching[: _position(objects, matching, before, "ending_before")]
        chosen = rest[-limit:]
    else:
        rest = matching[_position(objects, matching, after, "starting_after") + 1 :] if after else matching
        chosen = rest[:limit]
    return {"object": "list", "data": chosen, "has_more": len(rest) > len(chosen), "url": url}


def _position(objects: list[JsonObject], matching: list[JsonObject], cursor: str, param: str) -> int:
    for position, obj in enumerate(matching):
        if obj["id"] == cursor:
            return position
    kind = objects[0]["object"] if objects else "object"
    raise no_such(kind, cursor, param=param)


def _is_created_within(obj: JsonObject, bounds: JsonObject) -> bool:
    at = obj.get("created", 0)
    return (
        at > bounds.get("gt", at - 1)
        and at >= bounds.get("gte", at)
        and at < bounds.get("lt", at + 1)
        and at <= bounds.get("lte", at)
    )
