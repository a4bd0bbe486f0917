"""Moving subscriptions to a newer version of their plan: the record of a migration, and which items move."""

from decimal import ROUND_DOWN, Decimal
from enum import StrEnum
from typing import ClassVar, Final

import msgspec

from app.domain.change import Instant, Kind, Record
from app.domain.plan import Catalogue, Plan
from app.domain.subscription import TERMINAL, Subscription, SubscriptionItem

_FOURTH_PLACE: Final = Decimal("0.0001")


class MigrationStatus(StrEnum):
    """RUNNING until the last subscription was looked at; SUPERSEDED by a newer one of the plan; FAILED says why."""

    RUNNING = "RUNNING"
    FINISHED = "FINISHED"
    SUPERSEDED = "SUPERSEDED"
    FAILED = "FAILED"


class Migration(Record, frozen=True, kw_only=True, gc=False, rename="camel"):
    """Moves those who have an earlier version of a plan or add-on to the version `plan_id`, batch after batch.

    `published_at` is that version's; `total` are the subscriptions that were to be looked at when it started. Up to
    `cursor`, a subscription's id, all were looked at: `moved`, or `skipped` where there was nothing to move.
    """

    KIND: ClassVar[Kind] = Kind.MIGRATION

    plan_key: str
    plan_id: str
    plan_version: int
    published_at: Instant
    total: int
    started_at: Instant
    status: MigrationStatus = MigrationStatus.RUNNING
    moved: int = 0
    skipped: int = 0
    cursor: str | None = None
    finished_at: Instant | None = None
    failure: str | None = None

    @property
    def progress(self) -> Decimal:
        """How far it is, from 0 to 1, to four places. It is 1 exactly when it is FINISHED."""
        if self.status is MigrationStatus.FINISHED:
            return Decimal(1)
        share = Decimal(self.moved + self.skipped) / max(self.total, 1)
        return min(share, 1 - _FOURTH_PLACE).quantize(_FOURTH_PLACE, ROUND_DOWN)


def movable_prices(target: Plan, catalogue: Catalogue) -> frozenset[str]:
    """Return the prices, by id or lookup key, whose holders may have an earlier version and can have this one."""
    earlier = [plan for plan in catalogue.versions(target.key) if plan.plan_version < target.plan_version]
    return target.price_names & {name for plan in earlier for name in plan.price_names}


def migrated(sub: Subscription, target: Plan, catalogue: Catalogue) -> Subscription:
    """Return the subscription with `target` in place of every earlier version of the plan; itself where none moves.

    An item is moved by letting its price count from when `target` was published. What has ended is left as it is, and
    so is an item that would not have `target` even then: another plan names its price, or a later version came at once.
    """
    if sub.status in TERMINAL:
        return sub
    items = tuple(_migrated(item, target, catalogue) for item in sub.items)
    return sub if items == sub.items else msgspec.structs.replace(sub, items=items)


def advanced(migration: Migration, *, moved: int, skipped: int, cursor: str | None, ended_at: int | None) -> Migration:
    """Return the migration after a batch; `ended_at` where it was the last one."""
    return msgspec.structs.replace(
        migration,
        status=MigrationStatus.RUNNING if ended_at is None else MigrationStatus.FINISHED,
        moved=migration.moved + moved,
        skipped=migration.skipped + skipped,
        cursor=cursor,
        finished_at=ended_at,
    )


def ended(migration: Migration, status: MigrationStatus, failure: str, at: int) -> Migration:
    """Return the migration as it ends before its last batch."""
    return msgspec.structs.replace(migration, status=status, failure=failure, finished_at=at)


def _migrated(item: SubscriptionItem, target: Plan, catalogue: Catalogue) -> SubscriptionItem:
    plan = _plan_of(item, catalogue)
    if plan is None or plan.key != target.key or plan.plan_version >= target.plan_version:
        return item
    moved = msgspec.structs.replace(item, price_since_at=target.published_at)
    after = _plan_of(moved, catalogue)
    return moved if after is not None and after.id == target.id else item


def _plan_of(item: SubscriptionItem, catalogue: Catalogue) -> Plan | None:
    return catalogue.plan_for_price(item.price_id, item.lookup_key, item.price_since_at)
