"""Lives of customers and their subscriptions, made by the sandbox itself: whatever the dice say is asked of its API."""

from random import Random  # noqa: TID251 - the dice of a test, which start from its seed
from typing import Any, Final
from urllib.parse import urlencode

import httpx

from app.sandbox.stripe.sandbox import Sandbox

DAY: Final = 86_400
WORKSPACES: Final = ("ws_1", "ws_2", "ws_3")
_MORE_THAN_A_PAGE: Final = 11
LOOKUP_KEY: Final = "pro_monthly"
_CARDS: Final = ("pm_card_visa", "pm_card_visa", "pm_card_chargeCustomerFail", "pm_card_authenticationRequired")
# What happens by itself (renewals, failing payments, ends of trials) needs time to pass and cards to change.
_STEPS: Final = (
    *(
        "wait",
        "wait",
        "wait",
        "wait",
        "card",
        "card",
        "subscribe",
        "subscribe",
        "quantity",
        "price_of_item",
        "add_item",
    ),
    *("cancel", "at_period_end", "undo", "pause", "resume", "end_trial", "extend_trial", "pay", "void", "backdate"),
    *("hold", "release", "customer", "move", "delete_customer", "product", "note"),
)


class Lives:
    """What happens at Stripe, one step at a time. What the sandbox refuses changes nothing."""

    def __init__(self, http: httpx.AsyncClient, sandbox: Sandbox, dice: Random) -> None:
        self._http = http
        self._sandbox = sandbox
        self._dice = dice
        self._prices: list[str] = []
        self._others: list[str] = []
        self.told: list[str] = []
        """What was done, for whoever must understand a failure."""

    async def begin(self) -> None:
        """Make what is sold, a customer of the first workspace, and its first subscription."""
        product = (await self._post("/v1/products", name="Pro"))["id"]
        for fields in ({"lookup_key": LOOKUP_KEY}, {}, {"recurring[interval]": "year"}):
            price = {"product": product, "currency": "usd", "unit_amount": "1000", "recurring[interval]": "month"}
            self._prices.append((await self._post("/v1/prices", **{**price, **fields}))["id"])
        await self._customer(WORKSPACES[0])
        await self._subscribe()

    async def step(self) -> None:
        """Take one at random."""
        await getattr(self, f"_{self._dice.choice(_STEPS)}")()

    async def wait(self, seconds: int) -> None:
        """Let time pass, and happen what becomes due in it."""
        await self._post("/_sandbox/clock", json={"by": seconds})

    async def _wait(self) -> None:
        await self.wait(self._dice.choice((1, 3600, DAY, 8 * DAY, 32 * DAY)))

    async def _customer(self, workspace: str | None = None) -> None:
        fields = {"name": "Ann", "metadata[workspace_id]": workspace or self._dice.choice(WORKSPACES)}
        if not workspace and self._dice.random() < 0.2:
            del fields["metadata[workspace_id]"]
        if self._dice.random() < 0.8:
            card = self._dice.choice(_CARDS)
            fields |= {"payment_method": card, "invoice_settings[default_payment_method]": card}
        await self._post("/v1/customers", **fields)

    async def _subscribe(self) -> None:
        customer = self._any("customer")
        if customer is None:
            return
        prices = self._dice.sample(self._prices[:2], self._dice.choice((1, 1, 2)))
        if self._dice.random() < 0.15:  # the one that decides about access comes last, on a page of its own
            prices = [*await self._many_prices(), *prices]
        fields = {f"items[{n}][price]": price for n, price in enumerate(prices)}
        if self._dice.random() < 0.3:
            fields["trial_period_days"] = str(self._dice.randint(1, 20))
        if self._dice.random() < 0.3:
            fields["metadata[workspace_id]"] = self._dice.choice(WORKSPACES)
        await self._post("/v1/subscriptions", customer=customer["id"], **fields)

    async def _many_prices(self) -> list[str]:
        while len(self._others) < _MORE_THAN_A_PAGE:
            self._others.append(await self._price())
        return self._others

    async def _price(self) -> str:
        product = self._sandbox.store.all("product")[0]["id"]
        fields = {"product": product, "currency": "usd", "unit_amount": "5", "recurring[interval]": "month"}
        return (await self._post("/v1/prices", **fields))["id"]

    async def _card(self) -> None:
        if customer := self._any("customer"):
            method = await self._post(
                f"/v1/payment_methods/{self._dice.choice(_CARDS)}/attach", customer=customer["id"]
            )
            if "id" in method:
                default = {"invoice_settings[default_payment_method]": method["id"]}
                await self._post(f"/v1/customers/{customer['id']}", **default)

    async def _move(self) -> None:
        if customer := self._any("customer"):
            moved = {"metadata[workspace_id]": self._dice.choice(WORKSPACES)}
            await self._post(f"/v1/customers/{customer['id']}", **moved)

    async def _delete_customer(self) -> None:
        if (customer := self._any("customer")) and self._dice.random() < 0.5:
            await self._send("DELETE", f"/v1/customers/{customer['id']}")

    async def _quantity(self) -> None:
        await self._item("items[0][quantity]", str(self._dice.randint(0, 9)))

    async def _price_of_item(self) -> None:
        await self._item("items[0][price]", self._dice.choice(self._prices))

    async def _item(self, field: str, value: str) -> None:
        if sub := self._any("subscription"):
            await self._change(sub, **{"items[0][id]": sub["items"]["data"][0]["id"], field: value})

    async def _add_item(self) -> None:
        if sub := self._any("subscription"):
            await self._change(sub, **{"items[0][price]": await self._price()})

    async def _cancel(self) -> None:
        if sub := self._any("subscription"):
            await self._send("DELETE", f"/v1/subscriptions/{sub['id']}")

    async def _at_period_end(self) -> None:
        await self._set(cancel_at_period_end="true")

    async def _undo(self) -> None:
        await self._set(cancel_at_period_end="false")

    async def _end_trial(self) -> None:
        await self._set(trial_end="now")

    async def _extend_trial(self) -> None:
        await self._set(trial_end=str(self._sandbox.now() + self._dice.randint(1, 20) * DAY))

    async def _hold(self) -> None:
        await self._set(**{"pause_collection[behavior]": self._dice.choice(("void", "keep_as_draft"))})

    async def _release(self) -> None:
        await self._set(pause_collection="")

    async def _note(self) -> None:
        await self._set(**{"metadata[note]": str(self._dice.random())})

    async def _pause(self) -> None:
        if sub := self._any("subscription"):
            await self._post(f"/v1/subscriptions/{sub['id']}/pause")

    async def _resume(self) -> None:
        if sub := self._any("subscription"):
            await self._post(f"/v1/subscriptions/{sub['id']}/resume")

    async def _pay(self) -> None:
        if invoice := self._any("invoice"):
            await self._post(f"/v1/invoices/{invoice['id']}/pay")

    async def _void(self) -> None:
        if invoice := self._any("invoice"):
            await self._post(f"/v1/invoices/{invoice['id']}/void")

    async def _product(self) -> None:
        if product := self._any("product"):
            await self._post(f"/v1/products/{product['id']}", name=f"Pro {self._dice.random()}")

    async def _backdate(self) -> None:
        """Change something whose event says that it happened long ago."""
        obj = self._any(self._dice.choice(("customer", "subscription")))
        if obj and obj.get("status") not in ("canceled", "incomplete_expired"):
            created = self._sandbox.now() - self._dice.choice((1, 600, 3 * DAY))
            change = {"set": {"metadata.note": str(self._dice.random())}, "created": created}
            await self._post(f"/_sandbox/objects/{obj['id']}", json=change)

    async def _set(self, **fields: str) -> None:
        if sub := self._any("subscription"):
            await self._change(sub, **fields)

    async def _change(self, sub: dict[str, Any], **fields: str) -> None:
        await self._post(f"/v1/subscriptions/{sub['id']}", **fields)

    def _any(self, kind: str) -> dict[str, Any] | None:
        found = self._sandbox.store.all(kind)
        return self._dice.choice(found) if found else None

    async def _post(self, path: str, json: dict[str, Any] | None = None, **form: str) -> dict[str, Any]:
        return await self._send("POST", path, json=json, content=None if json else urlencode(form))

    async def _send(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        answer = await self._http.request(method, path, **request)
        assert answer.status_code in (200, 400, 402, 404), answer.text
        self.told.append(f"{self._sandbox.now()} {method} {path} {request} -> {answer.status_code}")
        return answer.json()
