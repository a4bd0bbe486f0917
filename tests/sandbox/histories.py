"""Lives of subscriptions in the sandbox, made of steps that a strategy chooses."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from hypothesis import strategies as st
from sandbox.stripe_account import Account, Clock, account_of

_DAY = 86_400
_CARDS = ("pm_card_visa", "pm_card_chargeCustomerFail", "pm_card_authenticationRequired")

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


@asynccontextmanager
async def lived(history: list[Step]) -> AsyncGenerator[Account]:
    """Give the account after the history, and after what it leaves to happen."""
    async with account_of(Clock()) as account:
        prices = [await account.price(unit_amount=amount) for amount in (1000, 0, 3333)]
        prices.append(await account.price(unit_amount=9999, **{"recurring[interval]": "year"}))
        customer = await account.post("/v1/customers")
        life = History(account, customer["id"], [price["id"] for price in prices])
        for step, number in (("create", 0), ("create", 1), *history):
            await life.take(step, number)
        await life.take("wait", 40)
        yield account
