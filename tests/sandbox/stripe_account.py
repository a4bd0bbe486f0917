"""Speaking to a sandbox as a caller with an API key does."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import httpx
import stripe

from app.sandbox.stripe.application import make_application
from app.sandbox.stripe.sandbox import Config, Sandbox

_START = 1_800_000_000


class Clock:
    def __init__(self) -> None:
        self.at = _START

    def __call__(self) -> int:
        return self.at


class InProcess(stripe.HTTPClient):
    """Carries the SDK's requests to a sandbox in this process."""

    name = "in process"

    def __init__(self, http: httpx.AsyncClient) -> None:
        super().__init__()  # pyright: ignore[reportUnknownMemberType] - the SDK types it in part
        self._http = http

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        response = await self._http.request(method, url, headers=headers, content=post_data)
        return response.content, response.status_code, response.headers

    async def close_async(self) -> None:
        """Leave the connection to whom it belongs."""


class Account:
    """Speaks to the sandbox as a caller with an API key does; fails the test on an error unless told the status."""

    def __init__(self, http: httpx.AsyncClient, sandbox: Sandbox, clock: Clock) -> None:
        self.http = http
        self.sandbox = sandbox
        self.clock = clock
        self.sdk = stripe.StripeClient(
            "sk_test_sandbox", http_client=InProcess(http), base_addresses={"api": "http://sandbox"}
        )

    async def get(self, path: str, params: dict[str, Any] | None = None, *, status: int = 200, **headers: str) -> Any:
        return self._body(await self.http.get(path, params=params, headers=headers), status)

    async def post(self, path: str, form: dict[str, Any] | None = None, *, status: int = 200, **headers: str) -> Any:
        content = urlencode(form or {})
        return self._body(await self.http.post(path, content=content, headers=headers), status)

    async def delete(self, path: str, params: dict[str, Any] | None = None, *, status: int = 200) -> Any:
        return self._body(await self.http.delete(path, params=params), status)

    async def control(self, path: str, body: dict[str, Any], *, status: int = 200) -> Any:
        return self._body(await self.http.post(f"/_sandbox/{path}", json=body), status)

    async def event_types(self) -> list[str]:
        """Return the types of all events, oldest first."""
        return [event["type"] for event in (await self.get("/v1/events", {"limit": 100}))["data"]][::-1]

    async def price(self, **form: Any) -> Any:
        if "product" not in form:
            form["product"] = (await self.post("/v1/products", {"name": "Pro"}))["id"]
        defaults = {"currency": "usd", "unit_amount": 1000, "recurring[interval]": "month"}
        return await self.post("/v1/prices", {**defaults, **form})

    async def subscription(self, form: dict[str, Any] | None = None) -> Any:
        customer = (await self.post("/v1/customers", {"name": "Ann"}))["id"]
        price = (await self.price())["id"]
        return await self.post("/v1/subscriptions", {"customer": customer, "items[0][price]": price, **(form or {})})

    async def customer_with(self, card: str) -> str:
        """Return the id of a customer whose default is a card of this kind."""
        form = {"payment_method": card, "invoice_settings[default_payment_method]": card}
        return (await self.post("/v1/customers", form))["id"]

    async def charge_of(self, card: str = "pm_card_visa") -> str:
        """Return the id of a charge of 10.00 to a new card of this kind, for a subscription's first invoice."""
        await self.subscription({"customer": await self.customer_with(card)})
        return (await self.get("/v1/charges", {"limit": 1}))["data"][0]["id"]

    async def fail_card_of(self, customer: str) -> None:
        """Make the customer's card one that fails when it is charged, from now on."""
        method = (await self.get("/v1/payment_methods", {"customer": customer}))["data"][0]["id"]
        await self.control(f"objects/{method}", {"set": {"card.last4": "0341"}})

    async def current(self, subscription: dict[str, Any]) -> Any:
        """Return how the subscription stands, with its latest invoice."""
        return await self.get(f"/v1/subscriptions/{subscription['id']}", {"expand[]": "latest_invoice"})

    async def change(self, subscription: dict[str, Any], form: dict[str, Any], *, status: int = 200) -> Any:
        """Change the subscription and its first item, and return it with its latest invoice."""
        item = {"items[0][id]": subscription["items"]["data"][0]["id"], "expand[]": "latest_invoice"}
        return await self.post(f"/v1/subscriptions/{subscription['id']}", {**item, **form}, status=status)

    async def pending_amounts(self) -> list[int]:
        """Return the amounts that wait for an invoice, oldest first."""
        return [item["amount"] for item in (await self.get("/v1/invoiceitems", {"pending": "true"}))["data"]][::-1]

    @staticmethod
    def _body(response: httpx.Response, status: int) -> Any:
        assert response.status_code == status, response.text
        return response.json()


def line_amounts(invoice: dict[str, Any]) -> list[int]:
    return [line["amount"] for line in invoice["lines"]["data"]]


@asynccontextmanager
async def account_of(clock: Clock) -> AsyncGenerator[Account]:
    """Give a sandbox in this process, over ASGI, with a clock that stands still until a test moves it."""
    sandbox = Sandbox(Config(), now=clock)
    transport = httpx.ASGITransport(make_application(sandbox))
    key = {"Authorization": "Bearer sk_test_sandbox"}
    async with httpx.AsyncClient(transport=transport, base_url="http://sandbox", headers=key) as http:
        yield Account(http, sandbox, clock)
