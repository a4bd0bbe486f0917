"""Which unlinked customers pay for which workspaces, told by an e-mail address that is unique on both sides."""

from collections import defaultdict
from collections.abc import Iterable, Sized

import msgspec

from app.domain.stripe_link import Link


class CustomerContact(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is known of a customer that exists. `waits_for` is a workspace that its metadata names and nobody made."""

    id: str
    email: str | None = None
    workspace_id: str | None = None
    waits_for: str | None = None


class WorkspaceContact(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is known of a workspace that is in use. `customer_id` is the customer that it has."""

    id: str
    email: str
    customer_id: str | None = None


class EmailAmbiguity(msgspec.Struct, frozen=True, kw_only=True):
    """An address that does not tell who pays for what: by whom it is used, and what to do."""

    email: str
    customer_ids: tuple[str, ...]
    workspace_ids: tuple[str, ...]
    message: str


class EmailMatches(msgspec.Struct, frozen=True, kw_only=True):
    """The links that addresses tell, the addresses that do not, and how many unlinked customers nobody is known for."""

    links: tuple[Link, ...]
    ambiguities: tuple[EmailAmbiguity, ...]
    unmatched: int


def match_by_email(customers: Iterable[CustomerContact], workspaces: Iterable[WorkspaceContact]) -> EmailMatches:
    """Match unlinked customers and workspaces, in the order of the addresses; upper and lower case are the same."""
    theirs, ours = defaultdict[str, list[CustomerContact]](list), defaultdict[str, list[WorkspaceContact]](list)
    for customer in customers:
        theirs[_normal(customer.email)].append(customer)
    for workspace in workspaces:
        ours[_normal(workspace.email)].append(workspace)
    links: list[Link] = []
    ambiguities: list[EmailAmbiguity] = []
    unmatched = 0
    for address, who in sorted(theirs.items()):
        unlinked = sum(customer.workspace_id is None for customer in who)
        candidates = ours.get(address, []) if address else []
        if not candidates:
            unmatched += unlinked
        elif unlinked and (problem := _problem(who, candidates)):
            ambiguities.append(_ambiguity(address, who, candidates, problem))
        elif unlinked:
            links.append(Link(customer_id=who[0].id, workspace_ref=candidates[0].id))
    return EmailMatches(links=tuple(links), ambiguities=tuple(ambiguities), unmatched=unmatched)


def _normal(email: str | None) -> str:
    return (email or "").strip().casefold()


def _problem(customers: list[CustomerContact], workspaces: list[WorkspaceContact]) -> str | None:
    if len(workspaces) > 1 or len(customers) > 1:
        return f"{_counted(customers, 'customer')} and {_counted(workspaces, 'workspace')} have it"
    customer, workspace = customers[0], workspaces[0]
    if customer.waits_for is not None:
        return f"the customer's metadata names the workspace {customer.waits_for!r}, which does not exist"
    if workspace.customer_id not in (None, customer.id):
        return f"the workspace has the customer {workspace.customer_id!r}"
    return None


def _counted(found: Sized, noun: str) -> str:
    return f"{len(found)} {noun}{'s' * (len(found) != 1)}"


def _ambiguity(
    email: str, customers: list[CustomerContact], workspaces: list[WorkspaceContact], problem: str
) -> EmailAmbiguity:
    return EmailAmbiguity(
        email=email,
        customer_ids=tuple(customer.id for customer in customers),
        workspace_ids=tuple(workspace.id for workspace in workspaces),
        message=f"{problem}: link by hand, with `entitled stripe link`",
    )
