"""What the edges ask of the services that keep RAM true, passed on to whichever of them it concerns."""

from app.cache.cache import BillingCache
from app.domain.errors import UnavailableError
from app.domain.stripe_backfill import TypeCount
from app.domain.stripe_reconcile import StripeReconcile
from app.domain.sync_status import ReconcileResult, StripeBacklog, StripeSyncStatus, SyncStatus
from app.ports.jobs import JobStates
from app.ports.stripe import Inbox, ProcessorRefusedError
from app.services.stripe_reconcile import JOB as RECONCILE_JOB
from sync.jobs.migrations import MigrationWorker
from sync.jobs.stripe_backfill import BackfillWorker
from sync.jobs.stripe_reconcile import ReconcileWorker
from sync.stripe.events import StripeWorker
from sync.stripe.lists import Lists
from sync.supervisor import SyncService


class SyncControl:
    """What the edges may ask of the services that keep RAM true. The services are known once they are composed."""

    service: SyncService
    stripe: StripeWorker
    migrations: MigrationWorker
    backfill: BackfillWorker
    reconcile: ReconcileWorker
    lists: Lists | None

    def __init__(self, cache: BillingCache, inbox: Inbox, jobs: JobStates) -> None:
        self._cache = cache
        self._inbox = inbox
        self._jobs = jobs

    async def resync(self, *, workspace_id: str | None, dry_run: bool) -> ReconcileResult:
        return await self.service.resync(workspace_id=workspace_id, dry_run=dry_run)

    async def status(self) -> SyncStatus:
        backlog = await self._backlog()
        reconciled = await self._reconciled() if backlog else None
        return SyncStatus(
            cache=self._cache.status(),
            workers=self.service.worker_statuses(),
            reconcile=self.service.reconcile_status(),
            stripe=StripeSyncStatus(
                mode=self.stripe.mode,
                backlog=backlog,
                unmapped_prices=self._cache.unmapped_prices(),
                trouble=self.stripe.trouble or self.reconcile.trouble,
                backoff=self.stripe.backoff,
                drift=reconciled.drift if reconciled else None,
                last_reconcile_at=reconciled.last_reconcile_at if reconciled else None,
            ),
        )

    async def _backlog(self) -> StripeBacklog | None:
        try:
            return await self._inbox.backlog()
        except UnavailableError:
            return None

    async def _reconciled(self) -> StripeReconcile | None:
        """Return what reconciling with Stripe remembers; before the first time nothing has drifted."""
        try:
            state, _ = await self._jobs.read(RECONCILE_JOB, StripeReconcile)
        except UnavailableError:
            return None
        return state or StripeReconcile(watching_since_at=0, seen_at=0)

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
