"""Whatever is done to subscriptions and however the clock is advanced, the books balance and every change is told."""

import asyncio
from typing import Any

import httpx
from hypothesis import given, settings
from hypothesis import strategies as st
from sandbox.stripe_account import Account, Clock

from app.sandbox.stripe.application import make_application
from app.sandbox.stripe.render import render
from app.sandbox.stripe.sandbox import API_VERSION, Config, Sandbox

_DAY = 86_400
_TOLD = ("subscription", "invoice", "payment_intent", "charge")
_CARDS = ("pm_card_visa", "pm_card_chargeCustomerFail", "pm_card_authenticationRequired")
_ENDED = ("canceled", "incomplete_expired")

Step = tuple[str, int]
# Time passes and cards change more often than the rest, for most of what happens, happens by itself.
_STEPS = (
    *("wait", "wait", "wait", "card", "card", "create", "quantity", "at_once", "price", "trial", "end_trial", "pay"),
    *("cancel", "at_period_end", "pause", "resume", "hold", "release", "void"),
)
steps = st.lists(st.tuples(st.sampled_from(_STEPS), st.integers(0, 40)), min_size=10, max_size=30)


class History:
    """One customer's life in a sandbox of its own; steps that Stripe would refuse are refused and change nothing."""

    def __init__(self, account: Account, customer: str, prices: list[str]) -> None:
        self.account = account
        self.customer = customer
        self.prices = prices

    async def take(self, step: str, number: int) -> None:
        store = self.account.sandbox.store
        subs, invoices = store.all("subscription"), store.all("invoice")
        path = f"/v1/subscriptions/{subs[number % len(subs)]['id']}" if subs else ""
        item = subs[number % len(subs)]["items"]["data"][0]["id"] if subs else ""
        invoice = f"/v1/invoices/{invoices[number % len(invoices)]['id']}" if invoices else ""
        price = self.prices[number % len(self.prices)]
        match step:
            case "wait":
                await self.account.control("clock", {"by": number * _DAY + number * 977})
            case "create":
                trial = {"trial_period_days": number} if number % 3 == 1 else {}
                await self._post("/v1/subscriptions", {"customer": self.customer, "items[0][price]": price, **trial})
            case "card":
                await self._post(f"/v1/payment_methods/{_CARDS[number % 3]}/attach", {"customer": self.customer})
                method = store.having("payment_method", "customer", self.customer)[0]["id"]
                card = {"invoice_settings[default_payment_method]": method}
                await self._post(f"/v1/customers/{self.customer}", card)
            case "cancel" if path:
                ending = {"prorate": "true", "invoice_now": "true"} if number % 2 else {}
                await self.account.http.delete(path, params=ending)
            case "pay" | "void" if invoice:
                await self._post(f"{invoice}/{step}", {})
            case "pause" | "resume" if path:
                await self._post(f"{path}/{step}", {})
            case _ if path:
                await self._post(path, self._change(step, number, item, price))
            case _:
                pass

    def _change(self, step: str, number: int, item: str, price: str) -> dict[str, Any]:
        of_item = {"items[0][id]": item}
        return {
            "quantity": {**of_item, "items[0][quantity]": number},
            "at_once": {**of_item, "items[0][quantity]": number, "proration_behavior": "always_invoice"},
            "price": {**of_item, "items[0][price]": price},
            "trial": {"trial_end": self.account.sandbox.now() + (number + 1) * _DAY},
            "end_trial": {"trial_end": "now"},
            "at_period_end": {"cancel_at_period_end": str(number % 2 == 0).lower()},
            "hold": {"pause_collection[behavior]": ("void", "keep_as_draft", "mark_uncollectible")[number % 3]},
            "release": {"pause_collection": ""},
        }[step]

    async def _post(self, path: str, form: dict[str, Any]) -> None:
        response = await self.account.http.post(path, data=form)
        assert response.status_code in (200, 400, 402, 404), response.text


async def live(history: list[Step]) -> Sandbox:
    sandbox = Sandbox(Config(), now=Clock())
    transport = httpx.ASGITransport(make_application(sandbox))
    key = {"Authorization": "Bearer sk_test_sandbox"}
    async with httpx.AsyncClient(transport=transport, base_url="http://sandbox", headers=key) as http:
        account = Account(http, sandbox, Clock())
        prices = [await account.price(unit_amount=amount) for amount in (1000, 0, 3333)]
        prices.append(await account.price(unit_amount=9999, **{"recurring[interval]": "year"}))
        customer = await account.post("/v1/customers")
        life = History(account, customer["id"], [price["id"] for price in prices])
        for step, number in (("create", 0), ("create", 1), *history):
            await life.take(step, number)
        await life.take("wait", 40)
    return sandbox


@settings(max_examples=50, deadline=None)
@given(steps)
def test_any_history_keeps_the_laws(history: list[Step]) -> None:
    sandbox = asyncio.run(live(history))

    check_money(sandbox)
    check_periods(sandbox)
    check_events(sandbox)


def check_money(sandbox: Sandbox) -> None:
    for invoice in sandbox.store.all("invoice"):
        assert sum(line["amount"] for line in invoice["lines"]["data"]) == invoice["total"]
        assert invoice["amount_paid"] + invoice["amount_remaining"] == invoice["amount_due"]
        assert (invoice["amount_remaining"] == 0) or invoice["status"] != "paid"
    charged = sum(made["amount"] for made in sandbox.store.all("charge") if made["paid"])
    assert charged == sum(invoice["amount_paid"] for invoice in sandbox.store.all("invoice"))
    taken = [item for item in sandbox.store.all("invoiceitem") if item["invoice"]]
    for item in taken:
        lines = sandbox.store.get("invoice", item["invoice"])["lines"]["data"]
        made_of = [line["parent"]["subscription_item_details"]["invoice_item"] for line in lines]
        assert made_of.count(item["id"]) == 1


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
