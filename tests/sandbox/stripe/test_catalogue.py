"""Customers, products, prices and events."""

import pytest
from sandbox.stripe_account import Account


async def test_a_customer_keeps_what_it_was_given(account: Account) -> None:
    form = {"name": "Ann", "email": "ann@example.com", "metadata[workspace_id]": "ws_1", "address[city]": "Bonn"}

    customer = await account.post("/v1/customers", form)

    assert customer["id"].startswith("cus_")
    assert customer["livemode"] is False
    assert customer["created"] == account.clock.at
    assert (customer["name"], customer["email"], customer["address"]["city"]) == ("Ann", "ann@example.com", "Bonn")
    assert customer["metadata"] == {"workspace_id": "ws_1"}
    assert await account.get(f"/v1/customers/{customer['id']}") == customer


async def test_metadata_merges_and_empty_values_unset(account: Account) -> None:
    path = f"/v1/customers/{(await account.post('/v1/customers', {'metadata[a]': '1', 'metadata[b]': '2'}))['id']}"

    merged = await account.post(path, {"metadata[b]": "", "metadata[c]": "3"})
    event = (await account.get("/v1/events", {"limit": 1}))["data"][0]
    cleared = await account.post(path, {"metadata": ""})

    assert merged["metadata"] == {"a": "1", "c": "3"}
    assert event["data"]["previous_attributes"] == {"metadata": {"b": "2", "c": None}}
    assert cleared["metadata"] == {}


async def test_a_change_that_changes_nothing_makes_no_event(account: Account) -> None:
    customer = await account.post("/v1/customers", {"name": "Ann"})
    await account.post(f"/v1/customers/{customer['id']}", {"name": "Ann"})

    assert await account.event_types() == ["customer.created"]


async def test_a_deleted_customer_leaves_a_stub_and_no_live_subscription(account: Account) -> None:
    subscription = await account.subscription()
    gone = subscription["customer"]

    stub = await account.delete(f"/v1/customers/{gone}")

    assert stub == {"id": gone, "object": "customer", "deleted": True}
    assert await account.get(f"/v1/customers/{gone}") == stub
    assert (await account.get("/v1/customers"))["data"] == []
    assert (await account.get(f"/v1/subscriptions/{subscription['id']}"))["status"] == "canceled"
    assert (await account.event_types())[-2:] == ["customer.subscription.deleted", "customer.deleted"]
    await account.post(f"/v1/customers/{gone}", {"name": "Bea"}, status=404)
    await account.delete(f"/v1/customers/{gone}", status=404)


@pytest.mark.parametrize("kind", ["customers", "products"])
async def test_an_id_may_be_chosen_once(account: Account, kind: str) -> None:
    chosen = await account.post(f"/v1/{kind}", {"id": "mine", "name": "Mine"})
    again = await account.post(f"/v1/{kind}", {"id": "mine", "name": "Mine"}, status=400)

    assert chosen["id"] == "mine"
    assert again["error"]["code"] == "resource_already_exists"


async def test_a_product_needs_a_name_and_goes_only_without_prices(account: Account) -> None:
    missing = await account.post("/v1/products", status=400)
    product = await account.post("/v1/products", {"name": "Pro"})
    price = await account.price(product=product["id"])
    refused = await account.delete(f"/v1/products/{product['id']}", status=400)
    empty = await account.post("/v1/products", {"name": "Empty"})
    await account.delete(f"/v1/products/{empty['id']}")

    assert (missing["error"]["code"], missing["error"]["param"]) == ("parameter_missing", "name")
    assert "prices" in refused["error"]["message"]
    assert price["product"] == product["id"]
    await account.get(f"/v1/products/{empty['id']}", status=404)
    assert [each["id"] for each in (await account.get("/v1/products"))["data"]] == [product["id"]]


async def test_products_are_listed_by_activity_and_ids(account: Account) -> None:
    active = await account.post("/v1/products", {"name": "Active"})
    archived = await account.post("/v1/products", {"name": "Archived"})
    await account.post(f"/v1/products/{archived['id']}", {"active": "false"})

    only_active = await account.get("/v1/products", {"active": "true"})
    by_id = await account.get("/v1/products", {"ids[0]": archived["id"]})

    assert [each["id"] for each in only_active["data"]] == [active["id"]]
    assert [each["id"] for each in by_id["data"]] == [archived["id"]]


async def test_a_price_knows_its_amount_in_both_spellings(account: Account) -> None:
    whole = await account.price(unit_amount=1050)
    fraction = await account.price(unit_amount="", unit_amount_decimal="0.05")

    assert (whole["unit_amount"], whole["unit_amount_decimal"]) == (1050, "1050")
    assert (fraction["unit_amount"], fraction["unit_amount_decimal"]) == (None, "0.05")
    assert whole["recurring"] == {
        "interval": "month",
        "interval_count": 1,
        "meter": None,
        "trial_period_days": None,
        "usage_type": "licensed",
    }


