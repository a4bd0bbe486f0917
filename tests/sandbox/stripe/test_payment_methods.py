from typing import Any

import pytest
from sandbox.stripe_account import Account


async def new_customer(account: Account, card: str) -> Any:
    form = {"payment_method": card, "invoice_settings[default_payment_method]": card}
    return await account.post("/v1/customers", form)


async def test_a_magic_id_attaches_a_card_of_its_kind(account: Account) -> None:
    customer = await account.post("/v1/customers")

    attached = await account.post("/v1/payment_methods/pm_card_visa/attach", {"customer": customer["id"]})

    assert attached["id"].startswith("pm_")
    assert attached["id"] != "pm_card_visa"
    assert (attached["customer"], attached["card"]["last4"]) == (customer["id"], "4242")
    assert (await account.event_types())[-1] == "payment_method.attached"
    listed = await account.get(f"/v1/customers/{customer['id']}/payment_methods")
    assert listed["data"] == [attached]
    assert (await account.get("/v1/payment_methods", {"customer": customer["id"]}))["data"] == [attached]


async def test_a_card_is_made_attached_and_detached(account: Account) -> None:
    customer = await account.post("/v1/customers")
    number = {"type": "card", "card[number]": "4242424242424242", "card[exp_month]": 5, "card[exp_year]": 2031}
    made = await account.post("/v1/payment_methods", {**number, "billing_details[name]": "Ann"})
    path = f"/v1/payment_methods/{made['id']}"
    await account.post(f"{path}/attach", {"customer": customer["id"]})
    settings = {"invoice_settings[default_payment_method]": made["id"]}
    await account.post(f"/v1/customers/{customer['id']}", settings)
    subscription = await account.subscription({"customer": customer["id"], "default_payment_method": made["id"]})

    detached = await account.post(f"{path}/detach")

    assert (made["customer"], made["billing_details"]["name"], made["card"]["exp_year"]) == (None, "Ann", 2031)
    assert detached["customer"] is None
    assert (await account.get("/v1/payment_methods"))["data"] == []
    after = await account.get(f"/v1/customers/{customer['id']}")
    assert after["invoice_settings"]["default_payment_method"] is None
    assert (await account.get(f"/v1/subscriptions/{subscription['id']}"))["default_payment_method"] is None
    await account.post(f"{path}/detach", status=400)


async def test_a_card_that_is_declined_is_not_attached(account: Account) -> None:
    customer = await account.post("/v1/customers")
    form = {"customer": customer["id"]}

    refused = await account.post("/v1/payment_methods/pm_card_chargeDeclined/attach", form, status=402)
    await account.post("/v1/customers", {"payment_method": "pm_card_chargeDeclined"}, status=402)

    assert (refused["error"]["type"], refused["error"]["code"]) == ("card_error", "card_declined")
    assert (await account.get("/v1/payment_methods", form))["data"] == []
    assert len((await account.get("/v1/customers"))["data"]) == 1


async def test_a_customer_begins_with_a_default(account: Account) -> None:
    customer = await new_customer(account, "pm_card_visa")

    methods = (await account.get("/v1/payment_methods", {"customer": customer["id"]}))["data"]
    assert [method["id"] for method in methods] == [customer["invoice_settings"]["default_payment_method"]]
    assert customer["invoice_settings"].keys() == {
        *("custom_fields", "default_payment_method", "footer", "rendering_options"),
    }


async def test_a_default_must_be_the_customer_s_own(account: Account) -> None:
    other = await new_customer(account, "pm_card_visa")
    theirs = other["invoice_settings"]["default_payment_method"]
    mine = await account.post("/v1/customers")
    settings = {"invoice_settings[default_payment_method]": theirs}

    await account.post(f"/v1/customers/{mine['id']}", settings, status=400)
    await account.post(f"/v1/payment_methods/{theirs}/attach", {"customer": mine["id"]}, status=400)
    price = (await account.price())["id"]
    form = {"customer": mine["id"], "items[0][price]": price, "default_payment_method": theirs}
    refused = await account.post("/v1/subscriptions", form, status=400)

    assert refused["error"]["param"] == "default_payment_method"


async def test_details_of_a_card_change(account: Account) -> None:
    made = await account.post("/v1/payment_methods", {"type": "card", "card[token]": "tok_visa"})

    form = {"billing_details[email]": "a@example.com", "metadata[a]": "1"}
    changed = await account.post(f"/v1/payment_methods/{made['id']}", form)

    assert changed["billing_details"] == {**made["billing_details"], "email": "a@example.com"}
    assert changed["metadata"] == {"a": "1"}
    assert (await account.event_types())[-1] == "payment_method.updated"


@pytest.mark.parametrize(
    ("form", "status"),
    [
        pytest.param({"type": "card"}, 400, id="no card"),
        pytest.param({"type": "card", "card[cvc]": "1"}, 400, id="no number"),
        pytest.param({"type": "card", "card[token]": "tok_unicorn"}, 400, id="unknown token"),
        pytest.param({"type": "card", "card[number]": "4111111111111111"}, 402, id="no test number"),
        pytest.param({"type": "sepa_debit", "card[token]": "tok_visa"}, 400, id="no card type"),
    ],
)
async def test_a_wrong_card_is_refused(account: Account, form: dict[str, Any], status: int) -> None:
    await account.post("/v1/payment_methods", form, status=status)
