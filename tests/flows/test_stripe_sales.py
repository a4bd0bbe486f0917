"""What a person buys on the sandbox's pages, in the service's answers: Stripe's own webhooks carry it."""

from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from support.service import Api, Service, api, eventually_equal, make_workspace
from support.stripe_account import SECRET, Account

SHOP = {"success_url": "https://shop.test/done", "cancel_url": "https://shop.test/cart"}


@pytest.fixture(scope="module")
def hooked(with_stripe: Service, account: Account) -> Service:
    """Let the sandbox deliver to the service."""
    hook = {"url": f"{with_stripe.url}/webhooks/stripe", "secret": SECRET}
    assert account.http.post("/_sandbox/webhook", json=hook).status_code == httpx.codes.OK
    return with_stripe


def open_checkout(account: Account, price: str, workspace: str, **fields: Any) -> dict[str, Any]:
    line = {"line_items[0][price]": price, "line_items[0][quantity]": fields.pop("quantity", 1)}
    return account.create("checkout/sessions", **SHOP, **line, client_reference_id=workspace, **fields)


def pay(account: Account, session: dict[str, Any], means: str = "visa") -> None:
    path = urlsplit(session["url"]).path
    sent = {"means": means, "email": "ann@example.com", "name": "Ann"}
    assert account.http.post(path, data=sent).status_code == httpx.codes.SEE_OTHER


async def make_pack(client: Api) -> None:
    feature = {"key": "credits", "name": "Credits", "type": "CREDIT"}
    await client.mutate("createFeature", "... on FeaturePayload { feature { id } }", **feature)
    rows = [{"featureKey": "credits", "limit": "100"}]
    prices = [{"lookupKey": "pack"}]
    await client.mutate(
        "createAddOn", "... on AddOnPayload { addOn { key } }", key="pack", name="Pack", features=rows, prices=prices
    )


def one_time_price(account: Account) -> str:
    product = account.create("products", name="Credits")
    made = account.create("prices", product=product["id"], currency="usd", unit_amount=500, lookup_key="pack")
    return made["id"]


async def test_credits_are_bought_and_spent(hooked: Service, account: Account, name: str) -> None:
    async with api(hooked) as client:
        await make_pack(client)
        await make_workspace(client, name)
        session = open_checkout(account, one_time_price(account), name, mode="payment", quantity=2)

        async def limit() -> str | None:
            usage = (await client.check(name, "credits"))["usage"]
            return usage["limit"] if usage else None

        pay(account, session)
        await eventually_equal(limit, "200")
        line = [{"featureKey": "credits", "amount": "150"}]
        await client.mutate("consume", "... on ConsumePayload { replayed }", workspaceId=name, lines=line)

        assert (await client.check(name, "credits"))["usage"]["remaining"] == "50"


async def test_a_checkout_opens_what_its_plan_has(hooked: Service, account: Account, name: str) -> None:
    async with api(hooked) as client:
        await make_workspace(client, name)
        session = open_checkout(account, account.price(), name, mode="subscription")

        async def access() -> bool:
            return (await client.check(name, "sso"))["hasAccess"]

        assert not await access()
        pay(account, session)
        await eventually_equal(access, expected=True)


async def test_an_entitlement_of_stripe_opens_the_feature_of_its_key(
    hooked: Service, account: Account, name: str
) -> None:
    async with api(hooked) as client:
        feature = {"key": "audit_trail", "name": "Audit trail", "type": "BOOLEAN"}
        await client.mutate("createFeature", "... on FeaturePayload { feature { id } }", **feature)
        await make_workspace(client, name)
        made = account.create("entitlements/features", lookup_key="audit_trail", name="Audit trail")
        product = account.create("products", name="Audited")
        account.create(f"products/{product['id']}/features", entitlement_feature=made["id"])
        recurring = {"recurring[interval]": "month"}
        price = account.create("prices", product=product["id"], currency="usd", unit_amount=900, **recurring)

        async def access() -> bool:
            return (await client.check(name, "audit_trail"))["hasAccess"]

        sub = account.subscribe(price["id"], name)
        await eventually_equal(access, expected=True)
        assert account.http.delete(f"/v1/subscriptions/{sub}").status_code == httpx.codes.OK
        await eventually_equal(access, expected=False)
