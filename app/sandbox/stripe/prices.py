"""The operations of /v1/prices."""

from app.sandbox.stripe import meters, products
from app.sandbox.stripe.errors import StripeError, missing
from app.sandbox.stripe.forms import FormValue, Reader, boolean, fields, integer, list_of, metadata, one_of, read, text
from app.sandbox.stripe.resources import keep_equal, list_page, with_changes
from app.sandbox.stripe.sandbox import Call, Sandbox
from app.sandbox.stripe.wire import JsonObject, new_id

_INTERVAL = one_of("day", "week", "month", "year")
_USAGE_TYPE = one_of("licensed", "metered")
_RECURRING = {"interval": None, "interval_count": 1, "meter": None, "trial_period_days": None, "usage_type": "licensed"}
_TIER = {
    "flat_amount": None,
    "flat_amount_decimal": None,
    "unit_amount": None,
    "unit_amount_decimal": None,
    "up_to": None,
}


def _bound(path: str, value: FormValue) -> int | None:
    """Read a tier's upper bound; `inf` is none."""
    return None if value == "inf" else integer(path, value)


_WRITABLE: dict[str, Reader] = {
    "active": boolean,
    "lookup_key": text,
    "metadata": metadata,
    "nickname": text,
    "tax_behavior": one_of("exclusive", "inclusive", "unspecified"),
    "transfer_lookup_key": boolean,
}
_AT_CREATION: dict[str, Reader] = {
    "billing_scheme": one_of("per_unit", "tiered"),
    "currency": text,
    "product": text,
    "product_data": fields(id=text, name=text, active=boolean, metadata=metadata, unit_label=text),
    "recurring": fields(
        interval=_INTERVAL, interval_count=integer, meter=text, trial_period_days=integer, usage_type=_USAGE_TYPE
    ),
    "tiers": list_of(
        fields(
            up_to=_bound, unit_amount=integer, unit_amount_decimal=text, flat_amount=integer, flat_amount_decimal=text
        )
    ),
    "tiers_mode": one_of("graduated", "volume"),
    "transform_quantity": fields(divide_by=integer, round=one_of("up", "down")),
    "unit_amount": integer,
    "unit_amount_decimal": text,
}


def create(sandbox: Sandbox, call: Call) -> JsonObject:
    params = read(call.form, {**_WRITABLE, **_AT_CREATION}, required=("currency",))
    return save_new(sandbox, params, call)


def save_new(sandbox: Sandbox, params: JsonObject, call: Call) -> JsonObject:
    """Make a price, and with `product_data` its product, of parameters that were read."""
    _check_amounts(params)
    if params.get("recurring") is not None:
        _check_recurring(sandbox, params["recurring"])
    if "product_data" in params:
        params["product"] = products.save_new(sandbox, params.pop("product_data"), call)["id"]
    if not params.get("product"):
        raise missing("product")
    sandbox.store.get("product", params["product"], param="product")
    _claim_lookup_key(sandbox, params, "", call)
    return sandbox.save(None, with_changes(_blank(params, call.at), params), call)


def _check_amounts(params: JsonObject) -> None:
    if params.get("billing_scheme") == "tiered":
        if not params.get("tiers") or not params.get("tiers_mode"):
            raise missing("tiers" if not params.get("tiers") else "tiers_mode")
        params["tiers"] = [_complete({**_TIER, **tier}) for tier in params["tiers"]]
        _check_tiers(params["tiers"])
    elif params.get("unit_amount") is None and params.get("unit_amount_decimal") is None:
        raise missing("unit_amount")
    params.update(_amounts(params, "unit_amount"))


def _check_recurring(sandbox: Sandbox, recurring: JsonObject) -> None:
    if not recurring.get("interval"):
        raise missing("recurring[interval]")
    if not recurring.get("meter"):
        return
    if recurring.get("usage_type") != "metered":
        raise StripeError("A price with a meter has usage_type=metered.", param="recurring[usage_type]")
    if sandbox.store.get(meters.KIND, recurring["meter"], param="recurring[meter]")["status"] != meters.ACTIVE:
        raise StripeError("The meter is inactive.", param="recurring[meter]")


