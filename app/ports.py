"""All we need from outside, as Protocols on one page. Fakes stand here in tests."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from typing import Generic, Protocol, TypeVar

import msgspec

from app.domain.audit import AuditEntry, AuditFilter
from app.domain.audit_chain import BrokenSeal, Claim, Seal
from app.domain.change import Kind, Record, Tombstone
from app.domain.consumption import Refused, Taken
from app.domain.entitlement import Entitlement
from app.domain.migration import Migration, MigrationStatus
from app.domain.plan import Catalogue
from app.domain.stripe_catalogue import StripeCatalogue
from app.domain.stripe_event import DirtyObject, FetchedObject, StripeEvent, StripeEventStatus
from app.domain.subscription import Subscription, SubscriptionStatus
from app.domain.sync_status import ReconcileResult, StripeBacklog, SyncStatus
from app.domain.usage import Balance, UsageEvent
from app.domain.usage_summary import Granularity, Slice
from app.domain.workspace import Workspace
from app.domain.workspace_state import WorkspaceState

T = TypeVar("T")


class Clock(Protocol):
    """The time."""

    def now_at(self) -> int:
        """Return epoch milliseconds, UTC."""
        ...


class Ids(Protocol):
    """New names."""

    def new(self, prefix: str) -> str:
        """Return `prefix_` and a uuid7 in hexadecimal, ascending in time."""
        ...

    def secret(self) -> str:
        """Return 256 random bits, URL-safe."""
        ...


class StoredResult(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="camel"):
    """What an idempotent operation answered: the `records` it wrote, in order. `id` is `principal:operation:key`.

    `answer` is what the records alone do not tell, in a form of the operation's own.
    """

    id: str
    input_digest: str
    created_at: int
    records: tuple[Record, ...] = ()
    answer: str = ""


class Page(msgspec.Struct, Generic[T], frozen=True):
    """One page of a listing, in the order the listing says."""

    items: tuple[T, ...]
    has_next: bool


class Tally(msgspec.Struct, frozen=True, gc=False):
    """How many there are, and the first few of them by id."""

    count: int
    first: tuple[str, ...]


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

    async def write(self, records: Sequence[Record], audit: Sequence[AuditEntry], result: StoredResult | None) -> None:
        """Write all or nothing. Each record carries the version it shall have (1 is an insert).

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


class UsageFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which entries of the ledger: of one workspace, of a feature, that happened in `[from_at, to_at)`."""

    workspace_id: str
    feature_key: str | None = None
    from_at: int | None = None
    to_at: int | None = None


class UsageLedger(Protocol):
    """What was used, entry by entry, and the balances that they come to. Every call has a deadline."""

    async def write(self, balances: Sequence[Balance], events: Sequence[UsageEvent]) -> None:
        """Write balances (versions raised by one; 1 is an insert) and append entries, all or nothing.

        Raises `ConflictError` where another write of a balance came first; `ResultExistsError` where an entry is there.
        """
        ...

    async def events(self, ids: Collection[str]) -> dict[str, UsageEvent]:
        """Return the entries with these ids. Absent ids are left out."""
        ...

    async def corrections(self, event_id: str) -> list[UsageEvent]:
        """Return the entries that correct this one, the earliest first."""
        ...

    async def page(self, wanted: UsageFilter, *, after: tuple[int, str] | None, first: int) -> Page[UsageEvent]:
        """Return entries, those that happened last first. `after` is an entry's `occurred_at` and id."""
        ...

    async def count(self, wanted: UsageFilter) -> int:
        """Count entries."""
        ...

    async def summary(self, wanted: UsageFilter, granularity: Granularity) -> dict[int, Slice]:
        """Add up what was used of `wanted.feature_key`, by where each slice starts; empty slices are left out."""
        ...


class UsageRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A change of one workspace's usage, to be decided on whatever its balance is when its turn comes.

    `event` is the ledger entry without its lines. `decide` may be called several times and must not wait; `prepare` is
    awaited before each time, while nobody else in this process writes the workspace's balance.
    """

    event: UsageEvent
    decide: Callable[[WorkspaceState, Catalogue, int], Taken | Refused]
    prepare: Callable[[], Awaitable[None]] | None = None


class Accepted(msgspec.Struct, frozen=True):
    """The ledger entry as written; `replayed` where an earlier request with the same key wrote it.

    `answer` checks one more unit of a feature, as it is since then; requests that were written together share answers.
    """

    event: UsageEvent
    replayed: bool
    answer: Callable[[str], Entitlement]


class UsageWriter(Protocol):
    """The one road of usage into store and RAM."""

    async def write(self, request: UsageRequest) -> Accepted | Refused:
        """Decide, write and apply to RAM, once per entry id; requests that come together share a write.

        Raises what `decide` raises, `IdempotencyConflictError`, `UnavailableError`, and `ConflictError` where the
        workspace is too busy.
        """
        ...


class AuditTrail(Protocol):
    """The entries that `RecordStore.write` appends, and the seals over them. Every call has a deadline."""

    @property
    def retention_ms(self) -> int:
        """How long an entry is kept."""
        ...

    async def page(self, wanted: AuditFilter, *, after: tuple[int, str] | None, first: int) -> Page[AuditEntry]:
        """Return entries, the newest first, after one with this `recorded_at` and id.

        `before` and `after` hold JSON: instants in RFC 3339, decimals as text.
        """
        ...

    async def count(self, wanted: AuditFilter) -> int:
        """Count entries."""
        ...

    async def entry(self, id: str) -> AuditEntry | None:
        """Return one entry, as `page` does."""
        ...

    async def seal(self, *, at: int, most: int) -> int:
        """Seal entries that no seal lists, by ascending id, in one transaction; return how many.

        0 where there are none, and where another sealer was quicker.
        """
        ...

    async def prune(self, *, before_at: int) -> int:
        """Remove the seals at the start of the chain that were made before this; never the last one."""
        ...

    async def unsealed(self) -> int:
        """Count the entries that no seal lists yet."""
        ...

    async def last_seal(self) -> int:
        """Return the number of the last seal; 0 where there is none."""
        ...

    def seals(self, *, upto: int) -> AsyncIterator[Sequence[Seal | BrokenSeal]]:
        """Yield seals by ascending number, some at a time."""
        ...

    def claims(self, *, after: int, upto: int | None) -> AsyncIterator[Sequence[Claim]]:
        """Yield the entries that name a seal above `after` (0 is any number) up to `upto`.

        With `upto` None come those above `after`, and those that name what is no number.
        """
        ...

    async def claims_of(self, ids: Collection[str]) -> list[Claim]:
        """Return those of the entries that are stored."""
        ...


class Inbox(Protocol):
    """Stripe's events as they came, and the objects they made dirty."""

    async def accept(self, event: StripeEvent) -> bool:
        """Store the event once and mark its object dirty; False where the event was there already."""
        ...

    async def mark(self, type: str, id: str) -> None:
        """Mark an object dirty again, so that the worker learns its state anew; revives a dead or parked one."""
        ...

    async def release(self, parents: Collection[str]) -> int:
        """Mark every object that is parked under one of these; return how many."""
        ...

    async def event(self, id: str) -> StripeEvent | None:
        """Return one event."""
        ...

    async def events_page(
        self, *, status: StripeEventStatus | None, after: str | None, first: int
    ) -> Page[StripeEvent]:
        """Return events, the newest received first. `after` is an event's id."""
        ...

    async def backlog(self) -> StripeBacklog:
        """Return the inbox in numbers."""
        ...


class Lease(msgspec.Struct, frozen=True, gc=False):
    """A dirty object that is ours to work on until the lease ends. Only the holder of `token` may settle it."""

    object: DirtyObject
    token: str


