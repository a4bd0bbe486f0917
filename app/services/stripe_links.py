"""Link Stripe's customers to workspaces, whatever Stripe's metadata says: one, or many at once."""

from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from typing import Final, TypeVar, assert_never

import msgspec

from app.domain.api_key import Principal
from app.domain.audit import Actor, ActorKind
from app.domain.change import Kind, Record
from app.domain.errors import ConflictError, FieldError, NotFoundError
from app.domain.faults import INPUT, Path, fault, idempotency_key_faults, refuse, text_faults
from app.domain.stripe_event import ObjectName
from app.domain.stripe_link import Link, LinkedRecords, Linking, LinkOutcome, link, unlink
from app.domain.stripe_object import ENTITLEMENTS, LinkedBy, StripeObject, entitlements_id
from app.domain.workspace import Workspace
from app.runtime import Runtime
from app.services.commit import commit
from app.services.idempotency import once
from app.services.loading import find_workspaces
from app.services.stripe_access import asking_stripe

LINK: Final = "linkStripeCustomer"
LINK_MANY: Final = "linkStripeCustomers"
UNLINK: Final = "unlinkStripeCustomer"
MOST_LINKS: Final = 100
"""How many one request may link: they are written in one transaction."""

_TRIES: Final = 6  # the worker writes the same records; more would be a fault
_T = TypeVar("_T")


class LinkCustomerInput(msgspec.Struct, frozen=True, kw_only=True):
    """`workspace_id` is our id or the external id; `replace` takes both from whom they are linked to now."""

    idempotency_key: str
    customer_id: str
    workspace_id: str
    replace: bool = False


class UnlinkCustomerInput(msgspec.Struct, frozen=True, kw_only=True):
    idempotency_key: str
    customer_id: str


class LinkCustomersInput(msgspec.Struct, frozen=True, kw_only=True):
    """Those that can be linked are; a dry run only tells which."""

    idempotency_key: str
    links: tuple[Link, ...]
    replace: bool = False
    dry_run: bool = False


class LinkedCustomers(msgspec.Struct, frozen=True):
    """What came of each link, in their order; `replayed` where this request had been answered before."""

    linkings: tuple[Linking, ...]
    replayed: bool


async def link_customer(rt: Runtime, principal: Principal, input: LinkCustomerInput) -> LinkedCustomers:
    """Link one customer; one that is not known yet is fetched first, with its subscriptions.

    It holds against metadata, backfills and events until it is linked elsewhere or unlinked; its subscriptions move
    along, and those that waited for a workspace come in. Doing it twice does no harm.

    Raises `NotFoundError`; `ConflictError` where either has another partner; `StripeRefusedError`, `UnavailableError`.
    """
    wanted = Link(customer_id=input.customer_id, workspace_ref=input.workspace_id)
    refuse(idempotency_key_faults(input.idempotency_key), _link_faults(wanted, INPUT))
    done: list[Linking] = []

    async def decide() -> Sequence[Record]:
        await _fetch_unknown(rt, wanted.customer_id)
        done[:] = await link_batch(rt, principal, LINK, (wanted,), replace=input.replace)
        _raise_wrong(done[0], wanted)
        return ()

    return await _once(rt, principal, LINK, input, decide, done)


async def link_customers(rt: Runtime, principal: Principal, input: LinkCustomersInput) -> LinkedCustomers:
    """Link customers that are known here, up to a hundred at once; tell of each what came of it."""
    refuse(idempotency_key_faults(input.idempotency_key), _links_faults(input.links))
    if input.dry_run:
        found = await _load(rt, input.links)
        return LinkedCustomers(_linkings(rt, found, input.links, replace=input.replace), replayed=False)
    done: list[Linking] = []

    async def decide() -> Sequence[Record]:
        done[:] = await link_batch(rt, principal, LINK_MANY, input.links, replace=input.replace)
        return ()

    return await _once(rt, principal, LINK_MANY, input, decide, done)


