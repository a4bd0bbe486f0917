"""How true RAM is, and what reconciling found."""

from typing import Final

import strawberry

from app.domain import sync_status as domain
from app.graphql.permissions import OPERATES, requires
from app.graphql.scalars import DateTime
from app.graphql.types.grants import instant

_SHOWN: Final = 100


@strawberry.type(directives=requires(*OPERATES), description="What RAM holds.")
class CacheStatus:
    ready: bool = strawberry.field(description="Whether it was loaded; until then checks answer STATE_UNKNOWN.")
    records: int = strawberry.field(description="Live records held.")
    workspaces: int = strawberry.field(description="Workspaces among them.")
    last_applied_at: DateTime | None = strawberry.field(
        description="When a change last arrived; null before the first."
    )
    malformed: list[str] = strawberry.field(
        description="Records of the database that could not be read; they keep their last good state."
    )


@strawberry.type(directives=requires(*OPERATES), description="One background worker.")
class WorkerStatus:
    name: str = strawberry.field(description="Its name.")
    state: domain.WorkerState = strawberry.field(description="How it is.")
    since_at: DateTime = strawberry.field(description="Since when it is so.")
    last_error: str | None = strawberry.field(description="The last error it met, which may be long over.")
    last_error_at: DateTime | None = strawberry.field(description="When that was.")


@strawberry.type(directives=requires(*OPERATES), description="What one reconciliation found.")
class ReconcileResult:
    compared: int = strawberry.field(description="Records compared.")
    repaired: int = strawberry.field(description="Records that differed and were refreshed. 0 is healthy.")
    dropped: int = strawberry.field(description="Records that the database no longer has. 0 is healthy.")
    divergent: list[strawberry.ID] = strawberry.field(description="The first hundred ids that differed.")
    dry_run: bool = strawberry.field(description="Whether it only looked.")
    initial: bool = strawberry.field(description="Whether it was the first load, in which everything is new.")

    @classmethod
    def from_domain(cls, result: domain.ReconcileResult) -> "ReconcileResult":
        """Translate."""
        return cls(
            compared=result.compared,
            repaired=result.repaired,
            dropped=result.dropped,
            divergent=[strawberry.ID(name) for name in result.divergent],
            dry_run=result.dry_run,
            initial=result.initial,
        )


@strawberry.type(directives=requires(*OPERATES), description="The reconciler, which cleans and refreshes RAM.")
class ReconcileStatus:
    running: bool = strawberry.field(description="Whether it runs now.")
    last_run_at: DateTime | None = strawberry.field(description="When it last finished; null before the first time.")
    last_result: ReconcileResult | None = strawberry.field(description="What it found then.")
    repaired_total: int = strawberry.field(description="Repaired since the process started.")
    dropped_total: int = strawberry.field(description="Dropped since the process started.")


@strawberry.type(directives=requires(*OPERATES), description="Why Stripe's API is left alone for a while.")
class StripeBackoff:
    until_at: DateTime = strawberry.field(description="When it is asked again, by one process first.")
    reason: str = strawberry.field(
        description="What it answered, or that it did not; after the type that was asked for where others still are."
    )


@strawberry.type(
    directives=requires(*OPERATES),
    description="The Stripe side, the same on every replica, whichever of them works on it; `unmappedPrices` are what "
    "this one's RAM knows.",
)
class StripeSyncStatus:
    mode: domain.StripeSyncMode = strawberry.field(description="How facts come from Stripe.")
    pending: int | None = strawberry.field(
        description="Objects that wait for their turn: the backlog. "
        "Like the next three, null while the database does not answer."
    )
    oldest_pending_at: DateTime | None = strawberry.field(
        description="Since when the object waits that has waited longest; null also where none does."
    )
    parked: int | None = strawberry.field(description="Objects that wait for a customer or workspace unknown here.")
    dead: int | None = strawberry.field(description="Objects that failed too often.")
    last_event_at: DateTime | None = strawberry.field(description="When Stripe last sent an event.")
    unmapped_prices: list[str] = strawberry.field(
        description="Prices that live subscriptions hold and no plan names; they grant nothing. The first hundred."
    )
    unmapped_price_count: int = strawberry.field(description="How many such prices there are.")
    trouble: str | None = strawberry.field(
        description="Why Stripe's word does not come in as it should: its API cannot be asked or refuses, or no "
        "process works on the events. Null while all is well."
    )
    backoff: StripeBackoff | None = strawberry.field(
        description="Until when no process asks Stripe's API, or for the type that `reason` names; null while all may."
    )
    drift: int | None = strawberry.field(
        description="Objects found changed with no event that told of it, since ever; 0 is healthy, and "
        "`stripeReconcile` names the last ones. Null while the database does not answer."
    )
    last_reconcile_at: DateTime | None = strawberry.field(
        description="When Stripe was last asked for events that never came; null also before the first time."
    )
    worker_seen_at: DateTime | None = strawberry.field(
        description="When a process that works on Stripe's events last said so, which it does every 15 seconds; null "
        "before the first time."
    )


@strawberry.type(directives=requires(*OPERATES), description="Everything an operator asks at night.")
class SyncStatus:
    cache: CacheStatus = strawberry.field(description="What RAM holds.")
    workers: list[WorkerStatus] = strawberry.field(description="The background workers.")
    reconcile: ReconcileStatus = strawberry.field(description="The reconciler.")
    stripe: StripeSyncStatus = strawberry.field(description="The Stripe side.")

    @classmethod
    def from_domain(cls, status: domain.SyncStatus) -> "SyncStatus":
        """Translate."""
        return cls(
            cache=CacheStatus(
                ready=status.cache.ready,
                records=status.cache.records,
                workspaces=status.cache.workspaces,
                last_applied_at=instant(status.cache.last_applied_at),
                malformed=list(status.cache.malformed),
            ),
            workers=[_worker(worker) for worker in status.workers],
            reconcile=_reconcile(status.reconcile),
            stripe=_stripe(status.stripe),
        )


def _worker(worker: domain.WorkerStatus) -> WorkerStatus:
    return WorkerStatus(
        name=worker.name,
        state=worker.state,
        since_at=DateTime(worker.since_at),
        last_error=worker.last_error,
        last_error_at=instant(worker.last_error_at),
    )


def _reconcile(status: domain.ReconcileStatus) -> ReconcileStatus:
    return ReconcileStatus(
        running=status.running,
        last_run_at=instant(status.last_run_at),
        last_result=ReconcileResult.from_domain(status.last_result) if status.last_result else None,
        repaired_total=status.repaired_total,
        dropped_total=status.dropped_total,
    )


def _backoff(backoff: domain.StripeBackoff | None) -> StripeBackoff | None:
    return StripeBackoff(until_at=DateTime(backoff.until_at), reason=backoff.reason) if backoff else None


def _stripe(status: domain.StripeSyncStatus) -> StripeSyncStatus:
    backlog = status.backlog
    return StripeSyncStatus(
        mode=status.mode,
        pending=backlog.pending if backlog else None,
        parked=backlog.parked if backlog else None,
        dead=backlog.dead if backlog else None,
        last_event_at=instant(backlog.last_event_at) if backlog else None,
        oldest_pending_at=instant(backlog.oldest_pending_at) if backlog else None,
        unmapped_prices=list(status.unmapped_prices[:_SHOWN]),
        unmapped_price_count=len(status.unmapped_prices),
        trouble=status.trouble,
        backoff=_backoff(status.backoff),
        drift=status.drift,
        last_reconcile_at=instant(status.last_reconcile_at),
        worker_seen_at=instant(status.worker_seen_at),
    )
