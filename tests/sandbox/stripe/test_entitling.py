"""What a customer is entitled to at Stripe, and the event that tells of it."""

from typing import Any

import pytest
import stripe
from sandbox.stripe_account import Account

_DAY = 86_400
_SUMMARY = "entitlements.active_entitlement_summary.updated"
_ENTITLEMENTS = "/v1/entitlements/active_entitlements"


async def product_with(account: Account, *lookup_keys: str) -> str:
    product: str = (await account.post("/v1/products", {"name": "Pro"}))["id"]
    for key in lookup_keys:
        await attach(account, product, key)
    return product


async def attach(account: Account, product: str, key: str) -> Any:
    """Attach the feature of this lookup key, a new one unless there is one."""
    known = (await account.get("/v1/entitlements/features", {"lookup_key": key}))["data"]
    feature = known[0] if known else await account.post("/v1/entitlements/features", {"lookup_key": key, "name": key})
    return await account.post(f"/v1/products/{product}/features", {"entitlement_feature": feature["id"]})


async def subscribe(account: Account, product: str, customer: str | None = None, **form: Any) -> Any:
    price = (await account.price(product=product))["id"]
    owner = {"customer": customer} if customer else {}
    return await account.subscription({"items[0][price]": price, **owner, **form})


async def keys_of(account: Account, customer: str) -> set[str]:
    page = await account.get(_ENTITLEMENTS, {"customer": customer, "limit": 100})
    return {entitlement["lookup_key"] for entitlement in page["data"]}


async def summaries(account: Account) -> list[Any]:
    """Return what the summary events tell, oldest first."""
    return [event["data"] for event in (await account.get("/v1/events", {"type": _SUMMARY}))["data"]][::-1]


def told_keys(entitlements: Any) -> set[str]:
    return {entitlement["lookup_key"] for entitlement in entitlements["data"]}


async def test_a_subscription_entitles_to_the_features_of_its_products(account: Account) -> None:
    subscription = await subscribe(account, await product_with(account, "sso", "audit"))

    assert await keys_of(account, subscription["customer"]) == {"sso", "audit"}
    (told,) = await summaries(account)
    assert told["object"]["customer"] == subscription["customer"]
    assert told_keys(told["object"]["entitlements"]) == {"sso", "audit"}
    assert told["previous_attributes"] == {"entitlements": {"data": []}}


async def test_the_sdk_reads_entitlements_page_by_page(account: Account, sdk: stripe.StripeClient) -> None:
    subscription = await subscribe(account, await product_with(account, *(f"f{number}" for number in range(12))))
    service = sdk.v1.entitlements.active_entitlements

    page = await service.list_async({"customer": subscription["customer"], "limit": 5, "expand": ["data.feature"]})
    every = [entitlement async for entitlement in page.auto_paging_iter()]

    assert len({entitlement.id for entitlement in every}) == 12
    first = every[0]
    assert isinstance(first, stripe.entitlements.ActiveEntitlement)
    assert isinstance(first.feature, stripe.entitlements.Feature)
    assert first.feature.lookup_key == first.lookup_key
    found = await service.retrieve_async(first.id)
    assert (found.lookup_key, found.feature) == (first.lookup_key, first.feature.id)


async def test_the_summary_holds_the_first_page(account: Account) -> None:
    await subscribe(account, await product_with(account, *(f"f{number}" for number in range(12))))

    (told,) = await summaries(account)

    entitlements = told["object"]["entitlements"]
    assert (len(entitlements["data"]), entitlements["has_more"]) == (10, True)


@pytest.mark.parametrize(
    ("status", "left"),
    [
        ("trialing", "sso"),
        ("past_due", "sso"),
        ("paused", "sso"),
        ("unpaid", ""),
        ("canceled", ""),
        ("incomplete_expired", ""),
    ],
)
async def test_the_status_decides(account: Account, status: str, left: str) -> None:
    subscription = await subscribe(account, await product_with(account, "sso"))

    await account.control(f"objects/{subscription['id']}", {"set": {"status": status}})

    assert await keys_of(account, subscription["customer"]) == set(left.split())
    assert len(await summaries(account)) == (1 if left else 2)