async def link_batch(
    rt: Runtime, principal: Principal, operation: str, wanted: Sequence[Link], *, replace: bool = False
) -> tuple[Linking, ...]:
    """Link those that can be, in one transaction; tell of each what came of it."""

    def decide(found: LinkedRecords) -> tuple[Linking, ...]:
        return _linkings(rt, found, wanted, replace=replace)

    linkings = await _settle(rt, principal, operation, wanted, decide)
    if any(linking.outcome is LinkOutcome.LINKED for linking in linkings):
        # The worker may have placed a new subscription by metadata meanwhile; what comes from now on it places itself.
        await _settle(rt, principal, operation, wanted, decide)
    return linkings


async def unlink_customer(rt: Runtime, principal: Principal, input: UnlinkCustomerInput) -> LinkedCustomers:
    """Take a link back that somebody made: from then on Stripe's metadata decides again.

    Its subscriptions stay where they are until metadata or another link says where they belong.
    Raises `NotFoundError`; `ConflictError` where nobody linked the customer.
    """
    refuse(idempotency_key_faults(input.idempotency_key), text_faults((*INPUT, "customerId"), input.customer_id))
    done: list[Linking] = []

    def take_back(found: LinkedRecords) -> Linking:
        mirror = found.get(StripeObject, input.customer_id)
        if mirror is None or mirror.type != "customer":
            raise NotFoundError("customer", input.customer_id)
        if mirror.linked_by is not LinkedBy.OPERATOR:
            owner = (
                f"linked to {mirror.workspace_id!r} by its metadata at Stripe" if mirror.workspace_id else "not linked"
            )
            raise ConflictError(f"customer {input.customer_id!r} is {owner}; only a link made here can be taken back")
        unlink(found, mirror)
        return Linking(outcome=LinkOutcome.LINKED, customer_id=mirror.id)

    async def decide() -> Sequence[Record]:
        wanted = (Link(customer_id=input.customer_id, workspace_ref=""),)
        done[:] = [await _settle(rt, principal, UNLINK, wanted, take_back)]
        return ()

    return await _once(rt, principal, UNLINK, input, decide, done)


async def _fetch_unknown(rt: Runtime, customer_id: str) -> None:
    mirrors = await rt.store.read(Kind.STRIPE_OBJECT, [customer_id])
    if customer_id not in mirrors and rt.stripe is not None:
        with asking_stripe():
            await rt.sync.sync_customer(customer_id)


def _linkings(rt: Runtime, found: LinkedRecords, wanted: Sequence[Link], *, replace: bool) -> tuple[Linking, ...]:
    # Without a key for Stripe a customer may have existed long before the first event that named it.
    is_deaf = rt.stripe is None
    return tuple(link(found, one, replace=replace, accepts_unknown=is_deaf) for one in wanted)


async def _settle(
    rt: Runtime,
    principal: Principal,
    operation: str,
    wanted: Sequence[Link],
    decide: Callable[[LinkedRecords], _T],
) -> _T:
    """Load, decide, commit, again where another writer came between; then let what waited for the customers go on."""
    for attempt in range(1, _TRIES + 1):
        found = await _load(rt, wanted)
        waiting = [
            mirror.id for mirror in found.every(StripeObject) if mirror.type == "customer" and mirror.parked_under
        ]
        told = decide(found)
        changes = found.changes()
        try:
            if changes:
                await commit(rt, Actor(ActorKind.API_KEY, principal.id), operation, changes)
        except ConflictError:
            if attempt == _TRIES:
                raise
            continue
        linked = {record.id for record in changes if isinstance(record, StripeObject) and record.linked_to}
        await _follow_up(
            rt,
            linked,
            unsettled={*found.displaced, *linked.intersection(waiting)},
            left={*found.displaced, *found.moved},
        )
        return told
    raise AssertionError("the last attempt returns or raises")


