"""A Stripe account in the sandbox, driven over HTTP as a person would, and events signed by hand."""

import hashlib
import hmac
import json
import time
from typing import Any

import httpx
from support.service import Service

from app.sandbox.process import StripeSandboxProcess

SECRET = "whsec_flows"
KEY = "sk_test_sandbox"


class Account:
    """Customers, prices and subscriptions in the sandbox. Nothing is delivered unless asked for."""

    def __init__(self, url: str) -> None:
        self.prices: dict[str, str] = {}
        self.http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {KEY}"}, timeout=30)

    def create(self, path: str, **fields: Any) -> dict[str, Any]:
        answer = self.http.post(f"/v1/{path}", data=fields)
        assert answer.status_code == httpx.codes.OK, answer.text
        return answer.json()

    def price(self, lookup_key: str = "pro_monthly") -> str:
        """Return the price with this lookup key; it is made when it is first asked for."""
        if lookup_key in self.prices:
            return self.prices[lookup_key]
        product = self.create("products", name="Pro")
        fields = {"recurring[interval]": "month", "lookup_key": lookup_key}
        made = self.create("prices", product=product["id"], currency="usd", unit_amount=1000, **fields)
        self.prices[lookup_key] = made["id"]
        return made["id"]

    def subscribe(self, price: str, workspace: str) -> str:
        customer = self.create("customers", **{"metadata[workspace_id]": workspace})
        fields = {"customer": customer["id"], "items[0][price]": price, "metadata[workspace_id]": workspace}
        return self.create("subscriptions", **fields)["id"]

    def change(self, id: str, changes: dict[str, Any], **options: Any) -> dict[str, Any]:
        """Set fields as only Stripe could, and return the event."""
        answer = self.http.post(f"/_sandbox/objects/{id}", json={"set": changes, **options})
        assert answer.status_code == httpx.codes.OK, answer.text
        return answer.json()

    def events(self) -> list[dict[str, Any]]:
        """Return every event, the oldest first."""
        found: list[dict[str, Any]] = []
        more = True
        while more:
            after = {"starting_after": found[-1]["id"]} if found else {}
            page = self.http.get("/v1/events", params={"limit": 100, **after}).json()
            found += page["data"]
            more = page["has_more"]
        return found[::-1]


def signed(event: Any, *, secret: str = SECRET, at: int | None = None) -> tuple[bytes, dict[str, str]]:
    """Return body and headers as Stripe would send them; `event` may be anything, or bytes as they are."""
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    at = int(time.time()) if at is None else at  # noqa: TID251 - Stripe signs with the time of day
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return body, {"Stripe-Signature": f"t={at},v1={digest}", "Content-Type": "application/json"}


async def deliver(client: httpx.AsyncClient, service: Service, event: Any, **options: Any) -> int:
    """Post an event to the webhook and return the status."""
    body, headers = signed(event, **options)
    return (await client.post(f"{service.url}/webhooks/stripe", content=body, headers=headers)).status_code


def stripe_settings(sandbox: StripeSandboxProcess) -> dict[str, str]:
    """Return the environment of a service that reads the sandbox's API."""
    return {
        "STRIPE_SECRET_KEY": KEY,
        "STRIPE_WEBHOOK_SECRET": f"whsec_old,{SECRET}",
        "STRIPE_API_BASE": sandbox.url,
        "STRIPE_RATE_PER_S": "1000",
        "STRIPE_ENDPOINT_RATE_PER_S": "1000",
    }
