"""Billing events: kept, listed, and told by whoever learns of a fact that no record holds."""

from collections.abc import Sequence
from typing import Protocol

from app.domain.billing_event import BillingEvent, BillingEventFilter
from app.ports.store import Page


class BillingEvents(Protocol):
    """The events that `RecordStore.write` keeps beside records, and facts without a record. Calls have a deadline."""

    async def tell(self, events: Sequence[BillingEvent]) -> None:
        """Keep events; those whose ids are there already stay as they are."""
        ...

    async def page(
        self, wanted: BillingEventFilter, *, after: tuple[int, str] | None, first: int, newest_first: bool = True
    ) -> Page[BillingEvent]:
        """Return events by `recorded_at` and id, after one with these."""
        ...

    async def count(self, wanted: BillingEventFilter) -> int:
        """Count events."""
        ...

    async def event(self, id: str) -> BillingEvent | None:
        """Return one event."""
        ...
