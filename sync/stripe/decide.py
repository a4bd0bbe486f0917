"""What Stripe's word about one object changes in our records: pure decisions over records that were loaded."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final, TypeVar

import msgspec

from app.domain.change import Kind, Record
from app.domain.stripe_event import ObjectName
from app.domain.stripe_facts import CustomerFacts
from app.domain.stripe_object import LinkedBy, StripeObject, StripeSource
from app.domain.subscription import RANK, TERMINAL, Subscription, SubscriptionStatus, is_known_transition
from app.domain.workspace import Workspace
from sync.stripe.decode import decode_subscription
from sync.stripe.decode_facts import NORM_VERSION, decode_facts
from sync.stripe.readings import Phase, Reading
from sync.stripe.touched import touched
from sync.stripe.wire import DecodeError, workspace_ref

_R = TypeVar("_R", bound=Record)


class Fate(StrEnum):
    """What became of a reading. STALE ones are older than what is stored; PARKED ones wait for a workspace."""

    DONE = "DONE"
    STALE = "STALE"
    PARKED = "PARKED"
    DEAD = "DEAD"


class Verdict(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What became of a reading, and what must follow once it is stored.

    `parents` would release a parked object; `linked` is the customer that found its workspace, `left` the workspace
    it was taken from; `missing_customer` one that was never fetched; `touched` are others that may have changed along.
    """

    fate: Fate
    reason: str | None = None
    parents: tuple[str, ...] = ()
    linked: str | None = None
    left: str | None = None
    missing_customer: str | None = None
    touched: tuple[ObjectName, ...] = ()
    is_unknown_transition: bool = False
    written_at: int | None = None
    """Known once it is stored."""


class View:
    """The records a batch is decided on: as the store has them, under those already decided.

    `refs` finds workspace ids by our id and external id, `customers` by Stripe customer.
    """

    def __init__(self, records: Iterable[Record], refs: Mapping[str, str], customers: Mapping[str, str]) -> None:
        self.refs = refs
        self.customers = customers
        self._stored: dict[tuple[Kind, str], Record] = {(record.KIND, record.id): record for record in records}
        self._decided: dict[tuple[Kind, str], Record] = {}

    def get(self, type: type[_R], id: str) -> _R | None:
        """Return the record as it is after what was decided so far."""
        key = type.KIND, id
        record = self._decided.get(key) or self._stored.get(key)
        return record if isinstance(record, type) else None

    def put(self, record: Record) -> None:
        """Decide that the record shall be so."""
        self._decided[record.KIND, record.id] = record

    def changes(self) -> list[Record]:
        """Return the records that differ from what is stored."""
        return [record for key, record in self._decided.items() if record != self._stored.get(key)]


def decide(view: View, reading: Reading) -> Verdict:
    """Put into the view what the reading changes."""
    stored = view.get(StripeObject, reading.id)
    try:
        match reading.type:
            case "subscription":
                return _decide_subscription(view, reading, stored)
            case _ if not _is_newer(stored, reading):
                return _STALE
            case "customer":
                return _decide_customer(view, reading, stored)
            case _:  # where a type comes to have consequences of its own, its case calls this first
                return _decide_mirror(view, reading, stored)
    except DecodeError as error:
        _keep_unread(view, reading, stored)
        return Verdict(fate=Fate.DEAD, reason=str(error))


def _decide_mirror(view: View, reading: Reading, stored: StripeObject | None) -> Verdict:
    """Keep what Stripe says, whether or not its customer is known: nothing is parked, see `StripeObject`."""
    mirror = _mirror(stored, reading)
    view.put(mirror)
    return Verdict(fate=Fate.DONE, touched=touched(mirror, stored) if reading.source is StripeSource.FETCH else ())


_STALE: Final = Verdict(fate=Fate.STALE, reason="older than what is stored")


