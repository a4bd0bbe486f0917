"""The audit: its entries, its seals and what they prove."""

from collections.abc import AsyncIterator, Collection, Sequence
from typing import Protocol

from app.domain.audit import AuditEntry, AuditFilter
from app.domain.audit_chain import BrokenSeal, Claim, Seal
from app.ports.store import Page


class AuditTrail(Protocol):
    """The entries that `RecordStore.write` appends, and the seals over them. Every call has a deadline."""

    @property
    def retention_ms(self) -> int:
        """How long an entry is kept."""
        ...

    async def page(self, wanted: AuditFilter, *, after: tuple[int, str] | None, first: int) -> Page[AuditEntry]:
        """Return entries, the newest first, after one with this `recorded_at` and id.

        `before` and `after` hold JSON: instants in RFC 3339, decimals as text.
        """
        ...

    async def count(self, wanted: AuditFilter) -> int:
        """Count entries."""
        ...

    async def entry(self, id: str) -> AuditEntry | None:
        """Return one entry, as `page` does."""
        ...

    async def seal(self, *, at: int, most: int) -> int:
        """Seal entries that no seal lists, by ascending id, in one transaction; return how many.

        0 where there are none, and where another sealer was quicker.
        """
        ...

    async def prune(self, *, before_at: int) -> int:
        """Remove the seals at the start of the chain that were made before this; never the last one."""
        ...

    async def unsealed(self) -> int:
        """Count the entries that no seal lists yet."""
        ...

    async def last_seal(self) -> int:
        """Return the number of the last seal; 0 where there is none."""
        ...

    def seals(self, *, upto: int) -> AsyncIterator[Sequence[Seal | BrokenSeal]]:
        """Yield seals by ascending number, some at a time."""
        ...

    def claims(self, *, after: int, upto: int | None) -> AsyncIterator[Sequence[Claim]]:
        """Yield the entries that name a seal above `after` (0 is any number) up to `upto`.

        With `upto` None come those above `after`, and those that name what is no number.
        """
        ...

    async def claims_of(self, ids: Collection[str]) -> list[Claim]:
        """Return those of the entries that are stored."""
        ...
