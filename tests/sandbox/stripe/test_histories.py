"""Whatever is done to subscriptions and however the clock is advanced, the books balance and every change is told."""

import asyncio
from typing import Any

from hypothesis import given, settings
from sandbox.histories import Step, lived, steps

from app.sandbox.stripe.entitling import ACTIVE, ATTACHED, SUMMARY
from app.sandbox.stripe.render import render
from app.sandbox.stripe.sandbox import API_VERSION, Sandbox

_TOLD = ("subscription", "subscription_schedule", "invoice", "payment_intent", "charge", "refund", "dispute")
_GIVEN_BACK = ("failed", "canceled")
_ENDED = ("canceled", "incomplete_expired")


@settings(max_examples=50, deadline=None)
@given(steps)
def test_any_history_keeps_the_laws(history: list[Step]) -> None:
    asyncio.run(check(history))


async def check(history: list[Step]) -> None:
    async with lived(history) as account:
        check_money(account.sandbox)
        check_money_back(account.sandbox)
        check_discounts(account.sandbox)
        check_periods(account.sandbox)
        check_events(account.sandbox)
        check_schedules(account.sandbox)
        check_entitlements(account.sandbox)


def check_money(sandbox: Sandbox) -> None:
    for invoice in sandbox.store.all("invoice"):
        taken_off = sum(each["amount"] for each in invoice["total_discount_amounts"])
        assert sum(line["amount"] for line in invoice["lines"]["data"]) == invoice["subtotal"]
        assert invoice["subtotal"] - taken_off == invoice["total"]
        assert invoice["amount_paid"] + invoice["amount_remaining"] == invoice["amount_due"]
        assert (invoice["amount_remaining"] == 0) or invoice["status"] != "paid"
    charged = sum(made["amount"] for made in sandbox.store.all("charge") if made["paid"])
    assert charged == sum(invoice["amount_paid"] for invoice in sandbox.store.all("invoice"))
    taken = [item for item in sandbox.store.all("invoiceitem") if item["invoice"]]
    for item in taken:
        lines = sandbox.store.get("invoice", item["invoice"])["lines"]["data"]
        made_of = [line["parent"]["subscription_item_details"]["invoice_item"] for line in lines]
        assert made_of.count(item["id"]) == 1


def check_money_back(sandbox: Sandbox) -> None:
    """See that no more is given back than was taken, and that what a bank took stays away unless it was won back."""
    for made in sandbox.store.all("charge"):
        refunds = sandbox.store.having("refund", "charge", made["id"])
        given_back = sum(refund["amount"] for refund in refunds if refund["status"] not in _GIVEN_BACK)
        assert given_back == made["amount_refunded"] <= made["amount_captured"]
        assert made["refunded"] == (0 < made["amount_captured"] == given_back)
    for dispute in sandbox.store.all("dispute"):
        moved = sum(each["net"] for each in dispute["balance_transactions"])
        is_away = dispute["status"] != "won" and not dispute["status"].startswith("warning")
        assert moved == (-dispute["amount"] - 1500 if is_away else 0)


def check_discounts(sandbox: Sandbox) -> None:
    """See that each redemption was counted, that what is over takes nothing off, and what is for once does so once."""
    given = {discount["id"]: discount for discount in sandbox.store.all("discount")}
    for coupon in sandbox.store.all("coupon"):
        assert coupon["times_redeemed"] == sum(each["source"]["coupon"] == coupon["id"] for each in given.values())
    used: list[str] = []
    for invoice in sandbox.store.all("invoice"):
        for taken in invoice["total_discount_amounts"]:
            discount = given[taken["discount"]]
            assert discount["end"] is None or invoice["created"] < discount["end"]
            if taken["amount"] and discount["source"]["coupon"] == "ONCE":
                used.append(discount["id"])
    assert len(used) == len(set(used))


def check_periods(sandbox: Sandbox) -> None:
    for subscription in sandbox.store.all("subscription"):
        for item in subscription["items"]["data"]:
            assert item["current_period_start"] < item["current_period_end"]
            if subscription["status"] in ("active", "past_due", "unpaid", "trialing"):
                assert item["current_period_start"] <= sandbox.now() < item["current_period_end"]


def check_events(sandbox: Sandbox) -> None:
    """See that what has ended stays so, and that each object's last event tells how it stands."""
    last: dict[str, dict[str, Any]] = {}
    for event in reversed(sandbox.store.all("event")):
        told = event["data"]["object"]
        former = last.get(told.get("id", ""))
        if former and former["object"] == "subscription" and former["status"] in _ENDED:
            assert told["status"] == former["status"]
        last[told.get("id", "")] = told
    for kind in _TOLD:
        for obj in sandbox.store.all(kind):
            assert last[obj["id"]] == render(obj, API_VERSION, sandbox.store)


def check_schedules(sandbox: Sandbox) -> None:
    """See that a subscription and its schedule know of each other, and go on or have ended together."""
    for schedule in sandbox.store.all("subscription_schedule"):
        if schedule["status"] == "active":
            subscription = sandbox.store.get("subscription", schedule["subscription"])
            assert (subscription["schedule"], subscription["ended_at"]) == (schedule["id"], None)
            assert schedule["current_phase"]["start_date"] <= sandbox.now() < schedule["current_phase"]["end_date"]
    for subscription in sandbox.store.all("subscription"):
        if subscription["schedule"] and not subscription["ended_at"]:
            assert sandbox.store.get("subscription_schedule", subscription["schedule"])["status"] == "active"


def check_entitlements(sandbox: Sandbox) -> None:
    """See that the customer has the features of what it is subscribed to, and was told so."""
    store = sandbox.store
    wanted = {
        link["entitlement_feature"]
        for subscription in store.all("subscription")
        if subscription["status"] in ("active", "past_due", "paused", "trialing")
        for item in subscription["items"]["data"]
        for link in store.having(ATTACHED, "product", store.get("price", item["price"])["product"])
    }
    summaries = [event for event in store.all("event") if event["type"] == f"{SUMMARY}.updated"]
    told = summaries[0]["data"]["object"]["entitlements"]["data"] if summaries else []
    assert {entitlement["feature"] for entitlement in store.all(ACTIVE)} == wanted
    assert {entitlement["feature"] for entitlement in told} == wanted
