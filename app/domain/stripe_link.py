"""Links between Stripe's customers and our workspaces that somebody decided: pure decisions over loaded records."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TypeVar

import msgspec

from app.domain.change import Kind, Record
from app.domain.stripe_object import LinkedBy, StripeObject, StripeSource
from app.domain.subscription import Subscription
from app.domain.workspace import Workspace

_R = TypeVar("_R", bound=Record)


class LinkOutcome(StrEnum):
    """LINKED was changed, UNCHANGED was so before; the others say why a customer was not linked."""

    LINKED = "LINKED"
    UNCHANGED = "UNCHANGED"
    CUSTOMER_UNKNOWN = "CUSTOMER_UNKNOWN"
    CUSTOMER_DELETED = "CUSTOMER_DELETED"
    CUSTOMER_TAKEN = "CUSTOMER_TAKEN"
    WORKSPACE_UNKNOWN = "WORKSPACE_UNKNOWN"
    WORKSPACE_ARCHIVED = "WORKSPACE_ARCHIVED"
    WORKSPACE_TAKEN = "WORKSPACE_TAKEN"


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """Which customer pays for which workspace; `workspace_ref` is our id of it or the external id."""

    customer_id: str
    workspace_ref: str


class Linking(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one link. `message` says of a customer that was not linked why, and what to do."""

    outcome: LinkOutcome
    customer_id: str
    workspace_id: str | None = None
    message: str | None = None

    @property
    def is_wrong(self) -> bool:
        """Tell whether the customer is not linked to the workspace now."""
        return self.outcome not in (LinkOutcome.LINKED, LinkOutcome.UNCHANGED)


class LinkedRecords:
    """The records that links are decided on, as the store has them, under what was decided so far.

    `refs` finds workspace ids by our id and external id. `displaced` gathers the customers that lost their workspace,
    `moved` those that left one for another.
    """

    def __init__(self, records: Iterable[Record], refs: Mapping[str, str]) -> None:
        self.refs = refs
        self.displaced: list[str] = []
        self.moved: list[str] = []
        self._stored = {(record.KIND, record.id): record for record in records}
        self._decided: dict[tuple[Kind, str], Record] = {}

    def get(self, type: type[_R], id: str | None) -> _R | None:
        """Return the record as it is after what was decided so far."""
        record = self._decided.get((type.KIND, id or "")) or self._stored.get((type.KIND, id or ""))
        return record if isinstance(record, type) else None

    def every(self, type: type[_R]) -> list[_R]:
        """Return every record of a type as it is now."""
        now = {**self._stored, **self._decided}
        return [record for record in now.values() if isinstance(record, type)]

    def put(self, record: Record) -> None:
        """Decide that the record shall be so."""
        self._decided[record.KIND, record.id] = record

    def changes(self) -> list[Record]:
        """Return the records that differ from what is stored."""
        return [record for key, record in self._decided.items() if record != self._stored.get(key)]


def link(found: LinkedRecords, wanted: Link, *, replace: bool, accepts_unknown: bool) -> Linking:
    """Link the customer to the workspace, whatever Stripe's metadata says; put into `found` what that changes.

    Who has another partner is refused unless `replace`, which takes both from theirs. With `accepts_unknown` also a
    customer is linked that was never heard of.
    """
    mirror = found.get(StripeObject, wanted.customer_id)
    workspace = found.get(Workspace, found.refs.get(wanted.workspace_ref))
    refused = _customer_fault(wanted, mirror, accepts_unknown=accepts_unknown) or _workspace_fault(wanted, workspace)
    if refused or workspace is None:
        return refused or _not_linked(wanted, LinkOutcome.WORKSPACE_UNKNOWN, "")
    told = Linking(outcome=LinkOutcome.LINKED, customer_id=wanted.customer_id, workspace_id=workspace.id)
    holders = _holders(found, mirror, wanted.customer_id, workspace.id)
    rival = _rival(found, workspace, wanted.customer_id)
    if not replace and (taken := _taken(wanted, workspace, holders, rival)):
        return taken
    strays = [sub for sub in _subscriptions_of(found, wanted.customer_id) if sub.workspace_id != workspace.id]
    if mirror and _is_linked(mirror, workspace) and not (holders or strays):
        return msgspec.structs.replace(told, outcome=LinkOutcome.UNCHANGED)
    if holders:
        found.moved.append(wanted.customer_id)
    for holder in holders:
        if holder.stripe_customer_id == wanted.customer_id:
            found.put(msgspec.structs.replace(holder, stripe_customer_id=None))
    if rival:
        _displace(found, rival)
    _put_link(found, wanted.customer_id, mirror, workspace)
    _move(found, strays, workspace.id)
    return told


