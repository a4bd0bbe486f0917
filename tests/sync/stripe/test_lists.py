"""Pages and single objects brought to the store, as the worker would."""

from collections.abc import AsyncIterator

import pytest
from support.records import workspace
from support.stripe import T0, Sync, customer, event, item, price, product, subscription, syncing
from support.stripe_lists import FakeLists
from support.stripe_shapes import (
    active_entitlements,
    charge,
    coupon,
    invoice,
    meter,
    payment_intent,
    promotion_code,
    refund,
)

from app.domain.stripe_backfill import TypeCount
from app.domain.stripe_facts import ActiveEntitlementsFacts
from app.domain.stripe_object import ENTITLEMENTS, entitlements_id
from app.domain.subscription import SubscriptionStatus
from app.ports.stripe import Listing, ProcessorUnavailableError
from sync.stripe.lists import EVERYTHING, Lists


@pytest.fixture
async def sync(mongodb_uri: str, database: str) -> AsyncIterator[Sync]:
    async with syncing(mongodb_uri, database) as started:
        await started.put(workspace())
        yield started


def lists(sync: Sync, stripe: FakeLists, **settings: int) -> Lists:
    return Lists(sync.rt, sync.inbox, stripe, **settings)


def count(type: str, listed: int, changed: int) -> TypeCount:
    return TypeCount(type=type, listed=listed, changed=changed)


async def test_a_customer_comes_with_subscriptions_of_every_status_and_ram_has_them_at_once(sync: Sync) -> None:
    stripe = FakeLists(
        customer(workspace="ws_1"),
        *(subscription(f"sub_{n}", start_date=T0, created=T0 + n) for n in range(4)),
        subscription("sub_old", "canceled", ended_at=T0 + 60, start_date=T0, created=T0 - 1),
        subscription("sub_others", customer="cus_2", start_date=T0),
    )

    counts = await lists(sync, stripe).sync_customer("cus_1")

    assert counts == (
        count("customer", 1, 1),
        count("subscription", 5, 5),
        count("invoice", 0, 0),
        count(ENTITLEMENTS, 1, 1),
    )
    held = {id: sync.rt.cache.subscription(id) for id in ("sub_0", "sub_3", "sub_old", "sub_others")}  # noqa: A001 - the API's word
    assert {name: found.status for name, found in held.items() if found} == {
        "sub_0": SubscriptionStatus.ACTIVE,
        "sub_3": SubscriptionStatus.ACTIVE,
        "sub_old": SubscriptionStatus.CANCELED,
    }
    again = await lists(sync, stripe).sync_customer("cus_1")
    assert [(found.listed, found.changed) for found in again] == [(1, 0), (5, 0), (0, 0), (1, 0)]


async def test_a_customer_that_is_gone_leaves_a_tombstone_and_is_not_listed(sync: Sync) -> None:
    stripe = FakeLists(customer(workspace="ws_1"))
    await lists(sync, stripe).sync_customer("cus_1")
    stripe.objects["cus_1"]["deleted"] = True
    stripe.pages.clear()

    assert await lists(sync, stripe).sync_customer("cus_1") == (count("customer", 1, 1),)

    mirror = await sync.mirror("cus_1")
    assert mirror is not None
    assert mirror.gone
    assert stripe.pages == []
    assert (await sync.workspace()).stripe_customer_id is None


async def test_a_customer_comes_with_its_invoices_and_what_stripe_entitles_it_to(sync: Sync) -> None:
    told = {**active_entitlements("sso"), "id": "entitlements:cus_1"}
    mine = [invoice(f"in_{n}", created=T0 + n) for n in range(4)]
    stripe = FakeLists(customer(workspace="ws_1"), *mine, invoice("in_x", customer="cus_2"))
    stripe.put(told)

    counts = await lists(sync, stripe).sync_customer("cus_1")

    assert {found.type: found.listed for found in counts}["invoice"] == 4
    found = await sync.mirror("entitlements:cus_1")
    assert found is not None
    assert found.facts == ActiveEntitlementsFacts(customer_id="cus_1", lookup_keys=("sso",))
    assert await sync.mirror("in_x") is None


async def test_the_catalogue_comes_whole_and_archived_things_too(sync: Sync) -> None:
    stripe = FakeLists(
        product(active=True),
        product("prod_old", active=False),
        *(price(f"price_{n}", f"key_{n}", active=n > 0, created=T0 + n) for n in range(5)),
        coupon(),
        promotion_code(),
        promotion_code("promo_old", active=False),
        meter(),
    )

    counts = await lists(sync, stripe).sync_catalog()

    assert {found.type: found.changed for found in counts} == {
        "product": 2,
        "price": 5,
        "coupon": 1,
        "promotion_code": 2,
        "billing.meter": 1,
    }
    assert await sync.mirror("price_0") is not None


