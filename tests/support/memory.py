"""Store and inbox in memory, step by step as those over MongoDB do it: any step may wait, or be the process's last."""

import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Final

import msgspec

from app.domain.audit import AuditEntry
from app.domain.billing_event import BillingEvent
from app.domain.change import Kind, Record, Tombstone
from app.domain.errors import ConflictError
from app.domain.stripe_event import (
    DirtyObject,
    ObjectName,
    StripeEvent,
    StripeEventFilter,
    StripeEventStatus,
    StripeObjectState,
    StripeTrace,
)
from app.domain.stripe_facts import OWED, CheckoutSessionFacts, InvoiceFacts
from app.domain.stripe_object import StripeObject, StripeSource
from app.domain.subscription import Subscription
from app.domain.sync_status import StripeBacklog
from app.domain.workspace import Workspace
from app.ports.store import Page, ResultExistsError, StoredResult
from app.ports.stripe import Lease
from app.ports.system import Clock

Step = Callable[[str], Awaitable[None]]
"""Called before and after each thing that is asked of the database, with what it is."""

E, S = StripeEventStatus, StripeObjectState
_UNSETTLED: Final = (E.RECEIVED, E.PARKED, E.DEAD)
_FINAL: Final = (E.PROCESSED, E.IGNORED)


@dataclasses.dataclass
class Dirty:
    """An object in the queue, as its document has it."""

    id: str
    type: str
    sequence: int = 0
    state: StripeObjectState = S.PENDING
    due_at: int = 0
    marked_at: int = 0
    attempts: int = 0
    token: str | None = None
    taken_over: bool = False
    parked_under: tuple[str, ...] = ()
    last_error: str | None = None


class Database:
    """What all processes share. `follow` is told of every record that is written, once it is."""

    def __init__(self, *, follow: Callable[[Record], None] = lambda _: None) -> None:
        self.records: dict[tuple[Kind, str], Record] = {}
        self.audit: list[AuditEntry] = []
        self.results: dict[str, StoredResult] = {}
        self.told: dict[str, BillingEvent] = {}
        self.events: dict[str, StripeEvent] = {}
        self.dirty: dict[str, Dirty] = {}
        self.fetches = 0
        self.leases = 0
        self.follow = follow

    def tell(self, events: Sequence[BillingEvent]) -> None:
        for event in events:
            self.told.setdefault(event.id, event)

    def of(self, kind: Kind) -> dict[str, Record]:
        return {name: record for (its, name), record in self.records.items() if its is kind}


