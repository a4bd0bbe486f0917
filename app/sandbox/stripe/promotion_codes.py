"""The operations of /v1/promotion_codes."""

import re

from app.sandbox.stripe.coupons import is_valid
from app.sandbox.stripe.errors import StripeError, missing, no_such
from app.sandbox.stripe.forms import FormValue, Reader, boolean, fields, integer, metadata, one_of, read, text
from app.sandbox.stripe.resources import keep_equal, list_page, with_changes
from app.sandbox.stripe.sandbox import Call, Sandbox
from app.sandbox.stripe.wire import JsonObject, new_id

KIND = "promotion_code"
_CODE = re.compile(r"[A-Za-z0-9-]{1,500}")
_RESTRICTIONS = {"first_time_transaction": False, "minimum_amount": None, "minimum_amount_currency": None}
_WRITABLE: dict[str, Reader] = {"active": boolean, "metadata": metadata}


def _code(path: str, value: FormValue) -> str:
    if not isinstance(value, str) or not _CODE.fullmatch(value):
        raise StripeError("Invalid code: letters, digits and hyphens only.", param=path)
    return value


_AT_CREATION: dict[str, Reader] = {
    "code": _code,
    "coupon": text,
    "customer": text,
    "expires_at": integer,
    "max_redemptions": integer,
    "promotion": fields(type=one_of("coupon"), coupon=text),
    "restrictions": fields(first_time_transaction=boolean, minimum_amount=integer, minimum_amount_currency=text),
}


def create(sandbox: Sandbox, call: Call) -> JsonObject:
    """Create a code; `coupon` beside `promotion` is how versions before clover name what it promises."""
    params = read(call.form, {**_WRITABLE, **_AT_CREATION})
    coupon = _read_coupon(sandbox, params, call.at)
    params["promotion"] = {"coupon": coupon["id"], "type": "coupon"}
    params["restrictions"] = {**_RESTRICTIONS, **(params.get("restrictions") or {})}
    if params.get("customer"):
        _check_customer(sandbox, params["customer"])
    if params.get("expires_at") is not None and params["expires_at"] <= call.at:
        raise StripeError("expires_at must be in the future.", param="expires_at")
    code = with_changes(_blank(call.at), params)
    if code["active"]:
        _claim(sandbox, code)
    return sandbox.save(None, code, call)


def _read_coupon(sandbox: Sandbox, params: JsonObject, at: int) -> JsonObject:
    promotion: JsonObject = params.get("promotion") or {}
    named: str | None = params.pop("coupon", None)
    param = "coupon" if named else "promotion[coupon]"
    if not named and not promotion.get("type"):
        raise missing("promotion[type]")
    coupon_id: str | None = named or promotion.get("coupon")
    if not coupon_id:
        raise missing(param)
    coupon = sandbox.store.get("coupon", coupon_id, param=param)
    if not is_valid(coupon, at):
        raise StripeError(f"Coupon {coupon_id} is not valid anymore.", code="coupon_expired", param=param)
    return coupon


def _check_customer(sandbox: Sandbox, id: str) -> None:
    if sandbox.store.get("customer", id, param="customer").get("deleted"):
        raise no_such("customer", id, param="customer")


def _blank(at: int) -> JsonObject:
    return {
        "id": new_id("promo"),
        "object": KIND,
        "active": True,
        "code": new_id("", 8)[1:].upper(),
        "created": at,
        "customer": None,
        "expires_at": None,
        "livemode": False,
        "max_redemptions": None,
        "metadata": {},
        "promotion": None,
        "restrictions": None,
        "times_redeemed": 0,
    }


def _claim(sandbox: Sandbox, code: JsonObject) -> None:
    """Refuse a word that another active code has, for the same customer or for anyone."""
    for other in sandbox.store.all(KIND):
        is_same = other["code"].lower() == code["code"].lower() and other["id"] != code["id"]
        is_for_same = None in (other["customer"], code["customer"]) or other["customer"] == code["customer"]
        if other["active"] and is_same and is_for_same:
            raise StripeError(f"An active promotion code with `code: {code['code']}` already exists.", param="code")


def update(sandbox: Sandbox, call: Call) -> JsonObject:
    code = sandbox.store.get(KIND, call.id)
    changed = with_changes(code, read(call.form, _WRITABLE))
    if changed["active"] and not code["active"]:
        coupon = sandbox.store.find(code["promotion"]["coupon"])
        is_over = code["expires_at"] is not None and call.at >= code["expires_at"]
        if coupon is None or not is_valid(coupon, call.at) or is_over:
            raise StripeError(
                "This promotion code cannot be activated: its coupon or itself has ended.", param="active"
            )
        _claim(sandbox, changed)
    return sandbox.save(code, changed, call)


def list_all(sandbox: Sandbox, call: Call) -> JsonObject:
    readers: dict[str, Reader] = {"active": boolean, "code": text, "coupon": text, "customer": text}

    def keep(params: JsonObject, code: JsonObject) -> bool:
        return (
            keep_equal(params, code, "active", "customer")
            and params.get("coupon") in (None, code["promotion"]["coupon"])
            and (params.get("code") or code["code"]).lower() == code["code"].lower()
        )

    return list_page(sandbox, call, KIND, readers, keep)
