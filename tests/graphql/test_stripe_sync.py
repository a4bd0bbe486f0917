"""Fetching from Stripe now, as callers see it."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from support.api import Api
from support.records import workspace
from support.runtime import FakeStripe, fakes_of, put, running

from app.ports.stripe import ProcessorUnavailableError

CUSTOMER = """mutation($id: ID!) { syncCustomer(input: { idempotencyKey: "k", workspaceId: $id }) {
    __typename ... on SyncCustomerPayload { counts { type listed changed } replayed } ... on UserError { code } } }"""
CATALOG = """mutation { syncCatalog(input: { idempotencyKey: "k" }) {
    __typename ... on SyncCatalogPayload { counts { type listed changed } replayed } ... on UserError { code } } }"""


@pytest.fixture
async def api(mongodb_uri: str, database: str) -> AsyncIterator[Api]:
    async with running(mongodb_uri, database) as rt:
        await put(rt, workspace(stripe_customer_id="cus_1"), workspace("ws_2"))
        yield Api(replace(rt, stripe=FakeStripe()))


async def test_what_was_fetched_is_counted(api: Api) -> None:
    first = (await api.data(CUSTOMER, {"id": "ws_1"}))["syncCustomer"]
    again = (await api.data(CUSTOMER, {"id": "ws_1"}))["syncCustomer"]
    catalogue = (await api.data(CATALOG))["syncCatalog"]

    assert first == {
        "__typename": "SyncCustomerPayload",
        "counts": [{"type": "customer", "listed": 1, "changed": 1}],
        "replayed": False,
    }
    assert again == {**first, "replayed": True}
    assert (catalogue["__typename"], catalogue["replayed"]) == ("SyncCatalogPayload", False)


async def test_refusals_are_members_and_a_stripe_that_is_away_is_unavailable(api: Api) -> None:
    assert (await api.data(CUSTOMER, {"id": "ws_2"}))["syncCustomer"]["code"] == "CONFLICT"
    assert (await api.data(CUSTOMER, {"id": "nobody"}))["syncCustomer"]["code"] == "NOT_FOUND"

    fakes_of(api.rt).sync.stripe_fails = ProcessorUnavailableError("Stripe did not answer within 15 s")
    assert await api.code(CATALOG) == "UNAVAILABLE"
