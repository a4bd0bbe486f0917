"""The operations of /v1/checkout/sessions."""

from typing import Final

from app.sandbox.stripe import checkout, debits, setup_intents
from app.sandbox.stripe.checkout_discounts import with_discount
from app.sandbox.stripe.checkout_lines import new_line
from app.sandbox.stripe.checkout_params import CREATABLE, KIND, SWITCHED_OFF, check
from app.sandbox.stripe.errors import StripeError, missing, no_such
from app.sandbox.stripe.forms import Reader, fields, metadata, one_of, read, text
from app.sandbox.stripe.prices import save_new
from app.sandbox.stripe.resources import keep_equal, merge_metadata, with_changes
from app.sandbox.stripe.sandbox import Call, Sandbox
from app.sandbox.stripe.store import PAGE_READERS, page
from app.sandbox.stripe.wire import JsonObject, copy, new_id

_DAY_S: Final = 86_400
_BLANK: Final[JsonObject] = {
    "object": KIND,
    "adaptive_pricing": None,
    "after_expiration": None,
    "allow_promotion_codes": None,
    "amount_subtotal": None,
    "amount_total": None,
    "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
    "billing_address_collection": None,
    "cancel_url": None,
    "client_reference_id": None,
    "client_secret": None,
    "collected_information": None,
    "consent": None,
    "consent_collection": None,
    "currency": None,
    "currency_conversion": None,
    "custom_fields": [],
    "custom_text": {
        "after_submit": None,
        "shipping_address": None,
        "submit": None,
        "terms_of_service_acceptance": None,
    },
    "customer": None,
    "customer_account": None,
    "customer_creation": None,
    "customer_details": None,
    "customer_email": None,
    "discounts": [],
    "integration_identifier": None,
    "invoice": None,
    "invoice_creation": None,
    "livemode": False,
    "locale": None,
    "metadata": {},
    "origin_context": None,
    "payment_intent": None,
    "payment_link": None,
    "payment_method_collection": None,
    "payment_method_configuration_details": None,
    "payment_method_options": {},
    "payment_status": "unpaid",
    "permissions": None,
    "phone_number_collection": {"enabled": False},
    "recovered_from": None,
    "saved_payment_method_options": None,
    "setup_intent": None,
    "shipping_address_collection": None,
    "shipping_cost": None,
    "shipping_options": [],
    "status": "open",
    "submit_type": None,
    "subscription": None,
    "ui_mode": "hosted_page",
    "wallet_options": None,
    "_attempt": None,
    "_lines": [],
    "_payment_intent_data": {},
    "_setup_intent_data": {},
    "_subscription_data": {},
}


def create(sandbox: Sandbox, call: Call) -> JsonObject:
    given = read(call.form, CREATABLE, required=("mode",))
    params = {name: value for name, value in given.items() if value is not None and name not in SWITCHED_OFF}
    check(params, call.at, call.version)
    lines, discounts = params.pop("line_items", []), params.pop("discounts", [])
    for name in ("payment_intent_data", "setup_intent_data", "subscription_data"):
        params[f"_{name}"] = params.pop(name, {})
    params |= {"metadata": merge_metadata({}, params.get("metadata") or {}), "ui_mode": "hosted_page"}
    session = _with_customer(sandbox, {**_blank(call), **params})
    session = _with_lines(sandbox, session, lines, call) if lines else session
    session["payment_method_types"] = _methods_of(session, params.get("payment_method_types"))
    if session["mode"] == "setup":
        intent = setup_intents.begin(sandbox, session["customer"], session["_setup_intent_data"])
        return sandbox.put(None, {**session, "setup_intent": intent["id"]})
    return sandbox.put(None, with_discount(sandbox, session, discounts[0] if discounts else None))


def _blank(call: Call) -> JsonObject:
    new = new_id("cs_test", 58)
    return {
        **copy(_BLANK),
        "id": new,
        "created": call.at,
        "expires_at": call.at + _DAY_S,
        "url": f"{call.base_url}/c/pay/{new}",
    }


def _with_customer(sandbox: Sandbox, session: JsonObject) -> JsonObject:
    if session["customer"]:
        customer = sandbox.store.get("customer", session["customer"], param="customer")
        if customer.get("deleted"):
            raise no_such("customer", customer["id"], param="customer")
        return {**session, "customer_details": checkout.details_of(customer["email"], None)}
    creation = session["customer_creation"] or ("always" if session["mode"] == "subscription" else "if_required")
    email: str | None = session["customer_email"]
    told = checkout.details_of(email, None) if email else None
    return {**session, "customer_creation": creation, "customer_details": told}