def _check_tiers(tiers: list[JsonObject]) -> None:
    """Refuse tiers without amount, out of order, or that leave a quantity without a price."""
    for index, tier in enumerate(tiers):
        if tier["unit_amount_decimal"] is None and tier["flat_amount_decimal"] is None:
            raise missing(f"tiers[{index}][unit_amount]")
    *bounds, last = [tier["up_to"] for tier in tiers]
    if last is not None:
        raise StripeError("The last tier goes up to `inf`.", param=f"tiers[{len(tiers) - 1}][up_to]")
    if None in bounds or bounds != sorted(set(bounds)):
        raise StripeError("Each tier but the last goes up to more than the one before.", param="tiers")


def _complete(tier: JsonObject) -> JsonObject:
    return {**tier, **_amounts(tier, "unit_amount"), **_amounts(tier, "flat_amount")}


def _amounts(given: JsonObject, name: str) -> JsonObject:
    """Return an amount in both its spellings; the integer is null where the decimal has a fraction."""
    exact, decimal = given.get(name), given.get(f"{name}_decimal")
    if exact is not None:
        return {name: exact, f"{name}_decimal": str(exact)}
    return {name: int(decimal) if decimal and decimal.isdecimal() else None, f"{name}_decimal": decimal}


def _blank(params: JsonObject, at: int) -> JsonObject:
    recurring = params.pop("recurring", None)
    params["currency"] = params["currency"].lower()
    return {
        "id": new_id("price"),
        "object": "price",
        "active": True,
        "billing_scheme": "per_unit",
        "created": at,
        "currency": None,
        "custom_unit_amount": None,
        "livemode": False,
        "lookup_key": None,
        "metadata": {},
        "nickname": None,
        "product": None,
        "recurring": recurring and {**_RECURRING, **recurring},
        "tax_behavior": "unspecified",
        "tiers": None,
        "tiers_mode": None,
        "transform_quantity": None,
        "type": "recurring" if recurring else "one_time",
        "unit_amount": None,
        "unit_amount_decimal": None,
    }


def update(sandbox: Sandbox, call: Call) -> JsonObject:
    price = sandbox.store.get("price", call.id)
    params = read(call.form, _WRITABLE)
    _claim_lookup_key(sandbox, params, call.id, call)
    return sandbox.save(price, with_changes(price, params), call)


def _claim_lookup_key(sandbox: Sandbox, params: JsonObject, id: str, call: Call) -> None:
    """Take the lookup key from the price that has it, if the caller says so; keys are unique."""
    may_transfer, key = params.pop("transfer_lookup_key", False), params.get("lookup_key")
    holder = next((price for price in sandbox.store.all("price") if key and price["lookup_key"] == key), None)
    if holder is None or holder["id"] == id:
        return
    if not may_transfer:
        raise StripeError(f"A price (`{holder['id']}`) already uses that lookup key.", param="lookup_key")
    sandbox.save(holder, {**holder, "lookup_key": None}, call)


def list_all(sandbox: Sandbox, call: Call) -> JsonObject:
    readers: dict[str, Reader] = {
        "active": boolean,
        "currency": text,
        "lookup_keys": list_of(text),
        "product": text,
        "recurring": fields(interval=_INTERVAL, meter=text, usage_type=_USAGE_TYPE),
        "type": one_of("one_time", "recurring"),
    }

    def keep(params: JsonObject, price: JsonObject) -> bool:
        keys: list[str] | None = params.get("lookup_keys")
        recurring: JsonObject = params.get("recurring") or {}
        return (
            keep_equal(params, price, "active", "currency", "product", "type")
            and (not keys or price["lookup_key"] in keys)
            and (not recurring or keep_equal(recurring, price["recurring"] or dict.fromkeys(recurring), *recurring))
        )

    return list_page(sandbox, call, "price", readers, keep)
