"""How fast the worker drains a backlog of Stripe's events, and what coalescing and shared commits save.

The events are in the inbox before the worker starts, several of each subscription, as after an outage. Stripe's API
answers at once: what is measured is our own work, from the lease to the settled event. Both ways are run on the same
number of events: one object at a time, and several, whose commits are then shared.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import orjson

from app.cache.cache import BillingCache
from app.cache.feed import Feed
from app.domain.change import Kind
from app.domain.stripe_event import FetchedObject, ObjectName, StripeEvent, StripeEventStatus
from app.domain.workspace import Workspace
from app.gateways.clock import SystemClock, Uuid7Ids
from app.runtime import Runtime
from app.sandbox.mongod import EmbeddedMongod
from app.services.lookup import Lookup
from app.store.billing_events import MongoBillingEvents
from app.store.inbox import MongoInbox
from app.store.jobs import MongoJobStates
from app.store.mapping import to_document
from app.store.mongo import Mongo
from app.store.records import MongoStore
from app.telemetry import Metrics, configure_logging
from sync.stripe.backoff import Backoff
from sync.stripe.events import StripeWorker

EVENTS: Final = 100_000
QUICK: Final = 2_000
EVENTS_OF_ONE: Final = 10
AT_A_TIME: Final = (1, 4, 32)
_BATCH: Final = 5_000


class Stripe:
    """Stripe's API, which answers at once: every subscription is active."""

    async def retrieve(self, type: str, id: str) -> FetchedObject:
        return FetchedObject(id, type, orjson.dumps(subscription(id)).decode(), "2026-10-28.endive")


def subscription(id: str) -> dict[str, Any]:
    period = {"current_period_start": 1_790_000_000, "current_period_end": 1_792_592_000}
    price = {"id": "price_1", "lookup_key": "pro_monthly", "product": "prod_1"}
    items = {"object": "list", "data": [{"id": f"si_{id}", "price": price, "quantity": 1, **period}], "has_more": False}
    linked = {"customer": "cus_1", "metadata": {"workspace_id": "ws_1"}, "note": "x" * 1000}
    return {"id": id, "object": "subscription", "status": "active", "created": 1_790_000_000, "items": items, **linked}


class Bench:
    """One process's collaborators over a database of its own."""

    def __init__(self, uri: str, mongod_pid: int, database: str) -> None:
        self.mongod_pid = mongod_pid
        self.mongo = Mongo(uri, database)
        self.clock = SystemClock()
        store = MongoStore(self.mongo)
        self.cache = BillingCache(feed=Feed(), clock=self.clock, default_plan_key=None)
        self.cache.mark_ready()
        self.inbox, jobs = MongoInbox(self.mongo, self.clock), MongoJobStates(self.mongo, self.clock)
        unused: Any = None  # the worker uses none of them
        self.rt = Runtime(
            clock=self.clock,
            ids=Uuid7Ids(),
            store=store,
            mirrors=unused,
            audit=unused,
            ledger=unused,
            usage=unused,
            cache=self.cache,
            inbox=self.inbox,
            jobs=jobs,
            lookup=Lookup(store, self.cache, self.clock),
            sync=unused,
            metrics=Metrics(),
            billing_events=MongoBillingEvents(self.mongo),
            backdate_ms=0,
            stripe=None,
        )
        self.backoff = Backoff(jobs, self.clock, jitter=lambda: 0.5)

    def cpu_s(self) -> float:
        """Return the processor time that this process and the database have used so far, in seconds."""
        fields = Path(f"/proc/{self.mongod_pid}/stat").read_text().rpartition(")")[2].split()
        return time.process_time() + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    async def fill(self, events: int) -> None:
        """Put the workspace and the events there, each object marked as often as it has events."""
        now_at = self.clock.now_at()
        life: dict[str, Any] = {"version": 1, "incarnation": "bench", "created_at": now_at, "updated_at": now_at}
        await self.rt.store.write((Workspace(id="ws_1", **life),), (), None)
        objects = max(1, events // EVENTS_OF_ONE)
        for start in range(0, events, _BATCH):
            numbers = range(start, min(start + _BATCH, events))
            documents = [to_document(self._event(number, f"sub_{number % objects}")) for number in numbers]
            await self.mongo.db["stripe_events"].insert_many(documents, ordered=False)
        await self.inbox.mark_all([ObjectName("subscription", f"sub_{number}") for number in range(objects)])

    def _event(self, number: int, subscription_id: str) -> StripeEvent:
        return StripeEvent(
            id=f"evt_{number}",
            type="customer.subscription.updated",
            occurred_at=1_790_000_000_000,
            received_at=self.clock.now_at(),
            payload=orjson.dumps(subscription(subscription_id)).decode(),
            status=StripeEventStatus.RECEIVED,
            object_type="subscription",
            object_id=subscription_id,
        )

    async def drain(self, concurrency: int) -> float:
        """Work until nothing is pending; return the seconds it took."""
        worker = StripeWorker(
            self.rt,
            self.inbox,
            Stripe(),
            backoff=self.backoff,
            accepts_payloads=True,
            jitter=lambda: 0.5,
            concurrency=concurrency,
        )
        began = perf_counter()
        task = asyncio.create_task(worker.run(lambda: None))
        while (await self.inbox.backlog()).pending:  # noqa: ASYNC110 - the database is what is waited for
            await asyncio.sleep(0.2)
        took = perf_counter() - began
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return took


async def run(mongod: EmbeddedMongod, events: int) -> None:
    slowest: float | None = None
    for concurrency in AT_A_TIME:
        bench = Bench(mongod.uri, mongod.pid or 0, f"bench_drain_{concurrency}")
        await bench.mongo.open()
        await bench.fill(events)
        before_s = bench.cpu_s()
        took = await bench.drain(concurrency)
        cpu_us = (bench.cpu_s() - before_s) / events * 1_000_000
        commits = len(await bench.mongo.db["audit"].distinct("actor.id"))
        written = len(bench.cache.ids(Kind.SUBSCRIPTION))
        slowest = slowest or took
        ratio = slowest / took
        print(
            f"{events} events of {written} subscriptions, {concurrency:2} at a time  {took:7.1f} s"
            f"  {events / took:7.0f}/s  {cpu_us:6.0f} us of CPU an event  {commits} commits  ratio {ratio:5.2f}"
        )
        await bench.mongo.close()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--events", type=int, default=EVENTS)
    arguments.add_argument("--quick", action="store_true", help=f"only {QUICK} events")
    given = arguments.parse_args()
    configure_logging(level="ERROR", format="json")
    with tempfile.TemporaryDirectory() as folder:
        mongod = EmbeddedMongod.start(Path(folder))
        try:
            asyncio.run(run(mongod, QUICK if given.quick else given.events))
        finally:
            mongod.stop()


if __name__ == "__main__":
    sys.exit(main())
