"""What is left to do until an account is adopted: counted, and listed a page at a time."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import TypeVar, assert_never

from app.domain.change import Kind
from app.domain.stripe_adoption import (
    AdoptionIssue,
    AdoptionIssueKind,
    ambiguous_email,
    shared_workspace,
    unlinked_customer,
    unlinked_subscription,
    unmapped_price,
)
from app.ports.store import Page
from app.runtime import Runtime
from app.services.stripe_emails import find_matches

_T = TypeVar("_T")


async def issues_page(rt: Runtime, kind: AdoptionIssueKind, *, after: str | None, first: int) -> Page[AdoptionIssue]:
    """Return issues of one kind by ascending key. Addresses are compared anew for each page."""
    match kind:
        case AdoptionIssueKind.UNLINKED_CUSTOMER:
            customers = await rt.store.unlinked_page("customer", after=after, first=first)
            subs = await rt.store.waiting_subscriptions([customer.id for customer in customers.items])
            issues = tuple(unlinked_customer(customer, subs.get(customer.id, ())) for customer in customers.items)
            return Page(issues, customers.has_next)
        case AdoptionIssueKind.UNLINKED_SUBSCRIPTION:
            found = await rt.store.unlinked_page("subscription", after=after, first=first)
            parents = {parent for sub in found.items for parent in sub.parked_under}
            known = frozenset(await rt.store.read(Kind.STRIPE_OBJECT, parents)) if parents else frozenset[str]()
            return Page(tuple(unlinked_subscription(sub, known) for sub in found.items), found.has_next)
        case AdoptionIssueKind.SEVERAL_CUSTOMERS:
            shared = await rt.store.shared_workspaces_page(after=after, first=first)
            return Page(tuple(map(shared_workspace, shared.items)), shared.has_next)
        case AdoptionIssueKind.UNMAPPED_PRICE:
            return _page(rt.cache.unmapped_prices(), str, after, first, unmapped_price)
        case AdoptionIssueKind.AMBIGUOUS_EMAIL:
            matches = await find_matches(rt)
            return _page(matches.ambiguities, lambda one: one.email, after, first, ambiguous_email)
        case _:
            assert_never(kind)


def _page(
    found: Sequence[_T], key: Callable[[_T], str], after: str | None, first: int, tell: Callable[[_T], AdoptionIssue]
) -> Page[AdoptionIssue]:
    """Return a page of what is held in order of its keys."""
    start = 0 if after is None else bisect_right(found, after, key=key)
    return Page(tuple(map(tell, found[start : start + first])), len(found) > start + first)
