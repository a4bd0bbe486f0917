"""Workspaces: one from RAM, pages from the store."""

from collections.abc import Awaitable

import strawberry

from app.domain.change import Kind
from app.domain.workspace_state import WorkspaceState
from app.graphql.context import Info
from app.graphql.errors import bad_input
from app.graphql.pagination import Connection, connection_of, page_size
from app.graphql.permissions import READS_BILLING, requires
from app.graphql.types.workspace import Workspace

_LISTING = "workspaces"


@strawberry.type
class WorkspaceQueries:
    @strawberry.field(
        graphql_type=Workspace | None,
        directives=requires(*READS_BILLING),
        description="A workspace by our `id` or your `externalId`; give exactly one. Null where there is none.",
    )
    def workspace(
        self, info: Info, id: strawberry.ID | None = None, external_id: str | None = None
    ) -> Workspace | Awaitable[Workspace | None] | None:
        ref = id if external_id is None else external_id
        if ref is None or (id is not None and external_id is not None):
            raise bad_input("give exactly one of id and externalId")

        def exact(state: WorkspaceState | None) -> Workspace | None:
            held = state.workspace if state else None
            return (
                Workspace.from_domain(held)
                if held and ref == (held.id if external_id is None else held.external_id)
                else None
            )

        return info.context.from_state(ref, exact)

    @strawberry.field(
        directives=requires(*READS_BILLING),
        description="All workspaces in the order of their creation, archived ones too. `first` at most 100.",
    )
    async def workspaces(self, info: Info, first: int | None = 50, after: str | None = None) -> Connection[Workspace]:
        store, cursors = info.context.rt.store, info.context.cursors
        page = await store.workspaces_page(after=cursors.read(_LISTING, after), first=page_size(first))
        return connection_of(
            page,
            after=after,
            cursor=lambda record: cursors.write(_LISTING, record.id),
            translate=Workspace.from_domain,
            count=lambda: store.count(Kind.WORKSPACE),
        )
