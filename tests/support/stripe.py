"""Stripe as tests need it: objects in both shapes, events, signatures, a fake API, a worker that runs."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from support.clock import FrozenClock, SequentialIds
from support.runtime import FakeSync

from app.cache.cache import BillingCache
from app.cache.feed import Feed
from app.domain.change import Kind, Record
from app.domain.errors import UnavailableError
from app.domain.stripe_event import FetchedObject, StripeEvent, StripeEventStatus
from app.domain.stripe_object import ENTITLEMENTS, StripeObject, customer_of_entitlements
from app.domain.stripe_subject import subject_of
from app.domain.subscription import Subscription
from app.domain.workspace import Workspace
from app.ports.stripe import PaymentProcessor
from app.runtime import Runtime
from app.services.group_commit import GroupCommit
from app.services.lookup import Lookup
from app.store.audit import MongoAuditTrail
from app.store.billing_events import MongoBillingEvents
from app.store.inbox import MongoInbox
from app.store.jobs import MongoJobStates
from app.store.ledger import MongoLedger
from app.store.mirrors import MongoMirrors
from app.store.mongo import Mongo
from app.store.records import MongoStore
from app.telemetry import Metrics
from sync.stripe.backoff import Backoff, PatientProcessor
from sync.stripe.events import StripeWorker

T0 = 1_780_000_000
"""The second in which every story here begins."""
DAY = 86_400
SECRET = "whsec_tests"

Json = dict[str, Any]


def customer(id: str = "cus_1", *, workspace: str | None = None, created: int = T0, **fields: Any) -> Json:
    metadata = {"workspace_id": workspace} if workspace else {}
    return {"id": id, "object": "customer", "created": created, "livemode": False, "metadata": metadata, **fields}


def price(id: str = "price_pro", lookup_key: str | None = "pro_monthly", **fields: Any) -> Json:
    return {
        "id": id,
        "object": "price",
        "created": T0,
        "currency": "usd",
        "lookup_key": lookup_key,
        "product": "prod_pro",
        "unit_amount": 1000,
        "metadata": {},
        **fields,
    }


def product(id: str = "prod_pro", **fields: Any) -> Json:
    return {"id": id, "object": "product", "created": T0, "name": "Pro", "metadata": {}, **fields}


def item(id: str = "si_1", price_: Json | str | None = None, **fields: Any) -> Json:
    return {
        "id": id,
        "object": "subscription_item",
        "created": T0,
        "price": price() if price_ is None else price_,
        "quantity": 1,
        "current_period_start": T0,
        "current_period_end": T0 + 30 * DAY,
        **fields,
    }


def subscription(
    id: str = "sub_1",
    status: str = "active",
    *,
    workspace: str | None = None,
    items: list[Json] | None = None,
    **fields: Any,
) -> Json:
    """Build one in the shape since basil: the periods are the items'."""
    return {
        "id": id,
        "object": "subscription",
        "created": T0,
        "start_date": T0,
        "billing_cycle_anchor": T0,
        "customer": "cus_1",
        "status": status,
        "items": {"object": "list", "data": items or [item()], "has_more": False},
        "trial_start": None,
        "trial_end": None,
        "cancel_at": None,
        "cancel_at_period_end": False,
        "canceled_at": None,
        "ended_at": None,
        "livemode": False,
        "metadata": {"workspace_id": workspace} if workspace else {},
        **fields,
    }


def before_basil(sub: Json) -> Json:
    """Rewrite a subscription into the older shape: one period, the subscription's own."""
    periods = ("current_period_start", "current_period_end")
    items = [{key: value for key, value in it.items() if key not in periods} for it in sub["items"]["data"]]
    first = sub["items"]["data"][0]
    return {**sub, **{key: first[key] for key in periods}, "items": {**sub["items"], "data": items}}


def event(id: str, type: str, object: Json, *, created: int = T0, **fields: Any) -> Json:
    return {
        "id": id,
        "object": "event",
        "type": type,
        "created": created,
        "api_version": "2026-10-28.endive",
        "livemode": False,
        "data": {"object": object},
        **fields,
    }


def stored_event(id: str, type: str, object: Json, *, created: int = T0, received_at: int | None = None) -> StripeEvent:
    """Build an event as the webhook hands it to the inbox."""
    subject = subject_of(type, object)
    assert subject is not None
    return StripeEvent(
        id=id,
        type=type,
        occurred_at=created * 1000,
        received_at=created * 1000 if received_at is None else received_at,
        payload=json.dumps(event(id, type, object, created=created)),
        status=StripeEventStatus.RECEIVED,
        object_type=subject.type,
        object_id=subject.id,
    )


