"""Fetch from Stripe now."""

from typing import Annotated

import strawberry

from app.domain import stripe_backfill as domain
from app.graphql.context import Info
from app.graphql.mutations.inputs import KEY, REPLAYED, WORKSPACE
from app.graphql.permissions import SYNCS_CATALOG, SYNCS_CUSTOMER, follows, requires
from app.graphql.types.errors import ConflictError, IdempotencyConflictError, NotFoundError, ValidationError
from app.services import stripe_sync


@strawberry.input(description="Whose customer is to be fetched.")
class SyncCustomerInput:
    idempotency_key: str = strawberry.field(description=KEY)
    workspace_id: strawberry.ID = strawberry.field(description=WORKSPACE)


@strawberry.input(description="A request to fetch what is sold.")
class SyncCatalogInput:
    idempotency_key: str = strawberry.field(description=KEY)


@strawberry.type(directives=follows(), description="What was fetched of one type.")
class StripeSyncCount:
    type: str = strawberry.field(description="The type, in Stripe's word: `subscription`.")
    listed: int = strawberry.field(description="Objects fetched.")
    changed: int = strawberry.field(description="Those that were unknown here or different.")

    @classmethod
    def from_domain(cls, count: domain.TypeCount) -> "StripeSyncCount":
        """Translate."""
        return cls(type=count.type, listed=count.listed, changed=count.changed)


@strawberry.type(directives=follows(), description="What was fetched; the next check answers by it.")
class SyncCustomerPayload:
    counts: list[StripeSyncCount] = strawberry.field(description="By type: the customer, then its subscriptions.")
    replayed: bool = strawberry.field(description=REPLAYED)


@strawberry.type(directives=follows(), description="What was fetched.")
class SyncCatalogPayload:
    counts: list[StripeSyncCount] = strawberry.field(description="By type: products, then prices.")
    replayed: bool = strawberry.field(description=REPLAYED)


SyncCustomerResult = Annotated[
    SyncCustomerPayload | ValidationError | NotFoundError | ConflictError | IdempotencyConflictError,
    strawberry.union("SyncCustomerResult", description="What was fetched, or why nothing was."),
]
SyncCatalogResult = Annotated[
    SyncCatalogPayload | ValidationError | NotFoundError | ConflictError | IdempotencyConflictError,
    strawberry.union("SyncCatalogResult", description="What was fetched, or why nothing was."),
]


@strawberry.type
class StripeSyncMutations:
    @strawberry.mutation(
        directives=requires(*SYNCS_CUSTOMER),
        description="Fetch the workspace's customer, all its subscriptions and invoices and its entitlements from "
        "Stripe now, without waiting for an event: for a person who comes back from a checkout. A conflict where no "
        "customer is linked. Use a fresh key each time: a key that was used answers what was found then.",
    )
    async def sync_customer(self, info: Info, input: SyncCustomerInput) -> SyncCustomerResult:
        command = stripe_sync.SyncCustomerInput(
            idempotency_key=input.idempotency_key, workspace_id=str(input.workspace_id)
        )
        synced = await stripe_sync.sync_customer(info.context.loaded(), info.context.principal, command)
        return SyncCustomerPayload(
            counts=[StripeSyncCount.from_domain(count) for count in synced.counts], replayed=synced.replayed
        )

    @strawberry.mutation(
        directives=requires(*SYNCS_CATALOG),
        description="Fetch every product, price, coupon, promotion code and meter from Stripe now. Use a fresh key "
        "each time.",
    )
    async def sync_catalog(self, info: Info, input: SyncCatalogInput) -> SyncCatalogResult:
        command = stripe_sync.SyncCatalogInput(idempotency_key=input.idempotency_key)
        synced = await stripe_sync.sync_catalog(info.context.loaded(), info.context.principal, command)
        return SyncCatalogPayload(
            counts=[StripeSyncCount.from_domain(count) for count in synced.counts], replayed=synced.replayed
        )