class MemoryStore:
    """`ports.RecordStore`, as far as syncing needs it."""

    def __init__(self, database: Database, step: Step) -> None:
        self._database = database
        self._step = step

    async def read(self, kind: Kind, ids: Collection[str]) -> dict[str, Record]:
        await self._step("read")
        found = {name: self._database.records.get((kind, name)) for name in ids}
        return {name: record for name, record in found.items() if record is not None}

    async def read_workspace(self, ref: str) -> list[Record]:
        await self._step("read_workspace")
        every = [record for record in self._database.of(Kind.WORKSPACE).values() if isinstance(record, Workspace)]
        named = [record for record in every if ref in (record.id, record.external_id)]
        if not named:
            return []
        owned = [record for record in self._database.records.values() if getattr(record, "workspace_id", "") == ref]
        return [named[0], *(record for record in owned if record.KIND is Kind.SUBSCRIPTION)]

    async def scan(self, kind: Kind) -> AsyncIterator[Sequence[Record | Tombstone]]:
        await self._step("scan")
        yield list(self._database.of(kind).values())

    async def linked_customers(self, ids: Collection[str]) -> set[str]:
        await self._step("linked_customers")
        return {one.id for one in self._mirrors() if one.id in ids and one.type == "customer" and one.workspace_id}

    async def names(self, refs: Collection[str]) -> set[str]:
        await self._step("names")
        workspaces = [record for record in self._database.records.values() if isinstance(record, Workspace)]
        return {name for one in workspaces for name in (one.id, one.external_id) if name in refs}

    async def customers_of(self, workspace_ids: Collection[str]) -> list[StripeObject]:
        await self._step("customers_of")
        return [one for one in self._mirrors() if one.type == "customer" and one.workspace_id in workspace_ids]

    async def owed_invoices(self, subscription_ids: Collection[str]) -> list[StripeObject]:
        await self._step("owed_invoices")
        return [
            mirror
            for mirror in self._mirrors()
            if isinstance(mirror.facts, InvoiceFacts)
            and mirror.facts.subscription_id in subscription_ids
            and mirror.facts.status in OWED
        ]

    async def naming_checkouts(self, customer_ids: Collection[str]) -> list[StripeObject]:
        await self._step("naming_checkouts")
        return [
            mirror
            for mirror in self._mirrors()
            if isinstance(mirror.facts, CheckoutSessionFacts)
            and mirror.facts.customer_id in customer_ids
            and mirror.facts.status == "complete"
            and mirror.facts.workspace_ref
        ]

    async def subscriptions_of_customers(self, customer_ids: Collection[str]) -> list[Subscription]:
        await self._step("subscriptions_of_customers")
        subs = self._database.of(Kind.SUBSCRIPTION).values()
        return [sub for sub in subs if isinstance(sub, Subscription) and sub.stripe_customer_id in customer_ids]

    async def provisional_mirrors(self, *, after: str, most: int) -> list[StripeObject]:
        await self._step("provisional_mirrors")
        found = [mirror for mirror in self._mirrors() if mirror.source is StripeSource.EVENT and mirror.id > after]
        return sorted(found, key=lambda mirror: mirror.id)[:most]

    async def outdated_mirrors(self, norm_version: int, *, after: str, most: int) -> list[StripeObject]:
        await self._step("outdated_mirrors")
        found = [mirror for mirror in self._mirrors() if mirror.norm_version < norm_version and mirror.id > after]
        return sorted(found, key=lambda mirror: mirror.id)[:most]

    async def write(
        self,
        records: Sequence[Record],
        audit: Sequence[AuditEntry],
        result: StoredResult | None,
        *,
        events: Sequence[BillingEvent] = (),
    ) -> None:
        await self._step("write")
        if result is not None and result.id in self._database.results:
            raise ResultExistsError
        for record in records:
            self._check(record)
        self._database.records.update({(record.KIND, record.id): record for record in records})
        self._database.audit.extend(audit)
        self._database.tell(events)
        if result is not None:
            self._database.results[result.id] = result
        for record in records:
            self._database.follow(record)
        await self._step("written")

    async def result(self, id: str) -> StoredResult | None:
        await self._step("result")
        return self._database.results.get(id)

    def _mirrors(self) -> list[StripeObject]:
        mirrors = self._database.of(Kind.STRIPE_OBJECT).values()
        return [mirror for mirror in mirrors if isinstance(mirror, StripeObject) and not mirror.gone]

    def _check(self, record: Record) -> None:
        stored = self._database.records.get((record.KIND, record.id))
        life = (stored.version, stored.incarnation) if stored else None
        expected = (record.version - 1, record.incarnation) if record.version > 1 else None
        if life != expected:
            raise ConflictError(f"{record.id!r} has changed", current_version=stored.version if stored else None)


class MemoryBillingEvents:
    """`ports.BillingEvents`, as far as syncing needs it."""

    def __init__(self, database: Database, step: Step) -> None:
        self._database = database
        self._step = step

    async def tell(self, events: Sequence[BillingEvent]) -> None:
        await self._step("tell")
        self._database.tell(events)
        await self._step("told")


