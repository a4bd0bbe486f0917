"""What a change of a subscription costs: in lines of the next invoice, at once, or not at all."""

import pytest
from sandbox.stripe_account import Account, line_amounts

_DAY = 86_400
_JANUARY = 31 * _DAY
_HOUR = 3_600


async def test_a_change_waits_as_lines_of_the_next_invoice(account: Account) -> None:
    subscription = await account.subscription({"items[0][quantity]": 2})
    account.clock.at += 10 * _DAY

    changed = await account.change(subscription, {"items[0][quantity]": 3})
    waiting = await account.pending_amounts()
    await account.control("clock", {"by": 21 * _DAY + _HOUR})

    assert waiting == [-1355, 2032]
    assert changed["latest_invoice"]["id"] == subscription["latest_invoice"]
    renewal = (await account.get("/v1/invoices", {"limit": 1}))["data"][0]
    assert (renewal["status"], line_amounts(renewal), renewal["total"]) == ("paid", [-1355, 2032, 3000], 3677)
    details = [line["parent"]["subscription_item_details"] for line in renewal["lines"]["data"]]
    assert [each["proration"] for each in details] == [True, True, False]
    assert renewal["lines"]["data"][0]["description"] == "Unused time on 2 × Pro after 25 Jan 2027"  # noqa: RUF001
    assert await account.pending_amounts() == []
    assert (await account.event_types()).count("invoiceitem.created") == 2


async def test_a_change_is_invoiced_at_once_where_asked(account: Account) -> None:
    subscription = await account.subscription()
    bigger = (await account.price(unit_amount=3252))["id"]
    account.clock.at += 10 * _DAY

    changed = await account.change(subscription, {"items[0][price]": bigger, "proration_behavior": "always_invoice"})

    invoice = changed["latest_invoice"]
    assert (invoice["billing_reason"], invoice["status"]) == ("subscription_update", "paid")
    assert line_amounts(invoice) == [-677, 2203]
    assert invoice["amount_paid"] == 1526
    assert await account.pending_amounts() == []


async def test_a_change_costs_nothing_where_asked(account: Account) -> None:
    subscription = await account.subscription()
    account.clock.at += _DAY

    await account.change(subscription, {"items[0][quantity]": 9, "proration_behavior": "none"})

    assert await account.pending_amounts() == []
    assert len((await account.get("/v1/invoices"))["data"]) == 1


async def test_time_is_counted_from_the_proration_date(account: Account) -> None:
    subscription = await account.subscription()
    date = account.clock.at + 5 * _DAY
    account.clock.at += 20 * _DAY

    await account.change(subscription, {"items[0][quantity]": 2, "proration_date": date})

    assert await account.pending_amounts() == [-839, 1677]


@pytest.mark.parametrize("days", [-1, 32])
async def test_a_proration_date_outside_the_period_is_refused(account: Account, days: int) -> None:
    subscription = await account.subscription()
    form = {"items[0][quantity]": 2, "proration_date": account.clock.at + days * _DAY}

    refused = await account.change(subscription, form, status=400)

    assert refused["error"]["param"] == "proration_date"


async def test_a_smaller_plan_leaves_a_credit(account: Account) -> None:
    subscription = await account.subscription({"items[0][quantity]": 3})
    account.clock.at += 10 * _DAY

    changed = await account.change(subscription, {"items[0][quantity]": 1, "proration_behavior": "always_invoice"})

    invoice = changed["latest_invoice"]
    assert (invoice["status"], invoice["total"], invoice["amount_due"]) == ("paid", 677 - 2032, 0)
    assert (await account.get(f"/v1/customers/{subscription['customer']}"))["balance"] == 677 - 2032


async def test_items_that_come_and_go_are_prorated_in_the_cycle(account: Account) -> None:
    subscription = await account.subscription()
    extra = (await account.price(unit_amount=3100))["id"]
    account.clock.at += 10 * _DAY

    path = f"/v1/subscriptions/{subscription['id']}"
    both = await account.post(path, {"items[0][price]": extra})
    account.clock.at += 10 * _DAY
    await account.change(subscription, {"items[0][deleted]": "true"})

    first, added = both["items"]["data"]
    assert added["current_period_end"] == first["current_period_end"]
    assert await account.pending_amounts() == [2100, -355]


async def test_another_interval_is_invoiced_at_once_with_a_credit(account: Account) -> None:
    subscription = await account.subscription()
    yearly = (await account.price(unit_amount=10_000, **{"recurring[interval]": "year"}))["id"]
    account.clock.at += 10 * _DAY

    changed = await account.change(subscription, {"items[0][price]": yearly})

    assert line_amounts(changed["latest_invoice"]) == [-677, 10_000]
    assert changed["latest_invoice"]["amount_paid"] == 9323


