"""POST /v1/invoices/create_preview, and what it was before basil: GET /v1/invoices/upcoming and its lines."""

from typing import Final

from app.sandbox.stripe import billing, previews
from app.sandbox.stripe.errors import StripeError, missing
from app.sandbox.stripe.forms import Reader, fields, one_of, read, text
from app.sandbox.stripe.redemptions import OLD_READERS, read_discounts, redeem_for_subscription, take_old_params
from app.sandbox.stripe.sandbox import Call, Sandbox
from app.sandbox.stripe.store import PAGE_READERS, page
from app.sandbox.stripe.subscription_changes import UPDATABLE, with_params
from app.sandbox.stripe.subscription_items import read_changes
from app.sandbox.stripe.subscriptions import proration_instant, unsaved
from app.sandbox.stripe.versions import BASIL
from app.sandbox.stripe.wire import JsonObject, new_id

_URL: Final = "/v1/invoices/upcoming"
_PREVIEWED: Final = ("billing_cycle_anchor", "proration_behavior", "proration_date", "trial_end")
_RENEWED: Final = ("active", "past_due", "trialing")
_CHANGE: Final[dict[str, Reader]] = {**{name: UPDATABLE[name] for name in _PREVIEWED}, "items": read_changes}
_OLD_CHANGE: Final = {f"subscription_{name}": reader for name, reader in _CHANGE.items()}
_OLD_PARAMS: Final[dict[str, Reader]] = {
    **OLD_READERS,
    **_OLD_CHANGE,
    "customer": text,
    "discounts": read_discounts,
    "subscription": text,
    "subscription_details": fields(**_CHANGE),
}


def create(sandbox: Sandbox, call: Call) -> JsonObject:
    """Return the next invoice of a subscription, also after a change, or the first of a new one."""
    readers: dict[str, Reader] = {
        "customer": text,
        "discounts": read_discounts,
        "preview_mode": one_of("next"),
        "subscription": text,
        "subscription_details": fields(**_CHANGE),
    }
    params = read(call.form, readers)
    details: JsonObject = params.get("subscription_details") or {}
    drafted = (
        _of_new(sandbox, params, details)
        if details.get("items") and not params.get("subscription")
        else _of_existing(sandbox, params, details, _named(sandbox, params), call.at)
    )
    return {**drafted, "id": new_id("upcoming_in")}


def _of_new(sandbox: Sandbox, params: JsonObject, details: JsonObject) -> JsonObject:
    """Return the first invoice of the subscription that would be made with these details."""
    if not params.get("customer"):
        raise missing("customer")
    sandbox.store.get("customer", params["customer"], param="customer")
    chosen = {name: details[name] for name in ("items", "trial_end") if name in details}
    given = {"discounts": params["discounts"]} if params.get("discounts") else {}
    return billing.first_invoice(sandbox, unsaved(sandbox, params["customer"], {**chosen, **given}))


def _named(sandbox: Sandbox, params: JsonObject) -> JsonObject:
    if not params.get("subscription"):
        raise missing("subscription")
    subscription = sandbox.store.get("subscription", params["subscription"], param="subscription")
    if params.get("customer") not in (None, subscription["customer"]):
        raise StripeError("The subscription is another customer's.", param="subscription")
    return subscription


def _of_existing(
    sandbox: Sandbox, params: JsonObject, change: JsonObject, subscription: JsonObject, at: int
) -> JsonObject:
    if subscription["status"] not in _RENEWED:
        raise _none_upcoming(subscription["customer"])
    since = proration_instant(subscription, change, at)
    given: list[JsonObject] | None = params.get("discounts")
    drafted = previews.preview(
        sandbox,
        subscription,
        with_params(subscription, change, sandbox.store, at),
        proration=change.get("proration_behavior", "create_prorations"),
        at=since,
        discounts=None if given is None else redeem_for_subscription(sandbox.store, subscription, given, at),
    )
    if not drafted["lines"]["data"]:
        raise _none_upcoming(subscription["customer"])
    return drafted


def _none_upcoming(customer: str) -> StripeError:
    return StripeError(f"No upcoming invoices for customer: {customer}", status=404, code="invoice_upcoming_none")


def retrieve_upcoming(sandbox: Sandbox, call: Call) -> JsonObject:
    """Return the same as a preview, without an id; for a customer alone that of the subscription that renews first."""
    _refuse_since_basil(call)
    return _upcoming(sandbox, call, read(call.form, _OLD_PARAMS))


def list_upcoming_lines(sandbox: Sandbox, call: Call) -> JsonObject:
    _refuse_since_basil(call)
    paging = {name: reader for name, reader in PAGE_READERS.items() if name != "created"}
    params = read(call.form, {**_OLD_PARAMS, **paging})
    wanted = {name: params.pop(name) for name in paging if name in params}
    lines: list[JsonObject] = _upcoming(sandbox, call, params)["lines"]["data"]
    return page(lines, wanted, f"{_URL}/lines", lambda _: True)


def _refuse_since_basil(call: Call) -> None:
    if call.version >= BASIL:
        raise StripeError(
            f"Unrecognized request URL (GET: {_URL}). Preview an invoice by POST /v1/invoices/create_preview.",
            status=404,
        )


def _upcoming(sandbox: Sandbox, call: Call, params: JsonObject) -> JsonObject:
    prefix = "subscription_"
    change: JsonObject = params.get("subscription_details") or {}
    change |= {name.removeprefix(prefix): params[name] for name in _OLD_CHANGE if name in params}
    if (asked := take_old_params(params)) is not None:
        params["discounts"] = asked
    subscription = _named(sandbox, params) if params.get("subscription") else _first_renewed(sandbox, params)
    drafted = _of_existing(sandbox, params, change, subscription, call.at)
    del drafted["id"]
    lines: list[JsonObject] = drafted["lines"]["data"]
    # Ids that stay the same from call to call, so that one page leads to the next.
    numbered = [{**line, "id": f"il_tmp_{subscription['id'][4:]}_{index}"} for index, line in enumerate(lines)]
    return {**drafted, "lines": {"object": "list", "data": numbered}}


def _first_renewed(sandbox: Sandbox, params: JsonObject) -> JsonObject:
    if not params.get("customer"):
        raise missing("customer")
    sandbox.store.get("customer", params["customer"], param="customer")
    of_customer = sandbox.store.having("subscription", "customer", params["customer"])
    renewed = [each for each in of_customer if each["status"] in _RENEWED and not each["cancel_at_period_end"]]
    if not renewed:
        raise _none_upcoming(params["customer"])
    return min(renewed, key=lambda each: min(item["current_period_end"] for item in each["items"]["data"]))
