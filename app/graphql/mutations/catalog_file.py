"""Apply a catalogue's file."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Annotated

import strawberry

from app.graphql.context import Context, Info
from app.graphql.limits import BODY_LIMIT_BYTES
from app.graphql.mutations.inputs import KEY, REPLAYED
from app.graphql.permissions import WRITES_CATALOG, follows, requires
from app.graphql.types.catalog_file import CatalogChange, CatalogPart
from app.graphql.types.errors import (
    CatalogFaultsError,
    ConflictError,
    IdempotencyConflictError,
    NotFoundError,
    ValidationError,
)
from app.graphql.types.migration import CatalogMigration
from app.services.catalogue.applying import Applied, ApplyCatalogueInput, apply_catalogue
from app.services.catalogue.difference import Change
from app.services.catalogue.syntax import SOURCE_MAX


@strawberry.input(description="A catalogue's file, `catalog.toml`.")
class ApplyCatalogInput:
    idempotency_key: str = strawberry.field(description=f"{KEY} A dry run keeps no answer.")
    source: str = strawberry.field(
        description=f"The file's text: TOML of at most {SOURCE_MAX} characters, in a request of at most "
        f"{BODY_LIMIT_BYTES // 1024} kB. What it does not name is left alone."
    )
    dry_run: bool = strawberry.field(default=False, description="Tell what would change, and write nothing.")
    file_name: str = strawberry.field(default="catalog.toml", description="What messages about faults call the file.")


@strawberry.type(directives=follows(), description="What applying the file changes, or in a dry run would change.")
class ApplyCatalogPayload:
    changed: strawberry.Private[Sequence[Change]]

    @strawberry.field(
        graphql_type=list[CatalogChange],
        description="Features first, then plans, in the file's order. Empty where the catalogue says the same already.",
    )
    def changes(self, info: Info) -> list[Awaitable[CatalogChange]]:
        return [_in_turn(info.context, change) for change in self.changed]

    migrations: list[CatalogMigration] = strawberry.field(
        description="Started for plans of which the file says `migrate = true`; none in a dry run."
    )
    unchanged: list[CatalogPart] = strawberry.field(description="What is as the file says already.")
    unmanaged: list[CatalogPart] = strawberry.field(description="What is offered and not named by the file.")
    dry_run: bool = strawberry.field(description="Whether nothing was written.")
    replayed: bool = strawberry.field(description=REPLAYED)


ApplyCatalogResult = Annotated[
    ApplyCatalogPayload
    | CatalogFaultsError
    | ValidationError
    | NotFoundError
    | ConflictError
    | IdempotencyConflictError,
    strawberry.union("ApplyCatalogResult", description="What changes, or why nothing was changed."),
]


@strawberry.type
class CatalogFileMutations:
    @strawberry.mutation(
        directives=requires(*WRITES_CATALOG),
        description="Make the catalogue what the file says: all of it or nothing. Applied twice, it changes nothing "
        "the second time. A changed plan gets a new version; subscribers keep theirs unless the file says "
        "`migrate = true`.",
    )
    async def apply_catalog(self, info: Info, input: ApplyCatalogInput) -> ApplyCatalogResult:
        rt = info.context.loaded()
        command = ApplyCatalogueInput(
            idempotency_key=input.idempotency_key,
            source=input.source,
            file_name=input.file_name,
            dry_run=input.dry_run,
        )
        applied = await apply_catalogue(rt, info.context.principal, command)
        return _payload(applied, is_dry_run=input.dry_run)


async def _in_turn(context: Context, change: Change) -> CatalogChange:
    async with context.turn:
        await asyncio.sleep(0)  # a file may change thousands of parts: other requests come in between
        return CatalogChange.from_domain(change, context.rt.cache.catalogue())


def _payload(applied: Applied, *, is_dry_run: bool) -> ApplyCatalogPayload:
    report = applied.report
    return ApplyCatalogPayload(
        changed=report.changes,
        migrations=[CatalogMigration.from_domain(migration) for migration in applied.migrations],
        unchanged=[CatalogPart.from_domain(part) for part in report.unchanged],
        unmanaged=[CatalogPart.from_domain(part) for part in report.unmanaged],
        dry_run=is_dry_run,
        replayed=applied.replayed,
    )
