"""Migrations of subscribers, from the store: RAM does not hold them."""

import strawberry

from app.domain import migration as domain
from app.domain.change import Kind
from app.domain.faults import NAME_MAX, is_storable
from app.graphql.context import Info
from app.graphql.pagination import Connection, connection_of, page_size
from app.graphql.permissions import SEES_MIGRATIONS, requires
from app.graphql.types.migration import CatalogMigration

_LISTING = "migrations"


@strawberry.type
class MigrationQueries:
    @strawberry.field(
        directives=requires(*SEES_MIGRATIONS),
        description="A migration by its id. Null where there is none. Ask again to follow its progress.",
    )
    async def migration(self, info: Info, id: strawberry.ID) -> CatalogMigration | None:
        return await find_migration(info, id)

    @strawberry.field(
        directives=requires(*SEES_MIGRATIONS), description="All migrations, the newest first. `first` at most 100."
    )
    async def migrations(
        self, info: Info, first: int | None = 50, after: str | None = None
    ) -> Connection[CatalogMigration]:
        store, cursors, size = info.context.rt.store, info.context.cursors, page_size(first)
        page = await store.migrations_page(status=None, after=cursors.read(_LISTING, after), first=size)
        return connection_of(
            page,
            after=after,
            cursor=lambda record: cursors.write(_LISTING, record.id),
            translate=CatalogMigration.from_domain,
            count=lambda: store.count(Kind.MIGRATION),
        )


async def find_migration(info: Info, id: str) -> CatalogMigration | None:
    """Return the migration with this id."""
    if not 0 < len(id) <= NAME_MAX or not is_storable(id):
        return None
    record = (await info.context.rt.store.read(Kind.MIGRATION, (id,))).get(id)
    return CatalogMigration.from_domain(record) if isinstance(record, domain.Migration) else None