async def _follow_up(
    rt: Runtime, linked: Collection[str], *, unsettled: Collection[str], left: Collection[str]
) -> None:
    """Release what waited for the linked; have those looked at whose metadata is to decide now, or that waited.

    Of those that left a workspace, what Stripe entitles them to is to leave it too.
    """
    if linked:
        await rt.inbox.release(linked)
    dirty = [ObjectName("customer", customer_id) for customer_id in sorted(unsettled)]
    dirty += [ObjectName(ENTITLEMENTS, entitlements_id(customer_id)) for customer_id in sorted(left)]
    if dirty:
        await rt.inbox.mark_all(dirty)
    if linked or dirty:
        rt.sync.wake()


async def _load(rt: Runtime, wanted: Sequence[Link]) -> LinkedRecords:
    customers = {one.customer_id for one in wanted}
    refs = await find_workspaces(rt, {one.workspace_ref for one in wanted if one.workspace_ref})
    mirrors = await rt.store.read(Kind.STRIPE_OBJECT, customers)
    linked = [mirror for mirror in mirrors.values() if isinstance(mirror, StripeObject)]
    claims = {owner for customer_id in customers if (owner := rt.cache.workspace_of_customer(customer_id))}
    owners = {name for mirror in linked for name in (mirror.workspace_id, mirror.linked_to) if name}
    workspaces = await rt.store.read(Kind.WORKSPACE, {*refs.values(), *owners, *claims})
    subs = await rt.store.subscriptions_of_customers(customers)
    held = [workspace for workspace in workspaces.values() if isinstance(workspace, Workspace)]
    rivals = {workspace.stripe_customer_id for workspace in held if workspace.stripe_customer_id}
    others = await rt.store.read(Kind.STRIPE_OBJECT, {*rivals, *(sub.id for sub in subs)} - mirrors.keys())
    return LinkedRecords([*mirrors.values(), *others.values(), *workspaces.values(), *subs], refs)


async def _once(
    rt: Runtime,
    principal: Principal,
    operation: str,
    input: LinkCustomerInput | LinkCustomersInput | UnlinkCustomerInput,
    decide: Callable[[], Awaitable[Sequence[Record]]],
    done: list[Linking],
) -> LinkedCustomers:
    """Answer a request that was answered before as then. What was linked twice is linked once."""
    told = await once(
        rt,
        principal,
        operation,
        input.idempotency_key,
        input,
        decide,
        answer=lambda: msgspec.json.encode(done).decode(),
    )
    return LinkedCustomers(msgspec.json.decode(told.answer, type=tuple[Linking, ...]), told.replayed)


def _raise_wrong(linking: Linking, wanted: Link) -> None:
    match linking.outcome:
        case LinkOutcome.LINKED | LinkOutcome.UNCHANGED:
            return
        case LinkOutcome.CUSTOMER_UNKNOWN | LinkOutcome.CUSTOMER_DELETED:
            raise NotFoundError("customer", wanted.customer_id)
        case LinkOutcome.WORKSPACE_UNKNOWN:
            raise NotFoundError("workspace", wanted.workspace_ref)
        case LinkOutcome.WORKSPACE_ARCHIVED | LinkOutcome.CUSTOMER_TAKEN | LinkOutcome.WORKSPACE_TAKEN:
            raise ConflictError(linking.message or "")
        case _:
            assert_never(linking.outcome)


def _links_faults(links: Sequence[Link]) -> Iterator[FieldError]:
    path = (*INPUT, "links")
    if not links:
        yield fault(path, "EMPTY", "must not be empty")
    if len(links) > MOST_LINKS:
        yield fault(path, "TOO_MANY", f"has {len(links)} entries; at most {MOST_LINKS} are allowed")
        return
    for number, wanted in enumerate(links):
        yield from _link_faults(wanted, (*path, str(number)))


def _link_faults(wanted: Link, path: Path) -> Iterator[FieldError]:
    yield from text_faults((*path, "customerId"), wanted.customer_id)
    yield from text_faults((*path, "workspaceId"), wanted.workspace_ref)
