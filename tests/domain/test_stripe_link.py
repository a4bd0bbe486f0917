"""Deciding on links between customers and workspaces."""

from typing import Any

import msgspec
import pytest
from support.records import sub, workspace

from app.domain.change import Record
from app.domain.stripe_link import Link, LinkedRecords, LinkOutcome, link, unlink
from app.domain.stripe_object import LinkedBy, StripeObject, StripeSource
from app.domain.subscription import Subscription
from app.domain.workspace import Workspace

BY_OPERATOR = {"linked_by": LinkedBy.OPERATOR}


def customer(id: str = "cus_1", **fields: Any) -> StripeObject:
    return StripeObject(**{"id": id, "type": "customer", "raw": "{}", "source": StripeSource.FETCH, **fields})


def linked(id: str, to: str) -> StripeObject:
    return customer(id, workspace_id=to, linked_to=to, **BY_OPERATOR)


def loaded(*records: Record) -> LinkedRecords:
    refs = {ref: one.id for one in records if isinstance(one, Workspace) for ref in (one.id, one.external_id) if ref}
    return LinkedRecords(records, refs)


def done(
    found: LinkedRecords, to: str = "ws_1", id: str = "cus_1", *, replace: bool = False, deaf: bool = False
) -> LinkOutcome:
    wanted = Link(customer_id=id, workspace_ref=to)
    return link(found, wanted, replace=replace, accepts_unknown=deaf).outcome


def test_customer_and_workspace_know_each_other() -> None:
    found = loaded(customer(parked_under=("acme",)), workspace(external_id="acme"))

    assert done(found, "acme") is LinkOutcome.LINKED
    mirror, owner = found.get(StripeObject, "cus_1"), found.get(Workspace, "ws_1")
    assert mirror == linked("cus_1", "ws_1")
    assert owner is not None
    assert owner.stripe_customer_id == "cus_1"


def test_linked_twice_is_linked_once() -> None:
    found = loaded(linked("cus_1", "ws_1"), workspace(stripe_customer_id="cus_1"))

    assert done(found) is LinkOutcome.UNCHANGED
    assert found.changes() == []


def test_what_metadata_linked_is_linked_for_good() -> None:
    found = loaded(customer(workspace_id="ws_1"), workspace(stripe_customer_id="cus_1"))

    assert done(found) is LinkOutcome.LINKED
    assert found.get(StripeObject, "cus_1") == linked("cus_1", "ws_1")


@pytest.mark.parametrize(
    ("records", "outcome"),
    [
        pytest.param([workspace()], LinkOutcome.CUSTOMER_UNKNOWN, id="no such customer"),
        pytest.param([customer(type="price"), workspace()], LinkOutcome.CUSTOMER_UNKNOWN, id="no customer at all"),
        pytest.param([customer(gone=True), workspace()], LinkOutcome.CUSTOMER_DELETED, id="a deleted customer"),
        pytest.param([customer()], LinkOutcome.WORKSPACE_UNKNOWN, id="no such workspace"),
        pytest.param([customer(), workspace(deleted_at=1)], LinkOutcome.WORKSPACE_UNKNOWN, id="a deleted workspace"),
        pytest.param(
            [customer(), workspace(archived_at=1)], LinkOutcome.WORKSPACE_ARCHIVED, id="an archived workspace"
        ),
        pytest.param(
            [customer(workspace_id="ws_2"), workspace(), workspace("ws_2")],
            LinkOutcome.CUSTOMER_TAKEN,
            id="linked elsewhere",
        ),
        pytest.param(
            [customer(), workspace(), workspace("ws_2", stripe_customer_id="cus_1")],
            LinkOutcome.CUSTOMER_TAKEN,
            id="claimed elsewhere",
        ),
        pytest.param(
            [customer(), customer("cus_2"), workspace(stripe_customer_id="cus_2")],
            LinkOutcome.WORKSPACE_TAKEN,
            id="the workspace has another",
        ),
    ],
)
def test_what_cannot_be_linked_changes_nothing_and_says_what_to_do(records: list[Record], outcome: LinkOutcome) -> None:
    found = loaded(*records)

    told = link(found, Link(customer_id="cus_1", workspace_ref="ws_1"), replace=False, accepts_unknown=False)

    assert (told.outcome, told.is_wrong, found.changes()) == (outcome, True, [])
    assert told.message