def _is_newer(stored: StripeObject | None, reading: Reading) -> bool:
    """Tell whether the reading may replace the mirror; one that fetched it again, or was told of it later, may."""
    if stored is None:
        return True
    if reading.source is StripeSource.FETCH:
        return reading.fetch_sequence > stored.fetch_sequence
    reflected_at = stored.event_at or 0
    if stored.gone or reading.event_at < reflected_at:
        return False  # what was deleted never comes back
    if reading.event_at > reflected_at:
        return True
    if stored.source is StripeSource.FETCH:
        return False
    # The very same word again: it was parked, or the process died before it could note that it was done.
    return reading.phase is not Phase.CREATED or reading.raw == stored.raw


def _is_newer_status(
    stored: StripeObject | None, reading: Reading, before: SubscriptionStatus, after: SubscriptionStatus
) -> bool:
    """Tell the same of a subscription: events of one second are ordered by how far along its status is."""
    if reading.source is StripeSource.FETCH:
        return _is_newer(stored, reading)
    if before in TERMINAL and after not in TERMINAL:
        return False
    is_tied = stored is not None and stored.event_at == reading.event_at and stored.source is StripeSource.EVENT
    if is_tied and RANK[before] != RANK[after]:
        return RANK[after] > RANK[before]
    return _is_newer(stored, reading)


def _decide_customer(view: View, reading: Reading, stored: StripeObject | None) -> Verdict:
    mirror = _mirror(stored, reading)
    operators = None if mirror.gone else _linked_by_operator(stored)
    facts = mirror.facts if isinstance(mirror.facts, CustomerFacts) and not mirror.gone else None
    ref = facts.workspace_ref if facts and not operators else None
    workspace_id = operators or (view.refs.get(ref) if ref else None)
    before = stored.workspace_id if stored else None
    parents = (ref,) if ref and workspace_id is None else ()
    linked = msgspec.structs.replace(mirror, workspace_id=workspace_id, parked_under=parents)
    view.put(linked)
    if before and before != workspace_id:
        _unlink(view, before, reading.id)
    if workspace_id:
        _link(view, workspace_id, linked)
    return Verdict(
        fate=Fate.PARKED if parents else Fate.DONE,
        reason=f"no workspace is named {ref!r}" if parents else None,
        parents=parents,
        linked=reading.id if workspace_id and workspace_id != before else None,
        left=before if before != workspace_id else None,
    )


def _linked_by_operator(customer: StripeObject | None) -> str | None:
    """Return the workspace that somebody linked the customer to: that goes before all that Stripe says."""
    return customer.linked_to if customer and customer.linked_by is LinkedBy.OPERATOR else None


def _link(view: View, workspace_id: str, customer: StripeObject) -> None:
    workspace = view.get(Workspace, workspace_id)
    if workspace is None or workspace.stripe_customer_id == customer.id:
        return
    rival = view.get(StripeObject, workspace.stripe_customer_id) if workspace.stripe_customer_id else None
    # Of several customers that name one workspace the youngest is its own, in whatever order they were read; unless
    # somebody has linked one of them.
    if rival and rival.workspace_id == workspace_id and not _linked_by_operator(customer):
        is_rivals = _linked_by_operator(rival) or _age(rival) > _age(customer)
        if is_rivals:
            return
    view.put(msgspec.structs.replace(workspace, stripe_customer_id=customer.id))


def _age(customer: StripeObject) -> tuple[int, str]:
    return customer.facts.created_at if isinstance(customer.facts, CustomerFacts) else 0, customer.id


def _unlink(view: View, workspace_id: str, customer_id: str) -> None:
    workspace = view.get(Workspace, workspace_id)
    if workspace is not None and workspace.stripe_customer_id == customer_id:
        view.put(msgspec.structs.replace(workspace, stripe_customer_id=None))


