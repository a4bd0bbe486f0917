"""Every field that is sent is one that the SDK's own classes know."""

import types
import typing
from importlib import import_module
from typing import Any

import pytest
import stripe
from sandbox.checkout import answer_bank, one_time_price, open_session, submit
from sandbox.portal import offering, portal_of
from sandbox.stripe_account import Account

_OTHERWISE_NAMED = {
    "invoiceitem": stripe.InvoiceItem,
    "item": stripe.LineItem,
    "line_item": stripe.InvoiceLineItem,
}
_OF_BILLING = ("invoices", "invoiceitems", "invoice_payments", "payment_intents", "charges", "payment_methods")
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
_OLD_VERSION = {"Stripe-Version": "2025-02-24.acacia"}
_OLD_SUBSCRIPTION_FIELDS = {"current_period_start", "current_period_end", "discount"}


@pytest.fixture
async def objects(account: Account) -> list[Any]:
    """Give one of everything, in its states, as answers and as events."""
    address = {"address[city]": "Bonn", "shipping[name]": "Ann", "shipping[address][city]": "Bonn"}
    customer = await account.post("/v1/customers", {"name": "Ann", "metadata[a]": "1", **address})
    tiers = {"tiers[0][up_to]": 1, "tiers[0][unit_amount]": 5, "tiers[1][up_to]": "inf", "tiers[1][unit_amount]": 4}
    tiered = await account.price(unit_amount="", billing_scheme="tiered", tiers_mode="volume", **tiers)
    metered = await account.price(**{"recurring[usage_type]": "metered", "transform_quantity[divide_by]": 2})
    subscription = await account.subscription(
        {"items[1][price]": tiered["id"], "items[2][price]": metered["id"], "trial_period_days": 3}
    )
    path = f"/v1/subscriptions/{subscription['id']}"
    changes = ({"trial_end": "now"}, {"pause_collection[behavior]": "void"}, {"cancel_at_period_end": "true"})
    clock = await account.post("/v1/test_helpers/test_clocks", {"frozen_time": account.clock.at})
    feature = await account.post("/v1/entitlements/features", {"lookup_key": "sso", "name": "SSO"})
    features = f"/v1/products/{tiered['product']}/features"
    kinds = (
        *("customers", "products", "prices", "subscriptions", "events", "entitlements/features"),
        *("coupons", "promotion_codes", "billing/meters", "webhook_endpoints"),
    )
    return [
        *await _discounts(account, tiered["product"]),
        *await _metering(account),
        await account.post("/v1/webhook_endpoints", {"url": "http://127.0.0.1:9/x", "enabled_events[]": "*"}),
        await account.post(
            f"/v1/test_helpers/test_clocks/{clock['id']}/advance", {"frozen_time": account.clock.at + 1}
        ),
        await account.get("/v1/test_helpers/test_clocks"),
        subscription,
        *[await account.post(path, form) for form in changes],
        await account.post(f"{path}/pause"),
        await account.get(path, {"expand[0]": "customer", "expand[1]": "items.data.price.product"}),
        await account.get(f"/v1/prices/{tiered['id']}", {"expand[]": "tiers"}),
        await account.post(features, {"entitlement_feature": feature["id"]}),
        await account.get(f"/v1/customers/{subscription['customer']}", {"expand[]": "subscriptions"}),
        await account.delete(path),
        await account.delete(f"/v1/customers/{customer['id']}"),
        *[await account.get(f"/v1/{kind}", {"limit": 100}) for kind in kinds],
        *await _entitlements(account, tiered["product"]),
        *await _schedules(account, tiered["id"]),
        await _pending_update(account),
        *await _billing(account),
        *await _money_back(account),
        *await _payments(account),
        *await _checkouts(account),
        *await _portals(account),
        *account.sandbox.store.all("event"),
    ]


async def _discounts(account: Account, product: str) -> list[Any]:
    coupon = {"id": "TEN", "percent_off": 10, "applies_to[products][]": product, "expand[]": "applies_to"}
    promise = {"promotion[type]": "coupon", "promotion[coupon]": "TEN", "expand[]": "promotion.coupon"}
    lasting = (await account.post("/v1/coupons", {"percent_off": 20, "duration": "forever"}))["id"]
    once = (await account.post("/v1/coupons", {"amount_off": 50, "currency": "usd"}))["id"]
    customer = (await account.post("/v1/customers", {"coupon": once}, **_OLD_VERSION))["id"]
    inheriting = await account.subscription({"customer": customer})
    discounted = await account.subscription({"discounts[0][coupon]": lasting})
    await account.change(discounted, {"items[0][quantity]": 3})
    whole = {"expand[0]": "discounts.source.coupon", "expand[1]": "latest_invoice.total_discount_amounts.discount"}
    gone = await account.post("/v1/coupons", {"amount_off": 5, "currency": "usd"})
    return [
        await account.post("/v1/coupons", coupon),
        await account.post("/v1/promotion_codes", promise),
        await account.delete(f"/v1/coupons/{gone['id']}"),
        await account.get(f"/v1/subscriptions/{discounted['id']}", whole),
        await account.current(inheriting),
        await account.get("/v1/invoiceitems"),
        await account.delete(f"/v1/subscriptions/{discounted['id']}/discount"),
    ]