async def test_an_unpaid_beginning_entitles_to_nothing_until_it_is_paid(account: Account) -> None:
    product = await product_with(account, "sso")
    subscription = await subscribe(account, product, payment_behavior="default_incomplete")
    assert await keys_of(account, subscription["customer"]) == set()
    assert await summaries(account) == []

    await account.post(f"/v1/invoices/{subscription['latest_invoice']}/pay")

    assert await keys_of(account, subscription["customer"]) == {"sso"}


async def test_another_product_brings_other_features(account: Account) -> None:
    subscription = await subscribe(account, await product_with(account, "sso", "audit"))
    other = (await account.price(product=await product_with(account, "sso", "export")))["id"]

    await account.change(subscription, {"items[0][price]": other})

    assert await keys_of(account, subscription["customer"]) == {"sso", "export"}
    told = (await summaries(account))[-1]
    assert told_keys(told["object"]["entitlements"]) == {"sso", "export"}
    assert told_keys(told["previous_attributes"]["entitlements"]) == {"sso", "audit"}


async def test_what_two_subscriptions_give_is_kept_until_both_have_ended(account: Account) -> None:
    product = await product_with(account, "sso")
    first = await subscribe(account, product)
    second = await subscribe(account, product, first["customer"])
    assert len(await summaries(account)) == 1

    await account.delete(f"/v1/subscriptions/{first['id']}")
    assert await keys_of(account, first["customer"]) == {"sso"}
    await account.delete(f"/v1/subscriptions/{second['id']}")

    assert await keys_of(account, first["customer"]) == set()
    assert (await summaries(account))[-1]["object"]["entitlements"]["data"] == []


async def test_what_is_attached_or_detached_counts_from_the_next_period_on(account: Account) -> None:
    product = await product_with(account, "sso")
    (link,) = (await account.get(f"/v1/products/{product}/features"))["data"]
    subscription = await subscribe(account, product)

    await attach(account, product, "audit")
    await account.delete(f"/v1/products/{product}/features/{link['id']}")
    await account.post(f"/v1/subscriptions/{subscription['id']}", {"description": "the same products"})
    assert await keys_of(account, subscription["customer"]) == {"sso"}
    await account.control("clock", {"by": 32 * _DAY})

    assert await keys_of(account, subscription["customer"]) == {"audit"}
    (told,) = await summaries(account)  # the first is too long ago
    assert told_keys(told["previous_attributes"]["entitlements"]) == {"sso"}


async def test_an_attached_feature_is_read_and_detached_by_the_sdk(account: Account, sdk: stripe.StripeClient) -> None:
    product = await product_with(account, "sso")
    (link,) = (await account.get(f"/v1/products/{product}/features"))["data"]
    features = sdk.v1.products.features

    assert (await features.retrieve_async(product, link["id"])).entitlement_feature.lookup_key == "sso"
    gone = await features.delete_async(product, link["id"])

    assert (gone.id, gone.deleted) == (link["id"], True)
    assert (await account.get(f"/v1/products/{product}/features"))["data"] == []
    await account.get(f"/v1/products/{product}/features/{link['id']}", status=404)


async def test_a_feature_is_not_detached_through_another_product(account: Account) -> None:
    product = await product_with(account, "sso")
    (link,) = (await account.get(f"/v1/products/{product}/features"))["data"]
    other = await product_with(account)

    await account.delete(f"/v1/products/{other}/features/{link['id']}", status=404)

    assert (await account.get(f"/v1/products/{product}/features"))["data"] == [link]


async def test_only_a_customer_has_entitlements(account: Account) -> None:
    assert (await account.get(_ENTITLEMENTS, status=400))["error"]["param"] == "customer"
    await account.get(_ENTITLEMENTS, {"customer": "cus_none"}, status=400)
    await account.get(f"{_ENTITLEMENTS}/ent_none", status=404)
