"""Move subscribers to a newer version of their plan."""

from typing import Annotated

import strawberry

from app.graphql.context import Info
from app.graphql.mutations.inputs import KEY, REPLAYED
from app.graphql.permissions import WRITES_CATALOG, follows, requires
from app.graphql.types.errors import ConflictError, IdempotencyConflictError, NotFoundError, ValidationError
from app.graphql.types.migration import CatalogMigration
from app.services import migrations


@strawberry.input(description="Whose subscribers are to be moved.")
class MigratePlanInput:
    idempotency_key: str = strawberry.field(description=KEY)
    plan_key: str = strawberry.field(description="The plan or add-on; its latest version is where they are moved to.")


@strawberry.type(directives=follows(), description="The migration as it was started.")
class MigratePlanPayload:
    migration: CatalogMigration = strawberry.field(
        description="As written: `migration(id)` tells how far it has come since."
    )
    replayed: bool = strawberry.field(description=REPLAYED)


MigratePlanResult = Annotated[
    MigratePlanPayload | ValidationError | NotFoundError | ConflictError | IdempotencyConflictError,
    strawberry.union("MigratePlanResult", description="The migration, or why none was started."),
]


@strawberry.type
class MigrationMutations:
    @strawberry.mutation(
        directives=requires(*WRITES_CATALOG),
        description="Move everybody who has an earlier version of a plan or add-on to the latest one, in the "
        "background. Who keeps the version they have: ended subscriptions, prices that the latest version does not "
        "name, trials without a subscription, and subscriptions begun before it was published that Stripe tells us of "
        "only afterwards. A conflict while a migration to that version runs.",
    )
    async def migrate_plan(self, info: Info, input: MigratePlanInput) -> MigratePlanResult:
        command = migrations.MigratePlanInput(idempotency_key=input.idempotency_key, plan_key=input.plan_key)
        done = await migrations.migrate_plan(info.context.loaded(), info.context.principal, command)
        return MigratePlanPayload(migration=CatalogMigration.from_domain(done.record), replayed=done.replayed)