def sign(body: bytes, at_s: int, secret: str = SECRET) -> str:
    """Make a signature as Stripe does, without Stripe's code."""
    digest = hmac.new(secret.encode(), f"{at_s}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at_s},v1={digest}"


def _nothing_active(id: str) -> Json:
    active: Json = {"object": "list", "data": [], "has_more": False}
    return {"object": ENTITLEMENTS, "customer": customer_of_entitlements(id), "entitlements": active}


class FakeProcessor:
    """Stripe's API as a dict. `before` may block or raise: it is called with every id that is asked for."""

    def __init__(self, *objects: Json) -> None:
        self.objects: dict[str, Json] = {}
        self.asked: list[str] = []
        self.before: Callable[[str], Any] | None = None
        self.put(*objects)

    def put(self, *objects: Json) -> None:
        self.objects.update({found["id"]: found for found in objects})

    async def retrieve(self, type: str, id: str) -> FetchedObject:
        self.asked.append(id)
        found = self.objects.get(id) or (_nothing_active(id) if type == ENTITLEMENTS else None)
        if self.before is not None:
            given = self.before(id)
            if asyncio.iscoroutine(given):
                await given
        if found is None or found.get("deleted"):
            return FetchedObject(id=id, type=type, raw=json.dumps(found) if found else "", api_version=None, gone=True)
        return FetchedObject(id=id, type=type, raw=json.dumps(found), api_version="2026-10-28.endive")


@dataclass
class Sync:
    """A running sync: real MongoDB, real RAM, a worker that a test starts and stops."""

    rt: Runtime
    inbox: MongoInbox
    clock: FrozenClock
    mongo: Mongo
    received: int = field(default=0)
    looks: int = field(default=0)
    """How often a worker said that all is well: once for each look at the inbox, and for each sweep."""

    def worker(self, processor: PaymentProcessor | None, **settings: Any) -> StripeWorker:
        quick = {"accepts_payloads": True, "jitter": lambda: 0.5, "poll_s": 0.02, "sweep_s": 0.05}
        backoff = self.backoff()
        patient = PatientProcessor(processor, backoff) if processor else None
        return StripeWorker(self.rt, self.inbox, patient, **{"backoff": backoff, **quick, **settings})

    def backoff(self, *, fresh_s: float = 0) -> Backoff:
        """Give what one process knows of Stripe's API."""
        return Backoff(self.rt.jobs, self.clock, jitter=lambda: 0.5, fresh_s=fresh_s)

    async def receive(self, type: str, object: Json, *, created: int = T0, id: str | None = None) -> str:
        """Accept an event, a millisecond after the one before."""
        self.received += 1
        event_id = id or f"evt_{self.received}"
        await self.inbox.accept(
            stored_event(event_id, type, object, created=created, received_at=self.clock.now_at() + self.received)
        )
        return event_id

    async def settle(self, processor: PaymentProcessor | None, **settings: Any) -> None:
        """Run a worker until nothing is pending."""
        async with self.running(processor, **settings):
            await eventually(self.is_settled)

    async def is_settled(self) -> bool:
        try:
            return (await self.inbox.backlog()).pending == 0
        except UnavailableError:  # the status has a second: on a busy machine that may be too little
            return False

    @asynccontextmanager
    async def running(self, processor: PaymentProcessor | None, **settings: Any) -> AsyncIterator[StripeWorker]:
        worker = self.worker(processor, **settings)

        def well() -> None:
            self.looks += 1

        task = asyncio.create_task(worker.run(well))
        try:
            yield worker
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                async with asyncio.timeout(5):
                    await task

    async def put(self, *records: Record) -> None:
        """Write new records as another client would; RAM does not know of them."""
        await self.rt.store.write(records, (), None)

    async def subscription(self, id: str = "sub_1") -> Subscription | None:
        found = (await self.rt.store.read(Kind.SUBSCRIPTION, [id])).get(id)
        assert found is None or isinstance(found, Subscription)
        return found

    async def mirror(self, id: str) -> StripeObject | None:
        found = (await self.rt.store.read(Kind.STRIPE_OBJECT, [id])).get(id)
        assert found is None or isinstance(found, StripeObject)
        return found

    async def workspace(self, id: str = "ws_1") -> Workspace:
        found = (await self.rt.store.read(Kind.WORKSPACE, [id]))[id]
        assert isinstance(found, Workspace)
        return found

    async def status(self, event_id: str) -> StripeEventStatus:
        found = await self.inbox.event(event_id)
        assert found is not None
        return found.status


@asynccontextmanager
async def syncing(uri: str, database: str) -> AsyncIterator[Sync]:
    """Give a sync over a real database; its clock stands at T0 + 1 hour."""
    clock = FrozenClock((T0 + 3600) * 1000)
    mongo = Mongo(uri, database)
    # Without the indexes: they cost more than a test, and the frozen clock lies behind the server's, which would delete
    # as expired what was just written.
    await mongo.open(with_indexes=False)
    store = MongoStore(mongo)
    cache = BillingCache(feed=Feed(), clock=clock, default_plan_key=None)
    cache.mark_ready()
    inbox = MongoInbox(mongo, clock)
    ledger, ids = MongoLedger(mongo), SequentialIds()
    rt = Runtime(
        clock=clock,
        ids=ids,
        store=store,
        mirrors=MongoMirrors(mongo),
        audit=MongoAuditTrail(mongo, retention_ms=0),
        billing_events=MongoBillingEvents(mongo),
        ledger=ledger,
        usage=GroupCommit(store, ledger, cache, clock=clock, ids=ids),
        cache=cache,
        inbox=inbox,
        jobs=MongoJobStates(mongo, clock),
        lookup=Lookup(store, cache, clock),
        sync=FakeSync(),
        metrics=Metrics(),
        backdate_ms=0,
    )
    try:
        yield Sync(rt, inbox, clock, mongo)
    finally:
        await mongo.close()


async def eventually(condition: Callable[[], Any], within_s: float = 30) -> None:
    """Wait until the condition holds, or fail."""
    async with asyncio.timeout(within_s):
        while True:
            held = condition()
            if asyncio.iscoroutine(held):
                held = await held
            if held:
                return
            await asyncio.sleep(0.005)
