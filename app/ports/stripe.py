"""Stripe: its events as they came, the work they make, and its API."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Protocol

import msgspec

from app.domain.stripe_catalogue import StripeCatalogue
from app.domain.stripe_event import (
    DirtyObject,
    Discard,
    Discarded,
    FetchedObject,
    ObjectName,
    QueuedObject,
    ReceivedObjects,
    StripeEvent,
    StripeEventFilter,
    StripeEventStatus,
    StripeTrace,
)
from app.domain.stripe_setup import AccountAccess, CreatedEndpoint, WebhookEndpoint
from app.domain.sync_status import StripeBacklog
from app.ports.store import Page


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
        self, wanted: StripeEventFilter, *, after: tuple[int, str] | None, first: int
    ) -> Page[StripeEvent]:
        """Return events, the newest received first. `after` is the instant of an event's receipt and its id."""
        ...

    async def queued(self, ids: Collection[str]) -> dict[str, QueuedObject]:
        """Return those of the objects of which something is still to be learned."""
        ...

    async def received(self, *, from_at: int, to_at: int, after: tuple[int, str] | None, most: int) -> ReceivedObjects:
        """Return what events are about that were received in `[from_at, to_at)`, at most so many, the oldest first.

        Events whose objects cannot be asked for are passed over.
        """
        ...

    async def failed(self, *, since_at: int, after: str | None, most: int) -> tuple[ObjectName, ...]:
        """Return objects whose last attempt failed then or later and that wait or are dead, by their ids."""
        ...

    async def mark_all(self, objects: Sequence[ObjectName]) -> None:
        """Mark many objects, in batches; see `mark`."""
        ...

    async def discard(self, wanted: Discard) -> Discarded:
        """Give dead letters up; whatever is not dead stays as it is."""
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

    async def lease(
        self, *, limit: int, until_at: int, without: Collection[str] = (), in_turn: bool = False
    ) -> list[Lease]:
        """Take objects that are due and not leased, but none of the types `without`: those that wait the longest.

        With `in_turn` those that were not tried for the longest time, so that one that always fails holds up no other.
        """
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

    async def note(
        self,
        events: Collection[str],
        status: StripeEventStatus,
        *,
        reason: str | None = None,
        trace: StripeTrace | None = None,
    ) -> None:
        """Note what became of events. Comes before the object is settled, so that a crash between repeats the work."""
        ...

    async def clear(self, lease: Lease) -> None:
        """Settle: the object is clean, unless it was marked since it was leased; then it is due again."""
        ...

    async def park(self, lease: Lease, parents: Collection[str]) -> None:
        """Settle: set the object aside until one of `parents` is released, unless it was marked since."""
        ...

    async def park_all(self, objects: Mapping[ObjectName, Collection[str]]) -> None:
        """Set objects aside, each until one of its parents is released: those that were read without a lease.

        One that waits for its turn or is dead is marked instead: its events have yet to be settled.
        """
        ...

    async def postpone(self, lease: Lease, *, until_at: int, error: str, counted: bool) -> None:
        """Settle: try again at `until_at`. A `counted` attempt brings the object nearer to its burial."""
        ...

    async def put_back(self, lease: Lease) -> None:
        """Give an object back as it was: nothing was tried."""
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


class RateLimits(Protocol):
    """Limits of requests, each by its name."""

    async def acquire(self, name: str, *, per_s: float) -> None:
        """Return once one more request is allowed, of so many per second."""
        ...


class PaymentProcessor(Protocol):
    """Stripe's API, or what plays it."""

    async def retrieve(self, type: str, id: str) -> FetchedObject:
        """Fetch one object with every page of its sub-lists.

        Raises `ProcessorUnavailableError` (retry later) or `ProcessorRefusedError` (retrying will not help).
        """
        ...


class Listing(msgspec.Struct, frozen=True):
    """One of Stripe's lists: the objects of a type ("event" too), narrowed by Stripe's own parameters."""

    type: str
    filters: tuple[tuple[str, str], ...] = ()


class ListedPage(msgspec.Struct, frozen=True):
    """Up to a hundred objects, the newest first. `after` leads to the next page, None at the end."""

    objects: tuple[FetchedObject, ...]
    after: str | None


class ProcessorLists(PaymentProcessor, Protocol):
    """Stripe's API with its lists."""

    async def list_page(self, listing: Listing, *, after: str | None) -> ListedPage:
        """Read one page, each object with every page of its sub-lists.

        Raises as `retrieve` does, and `CursorGoneError` where the object that `after` names has left the list.
        """
        ...


class CursorGoneError(Exception):
    """The object that the next page was to follow is not in the list any more: begin the list again."""


class StripeCatalogueSource(Protocol):
    """Who tells what is sold at Stripe."""

    async def catalogue(self) -> StripeCatalogue:
        """Read every product, price and feature, page by page; a large account takes minutes.

        Raises `ProcessorUnavailableError` or `ProcessorRefusedError`; see `PaymentProcessor`.
        """
        ...


class StripeAccount(StripeCatalogueSource, Protocol):
    """A Stripe account behind an API key. All calls raise as `PaymentProcessor.retrieve` does."""

    @property
    def livemode(self) -> bool:
        """Whether the key is of the live mode."""
        ...

    @property
    def api_version(self) -> str:
        """The API version that we speak."""
        ...

    async def access(self) -> AccountAccess:
        """Ask each list that we read for one object, and tell what the key may not read."""
        ...

    async def endpoints(self) -> tuple[WebhookEndpoint, ...]:
        """Return every webhook endpoint of the account."""
        ...

    async def create_endpoint(self, url: str, events: Sequence[str], *, idempotency_key: str) -> CreatedEndpoint:
        """Create an endpoint of our API version, once for each key."""
        ...

    async def update_endpoint(self, id: str, events: Sequence[str]) -> WebhookEndpoint:
        """Enable an endpoint and let it be sent these events."""
        ...


class ProcessorUnavailableError(Exception):
    """The payment processor did not answer, or asked to slow down. `retry_after_s` where it said so.

    `slow_down` where it was too many requests, whatever they asked for.
    """

    def __init__(self, message: str, *, retry_after_s: float | None = None, slow_down: bool = False) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.slow_down = slow_down


class ApiFailingError(ProcessorUnavailableError):
    """It fails whatever it is asked for, so that no object is at fault; or, unless it `was_asked`, is left alone."""

    def __init__(self, message: str, *, retry_after_s: float | None = None, was_asked: bool = True) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.was_asked = was_asked


class ProcessorRefusedError(Exception):
    """The payment processor understood and refused: a wrong key, a malformed request."""


class PermissionMissingError(ProcessorRefusedError):
    """The API key is restricted. `permission` names what it lacks, in Stripe's word where Stripe has told it."""

    def __init__(self, message: str, *, permission: str | None) -> None:
        super().__init__(message)
        self.permission = permission