async def _metering(account: Account) -> list[Any]:
    meter = {"display_name": "Calls", "event_name": "calls", "default_aggregation[formula]": "sum"}
    customer = (await account.post("/v1/customers"))["id"]
    made = await account.post("/v1/billing/meters", meter)
    event = {"event_name": "calls", "identifier": "a", "payload[stripe_customer_id]": customer, "payload[value]": 1}
    cancel = {"event_name": "calls", "type": "cancel", "cancel[identifier]": "a"}
    path, at = f"/v1/billing/meters/{made['id']}", account.clock.at
    wanted = {"customer": customer, "start_time": at - 60, "end_time": at + 60}
    metered = {"recurring[usage_type]": "metered", "recurring[meter]": made["id"]}
    prices = [(await account.price(**metered))["id"] for _ in range(2)]
    using = await account.subscription({"customer": customer, "items[0][price]": prices[0]})
    used = await account.post("/v1/billing/meter_events", {**event, "identifier": "b"})
    await account.control("clock", {"by": 60})
    await account.change(using, {"items[0][price]": prices[1]})
    return [
        used,
        await account.get("/v1/invoiceitems"),
        await account.post("/v1/invoices/create_preview", {"subscription": using["id"]}),
        await account.delete(f"/v1/subscriptions/{using['id']}", {"invoice_now": "true"}),
        await account.post("/v1/billing/meter_events", event),
        await account.get(f"{path}/event_summaries", wanted),
        await account.post("/v1/billing/meter_event_adjustments", cancel),
        await account.post(f"{path}/deactivate"),
    ]


async def _entitlements(account: Account, product: str) -> list[Any]:
    entitled = await account.subscription({"items[0][price]": (await account.price(product=product))["id"]})
    path, wanted = "/v1/entitlements/active_entitlements", {"customer": entitled["customer"]}
    (attached,) = (await account.get(f"/v1/products/{product}/features"))["data"]
    return [
        await account.get(path, wanted),
        await account.get(path, {**wanted, "expand[]": "data.feature"}),
        await account.delete(f"/v1/products/{product}/features/{attached['id']}"),
    ]


async def _schedules(account: Account, price: str) -> list[Any]:
    customer, path = (await account.post("/v1/customers"))["id"], "/v1/subscription_schedules"
    form = {"customer": customer, "phases[0][items][0][price]": price, "phases[0][trial]": "true"}
    made = await account.post(path, {**form, "expand[]": "phases.items.price"})
    return [made, await account.post(f"{path}/{made['id']}/release"), await account.get(path, **_OLD_VERSION)]


async def _checkouts(account: Account) -> list[Any]:
    """Pay, fail and expire checkouts of every kind, also in euros and by debits that are settled later."""
    euro, expanded = await one_time_price(account, currency="eur"), {"expand[]": "line_items"}
    coupon = (await account.post("/v1/coupons", {"percent_off": 10}))["id"]
    shown = [await open_session(account, {"discounts[0][coupon]": coupon, **expanded})]
    for means in ("visa", "chargeDeclined", "debit", "debitFail", "authenticationRequired"):
        session = await open_session(account, {"line_items[0][price]": euro} if means == "debitFail" else {})
        await submit(account, session, means)
    await answer_bank(account, session, allow=True)
    saved = await open_session(account, {"expand[]": "setup_intent"}, mode="setup")
    for means in ("chargeDeclined", "authenticationRequired", "visa"):
        await submit(account, saved, means)
    shown.append(saved)
    subscribed = await open_session(account, {"subscription_data[description]": "Pro"}, mode="subscription")
    await submit(account, subscribed)
    shown.append(await account.get(f"/v1/checkout/sessions/{subscribed['id']}/line_items"))
    await account.control("clock", {"by": 4 * 86_400})
    return [*shown, await account.get("/v1/checkout/sessions", {"limit": 100})]


async def _pending_update(account: Account) -> Any:
    customer = await account.customer_with("pm_card_visa")
    subscription = await account.subscription({"customer": customer})
    await account.fail_card_of(customer)
    form = {"items[0][quantity]": 2, "proration_behavior": "always_invoice"}
    return await account.change(subscription, {**form, "payment_behavior": "pending_if_incomplete"})