class WorkQueue(Protocol):
    """The worker's side of the inbox."""

    async def lease(self, *, limit: int, until_at: int) -> list[Lease]:
        """Take objects that are due and not leased, the longest due first."""
        ...

    async def renew(self, leases: Collection[Lease], *, until_at: int) -> None:
        """Hold on to leases that are still ours."""
        ...

    async def fetch_sequence(self) -> int:
        """Return the next number of the one counter that orders fetches by their start."""
        ...

    async def unsettled(self, object_id: str, *, payloads: bool) -> list[StripeEvent]:
        """Return the object's events not yet reflected, the oldest first; `payload` is empty unless asked for."""
        ...

    async def note(self, events: Collection[str], status: StripeEventStatus, *, reason: str | None = None) -> None:
        """Note what became of events. Comes before the object is settled, so that a crash between repeats the work."""
        ...

    async def clear(self, lease: Lease) -> None:
        """Settle: the object is clean, unless it was marked since it was leased; then it is due again."""
        ...

    async def park(self, lease: Lease, parents: Collection[str]) -> None:
        """Settle: set the object aside until one of `parents` is released, unless it was marked since."""
        ...

    async def postpone(self, lease: Lease, *, until_at: int, error: str, counted: bool) -> None:
        """Settle: try again at `until_at`. A `counted` attempt brings the object nearer to its burial."""
        ...

    async def bury(self, lease: Lease, *, error: str) -> None:
        """Settle: the object is a dead letter, unless it was marked since."""
        ...

    async def mark(self, type: str, id: str) -> None:
        """Mark an object dirty again; see `Inbox`."""
        ...

    async def release(self, parents: Collection[str]) -> int:
        """Mark every object that is parked under one of these; see `Inbox`."""
        ...

    async def mark_forgotten(self, *, received_before_at: int) -> int:
        """Mark the objects of events that were stored and whose object was never marked; return how many."""
        ...

    def parents(self) -> AsyncIterator[Sequence[str]]:
        """Yield, in batches, every parent that something is parked under."""
        ...


class WebhookVerifier(Protocol):
    """Who tells whether a webhook is the payment processor's."""

    def verify(self, payload: bytes, header: str | None) -> None:
        """Raise `SignatureError` unless the raw body was signed with one of our secrets, just now."""
        ...


class SignatureError(Exception):
    """A webhook that the payment processor did not sign, or not just now."""


class PaymentProcessor(Protocol):
    """Stripe's API, or what plays it."""

    async def retrieve(self, type: str, id: str) -> FetchedObject:
        """Fetch one object with every page of its sub-lists.

        Raises `ProcessorUnavailableError` (retry later) or `ProcessorRefusedError` (retrying will not help).
        """
        ...


class StripeCatalogueSource(Protocol):
    """Who tells what is sold at Stripe."""

    async def catalogue(self) -> StripeCatalogue:
        """Read every product, price and feature, page by page; a large account takes minutes.

        Raises `ProcessorUnavailableError` or `ProcessorRefusedError`; see `PaymentProcessor`.
        """
        ...


class ProcessorUnavailableError(Exception):
    """The payment processor did not answer, or asked to slow down. `retry_after_s` where it said so."""

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ProcessorRefusedError(Exception):
    """The payment processor understood and refused: a wrong key, a malformed request."""


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


class Sync(Protocol):
    """What the edges may ask of the services that keep RAM true; `main` gives it."""

    async def resync(self, *, workspace_id: str | None, dry_run: bool) -> ReconcileResult:
        """Clean and refresh everything, or one workspace."""
        ...

    async def status(self) -> SyncStatus:
        """Return how true RAM is."""
        ...

    def wake(self) -> None:
        """Tell the Stripe worker that the inbox has something."""
        ...

    def wake_migrations(self) -> None:
        """Tell the worker that moves subscriptions that a migration was started."""
        ...

    def is_ready(self) -> bool:
        """Tell whether RAM is loaded and live."""
        ...
