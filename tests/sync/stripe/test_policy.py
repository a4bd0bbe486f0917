"""What becomes of customers that no workspace is known for."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from support.records import workspace
from support.runtime import ADMIN, FakeStripe
from support.stripe import FakeProcessor, Sync, customer, eventually, subscription, syncing

from app.domain.change import Kind
from app.domain.stripe_facts import CustomerFacts
from app.domain.stripe_object import LinkedBy
from app.domain.workspace import Workspace
from app.services.stripe_links import LinkCustomerInput, link_customer
from app.store.documents import WorkspaceDocument
from sync.stripe.policy import workspace_for

UPDATED = "customer.updated"


@pytest.fixture
async def sync(mongodb_uri: str, database: str) -> AsyncIterator[Sync]:
    async with syncing(mongodb_uri, database) as sync:
        # that external ids are unique is what keeps two processes from making two
        await sync.mongo.db[Kind.WORKSPACE.value].create_indexes(list(WorkspaceDocument.Settings.indexes))
        sync.rt = replace(sync.rt, creates_workspaces=True)
        yield sync


async def told(sync: Sync, *objects: Any, **settings: Any) -> FakeProcessor:
    processor = FakeProcessor(*objects)
    for found in objects:
        await sync.inbox.mark(found["object"], found["id"])
    await sync.settle(processor, **settings)
    return processor


async def workspaces(sync: Sync) -> list[Workspace]:
    found = [record async for batch in sync.rt.store.scan(Kind.WORKSPACE) for record in batch]
    return [record for record in found if isinstance(record, Workspace)]


async def only(sync: Sync) -> Workspace:
    found = await workspaces(sync)
    assert len(found) == 1
    return found[0]


async def test_a_customer_gets_a_workspace_and_its_subscription_with_it(sync: Sync) -> None:
    await told(sync, customer(name="Acme", email="a@x.io"), subscription())

    made = await only(sync)
    assert (made.external_id, made.name, made.email, made.stripe_customer_id) == ("cus_1", "Acme", "a@x.io", "cus_1")
    state = sync.rt.cache.state(made.id)
    assert state is not None
    assert [sub.id for sub in state.subscriptions] == ["sub_1"]
    mirror = await sync.mirror("cus_1")
    assert mirror is not None
    assert (mirror.workspace_id, mirror.linked_by, mirror.parked_under) == (made.id, LinkedBy.POLICY, ())


async def test_it_gets_the_name_that_metadata_gives_it(sync: Sync) -> None:
    await told(sync, customer(workspace="acme"), subscription(workspace="acme"))

    made = await only(sync)
    sub = await sync.subscription()
    assert sub is not None
    assert (made.external_id, sub.workspace_id) == ("acme", made.id)


async def test_replays_and_other_names_make_no_second_one(sync: Sync) -> None:
    await told(sync, customer())
    made = await only(sync)
    renamed = msgspec.structs.replace(made, version=made.version + 1, external_id="renamed")
    await sync.rt.store.write([renamed], (), None)

    await told(sync, customer(name="Other", workspace="nobody"))
    await told(sync, customer())

    assert (await only(sync)).id == made.id
    assert (await only(sync)).stripe_customer_id == "cus_1"


async def test_many_workers_at_once_make_one(sync: Sync) -> None:
    customers = [customer(f"cus_{n}", workspace="shared" if n % 2 else None) for n in range(12)]
    processor = FakeProcessor(*customers)
    for found in customers:
        await sync.inbox.mark("customer", found["id"])

    async with sync.running(processor), sync.running(processor), sync.running(processor):
        await eventually(sync.is_settled)

    names = sorted(found.external_id or "" for found in await workspaces(sync))
    assert names == sorted(["shared", *(f"cus_{n}" for n in range(0, 12, 2))])


async def test_metadata_that_names_a_workspace_goes_before_the_one_that_was_made(sync: Sync) -> None:
    await told(sync, customer(), subscription())
    made = await only(sync)
    await sync.put(workspace(external_id="acme"))

    await told(sync, customer(workspace="acme"), subscription())
    assert (await sync.workspace()).stripe_customer_id == "cus_1"
    assert (await sync.workspace(made.id)).stripe_customer_id is None

    await told(sync, customer())
    assert (await sync.workspace(made.id)).stripe_customer_id == "cus_1"


async def test_what_somebody_links_goes_before_it(sync: Sync) -> None:
    await told(sync, customer())
    await sync.put(workspace(external_id="acme"))
    wanted = LinkCustomerInput(idempotency_key="k", customer_id="cus_1", workspace_id="acme", replace=True)
    await link_customer(replace(sync.rt, stripe=FakeStripe()), ADMIN, wanted)

    await told(sync, customer())

    assert (await sync.workspace()).stripe_customer_id == "cus_1"
    assert len(await workspaces(sync)) == 2


async def test_the_policy_to_park_keeps_what_was_made_and_makes_no_more(sync: Sync) -> None:
    await told(sync, customer())
    made = await only(sync)

    sync.rt = replace(sync.rt, creates_workspaces=False)
    await told(sync, customer(), customer("cus_2"))

    assert await workspaces(sync) == [made]
    second = await sync.mirror("cus_2")
    assert second is not None
    assert second.workspace_id is None


async def test_what_can_be_no_external_id_waits(sync: Sync) -> None:
    await told(sync, customer(workspace="ws_elsewhere"))

    mirror = await sync.mirror("cus_1")
    assert mirror is not None
    assert (await workspaces(sync), mirror.parked_under) == ([], ("ws_elsewhere",))


async def test_a_deleted_customer_gets_none(sync: Sync) -> None:
    processor = FakeProcessor()
    await sync.inbox.mark("customer", "cus_1")
    await sync.settle(processor)

    assert await workspaces(sync) == []


async def test_without_a_key_its_event_makes_it_once(sync: Sync) -> None:
    await asyncio.gather(*(sync.receive("customer.created", customer(), id=f"evt_{n}") for n in range(3)))
    await sync.receive("customer.subscription.created", subscription())
    await sync.settle(None)

    made, sub = await only(sync), await sync.subscription()
    assert sub is not None
    assert sub.workspace_id == made.id


@pytest.mark.parametrize(
    ("told", "name", "email"),
    [
        (CustomerFacts(name="Acme", email="a@x.io"), "Acme", "a@x.io"),
        (CustomerFacts(name="", email=""), None, None),
        (CustomerFacts(name="  ", email="nowhere"), None, None),
        (CustomerFacts(name="a" * 300), None, None),
    ],
)
def test_name_and_email_are_taken_where_they_can_be(told: CustomerFacts, name: str | None, email: str | None) -> None:
    assert workspace_for("cus_1", told, id="ws_1") == Workspace(id="ws_1", external_id="cus_1", name=name, email=email)
