"""What the edges may ask of the services that keep RAM true."""

from typing import Protocol

from app.domain.stripe_backfill import TypeCount
from app.domain.sync_status import ReconcileResult, SyncStatus


class Sync(Protocol):
    """What the edges may ask of the services that keep RAM true; `main` gives it."""

    async def resync(self, *, workspace_id: str | None, dry_run: bool) -> ReconcileResult:
        """Clean and refresh everything, or one workspace."""
        ...

    async def status(self) -> SyncStatus:
        """Return how true RAM is."""
        ...

    async def sync_customer(self, customer_id: str) -> tuple[TypeCount, ...]:
        """Fetch a Stripe customer, its subscriptions, invoices and entitlements now, and store what they change.

        Raises `ProcessorUnavailableError` or `ProcessorRefusedError`; see `PaymentProcessor`.
        """
        ...

    async def sync_catalog(self) -> tuple[TypeCount, ...]:
        """Fetch all that is sold at Stripe now (see `StripeFacts`), and store what it changes; raises the same."""
        ...

    def wake(self) -> None:
        """Tell the Stripe worker that the inbox has something."""
        ...

    def wake_migrations(self) -> None:
        """Tell the worker that moves subscriptions that a migration was started."""
        ...

    def wake_backfill(self) -> None:
        """Tell the worker that reads Stripe's lists that a backfill was started."""
        ...

    def wake_reconcile(self) -> None:
        """Tell the worker that reconciles with Stripe that somebody asked for it."""
        ...

    def is_ready(self) -> bool:
        """Tell whether RAM is loaded and live."""
        ...
