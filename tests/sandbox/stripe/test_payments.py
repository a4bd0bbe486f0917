"""Payment intents and charges, as the API tells of them."""

from sandbox.stripe_account import Account


async def test_the_payment_is_found_from_the_invoice_and_back(account: Account) -> None:
    customer = await account.customer_with("pm_card_visa")
    invoice = (await account.current(await account.subscription({"customer": customer})))["latest_invoice"]

    links = (await account.get("/v1/invoice_payments", {"invoice": invoice["id"]}))["data"]
    intent = await account.get(f"/v1/payment_intents/{links[0]['payment']['payment_intent']}")
    back = await account.get("/v1/invoice_payments", {"payment[payment_intent]": intent["id"]})
    made = await account.get(f"/v1/charges/{intent['latest_charge']}")
    whole = await account.get(f"/v1/invoices/{invoice['id']}", {"expand[]": "payments"})

    assert (links[0]["status"], links[0]["amount_paid"]) == ("paid", 1000)
    assert (intent["status"], intent["amount_received"], intent["customer"]) == ("succeeded", 1000, customer)
    assert (made["paid"], made["payment_method_details"]["card"]["last4"]) == (True, "4242")
    assert back["data"] == links == whole["payments"]["data"]
    assert (await account.get("/v1/payment_intents", {"customer": customer}))["data"] == [intent]
    assert (await account.get("/v1/charges", {"payment_intent": intent["id"]}))["data"] == [made]
    assert (await account.get(f"/v1/invoice_payments/{links[0]['id']}")) == links[0]
