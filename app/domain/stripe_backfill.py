"""A backfill: reading all that Stripe has, list after list and page after page; how far it is and what it found."""

from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Final

import msgspec

from app.domain.stripe_event import ObjectName

NAMED_MAX: Final = 100
"""How many of the changed objects are named."""

_TENTH: Final = Decimal("0.1")


class BackfillStatus(StrEnum):
    """RUNNING until the last page was read; FAILED says why."""

    RUNNING = "RUNNING"
    FINISHED = "FINISHED"
    FAILED = "FAILED"


class TypeCount(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What was found of one type: `listed` objects, those `changed` against what is stored (new ones too).

    Some wait for a workspace that is unknown here (`parked`); some could not be stored now (`failed`), and the worker
    tries again.
    """

    type: str
    listed: int = 0
    changed: int = 0
    parked: int = 0
    failed: int = 0


class PageFindings(msgspec.Struct, frozen=True, kw_only=True):
    """What one page held: the counts, who changed, and when its newest and its oldest object were created."""

    count: TypeCount
    changed: tuple[ObjectName, ...] = ()
    newest_at: int | None = None
    oldest_at: int | None = None


class Backfill(msgspec.Struct, frozen=True, kw_only=True):
    """One backfill. `request` names who asked for it and under which key, so that asking again finds it.

    `list_number` and `after` say where to go on. `worked_ms` is the time spent on pages, in `list_worked_ms` those of
    this list, whose objects were created between `newest_at` and `oldest_at` so far; nothing in the lists that are done
    is older than `account_since_at`. `sequence` is smaller than the fetch sequences of all its pages, None before the
    first. `trouble` says why Stripe cannot be asked now.
    """

    id: str
    request: str
    dry_run: bool
    started_at: int
    status: BackfillStatus = BackfillStatus.RUNNING
    sequence: int | None = None
    counts: tuple[TypeCount, ...] = ()
    changed: tuple[ObjectName, ...] = ()
    list_number: int = 0
    after: str | None = None
    restarts: int = 0
    worked_ms: int = 0
    list_worked_ms: int = 0
    newest_at: int | None = None
    oldest_at: int | None = None
    account_since_at: int | None = None
    finished_at: int | None = None
    failure: str | None = None
    trouble: str | None = None

    @property
    def listed(self) -> int:
        """Objects of all types read so far."""
        return sum(count.listed for count in self.counts)

    @property
    def objects_per_second(self) -> Decimal | None:
        """How fast they were read, to one place; None before the first page."""
        if not self.worked_ms:
            return None
        return (Decimal(self.listed * 1000) / self.worked_ms).quantize(_TENTH, ROUND_HALF_UP)

    @property
    def seconds_left(self) -> int | None:
        """Estimate how long this list still takes; None where there is nothing to tell it by.

        Stripe does not say how long a list is, but it goes from the newest object to the oldest: so it is as far as
        it has come on its way to the beginning of the account.
        """
        if self.status is not BackfillStatus.RUNNING:
            return None
        if self.newest_at is None or self.oldest_at is None or self.account_since_at is None:
            return None
        gone, left = self.newest_at - self.oldest_at, max(self.oldest_at - self.account_since_at, 0)
        return -(-self.list_worked_ms * left // (gone * 1000)) if gone > 0 else None


def advanced(run: Backfill, found: PageFindings, *, after: str | None, took_ms: int) -> Backfill:
    """Return the backfill after a page; `after` leads to the next page of its list, None to the next list."""
    went_on = msgspec.structs.replace(
        run,
        counts=_added(run.counts, found.count),
        changed=(*run.changed, *found.changed)[:NAMED_MAX],
        after=after,
        worked_ms=run.worked_ms + took_ms,
        list_worked_ms=run.list_worked_ms + took_ms,
        newest_at=run.newest_at if found.newest_at is None else max(run.newest_at or 0, found.newest_at),
        oldest_at=_earlier(run.oldest_at, found.oldest_at),
        trouble=None,
    )
    return went_on if after is not None else _next_list(went_on)


def restarted(run: Backfill) -> Backfill:
    """Return the backfill at the beginning of its list: the object that it was to go on after has left the list."""
    return msgspec.structs.replace(run, after=None, restarts=run.restarts + 1)


def finished(run: Backfill, at: int) -> Backfill:
    """Return the backfill after its last list."""
    return msgspec.structs.replace(run, status=BackfillStatus.FINISHED, finished_at=at, trouble=None)


def failed(run: Backfill, reason: str, at: int) -> Backfill:
    """Return the backfill as it ends before its last list."""
    return msgspec.structs.replace(run, status=BackfillStatus.FAILED, finished_at=at, failure=reason, trouble=None)


def _next_list(run: Backfill) -> Backfill:
    return msgspec.structs.replace(
        run,
        list_number=run.list_number + 1,
        list_worked_ms=0,
        newest_at=None,
        oldest_at=None,
        account_since_at=_earlier(run.account_since_at, run.oldest_at),
    )


def _earlier(one: int | None, other: int | None) -> int | None:
    return min((at for at in (one, other) if at is not None), default=None)


def total(counts: Iterable[TypeCount]) -> tuple[TypeCount, ...]:
    """Add up by type, in the order in which the types come first."""
    added: tuple[TypeCount, ...] = ()
    for count in counts:
        added = _added(added, count)
    return added


def _added(counts: Sequence[TypeCount], more: TypeCount) -> tuple[TypeCount, ...]:
    before = {count.type: count for count in counts}
    old = before.get(more.type, TypeCount(type=more.type))
    before[more.type] = TypeCount(
        type=more.type,
        listed=old.listed + more.listed,
        changed=old.changed + more.changed,
        parked=old.parked + more.parked,
        failed=old.failed + more.failed,
    )
    return tuple(before.values())
