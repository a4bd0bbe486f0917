"""The operations of /v1/payment_methods, and what a customer or subscription names as its default."""

from app.sandbox.stripe.cards import Card, card_of_method, card_of_number, find_card
from app.sandbox.stripe.errors import StripeError, missing, no_such
from app.sandbox.stripe.forms import Reader, fields, integer, metadata, one_of, read, text
from app.sandbox.stripe.resources import keep_equal, list_page, with_changes
from app.sandbox.stripe.sandbox import Call, Sandbox
from app.sandbox.stripe.store import PAGE_READERS, page
from app.sandbox.stripe.wire import JsonObject, new_id

KIND = "payment_method"
_ADDRESS = fields(city=text, country=text, line1=text, line2=text, postal_code=text, state=text)
_WRITABLE: dict[str, Reader] = {
    "billing_details": fields(address=_ADDRESS, email=text, name=text, phone=text),
    "metadata": metadata,
}
_ONLY_CARDS = one_of("card")
_ANY_TYPE = one_of("card", "sepa_debit", "us_bank_account")
_BLANK_ADDRESS = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
_EXPIRES = (12, 2040)


def create(sandbox: Sandbox, call: Call) -> JsonObject:
    """Make a card, of a token (`tok_visa`) or a test number, which belongs to nobody yet."""
    readers = {"card": fields(token=text, number=text, exp_month=integer, exp_year=integer, cvc=text)}
    params = read(call.form, {"type": _ONLY_CARDS, **readers, **_WRITABLE}, required=("type", "card"))
    given: JsonObject = params.pop("card")
    if given.get("token"):
        card = find_card(given["token"])
        if card is None:
            raise no_such("token", given["token"], param="card[token]")
    elif given.get("number"):
        card = card_of_number(given["number"])
    else:
        raise missing("card[number]")
    params.pop("type")
    expires = (given.get("exp_month") or _EXPIRES[0], given.get("exp_year") or _EXPIRES[1])
    made = _with_details(new_card(card, call.at, expires), params)
    sandbox.store.put(made)  # Stripe tells of it once it is attached
    return made


def new_card(card: Card, at: int, expires: tuple[int, int] = _EXPIRES) -> JsonObject:
    """Return a card that belongs to nobody yet; nothing is stored."""
    details = {
        "brand": card.brand,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
        "country": "US",
        "display_brand": card.brand,
        "exp_month": expires[0],
        "exp_year": expires[1],
        "fingerprint": f"sandbox{card.last4}",
        "funding": "credit",
        "generated_from": None,
        "last4": card.last4,
        "networks": {"available": [card.brand], "preferred": None},
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }
    return new_method("card", details, at)


def new_method(type: str, details: JsonObject, at: int) -> JsonObject:
    """Return a payment method of that type which belongs to nobody yet; nothing is stored."""
    return {
        "id": new_id("pm"),
        "object": KIND,
        "allow_redisplay": "unspecified",
        "billing_details": {"address": _BLANK_ADDRESS, "email": None, "name": None, "phone": None, "tax_id": None},
        "created": at,
        "customer": None,
        "livemode": False,
        "metadata": {},
        "type": type,
        type: details,
    }


def _with_details(method: JsonObject, params: JsonObject) -> JsonObject:
    if details := params.get("billing_details"):
        params = {**params, "billing_details": {**method["billing_details"], **details}}
    return with_changes(method, params)


def update(sandbox: Sandbox, call: Call) -> JsonObject:
    method = sandbox.store.get(KIND, call.id)
    return sandbox.save(method, _with_details(method, read(call.form, _WRITABLE)), call)


def attach(sandbox: Sandbox, call: Call) -> JsonObject:
    """Attach it to a customer; a magic id (`pm_card_visa`) attaches a new card of that kind."""
    params = read(call.form, {"customer": text}, required=("customer",))
    customer = sandbox.store.get("customer", params["customer"], param="customer")
    if customer.get("deleted"):
        raise no_such("customer", customer["id"], param="customer")
    return _attach(sandbox, call.id, customer["id"], None)


def _attach(sandbox: Sandbox, given: str, customer: str, param: str | None) -> JsonObject:
    card = find_card(given)
    method = sandbox.store.get(KIND, given, param=param) if card is None else new_card(card, sandbox.now())
    if method["customer"] not in (None, customer):
        raise StripeError("The payment method you provided has already been attached to a customer.", param=param)
    if decline := card_of_method(method).when_attached:
        raise decline.to_error()
    return sandbox.put(method, {**method, "customer": customer}, "payment_method.attached")


def resolve(sandbox: Sandbox, given: str, customer: str, param: str) -> str:
    """Return the id of the customer's payment method that `given` names; a magic id finds or attaches such a card."""
    card = find_card(given)
    if card is None:
        if sandbox.store.get(KIND, given, param=param)["customer"] != customer:
            raise StripeError(
                f"The customer does not have a payment method with the ID {given}. "
                "The payment method must be attached to the customer.",
                code="resource_missing",
                param=param,
            )
        return given
    attached = sandbox.store.having(KIND, "customer", customer)
    same = next((method["id"] for method in attached if card_of_method(method) == card), None)
    return same or _attach(sandbox, given, customer, param)["id"]


def detach(sandbox: Sandbox, call: Call) -> JsonObject:
    """Detach it; the customer and the subscriptions that had it as their default have none."""
    read(call.form, {})
    method = sandbox.store.get(KIND, call.id)
    owner: str | None = method["customer"]
    if owner is None:
        raise StripeError("The payment method you provided is not attached to a customer so detachment is impossible.")
    customer = sandbox.store.get("customer", owner)
    if customer["invoice_settings"]["default_payment_method"] == call.id:
        settings = {**customer["invoice_settings"], "default_payment_method": None}
        sandbox.save(customer, {**customer, "invoice_settings": settings}, call)
    for subscription in sandbox.store.having("subscription", "customer", owner):
        if subscription["default_payment_method"] == call.id:
            sandbox.save(subscription, {**subscription, "default_payment_method": None}, call)
    return sandbox.put(method, {**method, "customer": None}, "payment_method.detached")


def list_all(sandbox: Sandbox, call: Call) -> JsonObject:
    return list_page(sandbox, call, KIND, {"customer": text, "type": _ANY_TYPE}, _is_attached_to)


def _is_attached_to(params: JsonObject, method: JsonObject) -> bool:
    return method["customer"] is not None and keep_equal(params, method, "customer", "type")


def list_of_customer(sandbox: Sandbox, call: Call) -> JsonObject:
    sandbox.store.get("customer", call.id)
    params = read(call.form, {**PAGE_READERS, "type": _ANY_TYPE})
    url = f"/v1/customers/{call.id}/payment_methods"
    return page(sandbox.store.having(KIND, "customer", call.id), params, url, lambda _: True)


def default_method(sandbox: Sandbox, subscription: JsonObject) -> JsonObject | None:
    """Return what the subscription is charged to: its own default, else its customer's."""
    customer = sandbox.store.find(subscription["customer"]) or {}
    settings: JsonObject = customer.get("invoice_settings") or {}
    named: str | None = subscription["default_payment_method"] or settings.get("default_payment_method")
    return sandbox.store.find(named) if named else None
