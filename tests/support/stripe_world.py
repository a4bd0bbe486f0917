"""A world of its own in virtual time: a sandbox that plays Stripe, a network, a database, replicas of the service."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random  # noqa: TID251 - the dice of a test, which start from its seed
from typing import Any, Final

import httpx
from support.clock import SequentialIds
from support.memory import Database, MemoryBillingEvents, MemoryInbox, MemoryStore, Step
from support.records import feature, plan, workspace
from support.runtime import FakeJobs, FakeStripe, FakeSync
from support.stripe_lives import LOOKUP_KEY, WORKSPACES, Lives
from support.sync import at_work

from app.cache.cache import BillingCache
from app.cache.feed import Feed
from app.domain.change import Record, Source
from app.domain.plan import FeatureType, PlanFeature, PlanPrice
from app.domain.stripe_event import StripeEvent, StripeObjectState
from app.domain.stripe_object import SYNCED_TYPES
from app.gateways.stripe import StripeProcessor
from app.http.stripe_webhook import read_event
from app.ports.store import RecordStore
from app.ports.stripe import Inbox, WorkQueue
from app.runtime import Runtime
from app.sandbox.stripe.application import make_application
from app.sandbox.stripe.sandbox import Config, Sandbox
from app.services.lookup import Lookup
from app.telemetry import Metrics
from sync.stripe.backoff import Backoff, PatientProcessor
from sync.stripe.events import StripeWorker
from sync.stripe.lists import Lists

START: Final = 1_800_000_000
_KEY: Final = {"Authorization": "Bearer sk_test_sandbox"}
_NOTHING: Any = None


class SharedClock:
    """The time of Stripe and of every replica."""

    def __init__(self) -> None:
        self.sandbox = Sandbox(Config(), now=lambda: START + int(asyncio.get_running_loop().time()))

    def now_at(self) -> int:
        passed_ms = int(asyncio.get_running_loop().time() * 1000)
        return (START + self.sandbox.clock.offset) * 1000 + passed_ms


class Network(httpx.AsyncBaseTransport):
    """A replica's way to Stripe's API. It reads at once and answers late, so that answers are old when they come."""

    def __init__(self, world: "World", replica: "Replica") -> None:
        self._sandbox = httpx.ASGITransport(make_application(world.sandbox))
        self._world = world
        self._dice = world.dice
        self._spoil = world.spoil
        self._replica = replica
        self._slowest_s = 0.0 if world.is_calm else world.dice.choice((0.0, 0.5, 14.0))
        self._failing = 0.0 if world.is_calm else world.dice.choice((0.0, 0.0, 0.1))
        self._stalling = 0.0 if world.is_calm else world.dice.choice((0.0, 0.3))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.url = self._spoil.asked(request.url)
        if self._dice.random() < self._failing:
            return httpx.Response(self._dice.choice((429, 500, 503)), json={"error": {"message": "no"}})
        await self._replica.step("ask")
        answer = await self._sandbox.handle_async_request(request)
        body = self._spoil.answered(await answer.aread())
        if self._dice.random() < 0.5:
            await asyncio.sleep(self._dice.random() * self._slowest_s)
        if self._dice.random() < self._stalling and not self._world.is_over:
            self._replica.freeze(self._dice.uniform(10, 60))
        await self._replica.step("asked")
        return httpx.Response(answer.status_code, headers=answer.headers, content=body)


class Spoil:
    """How a wrong worker would ask and listen; this one changes nothing.

    `loss` is the share of events that get lost where the mistake shows, `by_backfill` that only a backfill shows it.
    """

    loss: float | None = None
    by_backfill = False

    def asked(self, url: httpx.URL) -> httpx.URL:
        return url

    def answered(self, body: bytes) -> bytes:
        return body

    def store(self, store: Any) -> RecordStore:
        return store

    def inbox(self, inbox: Any) -> Any:
        return inbox


class Replica:
    """One process of the service: its RAM, its runtime, its worker."""

    def __init__(self, world: "World", step: Step | None = None, *, processor: Any = None) -> None:
        clock, self._world, self._frozen_until = world.clock, world, 0.0
        self.step = step = step or self._take_time
        backoff = Backoff(world.jobs, clock, jitter=world.dice.random)
        own = StripeProcessor("sk_test_1", **_FAST, transport=Network(world, self))
        processor = PatientProcessor(processor or own, backoff) if world.has_key else None
        self.cache = BillingCache(feed=Feed(), clock=clock, default_plan_key=None)
        self.cache.mark_ready()
        store = world.spoil.store(MemoryStore(world.database, step))
        self.inbox: Inbox = world.spoil.inbox(MemoryInbox(world.database, clock, step))
        self.queue: WorkQueue = MemoryInbox(world.database, clock, step)
        self.rt = Runtime(
            clock=clock,
            ids=world.ids,
            store=store,
            mirrors=_NOTHING,
            audit=_NOTHING,
            ledger=_NOTHING,
            usage=_NOTHING,
            cache=self.cache,
            inbox=self.inbox,
            jobs=world.jobs,
            lookup=Lookup(store, self.cache, clock),
            sync=FakeSync(),
            metrics=Metrics(),
            billing_events=MemoryBillingEvents(world.database, step),  # type: ignore[arg-type]
            backdate_ms=0,
            stripe=FakeStripe(),
        )
        self.worker = StripeWorker(
            self.rt,
            self.queue,
            processor,
            backoff=backoff,
            accepts_payloads=True,
            jitter=world.dice.random,
            concurrency=1 if world.is_calm else world.dice.choice((1, 3, 8)),
            poll_s=2,
        )
        self.lists = Lists(self.rt, self.queue, processor) if processor else None
        self._told_until = 0.0
        for record in world.database.records.values():
            self.cache.apply(record, source=Source.SCAN)

    def freeze(self, seconds: float) -> None:
        """Stand still, as a process on a busy machine does; its leases end meanwhile."""
        self._frozen_until = asyncio.get_running_loop().time() + seconds

    async def thaw(self) -> None:
        """Wait while it stands still."""
        await asyncio.sleep(max(0.0, self._frozen_until - asyncio.get_running_loop().time()))

    async def _take_time(self, _what: str) -> None:
        await asyncio.sleep(self._world.dice.random() * self._world.slowest_step_s)
        await self.thaw()

    def follow(self, record: Record, delay_s: float) -> None:
        """Hear of what was written, as by a change stream: later, and in order."""
        loop = asyncio.get_running_loop()
        self._told_until = max(self._told_until, loop.time() + delay_s)
        loop.call_at(self._told_until, lambda: self.cache.apply(record, source=Source.STREAM))


class World:
    """All there is, drawn from one seed. In a calm one nothing is slow, fails or gets lost."""

    def __init__(self, seed: int, *, has_key: bool = True, spoil: Spoil | None = None, is_calm: bool = False) -> None:
        self.is_calm = is_calm
        self.is_over = False
        """Nothing more happens at Stripe, and nobody stands still any more, so that all comes to rest."""
        self.dice = Random(seed)  # noqa: S311 - not a secret
        self.spoil = spoil or Spoil()
        self.clock = SharedClock()
        self.sandbox = self.clock.sandbox
        self.database = Database(follow=self._follow)
        self.ids = SequentialIds()
        self.jobs = FakeJobs()
        self.has_key = has_key
        self.replicas: list[Replica] = []
        self.delivered: list[StripeEvent] = []
        self.knowable = SYNCED_TYPES
        """The types of which everything could be learned; fewer where what was lost was not listed either."""
        self.slowest_step_s = 0.001 if is_calm else self.dice.choice((0.001, 0.05, 1.0))
        self._seen: set[str] = set()
        loss = self.dice.choice((0.0, 0.0, 0.3, 0.9)) if has_key else 0.0
        self._loss = loss if self.spoil.loss is None else self.spoil.loss
        self._spread_s = self.dice.choice((0.0, 2.0, 60.0, 600.0))
        self._on_their_way = 0
        self._make_records()
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(make_application(self.sandbox)), base_url="http://stripe", headers=_KEY
        )
        self.lives = Lives(self.http, self.sandbox, self.dice)
        self.truth = StripeProcessor(
            "sk_test_1", **_FAST, transport=httpx.ASGITransport(make_application(self.sandbox))
        )

    @property
    def is_lossy(self) -> bool:
        return self._loss > 0

    def _make_records(self) -> None:
        pro = plan("pro", PlanFeature(feature_key="sso"), prices=(PlanPrice(lookup_key=LOOKUP_KEY),), published_at=1)
        made = [workspace(name, created_at=1) for name in WORKSPACES]
        records = (*made, feature("sso", FeatureType.BOOLEAN), pro)
        self.database.records.update({(record.KIND, record.id): record for record in records})

    def replica(self, step: Step | None = None, *, processor: Any = None) -> Replica:
        """Make one; `processor` stands for Stripe's API where the sandbox's is not to be asked."""
        made = Replica(self, step, processor=processor)
        self.replicas.append(made)
        return made

    def _follow(self, record: Record) -> None:
        for replica in self.replicas:
            replica.follow(record, self.dice.random() * self.slowest_step_s)

    def new_events(self) -> list[dict[str, Any]]:
        """Return what Stripe has told since the last time, the oldest first."""
        found = [event for event in reversed(self.sandbox.store.all("event")) if event["id"] not in self._seen]
        self._seen.update(event["id"] for event in found)
        return found

    def has_news(self) -> bool:
        """Tell whether Stripe has told more since the last delivery."""
        return any(event["id"] not in self._seen for event in self.sandbox.store.all("event"))

    def deliver(self, tasks: asyncio.TaskGroup) -> None:
        """Send what is new on its way: in any order, three of ten twice, some never."""
        for event in self.new_events():
            if self.dice.random() < self._loss:
                continue
            for _ in range(2 if self.dice.random() < 0.3 else 1):
                delay_s = self.dice.random() * self._spread_s
                self._on_their_way += 1
                tasks.create_task(self._bring(json.dumps(event).encode(), delay_s))

    async def _bring(self, body: bytes, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        replica = self.dice.choice(self.replicas)
        event = read_event(body, received_at=self.clock.now_at(), livemode=False)
        if await replica.inbox.accept(event):
            self.delivered.append(event)
        replica.worker.wake()
        self._on_their_way -= 1

    async def everything_delivered(self) -> None:
        while self._on_their_way:
            await asyncio.sleep(5)

    async def settled(self, within_s: float = 7200) -> None:
        """Wait until nothing is pending and every replica has heard of everything."""
        async with asyncio.timeout(within_s):
            while any(dirty.state is StripeObjectState.PENDING for dirty in self.database.dirty.values()):
                await asyncio.sleep(5)
        await asyncio.sleep(self.slowest_step_s * 2 + 1)


_FAST: Final = {"rate_per_s": 10_000, "endpoint_rate_per_s": 10_000, "api_base": "http://stripe", "timeout_s": 80}
"""Patient enough to bring an answer home after the lease has ended."""


@asynccontextmanager
async def replicas_at_work(world: World, count: int) -> AsyncGenerator[list[Replica]]:
    """Let so many replicas work while the block does."""
    async with AsyncExitStack() as stack:
        made = [world.replica() for _ in range(count)]
        for replica in made:
            await stack.enter_async_context(at_work(replica.worker.run))
        yield made
