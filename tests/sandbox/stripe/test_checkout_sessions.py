"""/v1/checkout/sessions as Stripe's SDK speaks to it."""

from typing import Any

import pytest
from sandbox.checkout import CANCEL, SUCCESS, one_time_price, open_session, submit
from sandbox.stripe_account import Account

_HOUR = 3_600


async def test_the_sdk_creates_reads_changes_lists_and_expires(account: Account) -> None:
    price = (await account.price())["id"]
    sessions = account.sdk.v1.checkout.sessions

    made = await sessions.create_async(
        {
            "mode": "subscription",
            "line_items": [{"price": price, "quantity": 3}],
            "success_url": SUCCESS,
            "cancel_url": CANCEL,
            "client_reference_id": "ws_1",
            "customer_email": "ann@example.com",
            "metadata": {"a": "1"},
            "expand": ["line_items"],
        }
    )
    changed = await sessions.update_async(made.id, {"metadata": {"a": "", "b": "2"}})
    read = await sessions.retrieve_async(made.id, {"expand": ["line_items.data.price.product"]})
    lines = await sessions.line_items.list_async(made.id)
    listed = await sessions.list_async({"status": "open", "customer_details": {"email": "ann@example.com"}})
    expired = await sessions.expire_async(made.id)

    assert made.id.startswith("cs_test_")
    assert made.url == f"http://sandbox/c/pay/{made.id}"
    assert (made.status, made.payment_status, made.ui_mode) == ("open", "unpaid", "hosted_page")
    assert (made.amount_subtotal, made.amount_total, made.currency) == (3000, 3000, "usd")
    assert (made.customer_creation, made.subscription, made.customer_email) == ("always", None, "ann@example.com")
    assert made.expires_at == account.clock.at + 24 * _HOUR
    assert changed.to_dict()["metadata"] == {"b": "2"}
    assert read.line_items is not None
    assert read.line_items.data[0].price.product.name == "Pro"
    assert [(line.quantity, line.amount_total, line.description) for line in lines.data] == [(3, 3000, "Pro")]
    assert [session.id for session in listed.data] == [made.id]
    assert (expired.status, expired.url) == ("expired", None)
    assert (await account.event_types())[-1] == "checkout.session.expired"


async def test_only_an_open_session_expires(account: Account) -> None:
    session = await open_session(account)
    await submit(account, session)

    body = await account.post(f"/v1/checkout/sessions/{session['id']}/expire", status=400)

    assert "status of `complete`" in body["error"]["message"]


async def test_a_price_can_be_made_with_the_session(account: Account) -> None:
    data = {
        "currency": "usd",
        "unit_amount": 250,
        "product_data[name]": "Seats",
        "recurring[interval]": "month",
    }
    line = {f"line_items[0][price_data][{name.partition('[')[0]}]{name[len(name.partition('[')[0]):]}": value
            for name, value in data.items()}  # fmt: skip
    session = await open_session(account, {**line, "line_items[0][quantity]": 4}, mode="subscription")

    await submit(account, session)

    price = (await account.get("/v1/prices"))["data"][0]
    assert (price["active"], session["amount_total"]) == (False, 1000)
    subscription = (await account.get("/v1/subscriptions"))["data"][0]
    assert [(item["price"]["id"], item["quantity"]) for item in subscription["items"]["data"]] == [(price["id"], 4)]


