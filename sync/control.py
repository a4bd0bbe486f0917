"""What the edges ask of the services that keep RAM true, passed on to whichever of them it concerns."""

from collections.abc import Callable, Sequence
from typing import Final

from app.cache.cache import BillingCache
from app.domain.errors import UnavailableError
from app.domain.stripe_backfill import TypeCount
from app.domain.stripe_reconcile import StripeReconcile
from app.domain.sync_status import (
    ReconcileResult,
    StripeBacklog,
    StripeSyncMode,
    StripeSyncStatus,
    StripeWork,
    SyncStatus,
)
from app.ports.jobs import JobStates
from app.ports.stripe import Inbox, ProcessorLists, ProcessorRefusedError, WorkQueue
from app.ports.system import Clock
from app.runtime import Runtime
from app.services.stripe_reconcile import JOB as RECONCILE_JOB
from sync.jobs.audit_seal import audit_seal_job
from sync.jobs.migrations import MigrationWorker
from sync.jobs.schedule import Job
from sync.jobs.stripe_backfill import BackfillWorker
from sync.jobs.stripe_mirrors import stripe_mirrors_job
from sync.jobs.stripe_reconcile import ReadEvent, ReconcileWorker
from sync.stripe.backoff import Backoff
from sync.stripe.events import WORK, StripeWorker
from sync.stripe.lists import Lists
from sync.supervisor import SyncService, Work

_SILENT_MS: Final = 60_000  # four times as long as a worker may be silent
_NOBODY: Final = "no process works on Stripe's events: start one with the role worker or all"


class SyncControl:
    """What the edges may ask of the services that keep RAM true. The services are known once they are composed.

    Where `works` is False the work that processes share is done by others: what is asked for is stored, and they find
    it by themselves, Stripe's events within a second and the rest within five.
    """

    service: SyncService
    stripe: StripeWorker
    migrations: MigrationWorker
    backfill: BackfillWorker
    reconcile: ReconcileWorker
    lists: Lists | None

    def __init__(
        self, cache: BillingCache, inbox: Inbox, jobs: JobStates, clock: Clock, backoff: Backoff, *, works: bool
    ) -> None:
        self._cache = cache
        self._inbox = inbox
        self._jobs = jobs
        self._clock = clock
        self._backoff = backoff
        self._works = works

    def compose(
        self,
        rt: Runtime,
        queue: WorkQueue,
        processor: ProcessorLists | None,
        *,
        read_event: ReadEvent,
        accepts_payloads: bool,
        concurrency: int,
        poll_s: float,
        reconcile_interval_s: float,
        relist_hour: int,
        jitter: Callable[[], float],
    ) -> None:
        """Build the workers that processes share; `SyncService` runs them."""
        lists = self.lists = Lists(rt, queue, processor) if processor else None
        self.migrations = MigrationWorker(rt)
        self.backfill = BackfillWorker(rt, lists, jitter=jitter)
        self.reconcile = ReconcileWorker(
            rt, lists, read_event, interval_s=reconcile_interval_s, relist_hour=relist_hour
        )
        self.stripe = StripeWorker(
            rt,
            queue,
            processor,
            backoff=self._backoff,
            accepts_payloads=accepts_payloads,
            jitter=jitter,
            concurrency=concurrency,
            poll_s=poll_s,
        )

    def workers(self) -> Sequence[tuple[str, Work]]:
        """Return those of the workers that run here, by name."""
        shared = (
            ("stripe", self.stripe.run),
            ("migrations", self.migrations.run),
            ("backfill", self.backfill.run),
            ("stripe_reconcile", self.reconcile.run),
        )
        return shared if self._works else ()

    def jobs(self, rt: Runtime) -> Sequence[Job]:
        """Return those of the shared jobs that run here."""
        return (audit_seal_job(rt), stripe_mirrors_job(rt)) if self._works else ()

    async def resync(self, *, workspace_id: str | None, dry_run: bool) -> ReconcileResult:
        return await self.service.resync(workspace_id=workspace_id, dry_run=dry_run)

    async def status(self) -> SyncStatus:
        return SyncStatus(
            cache=self._cache.status(),
            workers=self.service.worker_statuses(),
            reconcile=self.service.reconcile_status(),
            stripe=await self._stripe(),
        )

    async def _stripe(self) -> StripeSyncStatus:
        try:
            backlog = await self._inbox.backlog()
            work, _ = await self._jobs.read(WORK, StripeWork)
            reconciled, _ = await self._jobs.read(RECONCILE_JOB, StripeReconcile)
            api = await self._backoff.look()
        except UnavailableError:
            backlog, work, reconciled, api = None, None, None, self._backoff.states
        refused = reconciled.trouble if reconciled else None
        mode = self.stripe.mode if self._works or work is None else work.mode
        return StripeSyncStatus(
            mode=mode,
            backlog=backlog,
            unmapped_prices=self._cache.unmapped_prices(),
            trouble=api.trouble or refused or self._idle(mode, backlog, work),
            backoff=api.backoff(self._clock.now_at()),
            # before the first time nothing has drifted
            drift=(reconciled.drift if reconciled else 0) if backlog else None,
            last_reconcile_at=reconciled.last_reconcile_at if reconciled else None,
            worker_seen_at=work.seen_at if work else None,
        )

    def _idle(self, mode: StripeSyncMode, backlog: StripeBacklog | None, work: StripeWork | None) -> str | None:
        """Tell where nobody works on Stripe's events; of those that run here their own state tells."""
        if self._works or backlog is None or mode is StripeSyncMode.OFF:
            return None
        is_silent = work is None or work.seen_at < self._clock.now_at() - _SILENT_MS
        return _NOBODY if is_silent else None

    async def sync_customer(self, customer_id: str) -> tuple[TypeCount, ...]:
        return await self._asking().sync_customer(customer_id)

    async def sync_catalog(self) -> tuple[TypeCount, ...]:
        return await self._asking().sync_catalog()

    def _asking(self) -> Lists:
        if self.lists is None:
            raise ProcessorRefusedError("there is no key to ask Stripe with")
        return self.lists

    def wake(self) -> None:
        self.stripe.wake()

    def wake_migrations(self) -> None:
        self.migrations.wake()

    def wake_backfill(self) -> None:
        self.backfill.wake()

    def wake_reconcile(self) -> None:
        self.reconcile.wake()

    def is_ready(self) -> bool:
        return self.service.is_ready()
