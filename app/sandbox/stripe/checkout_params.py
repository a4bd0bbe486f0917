"""The parameters of a checkout session, and which of them go together. Pure."""

from typing import Final
from urllib.parse import urlsplit

from app.sandbox.stripe.errors import StripeError, missing
from app.sandbox.stripe.forms import FormValue, Reader, boolean, fields, integer, list_of, metadata, one_of, text
from app.sandbox.stripe.subscription_changes import CREATABLE as OF_SUBSCRIPTION
from app.sandbox.stripe.versions import DAHLIA
from app.sandbox.stripe.wire import JsonObject

KIND: Final = "checkout.session"
MOST_QUANTITY: Final = 999_999
_MOST_AMOUNT: Final = 99_999_999
_SHORTEST_S: Final = 30 * 60
_LONGEST_S: Final = 24 * 3_600
_TRIAL_LEAST_S: Final = 48 * 3_600
_ONLY_IN: Final = {
    "allow_promotion_codes": ("payment", "subscription"),
    "customer_creation": ("payment", "setup"),
    "discounts": ("payment", "subscription"),
    "line_items": ("payment", "subscription"),
    "payment_intent_data": ("payment",),
    "payment_method_collection": ("subscription",),
    "setup_intent_data": ("setup",),
    "submit_type": ("payment",),
    "subscription_data": ("subscription",),
}
_NOT_TOGETHER: Final = (
    ("customer", "customer_email"),
    ("customer", "customer_creation"),
    ("allow_promotion_codes", "discounts"),
)


def _up_to(most: int) -> Reader:
    def read_number(path: str, value: FormValue) -> int | None:
        number = integer(path, value)
        if number is not None and not 0 <= number <= most:
            raise StripeError(
                f"Invalid integer: must be between 0 and {most}.", code="parameter_invalid_integer", param=path
            )
        return number

    return read_number


def _at_least_one(path: str, value: FormValue) -> int:
    number = _up_to(MOST_QUANTITY)(path, value)
    if not number:
        raise StripeError("The sandbox keeps at least one of each line.", param=path)
    return number


def _off(path: str, value: FormValue) -> bool:
    if boolean(path, value):
        raise StripeError("The sandbox does not play that in Checkout.", param=path)
    return False


def address(path: str, value: FormValue) -> str | None:
    """Read the address of a page."""
    given = text(path, value)
    if given is not None and (urlsplit(given).scheme not in ("http", "https") or not urlsplit(given).netloc):
        raise StripeError(
            "Invalid URL: An explicit scheme (such as https) must be provided.", code="url_invalid", param=path
        )
    return given


_PRICE_DATA = fields(
    currency=text,
    product=text,
    product_data=fields(description=text, metadata=metadata, name=text, unit_label=text),
    recurring=fields(interval=one_of("day", "week", "month", "year"), interval_count=integer),
    tax_behavior=one_of("exclusive", "inclusive", "unspecified"),
    unit_amount=_up_to(_MOST_AMOUNT),
    unit_amount_decimal=text,
)
# What an application may switch off in so many words, and the sandbox never does.
SWITCHED_OFF: Final[dict[str, Reader]] = {
    name: fields(enabled=_off)
    for name in ("automatic_tax", "invoice_creation", "phone_number_collection", "tax_id_collection")
}
CREATABLE: Final[dict[str, Reader]] = {
    **SWITCHED_OFF,
    "allow_promotion_codes": boolean,
    "billing_address_collection": one_of("auto"),
    "cancel_url": address,
    "client_reference_id": text,
    "currency": text,
    "customer": text,
    "customer_creation": one_of("always", "if_required"),
    "customer_email": text,
    "discounts": list_of(fields(coupon=text, promotion_code=text)),
    "expires_at": integer,
    "line_items": list_of(
        fields(
            adjustable_quantity=fields(enabled=boolean, maximum=_up_to(MOST_QUANTITY), minimum=_at_least_one),
            metadata=metadata,
            price=text,
            price_data=_PRICE_DATA,
            quantity=_up_to(MOST_QUANTITY),
        )
    ),
    "locale": text,
    "metadata": metadata,
    "mode": one_of("payment", "setup", "subscription"),
    "payment_intent_data": fields(
        description=text,
        metadata=metadata,
        receipt_email=text,
        setup_future_usage=one_of("off_session", "on_session"),
        statement_descriptor=text,
        statement_descriptor_suffix=text,
    ),
    "payment_method_collection": one_of("always", "if_required"),
    "payment_method_types": list_of(one_of("card", "sepa_debit", "us_bank_account")),
    "setup_intent_data": fields(description=text, metadata=metadata),
    "submit_type": one_of("auto", "book", "donate", "pay"),
    "subscription_data": fields(
        description=text,
        metadata=metadata,
        trial_end=integer,
        trial_period_days=integer,
        trial_settings=OF_SUBSCRIPTION["trial_settings"],
    ),
    "success_url": address,
    "ui_mode": text,
}


def check(params: JsonObject, at: int, version: str) -> None:
    """Refuse parameters that do not go together, or that the sandbox or the API version does not have."""
    _check_page(params.get("ui_mode"), version)
    mode: str = params["mode"]
    for name in ("success_url", "line_items") if mode in _ONLY_IN["line_items"] else ("success_url",):
        if not params.get(name):
            raise missing(name)
    for name, modes in _ONLY_IN.items():
        if name in params and mode not in modes:
            raise StripeError(f"You can not pass `{name}` in `{mode}` mode.", param=name)
    for one, other in _NOT_TOGETHER:
        if params.get(one) and params.get(other):
            raise StripeError(f"You may only specify one of these parameters: {one}, {other}.", param=one)
    _check_discounts(params.get("discounts", []))
    _check_expiry(params.get("expires_at"), at)
    _check_trial(params.get("subscription_data") or {}, at)


def _check_page(ui_mode: str | None, version: str) -> None:
    """Only the page that the sandbox shows, by the name that it has in the version."""
    own = "hosted" if version < DAHLIA else "hosted_page"
    if ui_mode not in (None, own):
        raise StripeError(f"Invalid ui_mode: the sandbox has only {own}.", param="ui_mode")


def _check_discounts(discounts: list[JsonObject]) -> None:
    if len(discounts) > 1:
        raise StripeError("You may specify up to one coupon or promotion code.", param="discounts")
    for given in discounts:
        if bool(given.get("coupon")) == bool(given.get("promotion_code")):
            raise StripeError("Name one of coupon and promotion_code.", param="discounts[0]")


def _check_expiry(expires_at: int | None, at: int) -> None:
    if expires_at is None:
        return
    if expires_at < at + _SHORTEST_S:
        raise StripeError(
            "The `expires_at` timestamp must be at least 30 minutes from Checkout Session creation.",
            param="expires_at",
        )
    if expires_at > at + _LONGEST_S:
        raise StripeError(
            "The `expires_at` timestamp must be less than 24 hours from Checkout Session creation.",
            param="expires_at",
        )


def _check_trial(terms: JsonObject, at: int) -> None:
    days, end = terms.get("trial_period_days"), terms.get("trial_end")
    if days is not None and end is not None:
        raise StripeError(
            "You may only specify one of these parameters: trial_end, trial_period_days.",
            param="subscription_data[trial_period_days]",
        )
    if days is not None and days < 1:
        raise StripeError("The minimum number of trial period days is 1.", param="subscription_data[trial_period_days]")
    if end is not None and end < at + _TRIAL_LEAST_S:
        raise StripeError(
            "The `trial_end` date has to be at least 2 days in the future.", param="subscription_data[trial_end]"
        )
