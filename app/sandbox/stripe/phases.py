"""Phases of a subscription schedule: read, laid end to end, and what one makes of a subscription. Pure."""

from typing import Final

from app.sandbox.stripe.errors import StripeError, missing
from app.sandbox.stripe.forms import Reader, boolean, fields, instant, integer, list_of, metadata, one_of, text
from app.sandbox.stripe.periods import add_interval
from app.sandbox.stripe.redemptions import read_discounts
from app.sandbox.stripe.store import Store
from app.sandbox.stripe.subscription_items import period_end, sellable_price
from app.sandbox.stripe.wire import JsonObject

PRORATION: Final = one_of("always_invoice", "create_prorations", "none")
SETTINGS: Final[dict[str, Reader]] = {
    "billing_cycle_anchor": one_of("automatic", "phase_start"),
    "collection_method": one_of("charge_automatically", "send_invoice"),
    "default_payment_method": text,
    "description": text,
}
_PHASE: Final = fields(
    **SETTINGS,
    currency=text,
    discounts=read_discounts,
    duration=fields(interval=one_of("day", "week", "month", "year"), interval_count=integer),
    end_date=instant,
    items=list_of(fields(price=text, quantity=integer, metadata=metadata)),
    metadata=metadata,
    proration_behavior=PRORATION,
    start_date=instant,
    trial=boolean,
    trial_end=integer,
)
_BLANK: Final[JsonObject] = {
    "add_invoice_items": [],
    "application_fee_percent": None,
    "automatic_tax": None,
    "billing_thresholds": None,
    "default_tax_rates": [],
    "invoice_settings": None,
    "on_behalf_of": None,
    "transfer_data": None,
}
_ASSIGNED: Final = ("collection_method", "default_payment_method", "description")

read_phases = list_of(_PHASE)


def lay_out(store: Store, given: list[JsonObject], start: int, at: int) -> list[JsonObject]:
    """Return the phases, the first from `start` on and each where the one before it ends."""
    if not given:
        raise missing("phases")
    laid: list[JsonObject] = []
    for index, phase in enumerate(given):
        path = f"phases[{index}]"
        begin: int = laid[-1]["end_date"] if laid else start
        if phase.get("start_date", begin) not in (begin, "now" if begin == at else begin):
            raise StripeError(
                "A phase starts where the one before it ends, and the first with the schedule or its current phase.",
                param=f"{path}[start_date]",
            )
        laid.append(_lay(store, phase, path, begin, at))
    if len({phase["currency"] for phase in laid}) > 1:
        raise StripeError("All phases of a schedule must have the same currency.", param="phases")
    return laid


def _lay(store: Store, phase: JsonObject, path: str, begin: int, at: int) -> JsonObject:
    prices = [
        sellable_price(store, item, f"{path}[items][{index}]") for index, item in enumerate(phase.get("items") or [])
    ]
    if not prices:
        raise missing(f"{path}[items]")
    end = _end(phase, path, prices[0], begin, at)
    given_discounts: list[JsonObject] = phase.get("discounts") or []
    return {
        **_BLANK,
        **{name: phase.get(name) for name in SETTINGS},
        "currency": prices[0]["currency"],
        "discounts": [_discount(given) for given in given_discounts],
        "end_date": end,
        "items": [_item(item, price) for item, price in zip(phase["items"], prices, strict=True)],
        "metadata": phase.get("metadata") or {},
        "proration_behavior": phase.get("proration_behavior", "create_prorations"),
        "start_date": begin,
        "trial_end": end if phase.get("trial") else phase.get("trial_end"),
    }


def _end(phase: JsonObject, path: str, price: JsonObject, begin: int, at: int) -> int:
    """Return when the phase ends: as told, else after one interval of its first price."""
    told, duration = phase.get("end_date"), phase.get("duration")
    if told and duration:
        raise StripeError(
            "You may only specify one of these parameters: duration, end_date.", param=f"{path}[end_date]"
        )
    if duration:
        return add_interval(begin, duration["interval"], duration.get("interval_count") or 1)
    end: int = at if told == "now" else told or period_end(price, begin)
    if end <= begin:
        raise StripeError("A phase must end after its start.", param=f"{path}[end_date]")
    return end


def _discount(given: JsonObject) -> JsonObject:
    return {name: given.get(name) for name in ("coupon", "discount", "promotion_code")}


def _item(given: JsonObject, price: JsonObject) -> JsonObject:
    is_metered = price["recurring"]["usage_type"] == "metered"
    return {
        "billing_thresholds": None,
        "discounts": [],
        "metadata": given.get("metadata") or {},
        "plan": given["price"],
        "price": given["price"],
        "quantity": None if is_metered else given.get("quantity", 1),
        "tax_rates": [],
    }


def phase_of(store: Store, subscription: JsonObject) -> JsonObject:
    """Return what a subscription is now, as a phase that lasts for its current period."""
    items = subscription["items"]["data"]
    return {
        **_BLANK,
        **dict.fromkeys(SETTINGS),
        "currency": subscription["currency"],
        "discounts": [_discount({"discount": held["id"]}) for held in subscription["discounts"]],
        "end_date": min(item["current_period_end"] for item in items),
        "items": [_item(item, store.get("price", item["price"])) for item in items],
        "metadata": subscription["metadata"],
        "proration_behavior": "create_prorations",
        "start_date": min(item["current_period_start"] for item in items),
        "trial_end": subscription["trial_end"] if subscription["status"] == "trialing" else None,
    }


def params_of(phase: JsonObject, settings: JsonObject, at: int) -> JsonObject:
    """Return what the phase sets on its subscription, as parameters of one, without its items."""
    chosen = {name: settings[name] if phase[name] is None else phase[name] for name in _ASSIGNED}
    params = {name: value for name, value in chosen.items() if value is not None}
    if phase["trial_end"] and phase["trial_end"] > at:
        params["trial_end"] = phase["trial_end"]
    discounts = [{name: named for name, named in given.items() if named} for given in phase["discounts"]]
    return {**params, "discounts": discounts, "metadata": phase["metadata"]}


def terms_of(phase: JsonObject) -> JsonObject:
    """Return what the phase says of its subscription, whenever it lasts."""
    return {name: value for name, value in phase.items() if name not in ("end_date", "start_date")}


def new_items(phase: JsonObject) -> list[JsonObject]:
    """Return the phase's items as those of a new subscription are given."""
    named = ("price", "quantity", "metadata")
    return [{name: item[name] for name in named if item[name] is not None} for item in phase["items"]]


def item_changes(subscription: JsonObject, phase: JsonObject) -> list[JsonObject]:
    """Return the changes that lead from the subscription's items to the phase's.

    An item that has the price already keeps it; the others take the prices that are left, in their order.
    """
    left: list[JsonObject] = list(subscription["items"]["data"])
    wanted = new_items(phase)
    same = [next((item for item in left if item["price"] == change["price"]), None) for change in wanted]
    left = [item for item in left if item not in same]
    for change, kept in zip(wanted, same, strict=True):
        taken = kept or (left.pop(0) if left else None)
        if taken:
            change["id"] = taken["id"]
    return [*wanted, *({"id": item["id"], "deleted": True} for item in left)]
