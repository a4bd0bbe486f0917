"""The billing portal of a customer in the sandbox, and a person at its pages."""

from typing import Any
from urllib.parse import urlsplit

import httpx
from sandbox.stripe_account import Account

RETURN = "https://shop.test/account"
CANCEL = "features[subscription_cancel]"
UPDATE = "features[subscription_update]"


class Portal:
    """A customer with one subscription, and the portal's pages for it."""

    def __init__(self, account: Account, session: dict[str, Any], subscription: dict[str, Any]) -> None:
        self.account = account
        self.session = session
        self.id: str = subscription["id"]

    async def look(self, *parts: str) -> httpx.Response:
        return await self.account.http.get(self._path(parts), follow_redirects=False)

    async def send(self, *parts: str, **fields: str) -> httpx.Response:
        """Send a form as a browser without an API key does; the answer may lead elsewhere."""
        return await self.account.http.post(self._path(parts), data=fields, headers={"Authorization": ""})

    async def subscription(self) -> Any:
        return await self.account.get(f"/v1/subscriptions/{self.id}")

    def of_subscription(self, action: str) -> tuple[str, str, str]:
        return "subscriptions", self.id, action

    def _path(self, parts: tuple[str, ...]) -> str:
        return "/".join((urlsplit(self.session["url"]).path, *parts))


async def configuration(account: Account, form: dict[str, Any]) -> str:
    return (await account.post("/v1/billing_portal/configurations", form))["id"]


async def open_portal(account: Account, form: dict[str, Any] | None = None, *, card: str = "visa") -> Portal:
    """Open the portal of a new customer with a subscription, by default as the account's default has it."""
    customer = await account.customer_with(f"pm_card_{card}")
    subscription = await account.subscription({"customer": customer})
    return await portal_of(account, subscription, form)


async def portal_of(account: Account, subscription: dict[str, Any], form: dict[str, Any] | None = None) -> Portal:
    wanted = {"customer": subscription["customer"], "return_url": RETURN, **(form or {})}
    return Portal(account, await account.post("/v1/billing_portal/sessions", wanted), subscription)


async def offering(account: Account, subscription: dict[str, Any], form: dict[str, Any]) -> tuple[str, str]:
    """Return a configuration that offers another price of the subscription's product, and that price."""
    old = subscription["items"]["data"][0]["price"]
    new = (await account.price(product=old["product"], unit_amount=3000, nickname="Big"))["id"]
    products = f"{UPDATE}[products][0]"
    offered = {
        f"{UPDATE}[enabled]": "true",
        f"{UPDATE}[default_allowed_updates][0]": "price",
        f"{products}[product]": old["product"],
        f"{products}[prices][0]": old["id"],
        f"{products}[prices][1]": new,
    }
    return await configuration(account, {**offered, **form}), new
