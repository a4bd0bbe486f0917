"""Links between customers and workspaces, as callers see them."""

from collections.abc import AsyncIterator

import pytest
from support.api import Api
from support.records import workspace
from support.runtime import put, running

from app.domain.stripe_facts import CustomerFacts
from app.domain.stripe_object import StripeObject, StripeSource

ONE = """mutation($key: String! = "k", $customer: ID! = "cus_1", $to: ID! = "acme", $replace: Boolean! = false) {
    linkStripeCustomer(input: { idempotencyKey: $key, customerId: $customer, workspaceId: $to, replace: $replace }) {
    __typename ... on LinkStripeCustomerPayload { replayed linking { customerId outcome workspaceId message } }
    ... on UserError { code message path } } }"""
MANY = """mutation($links: [StripeLinkInput!]!, $dry: Boolean! = false) {
    linkStripeCustomers(input: { idempotencyKey: "m", links: $links, dryRun: $dry }) { __typename
    ... on LinkStripeCustomersPayload { dryRun replayed linkings { customerId outcome workspaceId message } }
    ... on UserError { code message path } } }"""
UNLINK = """mutation($customer: ID! = "cus_1") {
    unlinkStripeCustomer(input: { idempotencyKey: "u", customerId: $customer }) { __typename
    ... on UnlinkStripeCustomerPayload { customerId replayed } ... on UserError { code } } }"""


@pytest.fixture
async def api(mongodb_uri: str, database: str) -> AsyncIterator[Api]:
    async with running(mongodb_uri, database) as rt:
        await put(rt, workspace(external_id="acme"), workspace("ws_2"))
        yield Api(rt)


async def test_a_customer_is_linked_and_unlinked(api: Api) -> None:
    done = (await api.data(ONE))["linkStripeCustomer"]
    again = (await api.data(ONE))["linkStripeCustomer"]
    undone = (await api.data(UNLINK))["unlinkStripeCustomer"]

    told = {"customerId": "cus_1", "outcome": "LINKED", "workspaceId": "ws_1", "message": None}
    assert done == {"__typename": "LinkStripeCustomerPayload", "replayed": False, "linking": told}
    assert again == {**done, "replayed": True}
    assert undone == {"__typename": "UnlinkStripeCustomerPayload", "customerId": "cus_1", "replayed": False}


async def test_refusals_are_members(api: Api) -> None:
    await api.data(ONE)

    taken = (await api.data(ONE, {"key": "a", "to": "ws_2"}))["linkStripeCustomer"]
    missing = (await api.data(ONE, {"key": "b", "to": "nobody"}))["linkStripeCustomer"]
    empty = (await api.data(ONE, {"key": "c", "customer": ""}))["linkStripeCustomer"]
    unknown = (await api.data(UNLINK, {"customer": "cus_9"}))["unlinkStripeCustomer"]

    assert (taken["code"], "replace" in taken["message"]) == ("CONFLICT", True)
    assert missing["code"] == unknown["code"] == "NOT_FOUND"
    assert (empty["code"], empty["path"]) == ("VALIDATION_FAILED", ["input", "customerId"])


async def test_many_are_told_one_by_one(api: Api) -> None:
    links = [{"customerId": "cus_1", "workspaceId": "acme"}, {"customerId": "cus_2", "workspaceId": "ws_1"}]

    dry = (await api.data(MANY, {"links": links, "dry": True}))["linkStripeCustomers"]
    none = (await api.data(MANY, {"links": []}))["linkStripeCustomers"]

    assert (dry["dryRun"], [one["outcome"] for one in dry["linkings"]]) == (True, ["LINKED", "WORKSPACE_TAKEN"])
    assert "'ws_1' has the customer 'cus_1'" in dry["linkings"][1]["message"]
    assert (none["code"], none["path"]) == ("VALIDATION_FAILED", ["input", "links"])


BY_EMAIL = """mutation { linkStripeCustomersByEmail(input: { idempotencyKey: "e" }) { __typename
    ... on LinkStripeCustomersByEmailPayload { dryRun linked left ambiguous unmatched replayed
        ambiguities { email customerIds workspaceIds message } refused { customerId } } } }"""


async def test_an_address_that_several_have_is_told(api: Api) -> None:
    await put(api.rt, workspace("ws_3", email="a@x.io"), workspace("ws_4", email="A@x.io"))
    mirror = StripeObject(
        id="cus_3", version=1, type="customer", raw="{}", source=StripeSource.FETCH, facts=CustomerFacts(email="a@x.io")
    )
    await api.rt.store.write([mirror], (), None)

    told = (await api.data(BY_EMAIL))["linkStripeCustomersByEmail"]

    message = "1 customer and 2 workspaces have it: link by hand, with `entitled stripe link`"
    who = {"email": "a@x.io", "customerIds": ["cus_3"], "workspaceIds": ["ws_3", "ws_4"], "message": message}
    assert told["ambiguities"] == [who]
    assert (told["linked"], told["left"], told["ambiguous"], told["unmatched"]) == (0, 0, 1, 0)
    assert (told["dryRun"], told["replayed"], told["refused"]) == (False, False, [])
