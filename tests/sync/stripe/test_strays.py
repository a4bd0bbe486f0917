"""What is not where its customer is moves there, whatever happened in between."""

from collections.abc import AsyncIterator

import pytest
from support.records import workspace
from support.stripe import T0, FakeProcessor, Sync, customer, subscription, syncing


@pytest.fixture
async def sync(mongodb_uri: str, database: str) -> AsyncIterator[Sync]:
    async with syncing(mongodb_uri, database) as sync:
        await sync.put(workspace(external_id="acme"), workspace("ws_2", external_id="other"))
        yield sync


async def told_of_customer(sync: Sync, processor: FakeProcessor, named: str | None) -> str | None:
    """Have the customer name a workspace, and return that of its subscription."""
    processor.objects["cus_1"] = customer(workspace=named)
    await sync.receive("customer.updated", processor.objects["cus_1"])
    await sync.settle(processor)
    sub = await sync.subscription()
    return sub.workspace_id if sub else None


async def test_what_stayed_while_nobody_named_its_customer_follows_once_somebody_does(sync: Sync) -> None:
    processor = FakeProcessor(customer(workspace="acme"), subscription())
    await sync.receive("customer.subscription.created", subscription())

    assert await told_of_customer(sync, processor, "acme") == "ws_1"
    assert await told_of_customer(sync, processor, None) == "ws_1"
    assert await told_of_customer(sync, processor, "other") == "ws_2"


async def test_what_is_told_by_events_alone_follows_its_customer(sync: Sync) -> None:
    await sync.receive("customer.created", customer(workspace="acme"))
    await sync.receive("customer.subscription.created", subscription())
    await sync.settle(None)
    assert (await sync.subscription()) is not None

    await sync.receive("customer.updated", customer(workspace="other"), created=T0 + 60)
    await sync.settle(None)

    sub = await sync.subscription()
    assert sub is not None
    assert (sub.workspace_id, sub.provisional) == ("ws_2", True)


async def test_what_is_in_its_place_is_not_asked_for_again(sync: Sync) -> None:
    processor = FakeProcessor(customer(workspace="acme"), subscription())
    await sync.receive("customer.subscription.created", subscription())
    await told_of_customer(sync, processor, "acme")
    before = len(processor.asked)

    await told_of_customer(sync, processor, "acme")

    assert processor.asked[before:] == ["cus_1"]


async def test_a_subscription_that_names_its_workspace_stays_there(sync: Sync) -> None:
    processor = FakeProcessor(customer(workspace="acme"), subscription(workspace="other"))
    await sync.receive("customer.subscription.created", subscription(workspace="other"))

    assert await told_of_customer(sync, processor, "acme") == "ws_2"
    assert await told_of_customer(sync, processor, None) == "ws_2"
