"""Billing's objects in the shape before basil."""

from sandbox.stripe_account import Account

_DAY = 86_400
_OLD = {"Stripe-Version": "2025-02-24.acacia"}


async def test_before_basil_an_invoice_names_its_subscription_and_payment_itself(account: Account) -> None:
    subscription = await account.subscription()
    path = f"/v1/invoices/{subscription['latest_invoice']}"

    new, old = await account.get(path), await account.get(path, **_OLD)
    intent = await account.get(f"/v1/payment_intents/{old['payment_intent']}", **_OLD)
    made = await account.get(f"/v1/charges/{old['charge']}", **_OLD)

    assert new["parent"]["subscription_details"]["subscription"] == subscription["id"] == old["subscription"]
    assert not {"parent", "total_taxes"} & old.keys()
    assert not {"subscription", "paid", "charge", "payment_intent"} & new.keys()
    assert (old["paid"], intent["invoice"], made["invoice"]) == (True, old["id"], old["id"])
    old_line, new_line = old["lines"]["data"][0], new["lines"]["data"][0]
    assert (old_line["type"], old_line["proration"]) == ("subscription", False)
    assert old_line["price"]["id"] == new_line["pricing"]["price_details"]["price"]
    assert not {"parent", "pricing"} & old_line.keys()
    assert "subscription_item" not in new_line


async def test_before_basil_an_invoice_item_names_its_price_and_subscription_itself(account: Account) -> None:
    subscription = await account.subscription()
    account.clock.at += _DAY
    await account.change(subscription, {"items[0][quantity]": 2})
    item = (await account.get("/v1/invoiceitems"))["data"][0]

    old = await account.get(f"/v1/invoiceitems/{item['id']}", **_OLD)

    assert item["parent"]["subscription_details"]["subscription"] == old["subscription"] == subscription["id"]
    assert old["price"]["id"] == item["pricing"]["price_details"]["price"]
    assert not {"parent", "pricing"} & old.keys()
