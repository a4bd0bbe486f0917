"""The operations of /v1/billing_portal/sessions."""

from typing import Final

from app.sandbox.stripe import portal_configurations
from app.sandbox.stripe.checkout_params import address
from app.sandbox.stripe.endings import ENDED
from app.sandbox.stripe.errors import StripeError, missing, no_such
from app.sandbox.stripe.forms import Reader, fields, integer, list_of, one_of, read, text
from app.sandbox.stripe.sandbox import Call, Sandbox
from app.sandbox.stripe.wire import JsonObject, new_id

KIND: Final = "billing_portal.session"
_FLOWS: Final = ("payment_method_update", "subscription_cancel", "subscription_update", "subscription_update_confirm")
_FEATURE_OF: Final = {"subscription_update_confirm": "subscription_update"}
_OF_SUBSCRIPTION: Final = fields(subscription=text)
_READ_FLOW: Final = fields(
    after_completion=fields(
        hosted_confirmation=fields(custom_message=text),
        redirect=fields(return_url=address),
        type=one_of("hosted_confirmation", "portal_homepage", "redirect"),
    ),
    subscription_cancel=_OF_SUBSCRIPTION,
    subscription_update=_OF_SUBSCRIPTION,
    subscription_update_confirm=fields(items=list_of(fields(id=text, price=text, quantity=integer)), subscription=text),
    type=one_of(*_FLOWS),
)
_READERS: Final[dict[str, Reader]] = {
    "configuration": text,
    "customer": text,
    "flow_data": _READ_FLOW,
    "locale": text,
    "return_url": address,
}


def create(sandbox: Sandbox, call: Call) -> JsonObject:
    params = read(call.form, _READERS, required=("customer",))
    customer = sandbox.store.get("customer", params["customer"], param="customer")
    if customer.get("deleted"):
        raise no_such("customer", customer["id"], param="customer")
    configuration = _configuration_of(sandbox, params.get("configuration"))
    new = new_id("bps")
    made = {
        "id": new,
        "object": KIND,
        "after_expiration": None,
        "configuration": configuration["id"],
        "created": call.at,
        "customer": customer["id"],
        "customer_account": None,
        "flow": _flow_of(sandbox, params.get("flow_data"), customer["id"], configuration),
        "livemode": False,
        "locale": params.get("locale"),
        "on_behalf_of": None,
        "return_url": params.get("return_url") or configuration["default_return_url"],
        "url": f"{call.base_url}/p/session/{new}",
        "_is_done": False,
    }
    return sandbox.save(None, made, call)


def _configuration_of(sandbox: Sandbox, named: str | None) -> JsonObject:
    if named is None:
        return portal_configurations.default_of(sandbox)
    configuration = sandbox.store.get(portal_configurations.KIND, named, param="configuration")
    if not configuration["active"]:
        raise StripeError(f"The configuration {named} is not active.", param="configuration")
    return configuration


def _flow_of(sandbox: Sandbox, given: JsonObject | None, customer: str, configuration: JsonObject) -> JsonObject | None:
    if given is None:
        return None
    kind: str | None = given.get("type")
    if kind is None:
        raise missing("flow_data[type]")
    feature = _FEATURE_OF.get(kind, kind)
    if not configuration["features"][feature]["enabled"]:
        raise StripeError(
            f"The flow `{kind}` needs the feature `{feature}`, which the portal's configuration turns off.",
            param="flow_data[type]",
        )
    flow: JsonObject = {name: None for name in _FLOWS if name != "payment_method_update"}
    if kind in flow:
        flow[kind] = _details_of(sandbox, given.get(kind) or {}, kind, customer)
    return {"type": kind, "after_completion": _completion_of(given.get("after_completion") or {}), **flow}


def _details_of(sandbox: Sandbox, given: JsonObject, kind: str, customer: str) -> JsonObject:
    """Return what a flow is about: a subscription of the customer that has not ended."""
    param = f"flow_data[{kind}][subscription]"
    if not given.get("subscription"):
        raise missing(param)
    subscription = sandbox.store.get("subscription", given["subscription"], param=param)
    if subscription["customer"] != customer:
        raise no_such("subscription", subscription["id"], param=param)
    if subscription["status"] in ENDED:
        raise StripeError("This subscription has ended and cannot be changed.", param=param)
    match kind:
        case "subscription_cancel":
            return {"retention": None, "subscription": subscription["id"]}
        case "subscription_update_confirm":
            return {"discounts": [], "subscription": subscription["id"], "items": _items_of(given, subscription)}
        case _:
            return {"subscription": subscription["id"]}


def _items_of(given: JsonObject, subscription: JsonObject) -> list[JsonObject]:
    """Return the change to confirm; the portal changes subscriptions of one item."""
    param = "flow_data[subscription_update_confirm][items]"
    known = [item["id"] for item in subscription["items"]["data"]]
    wanted: list[JsonObject] = given.get("items") or []
    if len(wanted) != 1 or [one.get("id") for one in wanted] != known:
        raise StripeError("Name the only item of the subscription.", param=param)
    return [{"price": None, "quantity": None, **one} for one in wanted]


def _completion_of(given: JsonObject) -> JsonObject:
    kind = given.get("type", "portal_homepage")
    redirect: JsonObject | None = given.get("redirect")
    if kind == "redirect" and not (redirect or {}).get("return_url"):
        raise missing("flow_data[after_completion][redirect][return_url]")
    shown: JsonObject = {"custom_message": None, **(given.get("hosted_confirmation") or {})}
    return {
        "hosted_confirmation": shown if kind == "hosted_confirmation" else None,
        "redirect": redirect if kind == "redirect" else None,
        "type": kind,
    }