FEATURES = {"data": [{"entitlement_feature": {"id": "feat_1", "lookup_key": "sso"}}]}


async def test_only_subscribers_to_products_with_features_have_their_entitlements_fetched_and_once(sync: Sync) -> None:
    plain = subscription("sub_2", customer="cus_2", items=[item(price_=price(product="prod_plain"))])
    ended = subscription("sub_3", "canceled", customer="cus_3", ended_at=T0)
    stripe = FakeLists(product(entitlement_features=FEATURES), product("prod_plain"), subscription(), plain, ended)

    for listing in EVERYTHING:
        _ = [page async for page in lists(sync, stripe).every_page(listing)]
    queued = await sync.inbox.queued([entitlements_id(f"cus_{n}") for n in (1, 2, 3)])
    await sync.settle(stripe)
    stripe.asked.clear()
    _ = [page async for page in lists(sync, stripe).every_page(Listing("subscription"))]
    await sync.settle(stripe)

    assert list(queued) == [entitlements_id("cus_1")]
    assert entitlements_id("cus_1") not in stripe.asked


async def test_what_a_list_brings_has_nothing_else_asked_for(sync: Sync) -> None:
    stripe = FakeLists(customer(workspace="ws_1"), subscription(), invoice(), charge(), refund(), payment_intent())

    for listing in EVERYTHING:
        _ = [page async for page in lists(sync, stripe).every_page(listing)]
    await sync.settle(stripe)

    assert stripe.asked == []


async def test_an_event_during_a_page_that_only_knows_its_object_is_worked_on_all_the_same(sync: Sync) -> None:
    stripe = FakeLists(customer(workspace="ws_1"), subscription(start_date=T0))

    async def told(_listing: Listing, _after: str | None) -> None:
        await sync.receive("customer.subscription.updated", subscription())

    await lists(sync, stripe).sync_customer("cus_1")
    stripe.after_page = told
    await lists(sync, stripe).absorb(Listing("subscription"), after=None)

    assert (await sync.inbox.backlog()).pending == 1


async def test_json_that_is_laid_out_otherwise_is_no_change(sync: Sync) -> None:
    stripe = FakeLists(customer(workspace="ws_1", name="Zoë"))
    await lists(sync, stripe).sync_customer("cus_1")
    stripe.objects["cus_1"] = dict(reversed(stripe.objects["cus_1"].items()))

    counts = await lists(sync, stripe).sync_customer("cus_1")

    assert counts[0] == count("customer", 1, 0)


async def test_an_address_that_stripe_makes_anew_each_time_is_no_change(sync: Sync) -> None:
    stripe = FakeLists(invoice())
    await lists(sync, stripe).absorb(Listing("invoice"), after=None)
    stripe.put(invoice(hosted_invoice_url="https://invoice.example/j", invoice_pdf="https://invoice.example/j.pdf"))

    page = await lists(sync, stripe).absorb(Listing("invoice"), after=None)

    assert page.findings.count.changed == 0


async def test_a_customer_that_moves_to_another_workspace_takes_its_subscriptions_along(sync: Sync) -> None:
    await sync.put(workspace("ws_2", external_id="two"))
    stripe = FakeLists(customer(workspace="ws_1"), subscription(start_date=T0))
    await lists(sync, stripe).sync_customer("cus_1")
    stripe.put(customer(workspace="two"))

    await lists(sync, stripe).absorb(Listing("customer"), after=None)
    await sync.settle(stripe)

    found = await sync.subscription()
    assert found is not None
    assert found.workspace_id == "ws_2"


async def test_a_list_whose_cursors_are_always_gone_is_given_up(sync: Sync) -> None:
    stripe = FakeLists(*(customer(f"cus_{n}", created=T0 + n) for n in range(9)))

    def move(_listing: Listing, after: str | None) -> None:
        if after is not None:
            del stripe.objects[after]
            stripe.put(customer(f"{after}x", created=T0 + 100))

    stripe.before_page = move
    with pytest.raises(ProcessorUnavailableError, match="does not end"):
        _ = [page async for page in lists(sync, stripe, most_pages=20).every_page(Listing("customer"))]


async def test_what_is_listed_and_not_absorbed_is_not_stored(sync: Sync) -> None:
    stripe = FakeLists(event("evt_1", "customer.updated", customer()))

    page = await lists(sync, stripe).page(Listing("event"), after=None)

    assert [found.id for found in page.objects] == ["evt_1"]
    assert await sync.mirror("evt_1") is None
