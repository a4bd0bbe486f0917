"""Updates that wait for their payment (`payment_behavior=pending_if_incomplete`)."""

from typing import Any

import pytest
import stripe
from sandbox.stripe_account import Account

_HOUR = 3_600
_DAY = 24 * _HOUR
_WAITING = {
    "items[0][quantity]": 3,
    "proration_behavior": "always_invoice",
    "payment_behavior": "pending_if_incomplete",
}


async def subscription_with(account: Account, **form: Any) -> Any:
    """Return a paid subscription whose customer's card fails from now on."""
    customer = await account.customer_with("pm_card_visa")
    subscription = await account.subscription({"customer": customer, **form})
    await account.fail_card_of(customer)
    return subscription


async def waiting(account: Account) -> Any:
    return await account.change(await subscription_with(account), _WAITING)


def quantity(subscription: Any) -> int:
    return subscription["items"]["data"][0]["quantity"]


async def told(account: Account) -> list[str]:
    return [name for name in await account.event_types() if name.startswith("customer.subscription.")]


async def test_a_change_that_is_not_paid_waits_beside_the_subscription(account: Account) -> None:
    changed = await waiting(account)

    pending, invoice = changed["pending_update"], changed["latest_invoice"]
    assert (changed["status"], quantity(changed)) == ("active", 1)
    assert pending["expires_at"] == account.clock.at + 23 * _HOUR
    assert [(item["quantity"], item["price"]["unit_amount"]) for item in pending["subscription_items"]] == [(3, 1000)]
    assert (invoice["status"], invoice["total"], invoice["next_payment_attempt"]) == ("open", 2000, None)


async def test_the_sdk_reads_what_waits(account: Account, sdk: stripe.StripeClient) -> None:
    changed = await waiting(account)

    found = await sdk.v1.subscriptions.retrieve_async(changed["id"])

    assert found.pending_update is not None
    assert found.pending_update.subscription_items is not None
    (item,) = found.pending_update.subscription_items
    assert isinstance(item, stripe.SubscriptionItem)
    assert item.quantity == 3


async def test_paid_it_is_applied(account: Account) -> None:
    changed = await waiting(account)

    await account.post(f"/v1/invoices/{changed['latest_invoice']['id']}/pay", {"payment_method": "pm_card_visa"})

    after = await account.current(changed)
    assert (after["status"], quantity(after), after["pending_update"]) == ("active", 3, None)
    assert after["latest_invoice"]["status"] == "paid"
    assert (await told(account))[-2:] == [
        "customer.subscription.updated",
        "customer.subscription.pending_update_applied",
    ]


async def test_another_failed_attempt_leaves_it_waiting(account: Account) -> None:
    changed = await waiting(account)

    await account.post(f"/v1/invoices/{changed['latest_invoice']['id']}/pay", status=402)

    after = await account.current(changed)
    assert (after["status"], after["pending_update"]) == ("active", changed["pending_update"])


async def test_unpaid_it_is_given_up_after_23_hours(account: Account) -> None:
    changed = await waiting(account)

    await account.control("clock", {"by": 23 * _HOUR})

    after = await account.current(changed)
    assert (after["status"], quantity(after), after["pending_update"]) == ("active", 1, None)
    assert after["latest_invoice"]["status"] == "void"
    assert (await told(account))[-2:] == [
        "customer.subscription.updated",
        "customer.subscription.pending_update_expired",
    ]


async def test_it_waits_no_longer_than_the_period(account: Account) -> None:
    subscription = await subscription_with(account)
    renewal = subscription["items"]["data"][0]["current_period_end"]
    account.clock.at = renewal - _HOUR

    changed = await account.change(subscription, {**_WAITING, "items[0][quantity]": 2000})
    await account.control("clock", {"by": _HOUR})

    after = await account.current(subscription)
    assert changed["pending_update"]["expires_at"] == renewal
    assert (quantity(after), after["latest_invoice"]["total"]) == (1, 1000)


async def test_with_its_invoice_it_is_void(account: Account) -> None:
    changed = await waiting(account)

    await account.post(f"/v1/invoices/{changed['latest_invoice']['id']}/void")

    after = await account.current(changed)
    assert (after["status"], quantity(after), after["pending_update"]) == ("active", 1, None)


async def test_another_change_takes_its_place(account: Account) -> None:
    changed = await waiting(account)

    again = await account.change(changed, {**_WAITING, "items[0][quantity]": 5})

    assert [item["quantity"] for item in again["pending_update"]["subscription_items"]] == [5]
    assert again["latest_invoice"]["total"] == 4000
    first = await account.get(f"/v1/invoices/{changed['latest_invoice']['id']}")
    assert first["status"] == "void"


async def test_a_new_period_begins_only_when_it_is_paid(account: Account) -> None:
    subscription = await subscription_with(account)
    yearly = (await account.price(unit_amount=20_000, **{"recurring[interval]": "year"}))["id"]
    form = {"items[0][price]": yearly, "payment_behavior": "pending_if_incomplete"}
    account.clock.at += 5 * _DAY
    changed = await account.change(subscription, form)
    assert changed["items"] == subscription["items"]

    await account.post(f"/v1/invoices/{changed['latest_invoice']['id']}/pay", {"payment_method": "pm_card_visa"})

    after = await account.current(subscription)
    item = after["items"]["data"][0]
    assert (item["price"]["id"], item["current_period_start"]) == (yearly, account.clock.at)
    assert after["billing_cycle_anchor"] == account.clock.at


async def test_a_trial_ends_only_when_that_is_paid(account: Account) -> None:
    subscription = await subscription_with(account, trial_period_days=10)
    changed = await account.change(subscription, {"trial_end": "now", "payment_behavior": "pending_if_incomplete"})
    assert (changed["status"], changed["pending_update"]["trial_end"]) == ("trialing", account.clock.at)

    await account.post(f"/v1/invoices/{changed['latest_invoice']['id']}/pay", {"payment_method": "pm_card_visa"})

    after = await account.current(subscription)
    assert (after["status"], after["trial_end"]) == ("active", account.clock.at)


async def test_what_is_paid_at_once_does_not_wait(account: Account) -> None:
    subscription = await account.subscription({"customer": await account.customer_with("pm_card_visa")})

    changed = await account.change(subscription, _WAITING)

    assert (quantity(changed), changed["pending_update"]) == (3, None)


async def test_with_the_subscription_it_ends(account: Account) -> None:
    changed = await waiting(account)

    assert (await account.delete(f"/v1/subscriptions/{changed['id']}"))["pending_update"] is None


@pytest.mark.parametrize(
    ("name", "value"),
    [("metadata[a]", "1"), ("cancel_at_period_end", "true"), ("items[0][discounts][0][coupon]", "TEN")],
)
async def test_only_what_is_charged_may_wait(account: Account, name: str, value: str) -> None:
    subscription = await subscription_with(account)

    refused = await account.change(subscription, {**_WAITING, name: value}, status=400)

    assert refused["error"]["param"] == name.partition("[")[0]
