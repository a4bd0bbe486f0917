"""The ledger of usage, and the one road into it."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Protocol

import msgspec

from app.domain.case import Case
from app.domain.consumption import Refused, Taken
from app.domain.entitlement import Entitlement
from app.domain.explanation import Question
from app.domain.usage import Balance, UsageEvent
from app.domain.usage_summary import Granularity, Slice
from app.ports.store import Page


class UsageFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries of the ledger: of one workspace, of a feature, that happened in `[from_at, to_at)`.

    `balance_key` is a credit type's key, for all that drew on it too.
    """

    workspace_id: str
    feature_key: str | None = None
    balance_key: str | None = None
    from_at: int | None = None
    to_at: int | None = None


class UsageLedger(Protocol):
    """What was used, entry by entry, and the balances that they come to. Every call has a deadline."""

    async def write(self, balances: Sequence[Balance], events: Sequence[UsageEvent]) -> None:
        """Write balances (versions raised by one; 1 is an insert) and append entries, all or nothing.

        Raises `ConflictError` where another write of a balance came first; `ResultExistsError` where an entry is there.
        """
        ...

    async def events(self, ids: Collection[str]) -> dict[str, UsageEvent]:
        """Return the entries with these ids. Absent ids are left out."""
        ...

    async def corrections(self, event_id: str) -> list[UsageEvent]:
        """Return the entries that correct this one, the earliest first."""
        ...

    async def page(self, wanted: UsageFilter, *, after: tuple[int, str] | None, first: int) -> Page[UsageEvent]:
        """Return entries, those that happened last first. `after` is an entry's `occurred_at` and id."""
        ...

    async def count(self, wanted: UsageFilter) -> int:
        """Count entries."""
        ...

    async def summary(self, wanted: UsageFilter, granularity: Granularity) -> dict[int, Slice]:
        """Add up what was used of the feature, by where each slice starts; empty slices are left out.

        Of `wanted.balance_key` the amount is in credits, as charged.
        """
        ...


class UsageRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A change of one workspace's usage, to be decided on whatever its balance is when its turn comes.

    `event` is the ledger entry without its lines. `decide` may be called several times and must not wait; `prepare` is
    awaited before each time, while nobody else in this process writes the workspace's balance.
    """

    event: UsageEvent
    decide: Callable[[Case], Taken | Refused]
    prepare: Callable[[], Awaitable[None]] | None = None


class Accepted(msgspec.Struct, frozen=True):
    """The ledger entry as written; `replayed` where an earlier request with the same key wrote it.

    `answer` checks one more unit of a feature, as it is since then, and tells what was asked; requests that were
    written together share answers.
    """

    event: UsageEvent
    replayed: bool
    answer: Callable[[str], tuple[Question, Entitlement]]


class UsageWriter(Protocol):
    """The one road of usage into store and RAM."""

    async def write(self, request: UsageRequest) -> Accepted | Refused:
        """Decide, write and apply to RAM, once per entry id; requests that come together share a write.

        Raises what `decide` raises, `IdempotencyConflictError`, `UnavailableError` also where the workspace is too
        busy, and `ConflictError` where its balance cannot be read.
        """
        ...
