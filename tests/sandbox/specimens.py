"""One of every object of the sandbox, in its states."""

from typing import Any

from sandbox.checkout import answer_bank, one_time_price, open_session, submit
from sandbox.portal import offering, portal_of
from sandbox.stripe_account import Account

OLD_VERSION = {"Stripe-Version": "2025-02-24.acacia"}
_OF_BILLING = ("invoices", "invoiceitems", "invoice_payments", "payment_intents", "charges", "payment_methods")


async def everything(account: Account) -> list[Any]:
    """Return one of everything, in its states, as answers and as events."""
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
        *await discounts(account, tiered["product"]),
        *await metering(account),
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
        *await entitlements(account, tiered["product"]),
        *await schedules(account, tiered["id"]),
        await pending_update(account),
        *await billing(account),
        *await money_back(account),
        *await payments(account),
        *await checkouts(account),
        *await portals(account),
        *account.sandbox.store.all("event"),
    ]


async def discounts(account: Account, product: str) -> list[Any]:
    coupon = {"id": "TEN", "percent_off": 10, "applies_to[products][]": product, "expand[]": "applies_to"}
    promise = {"promotion[type]": "coupon", "promotion[coupon]": "TEN", "expand[]": "promotion.coupon"}
    lasting = (await account.post("/v1/coupons", {"percent_off": 20, "duration": "forever"}))["id"]
    once = (await account.post("/v1/coupons", {"amount_off": 50, "currency": "usd"}))["id"]
    customer = (await account.post("/v1/customers", {"coupon": once}, **OLD_VERSION))["id"]
    inheriting = await account.subscription({"customer": customer})
    discounted = await account.subscription(
        {"discounts[0][coupon]": lasting, "items[0][discounts][0][coupon]": lasting, "expand[]": "items.data.discounts"}
    )
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


async def metering(account: Account) -> list[Any]:
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


async def entitlements(account: Account, product: str) -> list[Any]:
    entitled = await account.subscription({"items[0][price]": (await account.price(product=product))["id"]})
    path, wanted = "/v1/entitlements/active_entitlements", {"customer": entitled["customer"]}
    (attached,) = (await account.get(f"/v1/products/{product}/features"))["data"]
    return [
        await account.get(path, wanted),
        await account.get(path, {**wanted, "expand[]": "data.feature"}),
        await account.delete(f"/v1/products/{product}/features/{attached['id']}"),
    ]


async def schedules(account: Account, price: str) -> list[Any]:
    customer, path = (await account.post("/v1/customers"))["id"], "/v1/subscription_schedules"
    form = {"customer": customer, "phases[0][items][0][price]": price, "phases[0][trial]": "true"}
    made = await account.post(path, {**form, "expand[]": "phases.items.price"})
    return [made, await account.post(f"{path}/{made['id']}/release"), await account.get(path, **OLD_VERSION)]


async def checkouts(account: Account) -> list[Any]:
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


async def pending_update(account: Account) -> Any:
    customer = await account.customer_with("pm_card_visa")
    subscription = await account.subscription({"customer": customer})
    await account.fail_card_of(customer)
    form = {"items[0][quantity]": 2, "proration_behavior": "always_invoice"}
    return await account.change(subscription, {**form, "payment_behavior": "pending_if_incomplete"})


async def portals(account: Account) -> list[Any]:
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


async def billing(account: Account) -> list[Any]:
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


async def payments(account: Account) -> list[Any]:
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


async def money_back(account: Account) -> list[Any]:
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
