"""Linking customers: once per key, one or many, with conflicts that say what to do."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from support.records import workspace
from support.runtime import ADMIN, FakeStripe, fakes_of, put, running

from app.domain.audit import AuditFilter
from app.domain.change import Kind
from app.domain.errors import (
    ConflictError,
    IdempotencyConflictError,
    NotFoundError,
    UnavailableError,
    ValidationError,
)
from app.domain.stripe_link import Link, LinkOutcome
from app.domain.stripe_object import ENTITLEMENTS, LinkedBy, StripeObject, StripeSource, entitlements_id
from app.domain.workspace import Workspace
from app.ports.stripe import ProcessorUnavailableError
from app.runtime import Runtime
from app.services.stripe_links import (
    LinkCustomerInput,
    LinkCustomersInput,
    UnlinkCustomerInput,
    link_customer,
    link_customers,
    unlink_customer,
)


@pytest.fixture
async def rt(mongodb_uri: str, database: str) -> AsyncIterator[Runtime]:
    async with running(mongodb_uri, database) as rt:
        await put(rt, workspace(external_id="acme"), workspace("ws_2"))
        await rt.store.write([customer(), customer("cus_2", parked_under=("nobody",))], (), None)
        yield replace(rt, stripe=FakeStripe())


def customer(id: str = "cus_1", **fields: Any) -> StripeObject:
    given = {"version": 1, "incarnation": "i", "type": "customer", "raw": "{}", "source": StripeSource.FETCH}
    return StripeObject(**{"id": id, **given, **fields})


def wanted(id: str = "cus_1", to: str = "acme", key: str = "k", **fields: Any) -> LinkCustomerInput:
    return LinkCustomerInput(idempotency_key=key, customer_id=id, workspace_id=to, **fields)


def many(*links: tuple[str, str], key: str = "k", **fields: Any) -> LinkCustomersInput:
    each = tuple(Link(customer_id=name, workspace_ref=to) for name, to in links)
    return LinkCustomersInput(idempotency_key=key, links=each, **fields)


async def mirror(rt: Runtime, id: str = "cus_1") -> StripeObject:
    found = (await rt.store.read(Kind.STRIPE_OBJECT, [id]))[id]
    assert isinstance(found, StripeObject)
    return found


async def test_a_link_is_written_audited_and_in_ram_and_what_waited_is_released(rt: Runtime) -> None:
    done = await link_customer(rt, ADMIN, wanted())

    stored = await mirror(rt)
    assert (done.linkings[0].outcome, done.linkings[0].workspace_id) == (LinkOutcome.LINKED, "ws_1")
    assert (stored.linked_to, stored.linked_by, stored.workspace_id) == ("ws_1", LinkedBy.OPERATOR, "ws_1")
    assert rt.cache.workspace_of_customer("cus_1") == "ws_1"
    assert (fakes_of(rt).inbox.released, fakes_of(rt).sync.woken) == (["cus_1"], 1)
    entries = (await rt.audit.page(AuditFilter(operation="linkStripeCustomer"), after=None, first=10)).items
    assert {(entry.record_id, entry.actor.id) for entry in entries} == {("cus_1", ADMIN.id), ("ws_1", ADMIN.id)}


async def test_the_same_request_again_is_answered_as_then_and_another_key_changes_nothing(rt: Runtime) -> None:
    first = await link_customer(rt, ADMIN, wanted())
    before = await mirror(rt)

    again = await link_customer(rt, ADMIN, wanted())
    other = await link_customer(rt, ADMIN, wanted(key="other"))

    assert again == msgspec.structs.replace(first, replayed=True)
    assert other.linkings[0].outcome is LinkOutcome.UNCHANGED
    assert await mirror(rt) == before
    with pytest.raises(IdempotencyConflictError):
        await link_customer(rt, ADMIN, wanted(to="ws_2"))


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        pytest.param(wanted("cus_9"), NotFoundError, "cus_9", id="no such customer"),
        pytest.param(wanted(to="nobody"), NotFoundError, "nobody", id="no such workspace"),
        pytest.param(wanted(""), ValidationError, "empty", id="no customer"),
        pytest.param(wanted(to="\0"), ValidationError, "NUL", id="no name"),
        pytest.param(wanted(key=""), ValidationError, "empty", id="no key"),
    ],
)
async def test_what_cannot_be_is_refused(
    rt: Runtime, given: LinkCustomerInput, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        await link_customer(rt, ADMIN, given)


async def test_a_customer_that_is_not_known_is_fetched_first(rt: Runtime) -> None:
    with pytest.raises(NotFoundError):
        await link_customer(rt, ADMIN, wanted("cus_9"))

    assert fakes_of(rt).sync.synced == ["cus_9"]
    fakes_of(rt).sync.stripe_fails = ProcessorUnavailableError("no answer")
    with pytest.raises(UnavailableError):
        await link_customer(rt, ADMIN, wanted("cus_9"))


async def test_both_partners_are_kept_unless_they_are_to_be_replaced(rt: Runtime) -> None:
    await link_customer(rt, ADMIN, wanted())

    with pytest.raises(ConflictError, match="'cus_1' is linked to the workspace 'ws_1'"):
        await link_customer(rt, ADMIN, wanted(to="ws_2", key="a"))
    with pytest.raises(ConflictError, match="'ws_1' has the customer 'cus_1'"):
        await link_customer(rt, ADMIN, wanted("cus_2", key="b"))
    await link_customer(rt, ADMIN, wanted("cus_2", key="b", replace=True))

    displaced = await mirror(rt)
    assert (displaced.linked_to, displaced.workspace_id) == (None, None)
    assert rt.cache.workspace_of_customer("cus_2") == "ws_1"
    entitled = (ENTITLEMENTS, entitlements_id("cus_1"))
    assert set(fakes_of(rt).inbox.marked) == {("customer", "cus_1"), ("customer", "cus_2"), entitled}


async def test_many_are_linked_and_of_each_it_is_told_what_came_of_it(rt: Runtime) -> None:
    links = (("cus_1", "acme"), ("cus_1", "ws_2"), ("cus_2", "acme"), ("cus_2", "ws_2"), ("cus_9", "acme"))

    dry = await link_customers(rt, ADMIN, many(*links, dry_run=True))
    assert (await mirror(rt)).linked_to is None
    done = await link_customers(rt, ADMIN, many(*links))
    again = await link_customers(rt, ADMIN, many(*links, key="again"))

    outcomes = [linking.outcome for linking in done.linkings]
    assert outcomes == [
        LinkOutcome.LINKED,
        LinkOutcome.CUSTOMER_TAKEN,
        LinkOutcome.WORKSPACE_TAKEN,
        LinkOutcome.LINKED,
        LinkOutcome.CUSTOMER_UNKNOWN,
    ]
    assert dry.linkings == done.linkings
    assert [linking.outcome for linking in again.linkings if not linking.is_wrong] == [LinkOutcome.UNCHANGED] * 2
    assert (await mirror(rt, "cus_2")).linked_to == "ws_2"
    assert fakes_of(rt).sync.synced == []


@pytest.mark.parametrize(
    ("links", "code"),
    [([], "EMPTY"), ([("cus_1", "acme")] * 101, "TOO_MANY"), ([("cus_1", "")], "EMPTY")],
)
async def test_too_few_or_too_many_at_once_are_refused(rt: Runtime, links: list[tuple[str, str]], code: str) -> None:
    with pytest.raises(ValidationError) as refused:
        await link_customers(rt, ADMIN, many(*links))

    assert refused.value.fields[0].code == code


async def test_another_writer_of_the_workspace_is_not_overwritten(rt: Runtime) -> None:
    held = (await rt.store.read(Kind.WORKSPACE, ["ws_1"]))["ws_1"]
    assert isinstance(held, Workspace)
    await rt.store.write([msgspec.structs.replace(held, version=2, name="Acme")], (), None)  # RAM does not know of it

    await link_customer(rt, ADMIN, wanted())

    now = (await rt.store.read(Kind.WORKSPACE, ["ws_1"]))["ws_1"]
    assert isinstance(now, Workspace)
    assert (now.name, now.stripe_customer_id) == ("Acme", "cus_1")


async def test_only_what_somebody_linked_can_be_unlinked(rt: Runtime) -> None:
    undo = UnlinkCustomerInput(idempotency_key="u", customer_id="cus_1")
    with pytest.raises(ConflictError, match="not linked"):
        await unlink_customer(rt, ADMIN, undo)
    await link_customer(rt, ADMIN, wanted())

    done = await unlink_customer(rt, ADMIN, undo)
    again = await unlink_customer(rt, ADMIN, undo)

    assert (done.replayed, again.replayed) == (False, True)
    assert (await mirror(rt)).linked_to is None
    assert rt.cache.workspace_of_customer("cus_1") is None
    assert fakes_of(rt).inbox.marked == [("customer", "cus_1"), (ENTITLEMENTS, entitlements_id("cus_1"))]
    with pytest.raises(NotFoundError):
        await unlink_customer(rt, ADMIN, UnlinkCustomerInput(idempotency_key="v", customer_id="cus_9"))


async def test_without_a_key_for_stripe_any_customer_may_be_named(rt: Runtime) -> None:
    deaf = replace(rt, stripe=None)

    done = await link_customers(deaf, ADMIN, many(("cus_9", "acme")))

    assert done.linkings[0].outcome is LinkOutcome.LINKED
    assert (await mirror(rt, "cus_9")).linked_to == "ws_1"