async def _portals(account: Account) -> list[Any]:
    """Open portals for every flow, by a configuration that offers all."""
    subscription = await account.subscription({"customer": await account.customer_with("pm_card_visa")})
    form = {f"features[{name}][enabled]": "true" for name in ("payment_method_update", "subscription_cancel")}
    named, _ = await offering(account, subscription, form)
    flows = ("payment_method_update", "subscription_cancel", "subscription_update", "subscription_update_confirm")
    item = {"flow_data[subscription_update_confirm][items][0][id]": subscription["items"]["data"][0]["id"]}
    opened: list[Any] = []
    for kind in flows:
        about = {} if kind == flows[0] else {f"flow_data[{kind}][subscription]": subscription["id"]}
        flow = {"configuration": named, "flow_data[type]": kind, **about, **(item if kind == flows[-1] else {})}
        opened.append((await portal_of(account, subscription, flow)).session)
    await account.post(f"/v1/billing_portal/configurations/{named}", {"name": "All"})
    return [*opened, await account.get("/v1/billing_portal/configurations", {"limit": 100})]


async def _billing(account: Account) -> list[Any]:
    """Bill customers with cards of every kind for months: renewals, prorations, failures, and what is given up."""
    for card in ("visa", "chargeCustomerFail", "authenticationRequired"):
        form = {"payment_method": f"pm_card_{card}", "invoice_settings[default_payment_method]": f"pm_card_{card}"}
        customer = (await account.post("/v1/customers", form))["id"]
        subscription = await account.subscription({"customer": customer, "trial_period_days": 4})
        await account.control("clock", {"by": 10 * 86_400})
        item = {"items[0][id]": subscription["items"]["data"][0]["id"], "items[0][quantity]": 2}
        await account.post(f"/v1/subscriptions/{subscription['id']}", item)
    await account.control("clock", {"by": 60 * 86_400})
    left = await account.subscription({"payment_behavior": "default_incomplete"})
    path = f"/v1/invoices/{left['latest_invoice']}"
    expansions = {"expand[0]": "payments", "expand[1]": "confirmation_secret", "expand[2]": "customer"}
    return [
        await account.get(path, expansions),
        await account.post(f"{path}/void"),
        await account.post("/v1/payment_methods", {"type": "card", "card[token]": "tok_visa"}),
        *[await account.get(f"/v1/{kind}", {"limit": 100}) for kind in _OF_BILLING],
    ]


async def _payments(account: Account) -> list[Any]:
    """Ask for payments and hold, capture, authenticate and cancel them."""
    form = {"amount": 2000, "currency": "usd", "confirm": "true", "automatic_payment_methods[enabled]": "true"}
    path = "/v1/payment_intents"
    held, given_up = [
        await account.post(path, {**form, "payment_method": "pm_card_visa", "capture_method": "manual"})
        for _ in range(2)
    ]
    back = {"return_url": "https://shop.test/paid"}
    asking = await account.post(path, {**form, **back, "payment_method": "pm_card_threeDSecure2Required"})
    declined = await account.post(path, {**form, "payment_method": "pm_card_chargeDeclined"}, status=402)
    await account.control(f"payment_intents/{asking['id']}/authenticate", {"outcome": "failed"})
    return [
        held,
        asking,
        declined["error"]["payment_intent"],
        await account.post(f"{path}/{held['id']}/capture", {"amount_to_capture": 5}),
        await account.post(f"{path}/{given_up['id']}/cancel"),
        await account.get(path, {"expand[]": "data.latest_charge"}),
    ]


async def _money_back(account: Account) -> list[Any]:
    """Refund charges, and have others disputed, with every outcome."""
    refunds = [
        await account.post("/v1/refunds", {"charge": await account.charge_of(f"pm_card_{card}"), "amount": 300})
        for card in ("visa", "refundFail", "pendingRefund")
    ]
    whole = await account.get(f"/v1/charges/{refunds[0]['charge']}", {"expand[]": "refunds"})
    await account.charge_of("pm_card_createDispute")
    inquired = await account.charge_of("pm_card_createDisputeInquiry")
    await account.control(f"charges/{whole['id']}/dispute", {"outcome": "won"})
    await account.control("clock", {"by": 60})
    inquiry = (await account.get("/v1/disputes", {"charge": inquired}))["data"][0]
    path = f"/v1/disputes/{inquiry['id']}"
    answered = await account.post(path, {"evidence[uncategorized_text]": "escalate_inquiry_evidence"})
    await account.control("clock", {"by": 30 * 86_400})
    return [*refunds, whole, answered, *[await account.get(f"/v1/{kind}") for kind in ("refunds", "disputes")]]


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

    page = await account.get("/v1/subscriptions", **_OLD_VERSION)

    assert {path.split(".")[-1] for path in _unknown_fields(page, set())} == _OLD_SUBSCRIPTION_FIELDS


async def test_the_old_shape_of_a_checkout_has_its_shipping(account: Account) -> None:
    await _checkouts(account)

    page = await account.get("/v1/checkout/sessions", **{"Stripe-Version": "2025-02-24.acacia"})

    assert {path.split(".")[-1] for path in _unknown_fields(page, set())} == {"shipping_details"}


async def test_the_old_shape_adds_to_billing_what_basil_took_away(account: Account) -> None:
    await _billing(account)

    found: dict[str, set[str]] = {}
    for kind in ("invoices", "invoiceitems", "payment_intents", "charges"):
        page = await account.get(f"/v1/{kind}", {"limit": 100}, **_OLD_VERSION)
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
