"""The operations of /v1/products."""

from app.sandbox.stripe.errors import StripeError
from app.sandbox.stripe.forms import Reader, boolean, list_of, metadata, read, text
from app.sandbox.stripe.resources import keep_equal, list_page, with_changes
from app.sandbox.stripe.sandbox import Call, Sandbox
from app.sandbox.stripe.wire import JsonObject, new_id

_WRITABLE: dict[str, Reader] = {
    "active": boolean,
    "description": text,
    "images": list_of(text),
    "metadata": metadata,
    "name": text,
    "shippable": boolean,
    "statement_descriptor": text,
    "tax_code": text,
    "unit_label": text,
    "url": text,
}


def create(sandbox: Sandbox, call: Call) -> JsonObject:
    params = read(call.form, {"id": text, **_WRITABLE}, required=("name",))
    return save_new(sandbox, params, call)


def save_new(sandbox: Sandbox, params: JsonObject, call: Call) -> JsonObject:
    chosen: str = params.pop("id", None) or new_id("prod", 14)
    if sandbox.store.find(chosen):
        raise StripeError("Product already exists.", code="resource_already_exists", param="id")
    return sandbox.save(None, with_changes(_blank(chosen, call.at), params), call)


def _blank(id: str, at: int) -> JsonObject:
    return {
        "id": id,
        "object": "product",
        "active": True,
        "created": at,
        "default_price": None,
        "description": None,
        "images": [],
        "livemode": False,
        "marketing_features": [],
        "metadata": {},
        "name": None,
        "package_dimensions": None,
        "shippable": None,
        "statement_descriptor": None,
        "tax_code": None,
        "type": "service",
        "unit_label": None,
        "updated": at,
        "url": None,
    }


def update(sandbox: Sandbox, call: Call) -> JsonObject:
    product = sandbox.store.get("product", call.id)
    params = read(call.form, {"default_price": text, **_WRITABLE})
    if params.get("default_price"):
        sandbox.store.get("price", params["default_price"], param="default_price")
    changed = with_changes(product, params)
    return sandbox.save(product, changed if changed == product else {**changed, "updated": call.at}, call)


def delete(sandbox: Sandbox, call: Call) -> JsonObject:
    read(call.form, {})
    product = sandbox.store.get("product", call.id)
    if any(price["product"] == call.id for price in sandbox.store.all("price")):
        raise StripeError("This product cannot be deleted because it has one or more user-created prices.")
    sandbox.record(product, product, type="product.deleted", call=call)
    sandbox.store.remove(product)
    return {"id": call.id, "object": "product", "deleted": True}


def list_all(sandbox: Sandbox, call: Call) -> JsonObject:
    readers: dict[str, Reader] = {"active": boolean, "ids": list_of(text), "url": text, "shippable": boolean}

    def keep(params: JsonObject, product: JsonObject) -> bool:
        return keep_equal(params, product, "active", "url", "shippable") and product["id"] in (
            params.get("ids") or (product["id"],)
        )

    return list_page(sandbox, call, "product", readers, keep)
