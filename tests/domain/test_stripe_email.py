"""Matching customers and workspaces by e-mail addresses."""

import pytest

from app.domain.stripe_email import CustomerContact, EmailMatches, WorkspaceContact, match_by_email


def cus(
    id: str, email: str | None = "a@x.io", owner: str | None = None, waits_for: str | None = None
) -> CustomerContact:
    return CustomerContact(id=id, email=email, workspace_id=owner, waits_for=waits_for)


def ws(id: str, email: str = "a@x.io", customer: str | None = None) -> WorkspaceContact:
    return WorkspaceContact(id=id, email=email, customer_id=customer)


def pairs(found: EmailMatches) -> list[tuple[str, str]]:
    return [(link.customer_id, link.workspace_ref) for link in found.links]


@pytest.mark.parametrize(
    ("customer", "workspace"),
    [
        pytest.param(cus("cus_1"), ws("ws_1"), id="the same"),
        pytest.param(cus("cus_1", " A@X.io "), ws("ws_1"), id="in another case"),
        pytest.param(cus("cus_1", "straße@x.io"), ws("ws_1", "STRASSE@X.IO"), id="in another alphabet's case"),
        pytest.param(cus("cus_1"), ws("ws_1", customer="cus_1"), id="claimed by the workspace already"),
    ],
)
def test_an_address_that_is_unique_on_both_sides_links(customer: CustomerContact, workspace: WorkspaceContact) -> None:
    found = match_by_email([customer, cus("cus_2", "b@x.io")], [workspace, ws("ws_2", "c@x.io")])

    assert (pairs(found), found.ambiguities, found.unmatched) == ([("cus_1", "ws_1")], (), 1)


@pytest.mark.parametrize(
    ("customers", "workspaces", "says"),
    [
        pytest.param([cus("cus_1"), cus("cus_2", "A@x.io")], [ws("ws_1")], "2 customers and 1 workspace", id="two pay"),
        pytest.param([cus("cus_1"), cus("cus_2", owner="ws_1")], [ws("ws_1")], "2 customers", id="one is linked"),
        pytest.param([cus("cus_1")], [ws("ws_1"), ws("ws_2", "A@X.IO")], "2 workspaces have it", id="two are served"),
        pytest.param([cus("cus_1")], [ws("ws_1", customer="cus_9")], "has the customer 'cus_9'", id="another pays"),
        pytest.param([cus("cus_1", waits_for="acme")], [ws("ws_1")], "names the workspace 'acme'", id="metadata names"),
    ],
)
def test_what_does_not_tell_is_listed_and_never_guessed(
    customers: list[CustomerContact], workspaces: list[WorkspaceContact], says: str
) -> None:
    found = match_by_email(customers, workspaces)

    assert (pairs(found), len(found.ambiguities), found.unmatched) == ([], 1, 0)
    told = found.ambiguities[0]
    assert (told.email, told.customer_ids) == ("a@x.io", tuple(one.id for one in customers))
    assert told.workspace_ids == tuple(one.id for one in workspaces)
    assert says in told.message
    assert "entitled stripe link" in told.message


def test_who_is_linked_is_left_alone_and_who_has_no_address_is_counted() -> None:
    found = match_by_email([cus("cus_1", owner="ws_9"), cus("cus_2", None), cus("cus_3", "")], [ws("ws_1")])

    assert found == EmailMatches(links=(), ambiguities=(), unmatched=2)
