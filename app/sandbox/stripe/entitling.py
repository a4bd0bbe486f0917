"""Which features a customer may use, by the products of its subscriptions; kept with every subscription's change."""

from typing import Final

from app.sandbox.stripe.store import Store
from app.sandbox.stripe.wire import JsonObject, new_id

ACTIVE: Final = "entitlements.active_entitlement"
ATTACHED: Final = "product_feature"
FEATURE: Final = "entitlements.feature"
SUMMARY: Final = "entitlements.active_entitlement_summary"

_EMBEDDED: Final = 10
# Stripe takes nothing away from a subscription that is paused or behind with its payment.
_ENTITLING: Final = ("active", "past_due", "paused", "trialing")


def entitle(store: Store, before: JsonObject | None, after: JsonObject) -> tuple[JsonObject, JsonObject] | None:
    """Give the customer what a changed subscription entitles it to; return its summary before and after if they differ.

    What is attached to a product or detached from it counts for a subscription from its next period on, or from when
    it changes its products, as at Stripe.
    """
    is_entitling = after["status"] in _ENTITLING
    if is_entitling and before and before["status"] in _ENTITLING and _basis(store, before) == _basis(store, after):
        return None
    customer: str = after["customer"]
    held = store.having(ACTIVE, "customer", customer)
    wanted = _features(store, after) if is_entitling else {}
    for entitlement in held:
        _give(store, entitlement, after["id"], is_given=entitlement["feature"] in wanted)
    known = {entitlement["feature"] for entitlement in held}
    for feature in wanted:
        if feature not in known:
            store.put(_entitlement(store, customer, feature, after["id"]))
    former, current = _summary(customer, held), _summary(customer, store.having(ACTIVE, "customer", customer))
    return (former, current) if former != current else None


def _give(store: Store, entitlement: JsonObject, giver: str, *, is_given: bool) -> None:
    """Note whether the subscription gives the entitlement; without any that does it is gone."""
    givers = [other for other in entitlement["given_by"] if other != giver] + [giver] * is_given
    if givers:
        store.put({**entitlement, "given_by": givers})
    else:
        store.remove(entitlement)


def _basis(store: Store, subscription: JsonObject) -> list[tuple[str | None, int]]:
    """Return what decides anew when it changes: the items' products and periods."""
    return [(_product(store, item), item["current_period_start"]) for item in subscription["items"]["data"]]


def _product(store: Store, item: JsonObject) -> str | None:
    return (store.find(item["price"]) or {}).get("product")


def _features(store: Store, subscription: JsonObject) -> dict[str, None]:
    attached = [
        link["entitlement_feature"]
        for item in subscription["items"]["data"]
        for link in reversed(store.having(ATTACHED, "product", _product(store, item) or ""))
    ]
    return dict.fromkeys(attached)


def _entitlement(store: Store, customer: str, feature: str, giver: str) -> JsonObject:
    return {
        "id": new_id("ent_test", 48),
        "object": ACTIVE,
        "customer": customer,
        "feature": feature,
        "given_by": [giver],
        "livemode": False,
        "lookup_key": store.get(FEATURE, feature)["lookup_key"],
    }


def visible(entitlement: JsonObject) -> JsonObject:
    """Return the entitlement as a caller sees it, who knows its customer already."""
    return {key: value for key, value in entitlement.items() if key not in ("customer", "given_by")}


def _summary(customer: str, held: list[JsonObject]) -> JsonObject:
    return {
        "object": SUMMARY,
        "customer": customer,
        "entitlements": {
            "object": "list",
            "data": [visible(entitlement) for entitlement in held[:_EMBEDDED]],
            "has_more": len(held) > _EMBEDDED,
            "url": f"/v1/customer/{customer}/entitlements",
        },
        "livemode": False,
    }