async def test_the_billing_cycle_can_begin_anew(account: Account) -> None:
    subscription = await account.subscription()
    account.clock.at += 10 * _DAY

    changed = await account.change(subscription, {"billing_cycle_anchor": "now"})

    assert changed["billing_cycle_anchor"] == account.clock.at
    assert changed["items"]["data"][0]["current_period_start"] == account.clock.at
    assert line_amounts(changed["latest_invoice"]) == [-677, 1000]


async def test_a_trial_that_is_ended_now_is_invoiced_now(account: Account) -> None:
    subscription = await account.subscription({"trial_period_days": 14})

    changed = await account.change(subscription, {"trial_end": "now"})

    assert (changed["status"], changed["latest_invoice"]["status"]) == ("active", "paid")
    assert line_amounts(changed["latest_invoice"]) == [1000]


async def test_a_change_in_a_trial_costs_nothing_yet(account: Account) -> None:
    subscription = await account.subscription({"trial_period_days": 14})

    await account.change(subscription, {"items[0][quantity]": 5})

    assert await account.pending_amounts() == []


@pytest.mark.parametrize(
    ("behavior", "answer", "status"),
    [
        pytest.param("allow_incomplete", 200, "past_due", id="allowed"),
        pytest.param("error_if_incomplete", 402, "active", id="refused"),
        pytest.param("default_incomplete", 200, "past_due", id="left to the customer"),
    ],
)
async def test_a_change_whose_payment_fails(account: Account, behavior: str, answer: int, status: str) -> None:
    customer = await account.customer_with("pm_card_visa")
    subscription = await account.subscription({"customer": customer})
    method = (await account.get("/v1/payment_methods"))["data"][0]["id"]
    await account.control(f"objects/{method}", {"set": {"card.last4": "0341"}})
    account.clock.at += _DAY

    form = {"items[0][quantity]": 2, "proration_behavior": "always_invoice", "payment_behavior": behavior}
    await account.change(subscription, form, status=answer)

    after = await account.get(f"/v1/subscriptions/{subscription['id']}")
    assert after["status"] == status
    assert after["items"]["data"][0]["quantity"] == (2 if answer == 200 else 1)
    assert await account.pending_amounts() == []


async def test_a_paused_subscription_that_resumes_is_invoiced(account: Account) -> None:
    subscription = await account.subscription()
    path = f"/v1/subscriptions/{subscription['id']}"
    await account.post(f"{path}/pause")
    await account.control("clock", {"by": 40 * _DAY})
    paused = await account.get("/v1/invoices")

    resumed = await account.post(f"{path}/resume", {"expand[]": "latest_invoice"})

    assert len(paused["data"]) == 1
    assert (resumed["status"], line_amounts(resumed["latest_invoice"])) == ("active", [1000])


async def test_a_subscription_resumes_in_its_own_cycle_where_asked(account: Account) -> None:
    subscription = await account.subscription()
    path = f"/v1/subscriptions/{subscription['id']}"
    await account.post(f"{path}/pause")
    await account.control("clock", {"by": 40 * _DAY})

    resumed = await account.post(f"{path}/resume", {"billing_cycle_anchor": "unchanged"})

    item = resumed["items"]["data"][0]
    assert item["current_period_start"] == account.clock.at + _JANUARY
    assert resumed["billing_cycle_anchor"] == subscription["billing_cycle_anchor"]
    await account.control("clock", {"by": 30 * _DAY})
    renewed = await account.get(path)
    assert renewed["items"]["data"][0]["current_period_start"] == item["current_period_end"]


async def test_a_preview_tells_what_a_change_would_cost_and_changes_nothing(account: Account) -> None:
    subscription = await account.subscription({"items[0][quantity]": 2})
    account.clock.at += 10 * _DAY
    before = await account.event_types()
    item = {
        "subscription": subscription["id"],
        "subscription_details[items][0][id]": subscription["items"]["data"][0]["id"],
        "subscription_details[items][0][quantity]": 3,
    }

    renewal = await account.post("/v1/invoices/create_preview", {"subscription": subscription["id"]})
    changed = await account.post("/v1/invoices/create_preview", item)
    at_once = await account.post(
        "/v1/invoices/create_preview", {**item, "subscription_details[proration_behavior]": "always_invoice"}
    )

    assert line_amounts(renewal) == [2000]
    assert renewal["lines"]["data"][0]["period"]["start"] == account.clock.at + 21 * _DAY
    assert line_amounts(changed) == [-1355, 2032, 3000]
    assert line_amounts(at_once) == [-1355, 2032]
    assert at_once["id"].startswith("upcoming_in_")
    assert await account.event_types() == before
    assert await account.pending_amounts() == []


async def test_what_does_not_renew_has_no_preview(account: Account) -> None:
    subscription = await account.subscription()
    await account.delete(f"/v1/subscriptions/{subscription['id']}")

    await account.post("/v1/invoices/create_preview", {"subscription": subscription["id"]}, status=404)
    await account.post("/v1/invoices/create_preview", status=400)