class MemoryInbox:
    """`ports.Inbox` and `ports.WorkQueue`, as far as syncing needs them; see `store.inbox` for why it is so."""

    def __init__(self, database: Database, clock: Clock, step: Step) -> None:
        self._database = database
        self._clock = clock
        self._step = step

    async def accept(self, event: StripeEvent) -> bool:
        await self._step("accept")
        if event.id in self._database.events:
            return False
        self._database.events[event.id] = event
        await self._step("accepted")
        if event.status is E.RECEIVED and event.object_type and event.object_id:
            await self.mark(event.object_type, event.object_id)
        return True

    async def mark(self, type: str, id: str) -> None:
        await self._step("mark")
        now_at = self._clock.now_at()
        dirty = self._database.dirty.setdefault(id, Dirty(id, type, state=S.DEAD))
        is_pending = dirty.state is S.PENDING
        dirty.sequence += 1
        dirty.marked_at = dirty.marked_at if is_pending else now_at
        dirty.due_at = dirty.due_at if is_pending and dirty.token else now_at
        dirty.attempts = dirty.attempts if is_pending else 0
        dirty.state, dirty.parked_under = S.PENDING, ()
        await self._step("marked")

    async def mark_all(self, objects: Sequence[ObjectName]) -> None:
        for name in objects:
            await self.mark(name.type, name.id)

    async def park_all(self, objects: Mapping[ObjectName, Collection[str]]) -> None:
        await self._step("park_all")
        for name, parents in objects.items():
            dirty = self._database.dirty.setdefault(name.id, Dirty(name.id, name.type, state=S.PARKED))
            if dirty.state is S.PARKED:
                dirty.parked_under, dirty.sequence, dirty.attempts = tuple(parents), dirty.sequence + 1, 0
                dirty.marked_at = dirty.due_at = self._clock.now_at()
            else:
                await self.mark(name.type, name.id)
        await self._step("all parked")

    async def release(self, parents: Collection[str]) -> int:
        await self._step("release")
        parked = [dirty for dirty in self._database.dirty.values() if dirty.state is S.PARKED]
        found = [dirty for dirty in parked if set(dirty.parked_under) & set(parents)]
        for dirty in found:
            dirty.state, dirty.parked_under, dirty.attempts = S.PENDING, (), 0
            dirty.marked_at = dirty.due_at = self._clock.now_at()
            dirty.sequence += 1
        await self._step("released")
        return len(found)

    async def event(self, id: str) -> StripeEvent | None:
        return self._database.events.get(id)

    async def events_page(
        self, wanted: StripeEventFilter, *, after: tuple[int, str] | None, first: int
    ) -> Page[StripeEvent]:
        assert after is None
        found = [event for event in self._database.events.values() if event.object_id == wanted.object_id]
        found.sort(key=lambda event: (event.received_at, event.id), reverse=True)
        return Page(tuple(found[:first]), has_next=len(found) > first)

    async def backlog(self) -> StripeBacklog:
        states = [dirty.state for dirty in self._database.dirty.values()]
        return StripeBacklog(
            pending=states.count(S.PENDING),
            parked=states.count(S.PARKED),
            dead=states.count(S.DEAD),
            last_event_at=None,
        )

    async def lease(
        self, *, limit: int, until_at: int, without: Collection[str] = (), in_turn: bool = False
    ) -> list[Lease]:
        await self._step("lease")
        now_at = self._clock.now_at()
        due = [dirty for dirty in self._database.dirty.values() if dirty.state is S.PENDING and dirty.due_at <= now_at]
        due = [dirty for dirty in due if dirty.type not in without]
        if not due:
            return []
        self._database.leases += 1
        token = f"lease {self._database.leases}"
        taken = sorted(due, key=lambda dirty: dirty.due_at if in_turn else dirty.marked_at)[:limit]
        for dirty in taken:
            dirty.taken_over, dirty.token, dirty.due_at = dirty.token is not None, token, until_at
        await self._step("leased")
        leased = [dirty for dirty in self._database.dirty.values() if dirty.token == token]
        return [
            Lease(
                DirtyObject(
                    id=it.id, type=it.type, sequence=it.sequence, attempts=it.attempts, taken_over=it.taken_over
                ),
                token,
            )
            for it in leased
        ]

    async def renew(self, leases: Collection[Lease], *, until_at: int) -> None:
        await self._step("renew")
        for lease in leases:
            if dirty := self._held(lease):
                dirty.due_at = until_at

    async def fetch_sequence(self) -> int:
        await self._step("fetch_sequence")
        self._database.fetches += 1
        mine = self._database.fetches
        await self._step("fetch_sequence taken")
        return mine

    async def unsettled(self, object_id: str, *, payloads: bool) -> list[StripeEvent]:
        await self._step("unsettled")
        found = [event for event in self._database.events.values() if event.object_id == object_id]
        waiting = [event for event in found if event.status in _UNSETTLED]
        waiting.sort(key=lambda event: (event.occurred_at, event.received_at, event.id))
        return waiting if payloads else [msgspec.structs.replace(event, payload="") for event in waiting]

    async def note(
        self,
        events: Collection[str],
        status: StripeEventStatus,
        *,
        reason: str | None = None,
        trace: StripeTrace | None = None,
    ) -> None:
        del trace
        if not events:
            return
        await self._step("note")
        for id in events:  # noqa: A001 - the API's word
            event = self._database.events[id]
            at = self._clock.now_at() if status in _FINAL else None
            noted: dict[str, Any] = {"status": status, "reason": reason, "processed_at": at}
            self._database.events[id] = msgspec.structs.replace(event, attempts=event.attempts + 1, **noted)
        await self._step("noted")

    async def clear(self, lease: Lease) -> None:
        await self._step("clear")
        if self._held(lease, unmarked=True):
            del self._database.dirty[lease.object.id]
            await self._step("cleared")
        else:
            await self._give_back(lease)

    async def park(self, lease: Lease, parents: Collection[str]) -> None:
        await self._set_aside(lease, state=S.PARKED, parked_under=tuple(parents), attempts=0, last_error=None)

    async def bury(self, lease: Lease, *, error: str) -> None:
        await self._set_aside(lease, state=S.DEAD, last_error=error)

    async def postpone(self, lease: Lease, *, until_at: int, error: str, counted: bool) -> None:
        await self._step("postpone")
        if dirty := self._held(lease):
            dirty.token, dirty.due_at, dirty.last_error = None, until_at, error
            dirty.attempts += counted
        await self._step("postponed")

    async def put_back(self, lease: Lease) -> None:
        await self._step("put_back")
        if dirty := self._held(lease):
            dirty.token, dirty.due_at = None, self._clock.now_at()
        await self._step("put back")

    async def mark_forgotten(self, *, received_before_at: int) -> int:
        await self._step("mark_forgotten")
        waiting = [event for event in self._database.events.values() if event.status is E.RECEIVED]
        old = [event for event in waiting if event.received_at <= received_before_at and event.object_id]
        names = dict.fromkeys(ObjectName(str(event.object_type), str(event.object_id)) for event in old)
        forgotten = [name for name in names if not self._is_pending(name.id)]
        await self.mark_all(forgotten)
        return len(forgotten)

    async def parents(self) -> AsyncIterator[Sequence[str]]:
        await self._step("parents")
        found = {parent for dirty in self._database.dirty.values() for parent in dirty.parked_under}
        if found:
            yield sorted(found)

    def _is_pending(self, id: str) -> bool:
        dirty = self._database.dirty.get(id)
        return dirty is not None and dirty.state is S.PENDING

    def _held(self, lease: Lease, *, unmarked: bool = False) -> Dirty | None:
        dirty = self._database.dirty.get(lease.object.id)
        is_ours = dirty is not None and dirty.token == lease.token
        return dirty if is_ours and not (unmarked and dirty.sequence != lease.object.sequence) else None

    async def _set_aside(self, lease: Lease, **fields: Any) -> None:
        await self._step("set_aside")
        if dirty := self._held(lease, unmarked=True):
            for name, value in {**fields, "token": None}.items():
                setattr(dirty, name, value)
            await self._step("set aside")
        else:
            await self._give_back(lease)

    async def _give_back(self, lease: Lease) -> None:
        await self._step("give_back")
        if dirty := self._held(lease):
            dirty.token, dirty.attempts, dirty.last_error = None, 0, None
            dirty.marked_at = dirty.due_at = self._clock.now_at()
        await self._step("given back")
