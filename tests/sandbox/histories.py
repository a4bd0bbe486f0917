"""Lives of subscriptions in the sandbox, made of steps that a strategy chooses."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from hypothesis import strategies as st
from sandbox.stripe_account import Account, Clock, account_of

_DAY = 86_400
_IF_PAID = {"payment_behavior": "pending_if_incomplete"}
_CARDS = ("pm_card_visa", "pm_card_chargeCustomerFail", "pm_card_authenticationRequired")
_COUPONS = (
    {"id": "LASTING", "percent_off": "12.5", "duration": "forever"},
    {"id": "ONCE", "amount_off": 700, "currency": "usd"},
    {"id": "BRIEF", "percent_off": 30, "duration": "repeating", "duration_in_months": 2},
)
_OF_PAYMENTS = ("authenticate", "confirm")
_OF_MONEY = ("use", "refund", "fail_refund", "dispute", *_OF_PAYMENTS)

Step = tuple[str, int]
# Time passes and cards change more often than the rest, for most of what happens, happens by itself.
_STEPS = (
    *("wait", "wait", "wait", "card", "card", "create", "quantity", "at_once", "price", "trial", "end_trial", "pay"),
    *("cancel", "at_period_end", "pause", "resume", "hold", "release", "void", "discount", "item_discount", "use"),
    *_OF_MONEY,
    *("if_paid", "yearly_if_paid", "schedule", "schedule"),
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
            case "schedule" if path:
                await self._schedule(path, number)
            case _ if path:
                await self._alter(path, self._change(step, number, item, price))

    async def _alter(self, path: str, change: dict[str, Any] | str) -> None:
        """Change a subscription: by its fields, or by a word that has a path of its own."""
        await (self._post(f"{path}/{change}", {}) if isinstance(change, str) else self._post(path, change))

    async def _schedule(self, about: str, number: int) -> None:
        """Let the subscription have another price later, and perhaps end after that; or leave its schedule."""
        path, store, subscription = "/v1/subscription_schedules", self.account.sandbox.store, about.rpartition("/")[2]
        known = store.get("subscription", subscription)["schedule"]
        if known and number % 4 == 0:
            await self._post(f"{path}/{known}/release", {})
            return
        await self._post(path, {"from_subscription": subscription})
        known = store.get("subscription", subscription)["schedule"]
        if known is None:
            return
        now = store.get("subscription_schedule", known)["phases"][0]
        form = {
            "end_behavior": ("release", "cancel")[number % 2],
            "phases[0][items][0][price]": now["items"][0]["price"],
            "phases[0][start_date]": now["start_date"],
            "phases[0][end_date]": now["end_date"] + number * 3_600,
            "phases[1][items][0][price]": self.prices[number % len(self.prices)],
            "phases[1][proration_behavior]": ("create_prorations", "always_invoice", "none")[number % 3],
        }
        await self._post(f"{path}/{known}", form)

    async def move_money(self, step: str, number: int) -> None:
        kind = "refund" if step == "fail_refund" else "payment_intent" if step in _OF_PAYMENTS else "charge"
        known = self.account.sandbox.store.all(kind)
        about = known[number % len(known)]["id"] if known else "none"
        match step:
            case "use":
                payload = {"payload[stripe_customer_id]": self.customer, "payload[value]": number}
                await self._post("/v1/billing/meter_events", {"event_name": "calls", **payload})
            case "refund":
                amount = {"amount": number * 40 + 1} if number % 3 else {}
                await self._post("/v1/refunds", {"charge": about, **amount})
            case "fail_refund":
                await self._control(f"refunds/{about}", {"status": "failed"})
            case "dispute":
                outcome = ("won", "lost", "warning", None)[number % 4]
                await self._control(f"charges/{about}/dispute", {"outcome": outcome})
            case "confirm":
                await self._post(f"/v1/payment_intents/{about}/confirm", {"payment_method": _CARDS[number % 3]})
            case _:
                outcome = ("succeeded", "failed")[number % 2]
                await self._control(f"payment_intents/{about}/authenticate", {"outcome": outcome})

    def _change(self, step: str, number: int, item: str, price: str) -> dict[str, Any] | str:
        of_item = {"items[0][id]": item}
        return {
            "quantity": {**of_item, "items[0][quantity]": number},
            "at_once": {**of_item, "items[0][quantity]": number, "proration_behavior": "always_invoice"},
            "if_paid": {**of_item, "items[0][quantity]": number, "proration_behavior": "always_invoice", **_IF_PAID},
            "yearly_if_paid": {**of_item, "items[0][price]": self.prices[3], **_IF_PAID},
            "price": {**of_item, "items[0][price]": price},
            "discount": {"discounts[0][coupon]": _COUPONS[number % 3]["id"]} if number % 4 else {"discounts": ""},
            "item_discount": {**of_item, "items[0][discounts][0][coupon]": _COUPONS[number % 3]["id"]},
            "trial": {"trial_end": self.account.sandbox.now() + (number + 1) * _DAY},
            "end_trial": {"trial_end": "now"},
            "at_period_end": {"cancel_at_period_end": str(number % 2 == 0).lower()},
            "hold": {"pause_collection[behavior]": ("void", "keep_as_draft", "mark_uncollectible")[number % 3]},
            "release": {"pause_collection": ""},
            "pause": "pause",
            "resume": "resume",
        }[step]

    async def _post(self, path: str, form: dict[str, Any]) -> None:
        response = await self.account.http.post(path, data=form)
        assert response.status_code in (200, 400, 402, 404), response.text

    async def _control(self, path: str, body: dict[str, Any]) -> None:
        response = await self.account.http.post(f"/_sandbox/{path}", json=body)
        assert response.status_code in (200, 400, 404), response.text


@asynccontextmanager
async def lived(history: list[Step]) -> AsyncGenerator[Account]:
    """Give the account after the history, and after what it leaves to happen."""
    async with account_of(Clock()) as account:
        prices = [await account.price(unit_amount=amount) for amount in (1000, 0, 3333)]
        prices.append(await account.price(unit_amount=9999, **{"recurring[interval]": "year"}))
        prices.append(await _metered_price(account))
        for coupon in _COUPONS:
            await account.post("/v1/coupons", coupon)
        for number, price in enumerate(prices):
            form = {"lookup_key": f"f{number}", "name": f"Feature {number}"}
            feature = await account.post("/v1/entitlements/features", form)
            await account.post(f"/v1/products/{price['product']}/features", {"entitlement_feature": feature["id"]})
        customer = await account.post("/v1/customers")
        life = History(account, customer["id"], [price["id"] for price in prices])
        for step, number in (("create", 0), ("create", 1), *history):
            await (life.move_money if step in _OF_MONEY else life.take)(step, number)
        await life.take("wait", 40)
        yield account


async def _metered_price(account: Account) -> Any:
    counts = {"display_name": "Calls", "event_name": "calls", "default_aggregation[formula]": "sum"}
    meter = (await account.post("/v1/billing/meters", counts))["id"]
    return await account.price(unit_amount=7, **{"recurring[usage_type]": "metered", "recurring[meter]": meter})
