"""Mirrors of an older version, over a real database."""

from collections.abc import AsyncIterator

import msgspec
import pytest
from support.records import workspace
from support.stripe import FakeProcessor, Sync, customer, subscription, syncing
from support.stripe_shapes import invoice

from app.domain.stripe_facts import InvoiceFacts
from app.domain.stripe_object import StripeObject, StripeSource
from app.domain.subscription import SubscriptionStatus
from sync.jobs.stripe_mirrors import read_anew, stripe_mirrors_job
from sync.stripe.decode_facts import NORM_VERSION


@pytest.fixture
async def sync(mongodb_uri: str, database: str) -> AsyncIterator[Sync]:
    async with syncing(mongodb_uri, database) as started:
        await started.put(workspace())
        yield started


def old(mirror: StripeObject | None) -> StripeObject:
    assert mirror is not None
    return msgspec.structs.replace(mirror, version=mirror.version + 1, facts=None, norm_version=NORM_VERSION - 1)


async def settled(sync: Sync, *, has_key: bool = True) -> None:
    """Mirror an invoice, a customer and its subscription, and forget what was read out of them."""
    told = [customer(workspace="ws_1"), subscription(), invoice()]
    for one in told:
        await sync.receive(f"{one['object']}.updated", one)
    await sync.settle(FakeProcessor(*told) if has_key else None)
    await sync.put(*[old(await sync.mirror(one["id"])) for one in told])


@pytest.mark.parametrize("has_key", [True, False])
async def test_what_was_read_before_is_read_anew_from_what_is_stored(sync: Sync, *, has_key: bool) -> None:
    await settled(sync, has_key=has_key)
    before = await sync.subscription()

    assert await read_anew(sync.rt, most=2) == 3

    found = await sync.mirror("in_1")
    assert found is not None
    assert isinstance(found.facts, InvoiceFacts)
    assert (found.norm_version, found.source) == (NORM_VERSION, StripeSource.FETCH if has_key else StripeSource.EVENT)
    after = await sync.subscription()
    assert after is not None
    assert (after, after.status) == (before, SubscriptionStatus.ACTIVE)
    assert (await sync.workspace()).stripe_customer_id == "cus_1"
    assert await read_anew(sync.rt) == 0


async def test_what_is_fetched_meanwhile_is_not_overwritten(sync: Sync) -> None:
    await settled(sync)
    await sync.receive("invoice.voided", invoice("in_1", "void"))
    await sync.settle(FakeProcessor(invoice("in_1", "void"), subscription(), customer(workspace="ws_1")))

    await read_anew(sync.rt)

    found = await sync.mirror("in_1")
    assert found is not None
    assert isinstance(found.facts, InvoiceFacts)
    assert found.facts.status == "void"


async def test_what_cannot_be_read_is_left_as_it_is_and_does_not_stop_the_others(sync: Sync) -> None:
    await settled(sync)
    broken = await sync.mirror("cus_1")
    assert broken is not None
    await sync.put(msgspec.structs.replace(broken, version=broken.version + 1, raw="{}"))

    await read_anew(sync.rt)

    found, left = await sync.mirror("in_1"), await sync.mirror("cus_1")
    assert found is not None
    assert found.facts is not None
    assert left is not None
    assert (left.facts, left.workspace_id) == (None, "ws_1")
    assert await read_anew(sync.rt) == 0


async def test_the_job_does_it_every_minute(sync: Sync) -> None:
    await settled(sync)
    job = stripe_mirrors_job(sync.rt)

    await job.run()

    assert job.every_s == 60
    assert await read_anew(sync.rt) == 0
