"""Fetching now: for whom, once per key, and what Stripe may answer."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from support.records import workspace
from support.runtime import ADMIN, FakeStripe, fakes_of, put, running

from app.domain.errors import ConflictError, NotFoundError, StripeRefusedError, UnavailableError
from app.domain.stripe_backfill import TypeCount
from app.ports.stripe import ProcessorRefusedError, ProcessorUnavailableError
from app.runtime import Runtime
from app.services.stripe_sync import SyncCatalogInput, SyncCustomerInput, Synced, sync_catalog, sync_customer


@pytest.fixture
async def rt(mongodb_uri: str, database: str) -> AsyncIterator[Runtime]:
    async with running(mongodb_uri, database) as rt:
        await put(rt, workspace(external_id="acme", stripe_customer_id="cus_1"), workspace("ws_2"))
        yield replace(rt, stripe=FakeStripe())


async def ask(rt: Runtime, workspace_id: str = "acme", key: str = "k") -> Synced:
    return await sync_customer(rt, ADMIN, SyncCustomerInput(idempotency_key=key, workspace_id=workspace_id))


async def test_the_customer_of_the_workspace_is_fetched_once_per_key(rt: Runtime) -> None:
    first, again, other = await ask(rt), await ask(rt), await ask(rt, "ws_1", "k2")

    counted = (TypeCount(type="customer", listed=1, changed=1),)
    assert (first, again) == (Synced(counted, replayed=False), Synced(counted, replayed=True))
    assert other.counts[0].listed == 2
    assert fakes_of(rt).sync.synced == ["cus_1", "cus_1"]


async def test_the_catalogue_is_fetched_once_per_key(rt: Runtime) -> None:
    told = [await sync_catalog(rt, ADMIN, SyncCatalogInput(idempotency_key=key)) for key in ("a", "a", "b")]

    assert [one.replayed for one in told] == [False, True, False]
    assert fakes_of(rt).sync.synced == ["catalog", "catalog"]


async def test_a_workspace_without_a_customer_and_none_at_all_are_told_apart(rt: Runtime) -> None:
    with pytest.raises(ConflictError, match="no Stripe customer is linked"):
        await ask(rt, "ws_2")
    with pytest.raises(NotFoundError):
        await ask(rt, "nobody")

    assert fakes_of(rt).sync.synced == []


@pytest.mark.parametrize(
    ("fails", "told"),
    [
        pytest.param(ProcessorUnavailableError("429"), UnavailableError, id="busy"),
        pytest.param(ProcessorRefusedError("401"), StripeRefusedError, id="refused"),
    ],
)
async def test_stripes_failure_is_told_and_the_same_key_asks_again(
    rt: Runtime, fails: Exception, told: type[Exception]
) -> None:
    fakes_of(rt).sync.stripe_fails = fails
    with pytest.raises(told):
        await ask(rt)

    fakes_of(rt).sync.stripe_fails = None
    assert not (await ask(rt)).replayed


async def test_without_a_key_to_ask_stripe_with_it_is_refused(rt: Runtime) -> None:
    with pytest.raises(StripeRefusedError, match="STRIPE_SECRET_KEY"):
        await ask(replace(rt, stripe=None))
