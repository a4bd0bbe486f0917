"""Readings to records: load, decide, commit, several objects in one transaction where they come together."""

import asyncio
from collections.abc import Sequence
from typing import Final

import msgspec

from app.domain.audit import Actor, ActorKind
from app.domain.change import Kind, Record
from app.domain.errors import ConflictError, UnavailableError
from app.domain.stripe_object import SYNCED_TYPES, StripeObject
from app.domain.subscription import Subscription
from app.domain.workspace import Workspace
from app.runtime import Runtime
from app.services.commit import commit
from app.services.workspaces import tell_of
from sync.stripe.decide import decide
from sync.stripe.loading import load_view
from sync.stripe.readings import Reading
from sync.stripe.strays import strays
from sync.stripe.verdict import Fate, Verdict

OPERATION: Final = "syncStripe"
_MOST_OBJECTS: Final = 16
_TRIES: Final = 6  # another writer of the same records wins each time; more would be a fault


class _Entry(msgspec.Struct):
    readings: Sequence[Reading]
    verdicts: Sequence[Verdict] | None = None
    error: Exception | None = None


class Batches:
    """Shares commits among those who submit at the same time: whoever has the turn takes all that wait along."""

    def __init__(self, rt: Runtime) -> None:
        self._rt = rt
        self._turn = asyncio.Lock()
        self._waiting: list[_Entry] = []

    async def submit(self, readings: Sequence[Reading]) -> Sequence[Verdict]:
        """Store what the readings of one object change; return a verdict on each, in their order.

        Raises `UnavailableError`, or whatever error this object alone meets.
        """
        entry = _Entry(readings)
        self._waiting.append(entry)
        async with self._turn:
            while self._waiting and entry.verdicts is None and entry.error is None:
                taken, self._waiting = self._waiting[:_MOST_OBJECTS], self._waiting[_MOST_OBJECTS:]
                await self._write(taken)
        if entry.verdicts is None:
            raise entry.error or AssertionError("a written entry has a verdict or an error")
        return entry.verdicts

    async def _write(self, entries: Sequence[_Entry]) -> None:
        try:
            await self._commit(entries)
        except UnavailableError as error:
            for entry in entries:
                entry.error = error
        except Exception as error:  # noqa: BLE001 - a fault of ours with one object must not stop the others
            if len(entries) == 1:
                entries[0].error = error
                return
            for entry in entries:
                await self._write([entry])

    async def _commit(self, entries: Sequence[_Entry]) -> None:
        ordered = sorted(entries, key=lambda entry: SYNCED_TYPES.index(entry.readings[0].type))
        actor = Actor(ActorKind.STRIPE, ",".join(entry.readings[0].id for entry in entries))
        for attempt in range(1, _TRIES + 1):
            view = await load_view(self._rt, [reading for entry in entries for reading in entry.readings])
            verdicts = [[decide(view, reading) for reading in entry.readings] for entry in ordered]
            changes = view.changes()
            try:
                written = await commit(self._rt, actor, OPERATION, changes) if changes else ()
            except ConflictError:
                if attempt == _TRIES:
                    raise
                continue
            await self._settle_new(written)
            if found := await strays(self._rt, view.decided_customers()):
                await self._rt.inbox.mark_all(found)
            written_at = {record.id: record.updated_at for record in written}
            for entry, decided in zip(ordered, verdicts, strict=True):
                entry.verdicts = [_dated(verdict, written_at.get(entry.readings[0].id)) for verdict in decided]
            return

    async def _settle_new(self, written: Sequence[Record]) -> None:
        """Tell of new workspaces; have new subscriptions looked at again whose customers were linked meanwhile."""
        for record in written:
            if isinstance(record, Workspace) and record.version == 1:
                await tell_of(self._rt, record)
        subs = [record for record in written if isinstance(record, Subscription) and record.version == 1]
        customers = await self._rt.store.read(Kind.STRIPE_OBJECT, {sub.stripe_customer_id for sub in subs})
        for sub in subs:
            customer = customers.get(sub.stripe_customer_id)
            if isinstance(customer, StripeObject) and customer.workspace_id not in (None, sub.workspace_id):
                await self._rt.inbox.mark("subscription", sub.id)


def _dated(verdict: Verdict, written_at: int | None) -> Verdict:
    is_kept = verdict.fate in (Fate.DONE, Fate.PARKED)
    return msgspec.structs.replace(verdict, written_at=written_at) if is_kept else verdict