def _decide_subscription(view: View, reading: Reading, stored: StripeObject | None) -> Verdict:
    before = view.get(Subscription, reading.id)
    if reading.gone:
        return _end_subscription(view, reading, stored, before)
    provisional = reading.source is StripeSource.EVENT
    after = decode_subscription(reading.raw, stored=before, at=reading.at, provisional=provisional)
    if not _is_newer_status(stored, reading, before.status if before else after.status, after.status):
        return _STALE
    customer = view.get(StripeObject, after.stripe_customer_id)
    ref = None if _linked_by_operator(customer) else workspace_ref(after.metadata)
    found = view.refs.get(ref) if ref else _workspace_of(view, after.stripe_customer_id, customer)
    # Without a link a subscription stays where it was; one that names an unknown workspace also waits for it.
    workspace_id = found or (before.workspace_id if before else None)
    parents = (ref or after.stripe_customer_id,) if found is None and (ref or before is None) else ()
    view.put(_mirror(stored, reading, workspace_id=workspace_id, parked_under=parents))
    if workspace_id:
        view.put(msgspec.structs.replace(after, workspace_id=workspace_id))
    return Verdict(
        fate=Fate.PARKED if parents else Fate.DONE,
        reason=f"no workspace is known for {parents[0]!r}" if parents else None,
        parents=parents,
        missing_customer=after.stripe_customer_id if parents and not ref and customer is None else None,
        is_unknown_transition=before is not None and not is_known_transition(before.status, after.status),
    )


def _workspace_of(view: View, customer_id: str, customer: StripeObject | None) -> str | None:
    return (customer.workspace_id if customer else None) or view.customers.get(customer_id)


def _end_subscription(
    view: View, reading: Reading, stored: StripeObject | None, before: Subscription | None
) -> Verdict:
    if not _is_newer(stored, reading):
        return _STALE
    view.put(_mirror(stored, reading, workspace_id=before.workspace_id if before else None))
    if before is None or before.status in TERMINAL:
        return Verdict(fate=Fate.DONE)
    ended = msgspec.structs.replace(
        before,
        status=SubscriptionStatus.CANCELED,
        canceled_at=before.canceled_at or reading.at,
        ended_at=reading.at,
        past_due_at=None,
        unpaid_period_start_at=None,
        provisional=False,
    )
    view.put(ended)
    return Verdict(
        fate=Fate.DONE, is_unknown_transition=not is_known_transition(before.status, SubscriptionStatus.CANCELED)
    )


def _keep_unread(view: View, reading: Reading, stored: StripeObject | None) -> None:
    # What the API says is kept also where we cannot read it; a payload that we cannot read says nothing.
    if reading.source is StripeSource.FETCH and _is_newer(stored, reading):
        kept = msgspec.structs.replace(_mirror(stored, reading, is_read=False), facts=None)
        view.put(msgspec.structs.replace(kept, workspace_id=stored.workspace_id if stored else None))


def _mirror(
    stored: StripeObject | None,
    reading: Reading,
    *,
    workspace_id: str | None = None,
    parked_under: tuple[str, ...] = (),
    is_read: bool = True,
) -> StripeObject:
    """Return the mirror after the reading; what is gone stays as it was last seen. Raises `DecodeError`."""
    before = stored or StripeObject(id=reading.id, type=reading.type, raw="", source=reading.source)
    is_told = is_read and not reading.gone
    facts = decode_facts(reading.type, reading.raw, before.facts) if is_told else before.facts
    return msgspec.structs.replace(
        before,
        type=reading.type,
        raw=before.raw if reading.gone and before.raw else reading.raw,
        facts=facts,
        source=reading.source,
        fetch_sequence=max(before.fetch_sequence, reading.fetch_sequence),
        event_at=max(before.event_at or 0, reading.event_at),
        api_version=reading.api_version or before.api_version,
        norm_version=NORM_VERSION,
        gone=reading.gone,
        workspace_id=workspace_id,
        parked_under=parked_under,
        deleted_at=None,
    )
