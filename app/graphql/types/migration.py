"""Migrations of subscribers to a newer version of their plan."""

from decimal import Decimal

import strawberry

from app.domain import migration as domain
from app.graphql.permissions import SEES_MIGRATIONS, requires
from app.graphql.scalars import DateTime
from app.graphql.types.grants import instant
from app.graphql.types.node import Node


@strawberry.type(
    directives=requires(*SEES_MIGRATIONS),
    description="Moves everybody who has an earlier version of a plan or add-on to a newer one, batch after batch.",
)
class CatalogMigration(Node):
    plan_key: str = strawberry.field(description="The plan or add-on.")
    plan_version: int = strawberry.field(description="The version that subscribers are moved to.")
    status: domain.MigrationStatus = strawberry.field(description="Whether it goes on, and else how it ended.")
    total: int = strawberry.field(description="The subscriptions that were to be looked at when it started.")
    moved: int = strawberry.field(description="Subscriptions that have the version now.")
    skipped: int = strawberry.field(description="Subscriptions that were looked at and needed no move.")
    progress: Decimal = strawberry.field(description="From 0 to 1, to four places; 1 exactly when it is FINISHED.")
    failure: str | None = strawberry.field(description="Why it is FAILED or SUPERSEDED; else null.")
    started_at: DateTime = strawberry.field(description="When it was asked for.")
    finished_at: DateTime | None = strawberry.field(description="When it ended, however it did; null while RUNNING.")

    @classmethod
    def from_domain(cls, migration: domain.Migration) -> "CatalogMigration":
        """Translate."""
        return cls(
            id=strawberry.ID(migration.id),
            plan_key=migration.plan_key,
            plan_version=migration.plan_version,
            status=migration.status,
            total=migration.total,
            moved=migration.moved,
            skipped=migration.skipped,
            progress=migration.progress,
            failure=migration.failure,
            started_at=DateTime(migration.started_at),
            finished_at=instant(migration.finished_at),
        )