async def test_tiers_are_there_on_request(account: Account) -> None:
    tiers = {"tiers[0][up_to]": 10, "tiers[0][unit_amount]": 5, "tiers[1][up_to]": "inf", "tiers[1][flat_amount]": 100}
    price = await account.price(unit_amount="", billing_scheme="tiered", tiers_mode="graduated", **tiers)

    whole = await account.get(f"/v1/prices/{price['id']}", {"expand[]": "tiers"})

    assert "tiers" not in price
    assert [(tier["up_to"], tier["unit_amount_decimal"], tier["flat_amount"]) for tier in whole["tiers"]] == [
        (10, "5", None),
        (None, None, 100),
    ]


@pytest.mark.parametrize(
    ("tiers", "param"),
    [
        pytest.param({"tiers[0][up_to]": 10, "tiers[0][unit_amount]": 5}, "tiers[0][up_to]", id="ends"),
        pytest.param({"tiers[0][up_to]": "inf"}, "tiers[0][unit_amount]", id="no amount"),
        pytest.param(
            {
                "tiers[0][up_to]": 10,
                "tiers[0][unit_amount]": 5,
                "tiers[1][up_to]": 10,
                "tiers[1][unit_amount]": 4,
                "tiers[2][up_to]": "inf",
                "tiers[2][unit_amount]": 3,
            },
            "tiers",
            id="out of order",
        ),
        pytest.param({}, "tiers", id="none"),
    ],
)
async def test_tiers_that_leave_a_quantity_without_price_are_refused(
    account: Account, tiers: dict[str, object], param: str
) -> None:
    product = (await account.post("/v1/products", {"name": "Pro"}))["id"]
    form = {"currency": "usd", "product": product, "billing_scheme": "tiered", "tiers_mode": "volume"}

    body = await account.post("/v1/prices", {**form, **tiers}, status=400)

    assert body["error"]["param"] == param


async def test_prices_are_found_by_lookup_key(account: Account) -> None:
    monthly = await account.price(lookup_key="pro_monthly")
    yearly = await account.price(lookup_key="pro_yearly", **{"recurring[interval]": "year"})
    await account.price(recurring="")

    by_key = await account.get("/v1/prices", {"lookup_keys[0]": "pro_monthly"})
    by_interval = await account.get("/v1/prices", {"recurring[interval]": "year"})

    assert [price["id"] for price in by_key["data"]] == [monthly["id"]]
    assert [price["id"] for price in by_interval["data"]] == [yearly["id"]]


async def test_a_lookup_key_belongs_to_one_price_and_moves_when_told(account: Account) -> None:
    first = await account.price(lookup_key="pro")
    await account.post(
        "/v1/prices",
        {"currency": "usd", "unit_amount": 1, "product": first["product"], "lookup_key": "pro"},
        status=400,
    )
    second = await account.price(lookup_key="pro", transfer_lookup_key="true")

    assert second["lookup_key"] == "pro"
    assert (await account.get(f"/v1/prices/{first['id']}"))["lookup_key"] is None


async def test_a_price_can_be_archived(account: Account) -> None:
    price = await account.price()
    await account.post(f"/v1/prices/{price['id']}", {"active": "false"})

    assert (await account.get("/v1/prices", {"active": "true"}))["data"] == []
    assert await account.event_types() == ["product.created", "price.created", "price.updated"]


@pytest.mark.parametrize(
    ("form", "param"),
    [
        pytest.param({"currency": ""}, "currency", id="currency"),
        pytest.param({"unit_amount": ""}, "unit_amount", id="amount"),
        pytest.param({"product": ""}, "product", id="product"),
        pytest.param({"product": "prod_none"}, "product", id="unknown product"),
        pytest.param({"recurring[interval]": "", "recurring[interval_count]": 2}, "recurring[interval]", id="interval"),
    ],
)
async def test_a_price_lacking_something_is_refused(account: Account, form: dict[str, str], param: str) -> None:
    product = await account.post("/v1/products", {"name": "Pro"})
    whole = {"currency": "usd", "unit_amount": 1, "product": product["id"], "recurring[interval]": "month"}

    body = await account.post("/v1/prices", {**whole, **form}, status=400)

    assert body["error"]["param"] == param


async def test_events_are_listed_newest_first_by_type_and_age(account: Account) -> None:
    await account.post("/v1/customers", {"name": "old"})
    account.clock.at += 31 * 86_400
    await account.post("/v1/products", {"name": "Pro"})
    account.clock.at += 60
    customer = await account.post("/v1/customers", {"name": "new"})

    every = await account.get("/v1/events")
    recent = await account.get("/v1/events", {"created[gte]": account.clock.at})
    wild = await account.get("/v1/events", {"type": "product.*"})
    several = await account.get("/v1/events", {"types[0]": "customer.created", "types[1]": "price.created"})

    assert [event["type"] for event in every["data"]] == ["customer.created", "product.created"]  # 30 days back
    assert [event["data"]["object"] for event in recent["data"]] == [customer]
    assert [event["type"] for event in wild["data"]] == ["product.created"]
    assert [event["type"] for event in several["data"]] == ["customer.created"]
    assert await account.get(f"/v1/events/{recent['data'][0]['id']}") == recent["data"][0]
