"""How true RAM is: the states of the workers and what the last reconciliation found."""

from enum import StrEnum

import msgspec

from app.domain.change import Instant


class WorkerState(StrEnum):
    """INITIALIZING never yet good; VALID good; INTERRUPTED was good and is being repaired; OFF not running here."""

    INITIALIZING = "INITIALIZING"
    VALID = "VALID"
    INTERRUPTED = "INTERRUPTED"
    OFF = "OFF"


class WorkerStatus(msgspec.Struct, frozen=True, gc=False):
    """One worker: `since_at` it has been in this state, and the last error it met, which may be long over."""

    name: str
    state: WorkerState
    since_at: Instant
    last_error: str | None = None
    last_error_at: Instant | None = None


class CacheStatus(msgspec.Struct, frozen=True, gc=False):
    """What RAM holds. `malformed` names stored records that could not be read; they keep their last good state."""

    ready: bool
    records: int
    workspaces: int
    last_applied_at: Instant | None
    malformed: tuple[str, ...] = ()


class ReconcileResult(msgspec.Struct, frozen=True, gc=False):
    """What one clean-and-refresh found. Zero repaired and dropped is the healthy answer.

    `divergent` names the first hundred ids that differed; with `dry_run` nothing was changed.
    """

    compared: int
    repaired: int
    dropped: int
    divergent: tuple[str, ...] = ()
    dry_run: bool = False
    initial: bool = False
    """The first load of this process: everything was new, nothing was wrong."""


class ReconcileStatus(msgspec.Struct, frozen=True, gc=False):
    """The reconciler now, its last result, and totals since the process started."""

    running: bool
    last_run_at: Instant | None
    last_result: ReconcileResult | None
    repaired_total: int = 0
    dropped_total: int = 0


class StripeSyncMode(StrEnum):
    """FETCH reads every object from Stripe's API; PROVISIONAL applies payloads as told; OFF has no webhook secret."""

    FETCH = "FETCH"
    PROVISIONAL = "PROVISIONAL"
    OFF = "OFF"


class StripeBacklog(msgspec.Struct, frozen=True, gc=False):
    """The inbox in numbers. `oldest_pending_at` is since when the object waits that has waited longest."""

    pending: int
    parked: int
    dead: int
    last_event_at: Instant | None
    oldest_pending_at: Instant | None = None


class StripeBackoff(msgspec.Struct, frozen=True, gc=False):
    """All processes leave Stripe's API alone until then, and why."""

    until_at: Instant
    reason: str


class StripeWork(msgspec.Struct, frozen=True, gc=False):
    """What the processes that work on Stripe's events said last: how they learn of objects, and when one said so."""

    mode: StripeSyncMode
    seen_at: Instant


class StripeSyncStatus(msgspec.Struct, frozen=True, gc=False):
    """The Stripe side. `unmapped_prices` are held by live subscriptions and named by no plan; they grant nothing.

    `backlog` is None while the database does not answer. `trouble` says why Stripe's word does not come in
    as it should, and like `backoff` it is what all processes know; while the database does not answer, what this one
    knew last.
    """

    mode: StripeSyncMode
    backlog: StripeBacklog | None
    unmapped_prices: tuple[str, ...]
    trouble: str | None = None
    drift: int | None = None
    """Objects found changed with no event that told of it, since ever; None while the database does not answer."""
    last_reconcile_at: Instant | None = None
    backoff: StripeBackoff | None = None
    worker_seen_at: Instant | None = None
    """When a process that works on Stripe's events last said so; None also while the database does not answer."""


class SyncStatus(msgspec.Struct, frozen=True, gc=False):
    """Everything an operator asks at night."""

    cache: CacheStatus
    workers: tuple[WorkerStatus, ...]
    reconcile: ReconcileStatus
    stripe: StripeSyncStatus
