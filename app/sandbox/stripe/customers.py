"""The operations of /v1/customers."""

from app.sandbox.stripe import payment_methods, redemptions
from app.sandbox.stripe.endings import ENDED, end
from app.sandbox.stripe.errors import StripeError, no_such
from app.sandbox.stripe.forms import Reader, fields, integer, list_of, metadata, one_of, read, text
from app.sandbox.stripe.resources import keep_equal, list_page, with_changes
from app.sandbox.stripe.sandbox import Call, Sandbox
from app.sandbox.stripe.versions import BASIL
from app.sandbox.stripe.wire import JsonObject, new_id

KIND = "customer"
_ADDRESS = fields(city=text, country=text, line1=text, line2=text, postal_code=text, state=text)
_WRITABLE: dict[str, Reader] = {
    "address": _ADDRESS,
    "balance": integer,
    "description": text,
    "email": text,
    "invoice_settings": fields(default_payment_method=text),
    "metadata": metadata,
    "name": text,
    "phone": text,
    "preferred_locales": list_of(text),
    "shipping": fields(address=_ADDRESS, name=text, phone=text),
    "tax_exempt": one_of("none", "exempt", "reverse"),
}


def _writable(call: Call) -> dict[str, Reader]:
    return {**_WRITABLE, **(redemptions.OLD_READERS if call.version < BASIL else {})}


def create(sandbox: Sandbox, call: Call) -> JsonObject:
    readers: dict[str, Reader] = {"id": text, "payment_method": text, "test_clock": text, **_writable(call)}
    params = read(call.form, readers)
    if clock := params.get("test_clock"):
        sandbox.store.get("test_helpers.test_clock", clock, param="test_clock")
    return save_new(sandbox, params, call)


def save_new(sandbox: Sandbox, params: JsonObject, call: Call | None = None) -> JsonObject:
    """Make a customer of parameters that were read."""
    chosen: str = params.pop("id", None) or new_id("cus", 14)
    if sandbox.store.find(chosen):
        raise StripeError("Customer already exists.", code="resource_already_exists", param="id")
    first: str | None = params.pop("payment_method", None)
    if first:
        payment_methods.resolve(sandbox, first, chosen, "payment_method")
    return _save(sandbox, None, _with_changes(sandbox, _blank(chosen, sandbox.now()), params), call)


def _save(sandbox: Sandbox, before: JsonObject | None, after: JsonObject, call: Call | None) -> JsonObject:
    held, given = redemptions.held_by(before or {"object": KIND}), redemptions.held_by(after)
    saved = sandbox.save(before, after, call)
    redemptions.follow(sandbox, held, given, switched=bool(held and given))
    return saved


def _with_changes(sandbox: Sandbox, customer: JsonObject, params: JsonObject) -> JsonObject:
    if "invoice_settings" in params:
        settings: JsonObject = params.pop("invoice_settings") or {}
        if default := settings.get("default_payment_method"):
            param = "invoice_settings[default_payment_method]"
            settings = {"default_payment_method": payment_methods.resolve(sandbox, default, customer["id"], param)}
        customer = {**customer, "invoice_settings": {**customer["invoice_settings"], **settings}}
    if (asked := redemptions.take_old_params(params)) is not None:
        discount = redemptions.redeem_for_customer(sandbox.store, customer["id"], asked, sandbox.now())
        customer = {**customer, "discount": discount}
    return with_changes(customer, params)


def _blank(id: str, at: int) -> JsonObject:
    return {
        "id": id,
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": at,
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "invoice_prefix": new_id("x", 8)[2:].upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": {},
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }


def update(sandbox: Sandbox, call: Call) -> JsonObject:
    customer = sandbox.store.get("customer", call.id)
    if customer.get("deleted"):
        raise no_such("customer", call.id)
    return _save(sandbox, customer, _with_changes(sandbox, customer, read(call.form, _writable(call))), call)


def delete(sandbox: Sandbox, call: Call) -> JsonObject:
    """Delete the customer and cancel its subscriptions; a stub stays."""
    read(call.form, {})
    customer = sandbox.store.get("customer", call.id)
    if customer.get("deleted"):
        raise no_such("customer", call.id)
    return remove(sandbox, customer)


def remove(sandbox: Sandbox, customer: JsonObject) -> JsonObject:
    """Delete the customer and return the stub that stays."""
    for subscription in sandbox.store.having("subscription", "customer", customer["id"]):
        if subscription["status"] not in ENDED:
            end(sandbox, subscription)
    sandbox.record(customer, customer, type="customer.deleted")
    stub = {"id": customer["id"], "object": "customer", "deleted": True}
    sandbox.store.put(stub)
    return stub


def list_all(sandbox: Sandbox, call: Call) -> JsonObject:
    """List customers; those on a test clock only where it is named."""

    def keep(params: JsonObject, customer: JsonObject) -> bool:
        return customer["test_clock"] == params.get("test_clock") and keep_equal(params, customer, "email")

    return list_page(sandbox, call, "customer", {"email": text, "test_clock": text}, keep)