def unlink(found: LinkedRecords, mirror: StripeObject) -> None:
    """Take back what somebody decided: from then on Stripe's metadata decides again. Subscriptions stay meanwhile."""
    workspace = found.get(Workspace, mirror.linked_to)
    if workspace and workspace.stripe_customer_id == mirror.id:
        found.put(msgspec.structs.replace(workspace, stripe_customer_id=None))
    _displace(found, mirror)


def _customer_fault(wanted: Link, mirror: StripeObject | None, *, accepts_unknown: bool) -> Linking | None:
    if mirror is None and not accepts_unknown:
        advice = f"no customer {wanted.customer_id!r} is known: check the id, or bring it by `entitled stripe backfill`"
        return _not_linked(wanted, LinkOutcome.CUSTOMER_UNKNOWN, advice)
    if mirror and mirror.type != "customer":
        return _not_linked(wanted, LinkOutcome.CUSTOMER_UNKNOWN, f"{wanted.customer_id!r} is a {mirror.type}")
    if mirror and mirror.gone:
        advice = f"customer {wanted.customer_id!r} was deleted at Stripe: name one that exists"
        return _not_linked(wanted, LinkOutcome.CUSTOMER_DELETED, advice)
    return None


def _workspace_fault(wanted: Link, workspace: Workspace | None) -> Linking | None:
    ref = wanted.workspace_ref
    if workspace is None or workspace.deleted_at is not None:
        advice = f"no workspace has the id or external id {ref!r}: create it first, or correct the name"
        return _not_linked(wanted, LinkOutcome.WORKSPACE_UNKNOWN, advice)
    if workspace.archived_at is not None:
        return _not_linked(wanted, LinkOutcome.WORKSPACE_ARCHIVED, f"workspace {ref!r} is archived: name another one")
    return None


def _taken(wanted: Link, workspace: Workspace, holders: list[Workspace], rival: StripeObject | None) -> Linking | None:
    how = "unlink it first, or link with `replace`"
    if holders:
        advice = f"customer {wanted.customer_id!r} is linked to the workspace {holders[0].id!r}: {how}"
        return _not_linked(wanted, LinkOutcome.CUSTOMER_TAKEN, advice)
    if rival:
        advice = f"workspace {workspace.id!r} has the customer {rival.id!r}: {how}"
        return _not_linked(wanted, LinkOutcome.WORKSPACE_TAKEN, advice)
    return None


def _not_linked(wanted: Link, outcome: LinkOutcome, message: str) -> Linking:
    return Linking(outcome=outcome, customer_id=wanted.customer_id, message=message)


def _holders(found: LinkedRecords, mirror: StripeObject | None, customer_id: str, workspace_id: str) -> list[Workspace]:
    """Return the other workspaces that have this customer, by its mirror or by their own claim."""
    linked = mirror.workspace_id if mirror else None
    return [
        workspace
        for workspace in found.every(Workspace)
        if workspace.id != workspace_id and (workspace.id == linked or workspace.stripe_customer_id == customer_id)
    ]


def _rival(found: LinkedRecords, workspace: Workspace, customer_id: str) -> StripeObject | None:
    """Return the other customer that the workspace has; one that was deleted or never heard of is none."""
    if workspace.stripe_customer_id in (None, customer_id):
        return None
    rival = found.get(StripeObject, workspace.stripe_customer_id)
    return rival if rival and not rival.gone else None


def _is_linked(mirror: StripeObject, workspace: Workspace) -> bool:
    is_decided = mirror.linked_by is LinkedBy.OPERATOR and mirror.linked_to == workspace.id
    return is_decided and mirror.workspace_id == workspace.id and workspace.stripe_customer_id == mirror.id


def _displace(found: LinkedRecords, customer: StripeObject) -> None:
    found.displaced.append(customer.id)
    if customer.linked_to is not None:
        found.put(msgspec.structs.replace(customer, linked_to=None, linked_by=None, workspace_id=None))


def _put_link(found: LinkedRecords, customer_id: str, mirror: StripeObject | None, workspace: Workspace) -> None:
    # Of a customer that was never heard of, whatever Stripe says is newer than this.
    known = mirror or StripeObject(id=customer_id, type="customer", raw="", source=StripeSource.EVENT)
    found.put(
        msgspec.structs.replace(
            known, linked_to=workspace.id, linked_by=LinkedBy.OPERATOR, workspace_id=workspace.id, parked_under=()
        )
    )
    found.put(msgspec.structs.replace(workspace, stripe_customer_id=customer_id))


def _subscriptions_of(found: LinkedRecords, customer_id: str) -> list[Subscription]:
    return [sub for sub in found.every(Subscription) if sub.stripe_customer_id == customer_id]


def _move(found: LinkedRecords, subs: Iterable[Subscription], workspace_id: str) -> None:
    for sub in subs:
        found.put(msgspec.structs.replace(sub, workspace_id=workspace_id))
        if mirror := found.get(StripeObject, sub.id):
            found.put(msgspec.structs.replace(mirror, workspace_id=workspace_id, parked_under=()))
