"""Stripe's lists, a page at a time, to the store: by the same decisions, guard and commits as the worker's objects."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
import orjson

from app.domain.change import Kind
from app.domain.errors import UnavailableError
from app.domain.stripe_backfill import PageFindings, TypeCount, total
from app.domain.stripe_event import ObjectName
from app.domain.stripe_object import ENTITLEMENTS, StripeObject, entitlements_id
from app.ports.stripe import (
    CursorGoneError,
    ListedPage,
    Listing,
    ProcessorLists,
    ProcessorUnavailableError,
    WorkQueue,
)
from app.runtime import Runtime
from app.telemetry import logger
from sync.stripe.batch import Batches
from sync.stripe.decide import decide
from sync.stripe.entitled import entitled
from sync.stripe.follow_up import follow_up
from sync.stripe.loading import load_view
from sync.stripe.readings import Reading, from_fetched
from sync.stripe.verdict import Fate, Verdict

PRODUCTS: Final = (Listing("product", (("active", "true"),)), Listing("product", (("active", "false"),)))
PRICES: Final = (Listing("price", (("active", "true"),)), Listing("price", (("active", "false"),)))
COUPONS: Final = (Listing("coupon"), Listing("promotion_code"))
CATALOGUE: Final = (*PRODUCTS, *PRICES, *COUPONS, Listing("billing.meter"))
EVERYTHING: Final = (
    *CATALOGUE,
    Listing("customer"),
    Listing("subscription", (("status", "all"),)),  # unless told, Stripe leaves out the canceled ones
    Listing("subscription_schedule"),
    Listing("invoice"),
    Listing("checkout.session"),
    Listing("payment_intent"),
    Listing("charge"),
    Listing("refund"),
    Listing("dispute"),
)
"""What a backfill reads, in this order: what others refer to comes first. A page costs one request.