def _with_lines(sandbox: Sandbox, session: JsonObject, given: list[JsonObject], call: Call) -> JsonObject:
    lines: list[JsonObject] = []
    for index, one in enumerate(given):
        price = _price_of(sandbox, one, session["mode"], f"line_items[{index}]", call)
        name: str = sandbox.store.get("product", price["product"])["name"]
        lines.append(new_line(price, name, one, session))
    wanted: set[str] = {line["currency"] for line in lines} | {session["currency"] or lines[0]["currency"]}
    if len(wanted) > 1:
        raise StripeError("All prices of a Checkout Session must have the same currency.", param="line_items")
    return {**session, "currency": wanted.pop(), "_lines": lines}


def _price_of(sandbox: Sandbox, given: JsonObject, mode: str, path: str, call: Call) -> JsonObject:
    """Return the price of a line, which `price_data` makes."""
    described: JsonObject | None = given.get("price_data")
    if bool(described) == bool(given.get("price")):
        raise missing(f"{path}[price]")
    if described:
        if not described.get("currency"):
            raise missing(f"{path}[price_data][currency]")
        price = save_new(sandbox, {**described, "active": False}, call)
    else:
        price = sandbox.store.get("price", given["price"], param=f"{path}[price]")
        if not price["active"]:
            raise StripeError("The price specified is inactive. This field only accepts active prices.", param=path)
    _check_price(price, given, mode, path)
    return price


def _check_price(price: JsonObject, given: JsonObject, mode: str, path: str) -> None:
    is_recurring = price["type"] == "recurring"
    if mode == "payment" and is_recurring:
        raise StripeError(
            "You specified `payment` mode but passed a recurring price. "
            "Either switch to `subscription` mode or use only one-time prices.",
            param="mode",
        )
    if mode == "subscription" and not is_recurring:
        raise StripeError("The sandbox takes only recurring prices in `subscription` mode.", param=f"{path}[price]")
    metered = is_recurring and price["recurring"]["usage_type"] == "metered"
    if metered and given.get("quantity") is not None:
        raise StripeError(
            f"Quantity should not be specified where usage_type is `metered`. Remove `quantity` from `{path}`.",
            param=f"{path}[quantity]",
        )
    if not metered and (given.get("quantity") or 0) < 1:
        raise StripeError(f"Quantity is required. Add `quantity` to `{path}`.", param=f"{path}[quantity]")


def _methods_of(session: JsonObject, wanted: list[str] | None) -> list[str]:
    """Return what a person may pay with: cards, and for what is paid once a debit where its currency has one."""
    debit = debits.OF_CURRENCY.get(session["currency"]) if session["mode"] == "payment" else None
    known = ["card", debit] if debit else ["card"]
    if unknown := set(wanted or []) - set(known):
        raise StripeError(
            f"The sandbox takes {' and '.join(known)} in `{session['mode']}` mode in {session['currency']}, "
            f"not {', '.join(sorted(unknown))}.",
            param="payment_method_types",
        )
    return wanted or known


def update(sandbox: Sandbox, call: Call) -> JsonObject:
    session = sandbox.store.get(KIND, call.id)
    return sandbox.put(session, with_changes(session, read(call.form, {"metadata": metadata})))


def expire(sandbox: Sandbox, call: Call) -> JsonObject:
    session = sandbox.store.get(KIND, call.id)
    read(call.form, {})
    if session["status"] != "open":
        raise StripeError(
            'Only Checkout Sessions with a status in ["open"] can be expired. '
            f"This Checkout Session has a status of `{session['status']}`."
        )
    return checkout.expire(sandbox, session)


def list_lines(sandbox: Sandbox, call: Call) -> JsonObject:
    session = sandbox.store.get(KIND, call.id)
    url = f"/v1/checkout/sessions/{call.id}/line_items"
    return page(session["_lines"], read(call.form, PAGE_READERS), url, lambda _: True)


def list_all(sandbox: Sandbox, call: Call) -> JsonObject:
    readers: dict[str, Reader] = {
        "customer": text,
        "customer_details": fields(email=text),
        "payment_intent": text,
        "status": one_of("complete", "expired", "open"),
        "subscription": text,
    }
    params = read(call.form, {**PAGE_READERS, **readers})
    wanted: JsonObject = params.get("customer_details") or {}

    def keep(session: JsonObject) -> bool:
        told: JsonObject = session["customer_details"] or {}
        return keep_equal(params, session, "customer", "payment_intent", "status", "subscription") and (
            wanted.get("email") in (None, told.get("email"))
        )

    return page(sandbox.store.all(KIND), params, "/v1/checkout/sessions", keep)
