"""What operators read of the audit: its entries, and whether its chain holds."""

from typing import Annotated

import msgspec
import strawberry

from app.domain import audit as domain
from app.domain.change import Kind
from app.graphql.context import Info
from app.graphql.pagination import Connection, connection_of, page_size, read_timed_key, timed_key
from app.graphql.permissions import OPERATES, requires
from app.graphql.scalars import DateTime
from app.graphql.types.audit import AuditChain, AuditEntry
from app.services.audit import check_filter, verify_chain


def _argument(description: str, name: str | None = None) -> object:
    return strawberry.argument(description=description, name=name)


@strawberry.type
class AuditQueries:
    @strawberry.field(
        directives=requires(*OPERATES),
        description="The changes of records, the newest first; not usage. Filters narrow one another. "
        "`first` at most 100.",
    )
    async def audit_log(
        self,
        info: Info,
        *,
        actor: Annotated[str | None, _argument("An actor's id: an API key's.")] = None,
        resource: Annotated[strawberry.ID | None, _argument("A record's id.")] = None,
        kind: Annotated[Kind | None, _argument("A kind of records.")] = None,
        action: Annotated[str | None, _argument("An operation: `grantEntitlement`.")] = None,
        from_: Annotated[DateTime | None, _argument("Recorded then or later.", "from")] = None,
        to: Annotated[DateTime | None, _argument("Recorded before then.")] = None,
        first: int | None = 50,
        after: str | None = None,
    ) -> Connection[AuditEntry]:
        wanted = domain.AuditFilter(
            actor=actor, record_id=resource, kind=kind, operation=action, from_at=from_, to_at=to
        )
        check_filter(wanted)
        trail, cursors = info.context.rt.audit, info.context.cursors
        listing = f"auditLog:{msgspec.json.encode(wanted).decode()}"
        start = read_timed_key(cursors.read(listing, after))
        page = await trail.page(wanted, after=start, first=page_size(first))
        return connection_of(
            page,
            after=after,
            cursor=lambda entry: cursors.write(listing, timed_key(entry.recorded_at, entry.id)),
            translate=AuditEntry.from_domain,
            count=lambda: trail.count(wanted),
        )

    @strawberry.field(
        directives=requires(*OPERATES),
        description="Verify that nothing sealed was edited or removed. Reads the whole audit: about a second per "
        "10,000 entries.",
    )
    async def audit_chain(
        self,
        info: Info,
        expect: Annotated[
            str | None, _argument("A head noted earlier, `NUMBER:HASH`: the chain must still go through it.")
        ] = None,
        expired_before_at: Annotated[
            DateTime | None,
            _argument("What was recorded before may be gone: for a retention that was shorter once."),
        ] = None,
    ) -> AuditChain:
        report = await verify_chain(info.context.rt, expect=expect, expired_before_at=expired_before_at)
        return AuditChain.from_domain(report)
