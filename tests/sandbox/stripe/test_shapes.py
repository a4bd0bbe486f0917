"""Every field that is sent is one that the SDK's own classes know."""

import types
import typing
from importlib import import_module
from typing import Any

import pytest
import stripe
from sandbox.specimens import OLD_VERSION, billing, checkouts, discounts, everything
from sandbox.stripe_account import Account

from app.sandbox.stripe.render import render

_OTHERWISE_NAMED = {
    "invoiceitem": stripe.InvoiceItem,
    "item": stripe.LineItem,
    "line_item": stripe.InvoiceLineItem,
}
_OLD_BILLING_FIELDS = {
    "charge": {"invoice"},
    "payment_intent": {"invoice"},
    "invoice": {
        *("application_fee_amount", "charge", "discount", "paid", "paid_out_of_band", "payment_intent", "quote"),
        *("subscription", "subscription_details", "tax", "total_tax_amounts", "transfer_data"),
    },
    "line_item": {
        *("amount_excluding_tax", "invoice_item", "plan", "price", "proration", "proration_details"),
        *("subscription_item", "tax_amounts", "tax_rates", "type", "unit_amount_excluding_tax"),
    },
    "invoiceitem": {"plan", "price", "subscription", "subscription_item", "unit_amount", "unit_amount_decimal"},
}
_OLD_SUBSCRIPTION_FIELDS = {"current_period_start", "current_period_end", "discount"}


@pytest.fixture
async def objects(account: Account) -> list[Any]:
    return await everything(account)


async def test_every_field_is_one_that_the_sdk_knows(objects: list[Any]) -> None:
    seen: set[str] = set()

    unknown = [path for obj in objects for path in _unknown_fields(obj, seen)]

    assert unknown == []
    assert {"customer", "event", "list", "plan", "price", "product", "subscription", "subscription_item"} <= seen
    assert {f"entitlements.{name}" for name in ("active_entitlement", "active_entitlement_summary")} <= seen
    assert {"entitlements.feature", "product_feature", "webhook_endpoint"} <= seen
    assert {"coupon", "discount", "promotion_code"} <= seen
    assert {"subscription_schedule", "test_helpers.test_clock"} <= seen
    assert {"charge", "invoice", "invoice_payment", "invoiceitem", "line_item", "payment_intent"} <= seen
    assert {"refund", "dispute", "balance_transaction"} <= seen
    assert {
        "billing_portal.configuration",
        "billing_portal.session",
        "checkout.session",
        "item",
        "setup_intent",
    } <= seen
    assert {f"billing.meter{more}" for more in ("", "_event", "_event_summary", "_event_adjustment")} <= seen


async def test_the_old_shape_adds_the_period_and_one_discount(account: Account) -> None:
    await account.subscription()

    page = await account.get("/v1/subscriptions", **OLD_VERSION)

    assert {path.split(".")[-1] for path in _unknown_fields(page, set())} == _OLD_SUBSCRIPTION_FIELDS


async def test_the_old_shape_of_discounts_holds_their_coupon(account: Account) -> None:
    await discounts(account, (await account.price())["product"])

    unknown: list[str] = []
    for kind in ("customers", "promotion_codes", "coupons"):
        unknown += _unknown_fields(await account.get(f"/v1/{kind}", **OLD_VERSION), set())
    store = account.sandbox.store
    given = [render(discount, OLD_VERSION["Stripe-Version"], store) for discount in store.all("discount")]
    unknown += [path for obj in given for path in _unknown_fields(obj, set())]

    assert given != []
    assert set(unknown) == {"discount.coupon", "promotion_code.coupon"}


async def test_the_old_shape_of_a_checkout_has_its_shipping(account: Account) -> None:
    await checkouts(account)

    page = await account.get("/v1/checkout/sessions", **OLD_VERSION)

    assert {path.split(".")[-1] for path in _unknown_fields(page, set())} == {"shipping_details"}


async def test_the_old_shape_adds_to_billing_what_basil_took_away(account: Account) -> None:
    await billing(account)

    found: dict[str, set[str]] = {}
    for kind in ("invoices", "invoiceitems", "payment_intents", "charges"):
        page = await account.get(f"/v1/{kind}", {"limit": 100}, **OLD_VERSION)
        for unknown in _unknown_fields(page, set()):
            name, field = unknown.split(".")[-2:]
            found.setdefault(name, set()).add(field)

    assert found == _OLD_BILLING_FIELDS


def test_an_unknown_field_is_found() -> None:
    obj = {"object": "subscription", "unicorn": 1, "cancellation_details": {"horn": 1}}

    assert _unknown_fields(obj, set()) == ["subscription.unicorn", "subscription.cancellation_details.horn"]


def _unknown_fields(obj: dict[str, Any], seen: set[str]) -> list[str]:
    """Return the paths of fields without an annotation, in `obj` and in what it holds."""
    kind = obj["object"]
    seen.add(kind)
    return _check(kind, obj, _sdk_class(kind), seen)


def _sdk_class(kind: str) -> type:
    if kind == "list":
        return stripe.ListObject
    if kind in _OTHERWISE_NAMED:
        return _OTHERWISE_NAMED[kind]
    *modules, name = kind.split(".")
    return getattr(import_module(".".join(("stripe", *modules))), "".join(word.title() for word in name.split("_")))


def _check(path: str, value: Any, known: type, seen: set[str]) -> list[str]:
    annotations = dict(known.__annotations__)
    if known is stripe.ListObject:
        annotations["object"] = str
    unknown = [f"{path}.{name}" for name in value if name not in annotations]
    for name, inner in value.items():
        if name not in annotations:
            continue
        for element in inner if isinstance(inner, list) else [inner]:
            if not isinstance(element, dict):
                continue
            if "object" in element and isinstance(element["object"], str):
                unknown += _unknown_fields(element, seen)
            elif nested := _nested_class(annotations[name]):
                unknown += _check(f"{path}.{name}", element, nested, seen)
    return unknown


def _nested_class(annotation: Any) -> type | None:
    """Return the SDK class inside an annotation such as Optional[List[Price.Tier]]; none for free-form hashes."""
    if isinstance(annotation, type) and issubclass(annotation, stripe.StripeObject):
        return annotation if annotation.__annotations__ else None
    if typing.get_origin(annotation) in (typing.Union, types.UnionType, list):
        return next(filter(None, map(_nested_class, typing.get_args(annotation))), None)
    return None
