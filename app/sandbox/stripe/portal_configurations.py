"""The operations of /v1/billing_portal/configurations: what the portal's pages offer."""

from typing import Final

from app.sandbox.stripe.checkout_params import address
from app.sandbox.stripe.errors import StripeError, missing
from app.sandbox.stripe.forms import Reader, boolean, fields, integer, list_of, metadata, one_of, read, text
from app.sandbox.stripe.resources import keep_equal, with_changes
from app.sandbox.stripe.sandbox import Call, Sandbox
from app.sandbox.stripe.store import PAGE_READERS, page
from app.sandbox.stripe.wire import JsonObject, copy, new_id

KIND: Final = "billing_portal.configuration"
REASONS: Final = (
    *("too_expensive", "missing_features", "switched_service", "unused", "customer_service", "too_complex"),
    *("low_quality", "other"),
)
_PRORATION: Final = one_of("always_invoice", "create_prorations", "none")
_UPDATES: Final = ("price", "quantity")
_FEATURES: Final[JsonObject] = {
    "customer_update": {"allowed_updates": [], "enabled": False},
    "invoice_history": {"enabled": False},
    "payment_method_update": {"enabled": False, "payment_method_configuration": None},
    "subscription_cancel": {
        "cancellation_reason": {
            "enabled": False,
            "feedback_options": None,
            "options": ["too_expensive", "missing_features", "switched_service", "unused", "other"],
        },
        "enabled": False,
        "mode": "at_period_end",
        "proration_behavior": "none",
    },
    "subscription_pause": {"enabled": False},
    "subscription_update": {
        "billing_cycle_anchor": None,
        "default_allowed_updates": [],
        "enabled": False,
        "products": [],
        "proration_behavior": "none",
        "schedule_at_period_end": {"conditions": []},
        "trial_update_behavior": "end_trial",
    },
}
_READ_PRODUCTS: Final = list_of(
    fields(
        adjustable_quantity=fields(enabled=boolean, maximum=integer, minimum=integer),
        prices=list_of(text),
        product=text,
    )
)
_READ_FEATURES: Final[dict[str, Reader]] = {
    "customer_update": fields(allowed_updates=list_of(one_of("email", "name", "phone")), enabled=boolean),
    "invoice_history": fields(enabled=boolean),
    "payment_method_update": fields(enabled=boolean),
    "subscription_cancel": fields(
        cancellation_reason=fields(enabled=boolean, options=list_of(one_of(*REASONS))),
        enabled=boolean,
        mode=one_of("at_period_end", "immediately"),
        proration_behavior=_PRORATION,
    ),
    "subscription_update": fields(
        billing_cycle_anchor=one_of("now", "unchanged"),
        default_allowed_updates=list_of(one_of(*_UPDATES)),
        enabled=boolean,
        products=_READ_PRODUCTS,
        proration_behavior=_PRORATION,
        trial_update_behavior=one_of("continue_trial", "end_trial"),
    ),
}
_WRITABLE: Final[dict[str, Reader]] = {
    "business_profile": fields(headline=text, privacy_policy_url=address, terms_of_service_url=address),
    "default_return_url": address,
    "features": fields(**_READ_FEATURES),
    "metadata": metadata,
    "name": text,
}


def create(sandbox: Sandbox, call: Call) -> JsonObject:
    params = read(call.form, _WRITABLE, required=("features",))
    return sandbox.save(None, _with_params(sandbox, _blank(call.at), params), call)


def _blank(at: int) -> JsonObject:
    return {
        "id": new_id("bpc"),
        "object": KIND,
        "active": True,
        "application": None,
        "business_profile": {"headline": None, "privacy_policy_url": None, "terms_of_service_url": None},
        "created": at,
        "default_return_url": None,
        "features": copy(_FEATURES),
        "is_default": False,
        "livemode": False,
        "login_page": {"enabled": False, "url": None},
        "metadata": {},
        "name": None,
        "updated": at,
    }


def _with_params(sandbox: Sandbox, configuration: JsonObject, params: JsonObject) -> JsonObject:
    params = dict(params)
    profile: JsonObject = params.pop("business_profile", None) or {}
    given: JsonObject = params.pop("features", None) or {}
    features = {name: _merged(feature, given.get(name) or {}) for name, feature in configuration["features"].items()}
    features["subscription_update"] = _with_products(sandbox, features["subscription_update"])
    told = {"business_profile": {**configuration["business_profile"], **profile}, "features": features}
    return {**with_changes(configuration, params), **told}


def _merged(feature: JsonObject, given: JsonObject) -> JsonObject:
    merged = {**feature, **given}
    if reason := given.get("cancellation_reason"):
        merged["cancellation_reason"] = {**feature["cancellation_reason"], **reason}
    return merged


def _with_products(sandbox: Sandbox, feature: JsonObject) -> JsonObject:
    """Return what a person may change to, completed; prices that are not of their product are refused."""
    path = "features[subscription_update]"
    for name in ("default_allowed_updates", "products") if feature["enabled"] else ():
        if not feature[name]:
            raise missing(f"{path}[{name}]")
    products = [
        _checked(sandbox, offered, f"{path}[products][{index}]") for index, offered in enumerate(feature["products"])
    ]
    return {**feature, "products": products}


def _checked(sandbox: Sandbox, offered: JsonObject, path: str) -> JsonObject:
    for name in ("product", "prices"):
        if not offered.get(name):
            raise missing(f"{path}[{name}]")
    sandbox.store.get("product", offered["product"], param=f"{path}[product]")
    for price_id in offered["prices"]:
        price = sandbox.store.get("price", price_id, param=f"{path}[prices]")
        if price["product"] != offered["product"] or price["type"] != "recurring":
            raise StripeError(
                f"The price {price_id} is no recurring price of the product {offered['product']}.",
                param=f"{path}[prices]",
            )
    limits: JsonObject = offered.get("adjustable_quantity") or {}
    return {**offered, "adjustable_quantity": {"enabled": False, "maximum": None, "minimum": 1, **limits}}


def update(sandbox: Sandbox, call: Call) -> JsonObject:
    configuration = sandbox.store.get(KIND, call.id)
    params = read(call.form, {"active": boolean, **_WRITABLE})
    if configuration["is_default"] and params.get("active") is False:
        raise StripeError("The default configuration cannot be deactivated.", param="active")
    changed = _with_params(sandbox, configuration, params)
    return sandbox.save(configuration, changed if changed == configuration else {**changed, "updated": call.at}, call)


def list_all(sandbox: Sandbox, call: Call) -> JsonObject:
    params = read(call.form, {**PAGE_READERS, "active": boolean, "is_default": boolean})
    default_of(sandbox)
    return page(
        sandbox.store.all(KIND),
        params,
        "/v1/billing_portal/configurations",
        lambda configuration: keep_equal(params, configuration, "active", "is_default"),
    )


def default_of(sandbox: Sandbox) -> JsonObject:
    """Return the account's default, which the sandbox makes when it is first asked for: all but another plan."""
    known = next((one for one in sandbox.store.all(KIND) if one["is_default"]), None)
    if known:
        return known
    made = _blank(sandbox.now())
    features: JsonObject = made["features"]
    for name in ("customer_update", "invoice_history", "payment_method_update", "subscription_cancel"):
        features[name]["enabled"] = True
    features["customer_update"]["allowed_updates"] = ["email", "name", "phone"]
    features["subscription_cancel"]["cancellation_reason"]["enabled"] = True
    return sandbox.put(None, {**made, "is_default": True})
