"""What somebody linked stays linked, whatever Stripe says later."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from support.records import workspace
from support.runtime import ADMIN, FakeStripe
from support.stripe import FakeProcessor, Sync, customer, eventually, subscription, syncing

from app.cache.cache import BillingCache
from app.cache.feed import Feed
from app.domain.change import Record
from app.domain.errors import ConflictError
from app.domain.stripe_event import StripeEventStatus
from app.domain.stripe_object import StripeObject
from app.domain.subscription import Subscription, SubscriptionStatus
from app.ports.store import RecordStore
from app.services.stripe_links import (
    LinkCustomerInput,
    LinkedCustomers,
    UnlinkCustomerInput,
    link_customer,
    unlink_customer,
)

UPDATED = "customer.subscription.updated"


@pytest.fixture
async def sync(mongodb_uri: str, database: str) -> AsyncIterator[Sync]:
    async with syncing(mongodb_uri, database) as sync:
        await sync.put(workspace(external_id="acme"), workspace("ws_2", external_id="other"))
        yield sync


async def link(sync: Sync, to: str = "acme", id: str = "cus_1", *, asks: bool = True) -> LinkedCustomers:
    wanted = LinkCustomerInput(idempotency_key=f"{to}{id}", customer_id=id, workspace_id=to, replace=True)
    return await link_customer(replace(sync.rt, stripe=FakeStripe() if asks else None), ADMIN, wanted)


async def told(sync: Sync, processor: FakeProcessor | None, *types: str) -> None:
    for name in types or ("customer.updated", UPDATED):
        found = "sub_1" if "subscription" in name else "cus_1"
        await sync.receive(name, processor.objects[found] if processor else {"id": found})
    await sync.settle(processor)


async def owners(sync: Sync) -> tuple[str | None, str | None]:
    mirror, sub = await sync.mirror("cus_1"), await sync.subscription()
    return mirror.workspace_id if mirror else None, sub.workspace_id if sub else None


async def test_what_waited_comes_in_and_is_entitled(sync: Sync) -> None:
    processor = FakeProcessor(customer(), subscription())
    event_id = await sync.receive("customer.subscription.created", subscription())
    await sync.settle(processor)
    assert await owners(sync) == (None, None)

    await link(sync)
    await sync.settle(processor)

    assert await owners(sync) == ("ws_1", "ws_1")
    assert await sync.status(event_id) is StripeEventStatus.PROCESSED
    state = sync.rt.cache.state("ws_1")
    assert state is not None
    assert [sub.id for sub in state.subscriptions] == ["sub_1"]


@pytest.mark.parametrize("says", ["other", "nobody", None])
async def test_metadata_of_customer_and_subscription_does_not_undo_it(sync: Sync, says: str | None) -> None:
    processor = FakeProcessor(customer(), subscription())
    await told(sync, processor)
    await link(sync)
    await sync.settle(processor)

    processor.put(customer(workspace=says), subscription(workspace=says))
    await told(sync, processor)

    assert await owners(sync) == ("ws_1", "ws_1")
    assert (await sync.workspace()).stripe_customer_id == "cus_1"
    assert (await sync.inbox.backlog()).parked == 0


async def test_what_metadata_placed_elsewhere_moves_at_once(sync: Sync) -> None:
    processor = FakeProcessor(customer(workspace="other"), subscription(workspace="other"))
    await told(sync, processor)
    assert await owners(sync) == ("ws_2", "ws_2")

    await link(sync)

    assert await owners(sync) == ("ws_1", "ws_1")
    assert (await sync.workspace("ws_2")).stripe_customer_id is None
    left = sync.rt.cache.state("ws_2")
    assert left is not None
    assert left.subscriptions == ()


async def test_a_younger_customer_that_names_the_workspace_does_not_displace_it(sync: Sync) -> None:
    processor = FakeProcessor(customer(), customer("cus_2", workspace="acme", created=2_000_000_000))
    await told(sync, processor, "customer.updated")
    await link(sync)

    await sync.inbox.mark("customer", "cus_2")
    await sync.settle(processor)

    assert (await sync.workspace()).stripe_customer_id == "cus_1"
    second = await sync.mirror("cus_2")
    assert second is not None
    assert second.workspace_id == "ws_1"


async def test_a_link_takes_the_place_of_the_one_that_metadata_chose(sync: Sync) -> None:
    processor = FakeProcessor(customer(), customer("cus_2", workspace="acme", created=2_000_000_000))
    await told(sync, processor, "customer.updated")
    await sync.inbox.mark("customer", "cus_2")
    await sync.settle(processor)
    assert (await sync.workspace()).stripe_customer_id == "cus_2"

    await link(sync)
    await sync.settle(processor)

    assert (await sync.workspace()).stripe_customer_id == "cus_1"


async def test_a_customer_that_is_gone_and_back_is_linked_again(sync: Sync) -> None:
    processor = FakeProcessor(customer())
    await told(sync, processor, "customer.updated")
    await link(sync)

    del processor.objects["cus_1"]
    await sync.inbox.mark("customer", "cus_1")
    await sync.settle(processor)
    assert (await sync.workspace()).stripe_customer_id is None

    processor.put(customer(workspace="other"))
    await sync.inbox.mark("customer", "cus_1")
    await sync.settle(processor)
    assert (await sync.workspace()).stripe_customer_id == "cus_1"


class Interrupted:
    """A store whose first write of a record of this type comes after something else."""

    def __init__(self, store: RecordStore, type: type[Record], first: Callable[[], Awaitable[Any]]) -> None:
        self._store, self._type, self._first = store, type, first
        self._done = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def write(self, records: Sequence[Record], *rest: Any, **more: Any) -> None:
        if not self._done and any(isinstance(record, self._type) for record in records):
            self._done = True
            await self._first()
        await self._store.write(records, *rest, **more)


async def test_a_new_subscription_that_is_placed_while_its_customer_is_linked_follows_it(sync: Sync) -> None:
    processor = FakeProcessor(customer(workspace="other"), subscription(workspace="other"))
    await told(sync, processor, "customer.updated")
    base = sync.rt
    late: Any = Interrupted(base.store, Subscription, lambda: link(sync))
    worker = replace(base, store=late)

    await sync.receive(UPDATED, subscription())
    sync.rt = worker
    async with sync.running(processor):
        sync.rt = base  # who links is another process
        await eventually(sync.is_settled)

    assert await owners(sync) == ("ws_1", "ws_1")


async def test_a_link_finds_the_subscription_that_was_placed_while_it_was_made(sync: Sync) -> None:
    processor = FakeProcessor(customer(workspace="other"), subscription(workspace="other"))
    await told(sync, processor, "customer.updated")
    base = sync.rt

    async def place() -> None:
        sync.rt = base
        await told(sync, processor, UPDATED)

    late: Any = Interrupted(base.store, StripeObject, place)
    sync.rt = replace(base, store=late)
    await link(sync)

    assert await owners(sync) == ("ws_1", "ws_1")


async def test_unlinked_metadata_decides_again(sync: Sync) -> None:
    processor = FakeProcessor(customer(workspace="other"), subscription())
    await told(sync, processor)
    await link(sync)

    await unlink_customer(sync.rt, ADMIN, UnlinkCustomerInput(idempotency_key="u", customer_id="cus_1"))
    await sync.settle(processor)
    await told(sync, processor, UPDATED)

    assert await owners(sync) == ("ws_2", "ws_2")
    assert (await sync.workspace()).stripe_customer_id is None
    with pytest.raises(ConflictError, match="by its metadata"):
        await unlink_customer(sync.rt, ADMIN, UnlinkCustomerInput(idempotency_key="v", customer_id="cus_1"))


async def test_what_waited_need_not_be_asked_for_again(sync: Sync) -> None:
    processor = FakeProcessor(customer(), subscription())
    await told(sync, processor)
    processor.asked.clear()

    await link(sync)
    await sync.settle(processor)

    assert (await owners(sync), processor.asked) == (("ws_1", "ws_1"), [])


async def test_what_was_told_of_again_while_it_waited_is_asked_for(sync: Sync) -> None:
    processor = FakeProcessor(customer(), subscription())
    await told(sync, processor)
    processor.put(subscription(status="past_due"))
    await sync.receive(UPDATED, subscription(status="past_due"))

    await link(sync)
    await sync.settle(processor)

    sub = await sync.subscription()
    assert sub is not None
    assert (sub.status, sub.workspace_id) == (SubscriptionStatus.PAST_DUE, "ws_1")


async def test_without_a_key_a_customer_is_linked_before_anything_is_known_of_it(sync: Sync) -> None:
    await sync.receive("customer.subscription.created", subscription(workspace="nobody"))
    await sync.settle(None)
    assert await owners(sync) == (None, None)

    await link(sync, asks=False)
    await sync.receive(UPDATED, subscription(workspace="other"), created=1_780_000_100)
    await sync.settle(None)
    assert await owners(sync) == ("ws_1", "ws_1")

    await sync.receive("customer.created", customer(workspace="other"))
    await sync.settle(None)
    mirror = await sync.mirror("cus_1")
    assert mirror is not None
    assert (mirror.workspace_id, mirror.raw != "") == ("ws_1", True)


async def test_what_this_process_has_not_heard_of_follows_its_customer_too(sync: Sync) -> None:
    processor = FakeProcessor(customer(workspace="other"), subscription())
    await told(sync, processor)
    assert await owners(sync) == ("ws_2", "ws_2")
    late = BillingCache(feed=Feed(), clock=sync.clock, default_plan_key=None)
    late.mark_ready()
    sync.rt = replace(sync.rt, cache=late)

    processor.put(customer(workspace="acme"))
    await told(sync, processor, "customer.updated")

    assert await owners(sync) == ("ws_1", "ws_1")


async def test_a_new_subscription_that_is_placed_while_its_customer_moves_follows_it(sync: Sync) -> None:
    processor = FakeProcessor(customer(workspace="other"), subscription())
    await told(sync, processor, "customer.updated")
    base = sync.rt

    async def move() -> None:
        sync.rt = base  # who hears of it is another process
        processor.put(customer(workspace="acme"))
        await sync.receive("customer.updated", customer())
        async with sync.running(processor):
            await eventually(is_alone)

    async def is_alone() -> bool:
        return (await sync.inbox.backlog()).pending == 1

    late: Any = Interrupted(base.store, Subscription, move)
    sync.rt = replace(base, store=late)
    await sync.receive(UPDATED, subscription())
    await sync.settle(processor, concurrency=1)

    assert await owners(sync) == ("ws_1", "ws_1")