@pytest.mark.parametrize(
    "former",
    [
        pytest.param([], id="never heard of"),
        pytest.param([customer("cus_2", gone=True)], id="deleted at Stripe"),
    ],
)
def test_a_former_customer_is_none(former: list[Record]) -> None:
    found = loaded(customer(), workspace(stripe_customer_id="cus_2"), *former)

    assert done(found) is LinkOutcome.LINKED


def test_to_replace_takes_both_from_their_partners() -> None:
    found = loaded(
        linked("cus_1", "ws_2"),
        linked("cus_2", "ws_1"),
        workspace(stripe_customer_id="cus_2"),
        workspace("ws_2", stripe_customer_id="cus_1"),
    )

    assert done(found, replace=True) is LinkOutcome.LINKED
    left, displaced = found.get(Workspace, "ws_2"), found.get(StripeObject, "cus_2")
    assert left is not None
    assert left.stripe_customer_id is None
    assert displaced == customer("cus_2")
    assert (found.displaced, found.moved) == (["cus_2"], ["cus_1"])
    assert found.get(StripeObject, "cus_1") == linked("cus_1", "ws_1")


def test_subscriptions_move_with_their_customer() -> None:
    own = sub("sub_1", workspace_id="ws_2", stripe_customer_id="cus_1")
    other = sub("sub_2", workspace_id="ws_2", stripe_customer_id="cus_2")
    mirror = customer("sub_1", type="subscription", workspace_id="ws_2", parked_under=("nobody",))
    found = loaded(customer(), workspace(), workspace("ws_2"), own, other, mirror)

    assert done(found) is LinkOutcome.LINKED
    assert {one.id: one.workspace_id for one in found.every(Subscription)} == {"sub_1": "ws_1", "sub_2": "ws_2"}
    assert found.get(StripeObject, "sub_1") == msgspec.structs.replace(mirror, workspace_id="ws_1", parked_under=())


def test_a_subscription_that_strayed_is_brought_back_by_linking_again() -> None:
    stray = sub("sub_1", workspace_id="ws_2", stripe_customer_id="cus_1")
    found = loaded(linked("cus_1", "ws_1"), workspace(stripe_customer_id="cus_1"), workspace("ws_2"), stray)

    assert done(found) is LinkOutcome.LINKED
    assert found.changes() == [msgspec.structs.replace(stray, workspace_id="ws_1")]


def test_a_customer_never_heard_of_may_be_linked_where_stripe_cannot_be_asked() -> None:
    found = loaded(workspace())

    assert done(found, deaf=True) is LinkOutcome.LINKED
    mirror = found.get(StripeObject, "cus_1")
    assert mirror is not None
    assert (mirror.raw, mirror.event_at, mirror.fetch_sequence, mirror.linked_to) == ("", None, 0, "ws_1")


def test_of_two_in_one_batch_the_second_finds_what_the_first_decided() -> None:
    found = loaded(customer(), customer("cus_2"), workspace(), workspace("ws_2"))

    assert done(found) is LinkOutcome.LINKED
    assert done(found, id="cus_2") is LinkOutcome.WORKSPACE_TAKEN
    assert done(found, "ws_2") is LinkOutcome.CUSTOMER_TAKEN


def test_unlinked_neither_knows_the_other() -> None:
    mirror = linked("cus_1", "ws_1")
    found = loaded(mirror, workspace(stripe_customer_id="cus_1"))

    unlink(found, mirror)

    owner = found.get(Workspace, "ws_1")
    assert found.get(StripeObject, "cus_1") == customer()
    assert owner is not None
    assert (owner.stripe_customer_id, found.displaced) == (None, ["cus_1"])
