"""The operations of /v1/entitlements and of /v1/products/{id}/features. Stripe sends no events of features."""

from app.sandbox.stripe.entitling import ACTIVE, ATTACHED, FEATURE
from app.sandbox.stripe.errors import StripeError, no_such
from app.sandbox.stripe.forms import boolean, metadata, read, text
from app.sandbox.stripe.resources import keep_equal, with_changes
from app.sandbox.stripe.sandbox import Call, Sandbox
from app.sandbox.stripe.store import PAGE_READERS, page
from app.sandbox.stripe.wire import JsonObject, new_id

_LOOKUP_KEY_MAX = 80
_PAGE = {name: reader for name, reader in PAGE_READERS.items() if name != "created"}


def create(sandbox: Sandbox, call: Call) -> JsonObject:
    readers = {"lookup_key": text, "metadata": metadata, "name": text}
    params = read(call.form, readers, required=("lookup_key", "name"))
    if len(params["lookup_key"]) > _LOOKUP_KEY_MAX:
        raise StripeError("Invalid string: lookup_key is too long.", param="lookup_key")
    if any(feature["lookup_key"] == params["lookup_key"] for feature in sandbox.store.all(FEATURE)):
        raise StripeError("A feature with this lookup key exists already.", param="lookup_key")
    blank: JsonObject = {
        "id": new_id("feat_test", 48),
        "object": FEATURE,
        "active": True,
        "livemode": False,
        "lookup_key": None,
        "metadata": {},
        "name": None,
    }
    feature = with_changes(blank, params)
    sandbox.store.put(feature)
    return feature


def update(sandbox: Sandbox, call: Call) -> JsonObject:
    feature = sandbox.store.get(FEATURE, call.id)
    changed = with_changes(feature, read(call.form, {"active": boolean, "metadata": metadata, "name": text}))
    sandbox.store.put(changed)
    return changed


def list_all(sandbox: Sandbox, call: Call) -> JsonObject:
    """List features; archived ones only where they are asked for."""
    params = read(call.form, {**_PAGE, "archived": boolean, "lookup_key": text})
    is_active = not params.get("archived", False)

    def keep(feature: JsonObject) -> bool:
        return feature["active"] is is_active and keep_equal(params, feature, "lookup_key")

    return page(sandbox.store.all(FEATURE), params, "/v1/entitlements/features", keep)


def attach(sandbox: Sandbox, call: Call) -> JsonObject:
    params = read(call.form, {"entitlement_feature": text}, required=("entitlement_feature",))
    sandbox.store.get("product", call.id)
    feature = sandbox.store.get(FEATURE, params["entitlement_feature"], param="entitlement_feature")
    if not feature["active"]:
        raise StripeError("This feature is archived and cannot be attached.", param="entitlement_feature")
    attached = {
        "id": new_id("prodft"),
        "object": ATTACHED,
        "entitlement_feature": feature["id"],
        "livemode": False,
        "product": call.id,
    }
    sandbox.store.put(attached)
    return attached


def list_attached(sandbox: Sandbox, call: Call) -> JsonObject:
    sandbox.store.get("product", call.id)
    params = read(call.form, _PAGE)
    of_product = sandbox.store.having(ATTACHED, "product", call.id)
    return page(of_product, params, f"/v1/products/{call.id}/features", lambda _: True)


def retrieve_attached(sandbox: Sandbox, call: Call) -> JsonObject:
    read(call.form, {})
    return _attached(sandbox, call)


def _attached(sandbox: Sandbox, call: Call) -> JsonObject:
    attached = sandbox.store.get(ATTACHED, call.id)
    if attached["product"] != call.parent:
        raise no_such(ATTACHED, call.id)
    return attached


def detach(sandbox: Sandbox, call: Call) -> JsonObject:
    read(call.form, {})
    sandbox.store.remove(_attached(sandbox, call))
    return {"id": call.id, "object": ATTACHED, "deleted": True}


def list_active(sandbox: Sandbox, call: Call) -> JsonObject:
    """List what a customer is entitled to, newest first."""
    params = read(call.form, {**_PAGE, "customer": text}, required=("customer",))
    sandbox.store.get("customer", params["customer"], param="customer")
    held = sandbox.store.having(ACTIVE, "customer", params["customer"])
    return page(held, params, "/v1/entitlements/active_entitlements", lambda _: True)
