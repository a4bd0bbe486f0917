"""Invoices and what is paid for them, as the API tells of them."""

from sandbox.stripe_account import Account

_OLD = {"Stripe-Version": "2025-02-24.acacia"}


async def test_invoices_are_listed_by_what_they_belong_to(account: Account) -> None:
    first, second = await account.subscription(), await account.subscription({"trial_period_days": 5})
    ids = [(await account.current(each))["latest_invoice"]["id"] for each in (first, second)]

    async def listed(**params: str) -> list[str]:
        return [invoice["id"] for invoice in (await account.get("/v1/invoices", params))["data"]]

    assert await listed() == ids[::-1]
    assert await listed(subscription=first["id"]) == await listed(customer=first["customer"]) == ids[:1]
    assert await listed(status="draft") == []
    assert await listed(status="paid") == ids[::-1]


async def test_many_lines_come_in_pages(account: Account) -> None:
    prices = {f"items[{index}][price]": (await account.price())["id"] for index in range(12)}
    invoice = (await account.current(await account.subscription(prices)))["latest_invoice"]

    rest = await account.get(
        f"/v1/invoices/{invoice['id']}/lines", {"starting_after": invoice["lines"]["data"][-1]["id"]}
    )

    assert (len(invoice["lines"]["data"]), invoice["lines"]["has_more"]) == (10, True)
    assert (len(rest["data"]), rest["has_more"], rest["url"]) == (2, False, f"/v1/invoices/{invoice['id']}/lines")


async def test_an_invoice_is_paid_with_another_card(account: Account) -> None:
    subscription = await account.subscription({"customer": await account.customer_with("pm_card_chargeCustomerFail")})
    path = f"/v1/invoices/{subscription['latest_invoice']}/pay"

    refused = await account.post(path, status=402)
    paid = await account.post(path, {"payment_method": "pm_card_visa"})

    assert refused["error"]["code"] == "card_declined"
    assert (paid["status"], paid["attempt_count"]) == ("paid", 1)
    assert (await account.get(f"/v1/subscriptions/{subscription['id']}"))["status"] == "active"
    update = (await account.get("/v1/events", {"type": "customer.subscription.updated"}))["data"][0]
    assert update["data"]["previous_attributes"] == {"status": "incomplete"}
    assert (await account.post(path, status=400))["error"]["code"] == "invoice_already_paid"


async def test_default_incomplete_leaves_the_payment_to_the_customer(account: Account) -> None:
    customer = await account.customer_with("pm_card_visa")
    form = {
        "customer": customer,
        "payment_behavior": "default_incomplete",
        "expand[]": "latest_invoice.confirmation_secret",
    }

    subscription = await account.subscription(form)
    invoice = subscription["latest_invoice"]
    intent = (await account.get("/v1/payment_intents"))["data"][0]
    await account.post(f"/v1/invoices/{invoice['id']}/pay")

    assert (subscription["status"], invoice["status"], invoice["attempt_count"]) == ("incomplete", "open", 0)
    assert invoice["confirmation_secret"]["client_secret"] == intent["client_secret"]
    assert (await account.get(f"/v1/subscriptions/{subscription['id']}"))["status"] == "active"


async def test_error_if_incomplete_makes_nothing(account: Account) -> None:
    customer, price = await account.customer_with("pm_card_chargeCustomerFail"), (await account.price())["id"]
    form = {"customer": customer, "items[0][price]": price, "payment_behavior": "error_if_incomplete"}

    await account.post("/v1/subscriptions", form, status=402)

    assert (await account.get("/v1/subscriptions", {"status": "all"}))["data"] == []
    assert (await account.get("/v1/invoices"))["data"] == []


async def test_a_void_first_invoice_ends_the_subscription(account: Account) -> None:
    subscription = await account.subscription({"payment_behavior": "default_incomplete"})
    path = f"/v1/invoices/{subscription['latest_invoice']}"

    voided = await account.post(f"{path}/void")

    assert voided["status"] == "void"
    assert (await account.get(f"/v1/subscriptions/{subscription['id']}"))["status"] == "incomplete_expired"
    assert (await account.get("/v1/payment_intents"))["data"][0]["cancellation_reason"] == "void_invoice"
    await account.post(f"{path}/void", status=400)
    await account.post(f"{path}/pay", status=400)
    await account.post(f"{path}/finalize", status=400)


async def test_an_invoice_can_be_paid_elsewhere(account: Account) -> None:
    subscription = await account.subscription({"payment_behavior": "default_incomplete"})
    path = f"/v1/invoices/{subscription['latest_invoice']}"

    paid = await account.post(f"{path}/pay", {"paid_out_of_band": "true"})

    assert (paid["status"], paid["amount_paid_off_stripe"]) == ("paid", 1000)
    assert (await account.get(path, **_OLD))["paid_out_of_band"]
    assert (await account.get("/v1/charges"))["data"] == []
    assert (await account.get(f"/v1/subscriptions/{subscription['id']}"))["status"] == "active"