Beyond that, of each subscription, invoice and checkout the lists in it where they are long; of each product its
features, where the account has any; and of each subscriber to such a product, once, the active entitlements.
"""

_MADE_ANEW: Final = frozenset({"hosted_invoice_url", "invoice_pdf"})
"""Fields with a token that Stripe makes each time it is asked: a new one is no change."""

_log = logger(__name__)


class Absorbed(msgspec.Struct, frozen=True):
    """A page that was brought to the store. `after` leads to the next one, None at the end of the list.

    `known_at` says of those that were mirrored before when that was right, `created_at` of all when they began, by id.
    """

    findings: PageFindings
    after: str | None
    known_at: Mapping[str, int]
    created_at: Mapping[str, int]
    is_gone: bool = False
    """Of one object that was asked for: Stripe has it no more."""


class Lists:
    """Reads pages and brings them to the store. Whatever comes at the same time is safe: the guard orders it."""

    def __init__(self, rt: Runtime, queue: WorkQueue, processor: ProcessorLists, *, most_pages: int = 100_000) -> None:
        self._rt = rt
        self._queue = queue
        self._processor = processor
        self._batches = Batches(rt)
        self._most_pages = most_pages

    async def sequence(self) -> int:
        """Return a number smaller than those of all pages that are read from now on."""
        return await self._queue.fetch_sequence()

    async def page(self, listing: Listing, *, after: str | None) -> ListedPage:
        """Read one page and store nothing. Raises as `ProcessorLists.list_page` does."""
        return await self._processor.list_page(listing, after=after)

    async def absorb(self, listing: Listing, *, after: str | None, dry_run: bool = False) -> Absorbed:
        """Read one page and store what it changes; with `dry_run` only tell what that would be.

        Doing it twice does no harm. Raises as `ProcessorLists.list_page` does, and `UnavailableError`.
        """
        sequence = await self._queue.fetch_sequence()
        at = self._rt.clock.now_at()
        page = await self._processor.list_page(listing, after=after)
        return await self._bring(listing.type, page, sequence=sequence, at=at, dry_run=dry_run)

    async def every_page(self, listing: Listing) -> AsyncIterator[Absorbed]:
        """Absorb a whole list, a page for each turn. Raises as `absorb` does, but for cursors that are gone."""
        after: str | None = None
        for _ in range(self._most_pages):
            try:
                page = await self.absorb(listing, after=after)
            except CursorGoneError:  # what it was to go on after has left the list
                after = None
                continue
            yield page
            after = page.after
            if after is None:
                return
        raise ProcessorUnavailableError(f"the list of {listing.type}s does not end after {self._most_pages} pages")

    async def missing(
        self, sequence: int, is_listed: Callable[[StripeObject], bool]
    ) -> AsyncIterator[Sequence[StripeObject]]:
        """Have the worker look at what is here and no list has held since `sequence`: deleted, or ended.

        Yield it in batches; empty ones show that the store is still being read.
        """
        async for batch in self._rt.store.scan(Kind.STRIPE_OBJECT):
            mirrors = [one for one in batch if isinstance(one, StripeObject) and not one.gone]
            found = [one for one in mirrors if one.fetch_sequence < sequence and is_listed(one)]
            if found:
                await self._rt.inbox.mark_all([ObjectName(one.type, one.id) for one in found])
                self._rt.sync.wake()
            yield found

    async def sync_customer(self, customer_id: str) -> tuple[TypeCount, ...]:
        """Fetch a customer, its subscriptions and invoices of every status and its entitlements; store what changed."""
        pages = [await self.refresh("customer", customer_id)]
        if not pages[0].is_gone:
            owned = ("customer", customer_id)
            for listing in (Listing("subscription", (owned, ("status", "all"))), Listing("invoice", (owned,))):
                pages += [page async for page in self.every_page(listing)]
            pages.append(await self.refresh(ENTITLEMENTS, entitlements_id(customer_id)))
        return total(page.findings.count for page in pages)

    async def sync_catalog(self) -> tuple[TypeCount, ...]:
        """Fetch every product, price, coupon, promotion code and meter, and store what they change."""
        counts = [page.findings.count for listing in CATALOGUE async for page in self.every_page(listing)]
        return total(counts)

    async def refresh(self, type: str, id: str) -> Absorbed:
        """Fetch one object and store what it changes. Raises as `PaymentProcessor.retrieve` does."""
        sequence = await self._queue.fetch_sequence()
        at = self._rt.clock.now_at()
        found = await self._processor.retrieve(type, id)
        absorbed = await self._bring(type, ListedPage((found,), None), sequence=sequence, at=at, dry_run=False)
        return msgspec.structs.replace(absorbed, is_gone=found.gone)

    async def _bring(self, type: str, page: ListedPage, *, sequence: int, at: int, dry_run: bool) -> Absorbed:
        readings = [from_fetched(found, sequence=sequence, at=at, events=()) for found in page.objects]
        mirrors = await self._rt.store.read(Kind.STRIPE_OBJECT, [reading.id for reading in readings])
        before = {mirror.id: mirror for mirror in mirrors.values() if isinstance(mirror, StripeObject)}
        verdicts = await (self._foresee(readings) if dry_run else self._store(readings))
        if not dry_run:
            await self._follow_up(readings, verdicts)
        created = {one.id: began for one in readings if (began := _created_at(one.raw)) is not None}
        findings = _findings(type, readings, verdicts, before, list(created.values()))
        known_at = {mirror.id: mirror.event_at or 0 for mirror in before.values()}
        return Absorbed(findings, page.after, known_at, created)

    async def _foresee(self, readings: Sequence[Reading]) -> list[Verdict | None]:
        view = await load_view(self._rt, readings)
        return [decide(view, reading) for reading in readings]

    async def _store(self, readings: Sequence[Reading]) -> list[Verdict | None]:
        """Commit all readings; of one that met a fault of ours there is no verdict."""
        told = await asyncio.gather(*(self._batches.submit([one]) for one in readings), return_exceptions=True)
        verdicts: list[Verdict | None] = []
        for reading, outcome in zip(readings, told, strict=True):
            if isinstance(outcome, UnavailableError) or not isinstance(outcome, Exception | Sequence):
                raise outcome
            if isinstance(outcome, Exception):
                _log.error("stripe_object_failed", object=reading.id, exc_info=outcome)
                verdicts.append(None)
            else:
                verdicts.append(outcome[0])
        return verdicts

    async def _follow_up(self, readings: Sequence[Reading], verdicts: Sequence[Verdict | None]) -> None:
        """Set aside what waits, hand over to the worker what failed or must be looked at again, release what waited."""
        both = list(zip(readings, verdicts, strict=True))
        dirty = [ref for reading, verdict in both for ref in self._dirty(reading, verdict)]
        dirty += await entitled(self._rt, [reading for reading in readings if reading.type == "subscription"])
        await self._queue.park_all(
            {
                ObjectName(reading.type, reading.id): verdict.parents
                for reading, verdict in both
                if verdict and verdict.fate is Fate.PARKED
            }
        )
        linked = [verdict.linked for verdict in verdicts if verdict and verdict.linked]
        if linked:
            await self._queue.release(linked)
        await self._rt.inbox.mark_all(list(dict.fromkeys(dirty)))
        if linked or dirty:
            self._rt.sync.wake()

    def _dirty(self, reading: Reading, verdict: Verdict | None) -> Iterator[ObjectName]:
        if verdict is None or verdict.fate is Fate.DEAD:
            yield ObjectName(reading.type, reading.id)
        if verdict is not None:  # what it touched is in these lists too, or was read just before
            yield from follow_up(self._rt, reading.id, verdict)


class _Created(msgspec.Struct):
    created: int | None = None


def _created_at(raw: str) -> int | None:
    try:
        created = msgspec.json.decode(raw, type=_Created).created
    except (ValueError, RecursionError):
        return None
    return None if created is None else created * 1000


def _findings(
    type: str,
    readings: Sequence[Reading],
    verdicts: Sequence[Verdict | None],
    before: Mapping[str, StripeObject],
    created: Collection[int],
) -> PageFindings:
    changed = [
        ObjectName(type, reading.id)
        for reading, verdict in zip(readings, verdicts, strict=True)
        if not (verdict and verdict.fate is Fate.STALE) and _differs(reading, before.get(reading.id))
    ]
    return PageFindings(
        count=TypeCount(
            type=type,
            listed=len(readings),
            changed=len(changed),
            parked=sum(verdict is not None and verdict.fate is Fate.PARKED for verdict in verdicts),
            failed=sum(verdict is None or verdict.fate is Fate.DEAD for verdict in verdicts),
        ),
        changed=tuple(changed),
        newest_at=max(created, default=None),
        oldest_at=min(created, default=None),
    )


def _differs(reading: Reading, mirror: StripeObject | None) -> bool:
    """Tell whether Stripe says something else than before; how the JSON is laid out does not matter."""
    if mirror is None or mirror.gone != reading.gone:
        return True
    if reading.gone or mirror.raw == reading.raw:
        return False
    return _parsed(mirror.raw) != _parsed(reading.raw)


def _parsed(raw: str) -> object:
    try:
        told: dict[str, Any] = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return raw
    return {key: told[key] for key in told.keys() - _MADE_ANEW}  # it was listed, and so is an object
