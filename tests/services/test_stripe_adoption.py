"""What is left to do until an account is adopted, as the store and RAM know it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from support.records import item, sub, workspace
from support.runtime import put, running

from app.domain.stripe_adoption import AdoptionIssue, AdoptionIssueKind, MirrorCounts
from app.domain.stripe_facts import CustomerFacts
from app.domain.stripe_object import StripeObject, StripeSource
from app.runtime import Runtime
from app.services.stripe_adoption import issues_page

SHARED = [f"cus_s{n}" for n in range(2)]


def mirror(id: str, type: str = "customer", *, email: str | None = None, **fields: Any) -> StripeObject:
    facts = CustomerFacts(email=email) if type == "customer" else None
    given = {"version": 1, "incarnation": "i", "raw": "{}", "source": StripeSource.FETCH, "facts": facts}
    return StripeObject(**{"id": id, "type": type, **given, **fields})


@pytest.fixture
async def rt(mongodb_uri: str, database: str) -> AsyncIterator[Runtime]:
    async with running(mongodb_uri, database) as rt:
        await put(
            rt,
            workspace("ws_1", email="a@x.io"),
            workspace("ws_2", email="A@x.io"),
            sub("sub_held", items=(item("old"),), workspace_id="ws_1"),
        )
        mirrors = [
            mirror("cus_1", email="a@x.io"),
            mirror("cus_2", parked_under=("acme",)),
            mirror("cus_3", workspace_id="ws_1"),
            mirror("cus_gone", gone=True),
            *(mirror(name, workspace_id="ws_2") for name in SHARED),
            mirror("sub_1", "subscription", parked_under=("cus_1",)),
            mirror("sub_2", "subscription", parked_under=("cus_1",)),
            mirror("sub_3", "subscription", parked_under=("nowhere",)),
            mirror("sub_4", "subscription", workspace_id="ws_1"),
            mirror("price_1", "price"),
        ]
        await rt.store.write(mirrors, (), None)
        yield rt


async def listed(rt: Runtime, kind: AdoptionIssueKind, *, first: int = 100) -> list[AdoptionIssue]:
    """Read all pages."""
    found: list[AdoptionIssue] = []
    after: str | None = None
    while True:
        page = await issues_page(rt, kind, after=after, first=first)
        found += page.items
        if not page.has_next:
            return found
        after = page.items[-1].key


async def test_what_is_mirrored_is_counted(rt: Runtime) -> None:
    assert await rt.store.mirror_counts() == MirrorCounts(
        customers=5, unlinked_customers=2, unlinked_subscriptions=3, shared_workspaces=1
    )


@pytest.mark.parametrize("first", [1, 2, 100])
async def test_unlinked_customers_come_with_their_subscriptions(rt: Runtime, first: int) -> None:
    one, two = await listed(rt, AdoptionIssueKind.UNLINKED_CUSTOMER, first=first)

    assert (one.key, one.customer_ids, one.subscription_ids) == ("cus_1", ("cus_1",), ("sub_1", "sub_2"))
    assert "`entitled stripe link cus_1 WORKSPACE`" in one.message
    assert (two.key, two.subscription_ids) == ("cus_2", ())
    assert "names the workspace 'acme': create it" in two.message


async def test_unlinked_subscriptions_say_what_they_wait_for(rt: Runtime) -> None:
    found = await listed(rt, AdoptionIssueKind.UNLINKED_SUBSCRIPTION, first=2)

    assert [(one.key, one.customer_ids) for one in found] == [
        ("sub_1", ("cus_1",)),
        ("sub_2", ("cus_1",)),
        ("sub_3", ()),
    ]
    assert found[0].message == "link its customer"
    assert "'nowhere'" in found[2].message


async def test_prices_that_no_plan_names(rt: Runtime) -> None:
    found = await listed(rt, AdoptionIssueKind.UNMAPPED_PRICE, first=1)

    assert [one.key for one in found] == list(rt.cache.unmapped_prices()) == ["price_old"]
    assert "catalog import --from-stripe" in found[0].message


@pytest.mark.parametrize("first", [1, 100])
async def test_workspaces_with_several_customers(rt: Runtime, first: int) -> None:
    found = await listed(rt, AdoptionIssueKind.SEVERAL_CUSTOMERS, first=first)

    assert [(one.key, list(one.customer_ids), one.workspace_ids) for one in found] == [("ws_2", SHARED, ("ws_2",))]


async def test_addresses_that_do_not_tell(rt: Runtime) -> None:
    found = await listed(rt, AdoptionIssueKind.AMBIGUOUS_EMAIL, first=1)

    assert [(one.key, one.customer_ids, one.workspace_ids) for one in found] == [
        ("a@x.io", ("cus_1",), ("ws_1", "ws_2"))
    ]
