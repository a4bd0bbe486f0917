"""What is mirrored of Stripe's objects, read from the store: those of a workspace's customers, and by id."""

from collections.abc import Collection
from typing import Generic, TypeVar

import msgspec

from app.domain.change import Kind
from app.domain.faults import NAME_MAX, is_storable
from app.domain.stripe_facts import StripeFacts
from app.domain.stripe_object import StripeObject
from app.ports.store import Page
from app.runtime import Runtime

F = TypeVar("F", bound=StripeFacts)


class Mirrored(msgspec.Struct, Generic[F], frozen=True):
    """One object of Stripe's, of which `facts` are known."""

    id: str
    facts: F


async def page_of_workspace(
    rt: Runtime,
    facts: type[F],
    workspace_id: str,
    *,
    statuses: Collection[str] = (),
    after: tuple[int, str] | None,
    first: int,
) -> Page[Mirrored[F]]:
    """Return what the workspace's customers have of one type, the newest first; nothing where it has no customer."""
    customers = await _customer_ids(rt, workspace_id)
    if not customers:
        return Page((), has_next=False)
    page = await rt.mirrors.page_of_customers(_type_of(facts), customers, statuses=statuses, after=after, first=first)
    return Page(tuple(known(page.items, facts)), page.has_next)


async def count_of_workspace(
    rt: Runtime, facts: type[StripeFacts], workspace_id: str, *, statuses: Collection[str] = ()
) -> int:
    """Count the same on all pages."""
    customers = await _customer_ids(rt, workspace_id)
    return await rt.mirrors.count_of_customers(_type_of(facts), customers, statuses=statuses) if customers else 0


async def find_mirrors(rt: Runtime, facts: type[F], ids: Collection[str]) -> dict[str, Mirrored[F]]:
    """Return those of these objects that are of the type and exist at Stripe, by id."""
    wanted = [id for id in ids if 1 <= len(id) <= NAME_MAX and is_storable(id)]  # noqa: A001 - the word
    found = await rt.store.read(Kind.STRIPE_OBJECT, wanted) if wanted else {}
    existing = [record for record in found.values() if isinstance(record, StripeObject) and record.deleted_at is None]
    return {mirror.id: mirror for mirror in known(existing, facts)}


def known(mirrors: Collection[StripeObject], facts: type[F]) -> list[Mirrored[F]]:
    """Return what exists at Stripe and could be read, with its facts."""
    return [
        Mirrored(mirror.id, mirror.facts) for mirror in mirrors if isinstance(mirror.facts, facts) and not mirror.gone
    ]


async def _customer_ids(rt: Runtime, workspace_id: str) -> list[str]:
    return [customer.id for customer in await rt.store.customers_of((workspace_id,))]


def _type_of(facts: type[StripeFacts]) -> str:
    return str(facts.__struct_config__.tag)
