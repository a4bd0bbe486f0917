"""The report on an adoption, as callers see it."""

from collections.abc import AsyncIterator

import pytest
from support.api import Api
from support.records import workspace
from support.runtime import put, running

from app.domain.stripe_facts import CustomerFacts
from app.domain.stripe_object import StripeObject, StripeSource

COUNTS = """{ stripeAdoption { customers linkedCustomers unlinkedCustomers unlinkedSubscriptions unmappedPrices
    workspacesWithSeveralCustomers ambiguousEmails } }"""
ISSUES = """query($kind: StripeAdoptionIssueKind! = UNLINKED_CUSTOMER, $after: String) {
    stripeAdoptionIssues(kind: $kind, first: 2, after: $after) {
    nodes { kind key message customerIds workspaceIds subscriptionIds } pageInfo { hasNextPage endCursor } } }"""


@pytest.fixture
async def api(mongodb_uri: str, database: str) -> AsyncIterator[Api]:
    async with running(mongodb_uri, database) as rt:
        await put(rt, workspace("ws_1", email="a@x.io"), workspace("ws_2", email="a@x.io"))
        facts = CustomerFacts(email="a@x.io")
        blank = {"version": 1, "type": "customer", "raw": "{}", "source": StripeSource.FETCH, "facts": facts}
        customers = [StripeObject(id=f"cus_{n}", **blank) for n in range(3)]
        await rt.store.write(customers, (), None)
        yield Api(rt)


async def test_counts_come_first(api: Api) -> None:
    assert (await api.data(COUNTS))["stripeAdoption"] == {
        "customers": 3,
        "linkedCustomers": 0,
        "unlinkedCustomers": 3,
        "unlinkedSubscriptions": 0,
        "unmappedPrices": 0,
        "workspacesWithSeveralCustomers": 0,
        "ambiguousEmails": 1,
    }


async def test_issues_come_in_pages(api: Api) -> None:
    first = (await api.data(ISSUES))["stripeAdoptionIssues"]
    rest = (await api.data(ISSUES, {"after": first["pageInfo"]["endCursor"]}))["stripeAdoptionIssues"]

    assert [issue["key"] for issue in (*first["nodes"], *rest["nodes"])] == ["cus_0", "cus_1", "cus_2"]
    assert [page["pageInfo"]["hasNextPage"] for page in (first, rest)] == [True, False]
    assert first["nodes"][0] == {
        "kind": "UNLINKED_CUSTOMER",
        "key": "cus_0",
        "message": first["nodes"][0]["message"],
        "customerIds": ["cus_0"],
        "workspaceIds": [],
        "subscriptionIds": [],
    }


async def test_a_cursor_serves_its_own_kind_only(api: Api) -> None:
    first = (await api.data(ISSUES))["stripeAdoptionIssues"]

    other = {"kind": "AMBIGUOUS_EMAIL", "after": first["pageInfo"]["endCursor"]}
    assert await api.code(ISSUES, other) == "BAD_USER_INPUT"
