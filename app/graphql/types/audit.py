"""The audit and its chain as GraphQL shows them."""

import strawberry

from app.domain import audit as domain
from app.domain import audit_chain as chain
from app.domain.change import Kind
from app.graphql.permissions import OPERATES, requires
from app.graphql.scalars import DateTime, Json
from app.graphql.types.node import Node


@strawberry.type(
    directives=requires(*OPERATES),
    description="One record's change: who made it, by which operation, and the record before and after. "
    "Kept for AUDIT_RETENTION_DAYS; an entry is never changed once it is sealed.",
)
class AuditEntry(Node):
    recorded_at: DateTime = strawberry.field(description="When it was written.")
    actor_kind: domain.ActorKind = strawberry.field(description="What sort of actor made the change.")
    actor_id: str = strawberry.field(
        description="An API key's id, the ids of Stripe's objects that were read, or a job's name."
    )
    operation: str = strawberry.field(description="The mutation or the job: `grantEntitlement`.")
    kind: Kind = strawberry.field(description="What kind of record was changed.")
    record_id: strawberry.ID = strawberry.field(description="The id of the record that was changed.")
    before: Json | None = strawberry.field(
        description="The stored document before, an object; null for a creation. Instants are RFC 3339, decimals text. "
        "Without secrets and without Stripe's own JSON."
    )
    after: Json = strawberry.field(description="The stored document after, an object; see `before`.")
    sealed: int | None = strawberry.field(
        description="The number of the seal that lists it; null for the seconds until it is sealed."
    )

    @classmethod
    def from_domain(cls, entry: domain.AuditEntry) -> "AuditEntry":
        """Translate."""
        return cls(
            id=strawberry.ID(entry.id),
            recorded_at=DateTime(entry.recorded_at),
            actor_kind=entry.actor.kind,
            actor_id=entry.actor.id,
            operation=entry.operation,
            kind=entry.kind,
            record_id=strawberry.ID(entry.record_id),
            before=None if entry.before is None else Json(entry.before),
            after=Json(entry.after),
            sealed=entry.seal,
        )


@strawberry.type(directives=requires(*OPERATES), description="One thing that does not hold.")
class AuditFault:
    code: chain.FaultCode = strawberry.field(description="What is wrong.")
    message: str = strawberry.field(description="The same in one sentence, with its ids.")
    seal: int | None = strawberry.field(description="The seal's number, where it is about one.")
    entry_id: strawberry.ID | None = strawberry.field(description="The entry's id, where it is about one.")


@strawberry.type(directives=requires(*OPERATES), description="The end of the chain: note it down elsewhere.")
class AuditHead:
    number: int = strawberry.field(description="The last seal's number.")
    hash: str = strawberry.field(description="Its SHA-256, 64 hexadecimal digits.")
    sealed_at: DateTime = strawberry.field(description="When it was made.")


@strawberry.type(
    directives=requires(*OPERATES),
    description="What a verification of the audit found. Entries and seals edited or removed are faults. That "
    "the end of the chain was cut off, or all of it made anew, shows only where `expect` names a head noted before.",
)
class AuditChain:
    intact: bool = strawberry.field(description="Whether there is no fault.")
    seals: int = strawberry.field(description="How many seals were verified.")
    entries: int = strawberry.field(description="How many entries are as they were sealed.")
    expired: int = strawberry.field(description="How many sealed entries are gone because their retention ended.")
    unsealed: int = strawberry.field(description="How many entries wait to be sealed, which takes seconds.")
    head: AuditHead | None = strawberry.field(description="The end of the chain; null where nothing was sealed yet.")
    expired_before_at: DateTime = strawberry.field(description="Entries recorded before it were allowed to be gone.")
    fault_count: int = strawberry.field(description="How many faults there are.")
    faults: list[AuditFault] = strawberry.field(description="The first 100 faults.")

    @classmethod
    def from_domain(cls, report: chain.ChainReport) -> "AuditChain":
        """Translate."""
        head = report.head
        return cls(
            intact=report.fault_count == 0,
            seals=report.seals,
            entries=report.entries,
            expired=report.expired,
            unsealed=report.unsealed,
            head=head and AuditHead(number=head.number, hash=head.hash, sealed_at=DateTime(head.sealed_at)),
            expired_before_at=DateTime(report.expired_before_at),
            fault_count=report.fault_count,
            faults=[_fault(fault) for fault in report.faults],
        )


def _fault(fault: chain.Fault) -> AuditFault:
    entry_id = None if fault.entry_id is None else strawberry.ID(fault.entry_id)
    return AuditFault(code=fault.code, message=fault.message, seal=fault.seal, entry_id=entry_id)
