"""The durable truth, and how use cases find what decides for a workspace."""

from collections.abc import AsyncIterator, Awaitable, Collection, Sequence
from typing import Generic, Protocol, TypeVar

import msgspec

from app.domain.audit import AuditEntry
from app.domain.billing_event import BillingEvent
from app.domain.change import Kind, Record, Tombstone
from app.domain.migration import Migration, MigrationStatus
from app.domain.stripe_adoption import MirrorCounts, SharedWorkspace
from app.domain.stripe_email import CustomerContact
from app.domain.stripe_object import StripeObject
from app.domain.subscription import Subscription, SubscriptionStatus
from app.domain.workspace import Workspace
from app.domain.workspace_state import WorkspaceState

T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], frozen=True):
    """One page of a listing, in the order the listing says."""

    items: tuple[T, ...]
    has_next: bool


class Tally(msgspec.Struct, frozen=True, gc=False):
    """How many there are, and the first few of them by id."""

    count: int
    first: tuple[str, ...]


class StoredResult(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """What an idempotent operation answered: the `records` it wrote, in order. `id` is `principal:operation:key`.

    `answer` is what the records alone do not tell, in a form of the operation's own.
    """

    id: str
    input_digest: str
    created_at: int
    records: tuple[Record, ...] = ()
    answer: str = ""


class RecordStore(Protocol):
    """The durable truth. Every call has a deadline and raises `UnavailableError` past it."""

    async def read(self, kind: Kind, ids: Collection[str]) -> dict[str, Record]:
        """Return the records with these ids, soft-deleted ones too, as a majority has them. Absent ids are left out."""
        ...

    async def read_workspace(self, ref: str) -> list[Record]:
        """Return the workspace with this id or external id, and all that it owns; empty where there is none."""
        ...

    async def names(self, refs: Collection[str]) -> set[str]:
        """Return which of these are the id or the external id of a workspace."""
        ...

    def scan(self, kind: Kind) -> AsyncIterator[Sequence[Record | Tombstone]]:
        """Yield every record of the kind in batches, soft-deleted ones as tombstones."""
        ...

    async def write(
        self,
        records: Sequence[Record],
        audit: Sequence[AuditEntry],
        result: StoredResult | None,
        *,
        events: Sequence[BillingEvent] = (),
    ) -> None:
        """Write all or nothing. Each record carries the version it shall have (1 is an insert).

        Of `events` those whose ids are stored already stay as they are.

        Raises `ConflictError` where the stored version is not one less, or a unique key is taken;
        `ResultExistsError` where `result.id` is stored already.
        """
        ...

    async def result(self, id: str) -> StoredResult | None:
        """Return what the operation with this idempotency key answered."""
        ...

    async def workspaces_page(self, *, after: str | None, first: int) -> Page[Workspace]:
        """Return workspaces by ascending id, archived ones too."""
        ...

    async def subscriptions_page(
        self, *, workspace_id: str | None, statuses: Collection[SubscriptionStatus], after: str | None, first: int
    ) -> Page[Subscription]:
        """Return subscriptions by ascending id; empty `statuses` means every status."""
        ...

    async def count(self, kind: Kind, **equals: str | tuple[str, ...]) -> int:
        """Count records that are not soft-deleted whose fields (snake case) equal the values, or are among a tuple."""
        ...

    async def in_force(self, kind: Kind, feature_key: str, *, at: int) -> Tally:
        """Count the grants, or the overrides, of the feature that are in force at `at` or will be."""
        ...

    async def running_trials(self, plan_ids: Collection[str], *, at: int) -> Tally:
        """Count the workspaces that are not archived and try one of these plan versions at `at`."""
        ...

    def holders(self, prices: Collection[str]) -> AsyncIterator[Sequence[Subscription]]:
        """Yield, in batches, the subscriptions that are not over and hold one of these prices, by id or lookup key."""
        ...

    async def count_holders(self, prices: Collection[str], *, before_at: int) -> int:
        """Count those of them to whom a price came before this instant."""
        ...

    async def holders_page(
        self, prices: Collection[str], *, before_at: int, after: str | None, first: int
    ) -> Page[Subscription]:
        """Return the same by ascending id. A page with more behind it is never empty."""
        ...

    async def subscriptions_of_customers(self, customer_ids: Collection[str]) -> list[Subscription]:
        """Return the subscriptions that these customers of Stripe pay for, whichever workspaces they serve."""
        ...

    def customer_contacts(self) -> AsyncIterator[Sequence[CustomerContact]]:
        """Yield, in batches, every mirrored customer that exists at Stripe."""
        ...

    async def mirror_counts(self) -> MirrorCounts:
        """Count what is mirrored, and what of it no workspace is known for."""
        ...

    async def unlinked_page(self, type: str, *, after: str | None, first: int) -> Page[StripeObject]:
        """Return mirrors of a type that exist at Stripe and that no workspace is known for, by ascending id."""
        ...

    async def waiting_subscriptions(self, customer_ids: Collection[str]) -> dict[str, tuple[str, ...]]:
        """Return the ids of the subscriptions that wait for these customers to be linked, by customer."""
        ...

    async def shared_workspaces_page(self, *, after: str | None, first: int) -> Page[SharedWorkspace]:
        """Return workspaces that several customers are linked to, by ascending id."""
        ...

    async def linked_customers(self, ids: Collection[str]) -> set[str]:
        """Return which of these are customers at Stripe that are linked to a workspace."""
        ...

    async def customers_of(self, workspace_ids: Collection[str]) -> list[StripeObject]:
        """Return the mirrored customers that are linked to these workspaces and not gone."""
        ...

    async def owed_invoices(self, subscription_ids: Collection[str]) -> list[StripeObject]:
        """Return the mirrored invoices of these subscriptions that are neither paid nor given up."""
        ...

    async def naming_checkouts(self, customer_ids: Collection[str]) -> list[StripeObject]:
        """Return the mirrored checkouts that these customers completed and that name a workspace."""
        ...

    async def provisional_mirrors(self, *, after: str, most: int) -> list[StripeObject]:
        """Return mirrors of what exists at Stripe that only a payload told, by ids above `after`."""
        ...

    async def outdated_mirrors(self, norm_version: int, *, after: str, most: int) -> list[StripeObject]:
        """Return mirrors of what exists at Stripe that were read before this version, by ids above `after`."""
        ...

    async def migrations_page(
        self, *, status: MigrationStatus | None, after: str | None, first: int
    ) -> Page[Migration]:
        """Return migrations, the newest first; None means every status."""
        ...

    async def has_admin_key(self) -> bool:
        """Tell whether any API key with the scope ADMIN was ever made and not revoked."""
        ...


class ResultExistsError(Exception):
    """Another request with the same idempotency key came first; its result is stored."""


class WorkspaceLookup(Protocol):
    """How a use case finds what decides for a workspace."""

    def state(self, ref: str) -> WorkspaceState | Awaitable[WorkspaceState | None] | None:
        """Return the state by our id or the external id: at once from RAM, or an awaitable that reads the store once.

        None is "no such workspace", remembered for seconds. Raises `UnavailableError`.
        """
        ...

    def forget(self, ref: str) -> None:
        """Forget that this workspace was absent: it has just been made."""
        ...
