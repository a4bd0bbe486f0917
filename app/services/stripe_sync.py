"""Fetch from Stripe now, what one workspace has or what is sold, and answer once RAM has it."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec

from app.domain.api_key import Principal
from app.domain.change import Record
from app.domain.errors import ConflictError
from app.domain.faults import idempotency_key_faults, refuse
from app.domain.stripe_backfill import TypeCount
from app.runtime import Runtime
from app.services.idempotency import once
from app.services.loading import load_state, load_workspace
from app.services.stripe_access import asking_stripe, require_stripe

CUSTOMER_OPERATION: Final = "syncCustomer"
CATALOG_OPERATION: Final = "syncCatalog"


class SyncCustomerInput(msgspec.Struct, frozen=True, kw_only=True):
    idempotency_key: str
    workspace_id: str


class SyncCatalogInput(msgspec.Struct, frozen=True, kw_only=True):
    idempotency_key: str


class Synced(msgspec.Struct, frozen=True):
    """What was fetched, by type; `replayed` where this request had been answered before and nothing was fetched."""

    counts: tuple[TypeCount, ...]
    replayed: bool


async def sync_customer(rt: Runtime, principal: Principal, input: SyncCustomerInput) -> Synced:
    """Fetch the workspace's Stripe customer, its subscriptions and invoices of every status and its entitlements.

    They are in the store and in RAM afterwards.

    Raises `NotFoundError`; `ConflictError` where no customer is linked; `StripeRefusedError`, `UnavailableError`.
    """

    async def fetch() -> tuple[TypeCount, ...]:
        workspace = await load_workspace(rt, input.workspace_id, fresh=True)
        if workspace.stripe_customer_id is None:
            problem = f"no Stripe customer is linked to {workspace.id!r}: link one by `entitled stripe link`"
            raise ConflictError(problem, current_version=workspace.version)
        counts = await rt.sync.sync_customer(workspace.stripe_customer_id)
        await load_state(rt, workspace.id, fresh=True)  # another replica may have stored something newer
        return counts

    return await _once(rt, principal, CUSTOMER_OPERATION, input, fetch)


async def sync_catalog(rt: Runtime, principal: Principal, input: SyncCatalogInput) -> Synced:
    """Fetch all that is sold at Stripe, archived things too, and bring it to the store. Raises the same otherwise."""
    return await _once(rt, principal, CATALOG_OPERATION, input, rt.sync.sync_catalog)


async def _once(
    rt: Runtime,
    principal: Principal,
    operation: str,
    input: SyncCustomerInput | SyncCatalogInput,
    fetch: Callable[[], Awaitable[tuple[TypeCount, ...]]],
) -> Synced:
    refuse(idempotency_key_faults(input.idempotency_key))
    require_stripe(rt)
    fetched: list[TypeCount] = []

    async def decide() -> Sequence[Record]:
        with asking_stripe():
            fetched[:] = await fetch()
        return ()

    def answer() -> str:
        return msgspec.json.encode(fetched).decode()

    done = await once(rt, principal, operation, input.idempotency_key, input, decide, answer=answer)
    return Synced(msgspec.json.decode(done.answer, type=tuple[TypeCount, ...]), done.replayed)