@pytest.mark.parametrize(
    ("form", "code", "param"),
    [
        pytest.param({"mode": ""}, "parameter_missing", "mode", id="no mode"),
        pytest.param({"mode": "setup"}, None, "line_items", id="setup of lines"),
        pytest.param({"mode": "unicorn"}, None, "mode", id="unknown mode"),
        pytest.param({"success_url": ""}, "parameter_missing", "success_url", id="no way on"),
        pytest.param({"success_url": "javascript:alert(1)"}, "url_invalid", "success_url", id="no address"),
        pytest.param({"cancel_url": "/cart"}, "url_invalid", "cancel_url", id="no scheme"),
        pytest.param({"line_items[0][quantity]": ""}, None, "line_items[0][quantity]", id="no quantity"),
        pytest.param(
            {"line_items[0][quantity]": 10**20}, "parameter_invalid_integer", "line_items[0][quantity]", id="too many"
        ),
        pytest.param({"line_items[1][quantity]": 1}, "parameter_missing", "line_items[1][price]", id="no price"),
        pytest.param(
            {"line_items[0][price]": "price_none"}, "resource_missing", "line_items[0][price]", id="unknown price"
        ),
        pytest.param({"customer": "cus_none"}, "resource_missing", "customer", id="unknown customer"),
        pytest.param({"customer": "cus_1", "customer_email": "a@b.c"}, None, "customer", id="two customers"),
        pytest.param({"customer_creation": "always"}, None, "customer_creation", id="creation in subscriptions"),
        pytest.param({"payment_intent_data[metadata][a]": 1}, None, "payment_intent_data", id="intent's terms"),
        pytest.param({"expires_at": 1_800_000_000 + 60}, None, "expires_at", id="too soon"),
        pytest.param({"expires_at": 1_800_000_000 + 25 * 3_600}, None, "expires_at", id="too late"),
        pytest.param({"payment_method_types[0]": "us_bank_account"}, None, "payment_method_types", id="no debits"),
        pytest.param({"discounts[0][coupon]": "none"}, "resource_missing", "discounts[0][coupon]", id="no coupon"),
        pytest.param(
            {"discounts[0][coupon]": "a", "allow_promotion_codes": "true"}, None, "allow_promotion_codes", id="two ways"
        ),
        pytest.param(
            {"subscription_data[trial_end]": 1_800_000_000 + 3_600},
            None,
            "subscription_data[trial_end]",
            id="short trial",
        ),
        pytest.param(
            {"subscription_data[trial_end]": 1_900_000_000, "subscription_data[trial_period_days]": 3},
            None,
            "subscription_data[trial_period_days]",
            id="two trials",
        ),
        pytest.param({"automatic_tax[enabled]": "true"}, None, "automatic_tax[enabled]", id="taxes"),
        pytest.param(
            {"line_items[0][adjustable_quantity][minimum]": 0},
            None,
            "line_items[0][adjustable_quantity][minimum]",
            id="none of a line",
        ),
        pytest.param({"ui_mode": "embedded_page"}, None, "ui_mode", id="not hosted"),
        pytest.param({"unicorn": 1}, "parameter_unknown", "unicorn", id="unknown parameter"),
    ],
)
async def test_a_wrong_session_is_refused(account: Account, form: dict[str, Any], code: str | None, param: str) -> None:
    right = {"mode": "subscription", "success_url": SUCCESS, "line_items[0][quantity]": 1}
    right["line_items[0][price]"] = (await account.price())["id"]

    body = await account.post("/v1/checkout/sessions", {**right, **form}, status=400)

    assert (body["error"].get("code"), body["error"]["param"]) == (code, param)
    assert (await account.get("/v1/checkout/sessions"))["data"] == []


async def test_what_is_switched_off_is_taken(account: Account) -> None:
    off = {f"{name}[enabled]": "false" for name in ("automatic_tax", "phone_number_collection", "tax_id_collection")}

    session = await open_session(account, {**off, "billing_address_collection": "auto"})

    assert (session["automatic_tax"]["enabled"], session["billing_address_collection"]) == (False, "auto")


async def test_a_price_must_fit_the_mode(account: Account) -> None:
    monthly, once = (await account.price())["id"], await one_time_price(account)
    archived = (await account.price())["id"]
    await account.post(f"/v1/prices/{archived}", {"active": "false"})
    euro = await one_time_price(account, currency="eur")
    wrong = (
        {"mode": "payment", "line_items[0][price]": monthly},
        {"mode": "subscription", "line_items[0][price]": once},
        {"mode": "subscription", "line_items[0][price]": archived},
        {
            "mode": "payment",
            "line_items[0][price]": once,
            "line_items[1][price]": euro,
            "line_items[1][quantity]": 1,
        },
    )

    for form in wrong:
        shared = {"success_url": SUCCESS, "line_items[0][quantity]": 1}
        await account.post("/v1/checkout/sessions", {**shared, **form}, status=400)


async def test_a_coupon_is_taken_off_in_proportion(account: Account) -> None:
    first, second = await one_time_price(account, 1000), await one_time_price(account, 500)
    coupon = (await account.post("/v1/coupons", {"percent_off": 33.3}))["id"]
    lines = {
        "line_items[0][price]": first,
        "line_items[1][price]": second,
        "line_items[1][quantity]": 1,
    }

    session = await open_session(account, {**lines, "discounts[0][coupon]": coupon, "expand[]": "line_items"})

    assert (session["amount_subtotal"], session["amount_total"]) == (1500, 1000)
    assert session["total_details"]["amount_discount"] == 500
    assert [line["amount_discount"] for line in session["line_items"]["data"]] == [333, 167]
    assert session["discounts"] == [{"coupon": coupon, "promotion_code": None}]


async def test_old_versions_call_the_page_by_its_old_name(account: Account) -> None:
    session = await open_session(account, {"ui_mode": "hosted_page"})
    version = {"Stripe-Version": "2025-02-24.acacia"}
    line = {"line_items[0][price]": await one_time_price(account), "line_items[0][quantity]": 1}
    form = {"mode": "payment", "success_url": SUCCESS, **line}

    old = await account.get(f"/v1/checkout/sessions/{session['id']}", **version)
    made = await account.post("/v1/checkout/sessions", {**form, "ui_mode": "hosted"}, **version)
    await account.post("/v1/checkout/sessions", {**form, "ui_mode": "hosted"}, status=400)

    assert (session["ui_mode"], old["ui_mode"], made["ui_mode"]) == ("hosted_page", "hosted", "hosted")
    assert "shipping_details" in old
    assert "collected_information" not in old
