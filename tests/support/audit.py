"""Audit entries, and a database in which somebody meddles with them."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pymongo
from pymongo.database import Database
from support.records import NOW

from app.domain.audit import Actor, ActorKind, AuditEntry, AuditFilter
from app.domain.audit_chain import BrokenSeal, Claim, Seal
from app.domain.change import Kind
from app.ports.store import Page
from app.runtime import Runtime

Stored = Database[Mapping[str, Any]]


def entry(number: int = 1, **fields: Any) -> AuditEntry:
    """Build the entry of this number: a second later than the one before."""
    made: dict[str, Any] = {
        "id": f"audit_{number:05}",
        "recorded_at": NOW + number * 1000,
        "actor": Actor(ActorKind.API_KEY, "key_1"),
        "operation": "grantEntitlement",
        "kind": Kind.GRANT,
        "record_id": f"grant_{number}",
        "before": None,
        "after": {"_id": f"grant_{number}", "version": 1},
    }
    return AuditEntry(**made | fields)


async def append(rt: Runtime, *entries: AuditEntry) -> None:
    """Write entries, as `commit` does beside the records."""
    await rt.store.write((), entries, None)


async def sealed(rt: Runtime, *sizes: int) -> None:
    """Write entries numbered from 1 on, and seal them: so many with the first seal, so many with the next."""
    number = 0
    for size in sizes:
        await append(rt, *(entry(number + n) for n in range(1, size + 1)))
        number += size
        assert await rt.audit.seal(at=rt.clock.now_at(), most=size) == size


class EmptyAuditTrail:
    """A trail to which nothing was ever written."""

    retention_ms = 0

    async def page(self, _wanted: AuditFilter, *, after: tuple[int, str] | None, first: int) -> Page[AuditEntry]:  # noqa: ARG002
        return Page((), has_next=False)

    async def count(self, _wanted: AuditFilter) -> int:
        return 0

    async def entry(self, _id: str) -> AuditEntry | None:
        return None

    async def last_seal(self) -> int:
        return 0

    async def unsealed(self) -> int:
        return 0

    async def seals(self, *, upto: int) -> AsyncIterator[Sequence[Seal | BrokenSeal]]:
        for _ in range(upto):
            yield ()

    async def claims(self, *, after: int, upto: int | None) -> AsyncIterator[Sequence[Claim]]:
        for _ in range(after, upto or 0):
            yield ()


@contextmanager
def stored(uri: str, database: str) -> Iterator[Stored]:
    """Give the database as anybody with a client has it."""
    with pymongo.MongoClient[Mapping[str, Any]](uri) as client:
        yield client[database]
