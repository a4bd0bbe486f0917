"""The operations of /v1/coupons."""

from app.sandbox.stripe.errors import StripeError, missing
from app.sandbox.stripe.forms import FormValue, Reader, fields, integer, list_of, metadata, one_of, positive, read, text
from app.sandbox.stripe.resources import list_page, with_changes
from app.sandbox.stripe.sandbox import Call, Sandbox
from app.sandbox.stripe.versions import BASIL
from app.sandbox.stripe.wire import JsonObject, new_id

_PERCENT_MOST = 100


def _percent(path: str, value: FormValue) -> float:
    try:
        percent = float(value) if isinstance(value, str) else 0
    except ValueError:
        percent = 0
    if not 0 < percent <= _PERCENT_MOST:
        raise StripeError(f"Invalid {path}: must be greater than 0 and at most 100.", param=path)
    return percent


_WRITABLE: dict[str, Reader] = {"metadata": metadata, "name": text}
_AT_CREATION: dict[str, Reader] = {
    "amount_off": positive,
    "applies_to": fields(products=list_of(text)),
    "currency": text,
    "duration": one_of("forever", "once", "repeating"),
    "duration_in_months": positive,
    "id": text,
    "max_redemptions": positive,
    "percent_off": _percent,
    "redeem_by": integer,
}


def create(sandbox: Sandbox, call: Call) -> JsonObject:
    params = read(call.form, {**_WRITABLE, **_AT_CREATION})
    chosen: str = params.pop("id", None) or new_id("", 8)[1:]
    if sandbox.store.find(chosen):
        raise StripeError("Coupon already exists.", code="resource_already_exists", param="id")
    _check_value(params)
    _check_duration(params, call.version)
    applies_to: JsonObject = params.get("applies_to") or {}
    for product in applies_to.get("products", []):
        sandbox.store.get("product", product, param="applies_to[products]")
    if params.get("redeem_by") is not None and params["redeem_by"] <= call.at:
        raise StripeError("redeem_by must be in the future.", param="redeem_by")
    return sandbox.save(None, with_changes(_blank(chosen, call.at), params), call)


def _check_value(params: JsonObject) -> None:
    if ("percent_off" in params) == ("amount_off" in params):
        raise StripeError("Name one of percent_off and amount_off.", code="parameter_missing", param="percent_off")
    if "amount_off" in params:
        if not params.get("currency"):
            raise missing("currency")
        params["currency"] = params["currency"].lower()


def _check_duration(params: JsonObject, version: str) -> None:
    if version >= BASIL and "amount_off" in params and params.get("duration") == "forever":
        raise StripeError("A coupon with amount_off cannot have duration=forever.", param="duration")
    is_repeating = params.get("duration") == "repeating"
    if is_repeating and "duration_in_months" not in params:
        raise missing("duration_in_months")
    if "duration_in_months" in params and not is_repeating:
        raise StripeError("duration_in_months goes with duration=repeating only.", param="duration_in_months")


def _blank(id: str, at: int) -> JsonObject:
    return {
        "id": id,
        "object": "coupon",
        "amount_off": None,
        "applies_to": None,
        "created": at,
        "currency": None,
        "duration": "once",
        "duration_in_months": None,
        "livemode": False,
        "max_redemptions": None,
        "metadata": {},
        "name": None,
        "percent_off": None,
        "redeem_by": None,
        "times_redeemed": 0,
        "valid": True,
    }


def retrieve(sandbox: Sandbox, call: Call) -> JsonObject:
    read(call.form, {})
    return _as_of(sandbox.store.get("coupon", call.id), call.at)


def is_valid(coupon: JsonObject, at: int) -> bool:
    """Say whether the coupon can still be redeemed."""
    most, until = coupon["max_redemptions"], coupon["redeem_by"]
    return coupon["valid"] and (most is None or coupon["times_redeemed"] < most) and (until is None or at < until)


def _as_of(coupon: JsonObject, at: int) -> JsonObject:
    return {**coupon, "valid": is_valid(coupon, at)}


def update(sandbox: Sandbox, call: Call) -> JsonObject:
    coupon = sandbox.store.get("coupon", call.id)
    return _as_of(sandbox.save(coupon, with_changes(coupon, read(call.form, _WRITABLE)), call), call.at)


def delete(sandbox: Sandbox, call: Call) -> JsonObject:
    """Delete the coupon; the codes that promise it end, discounts already given stay."""
    read(call.form, {})
    coupon = sandbox.store.get("coupon", call.id)
    for code in sandbox.store.all("promotion_code"):
        if code["promotion"]["coupon"] == call.id:
            sandbox.save(code, {**code, "active": False}, call)
    sandbox.record(coupon, coupon, type="coupon.deleted", call=call)
    sandbox.store.remove(coupon)
    return {"id": call.id, "object": "coupon", "deleted": True}


def list_all(sandbox: Sandbox, call: Call) -> JsonObject:
    found = list_page(sandbox, call, "coupon", {}, lambda _params, _coupon: True)
    return {**found, "data": [_as_of(coupon, call.at) for coupon in found["data"]]}
