"""How fast `consume` is beside a bare conditional update, and whether a flood of it delays a revocation.

Both sides run in one process against one mongod, in turns, with the same number of callers, each of which sends its
next request when the last is answered. `consume` is the whole use case: the decision with its windows and grants, the
ledger entry, compare-and-set, RAM, and the answer; the bare loop is one `find_one_and_update` that raises a counter
where it stays below a limit. Both wait for a majority. Beside calls per second stands the processor time of a call, in
this process and the database's together: what is left of the machine for others.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from time import perf_counter
from typing import Any, Final

from app.cache.cache import BillingCache
from app.cache.feed import Feed
from app.domain.api_key import Principal, Scope
from app.domain.change import Kind, Record
from app.domain.consumption import Wanted
from app.domain.grant import Override
from app.domain.plan import Feature, FeatureType, MergeRule, MeterType, Plan, PlanFeature, ResetPeriod
from app.domain.workspace import Workspace
from app.gateways.clock import SystemClock, Uuid7Ids
from app.runtime import Runtime
from app.sandbox.mongod import EmbeddedMongod
from app.services import usage
from app.services.group_commit import GroupCommit
from app.services.lookup import Lookup
from app.store.ledger import MongoLedger
from app.store.mongo import Mongo
from app.store.records import MongoStore
from app.telemetry import Metrics, configure_logging
from sync.supervisor import SyncService

CALLER: Final = Principal(id="key_bench", scopes=frozenset({Scope.USAGE_WRITE}))
KEY: Final = "api_calls"
SPREAD: Final = 1_000
Call = Callable[[int], Awaitable[object]]


class Bench:
    """One process's collaborators, and the counters of the bare loop."""

    def __init__(self, uri: str, mongod_pid: int) -> None:
        self.mongod_pid = mongod_pid
        self.mongo = Mongo(uri, "bench")
        clock, ids = SystemClock(), Uuid7Ids()
        self.cache = BillingCache(feed=Feed(), clock=clock, default_plan_key="free")
        store, ledger = MongoStore(self.mongo), MongoLedger(self.mongo)
        nothing: Any = None  # `consume` uses neither audit, inbox, sync nor Stripe
        self.rt = Runtime(
            clock=clock,
            ids=ids,
            store=store,
            mirrors=nothing,
            audit=nothing,
            billing_events=nothing,
            ledger=ledger,
            usage=GroupCommit(store, ledger, self.cache, clock=clock, ids=ids),
            cache=self.cache,
            inbox=nothing,
            jobs=nothing,
            lookup=Lookup(store, self.cache, clock),
            sync=nothing,
            metrics=Metrics(),
            backdate_ms=0,
            stripe=None,
        )
        self.sync = SyncService(
            mongo=self.mongo,
            store=store,
            cache=self.cache,
            metrics=self.rt.metrics,
            clock=clock,
            reconcile_interval_s=3600,
            workers=(),
        )
        self.sent = 0

    def cpu_s(self) -> float:
        """Return the processor time that this process and the database have used so far, in seconds."""
        fields = Path(f"/proc/{self.mongod_pid}/stat").read_text().rpartition(")")[2].split()
        return time.process_time() + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    async def fill(self) -> None:
        """Make a plan without an end in sight, the workspaces, and a counter for each."""
        now = self.rt.clock.now_at()
        life: dict[str, Any] = {"version": 1, "incarnation": "bench", "created_at": now, "updated_at": now}
        row = PlanFeature(feature_key=KEY, limit=Decimal(10) ** 9, reset_period=ResetPeriod.MONTH)
        records: list[Record] = [
            Feature(
                id="feat_calls",
                key=KEY,
                name="Calls",
                type=FeatureType.METERED,
                meter_type=MeterType.INCREMENTAL,
                merge=MergeRule.SUM,
                **life,
            ),
            Plan(id="plan_free", key="free", plan_version=1, name="Free", published_at=now, features=(row,), **life),
            *(Workspace(id=f"ws_{n}", **life) for n in range(SPREAD)),
        ]
        await self.rt.store.write(records, (), None)
        await self.mongo.db["counters"].insert_many([{"_id": f"ws_{n}", "used": 0} for n in range(SPREAD)])

    async def consume(self, n: int) -> None:
        self.sent += 1
        await usage.consume(
            self.rt,
            CALLER,
            usage.ConsumeInput(
                idempotency_key=f"k{self.sent}", workspace_id=f"ws_{n}", lines=(Wanted(KEY, Decimal(1)),)
            ),
        )

    async def bare(self, n: int) -> None:
        wanted = {"_id": f"ws_{n}", "used": {"$lte": 10**9 - 1}}
        await self.mongo.db["counters"].find_one_and_update(wanted, {"$inc": {"used": 1}})

    async def revoke(self) -> float:
        """Revoke a feature behind the service's back; return the seconds until RAM knows."""
        self.sent += 1
        name = f"ovr_{self.sent}"
        override = Override(
            id=name, version=1, incarnation="bench", workspace_id="ws_999", feature_key=name, revoked=True
        )
        sent = perf_counter()
        await self.rt.store.write((override,), (), None)
        while self.cache.held(Kind.OVERRIDE, name) is None:  # noqa: ASYNC110 - what is waited for is measured
            await asyncio.sleep(0.0005)
        return perf_counter() - sent


async def rate(call: Call, *, callers: int, spread: int, seconds: float) -> tuple[float, list[float]]:
    """Let callers call for some seconds; return calls per second and how long each took."""
    took: list[float] = []
    ends = perf_counter() + seconds
    turn = 0

    async def caller() -> None:
        nonlocal turn
        while (started := perf_counter()) < ends:
            turn += 1
            await call(turn % spread)
            took.append(perf_counter() - started)

    started = perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    return len(took) / (perf_counter() - started), took


def percentile(took: list[float], share: float) -> float:
    return sorted(took)[min(len(took) - 1, int(len(took) * share))] * 1000


class Side:
    """What one side came to over the rounds."""

    def __init__(self) -> None:
        self.rates: list[float] = []
        self.times: list[float] = []
        self.cpu_s = 0.0

    @property
    def rate(self) -> float:
        return statistics.median(self.rates)

    @property
    def cpu_us(self) -> float:
        """Processor time per call, of this process and the database's."""
        return self.cpu_s / len(self.times) * 1_000_000


async def compare(
    bench: Bench, name: str, *, callers: int, spread: int, rounds: int, seconds: float
) -> dict[str, Side]:
    """Let both sides run in turns; print a line for each, and their ratios."""
    sides = {"consume": Side(), "bare": Side()}
    for _ in range(rounds):
        for side, call in zip(sides.values(), (bench.consume, bench.bare), strict=True):
            before_s = bench.cpu_s()
            per_second, took = await rate(call, callers=callers, spread=spread, seconds=seconds)
            side.cpu_s += bench.cpu_s() - before_s
            side.rates.append(per_second)
            side.times.extend(took)
    for word, side in sides.items():
        p50, p99 = percentile(side.times, 0.5), percentile(side.times, 0.99)
        print(
            f"{name:17} {callers:4} callers  {word:8} {side.rate:8.0f}/s  p50 {p50:6.1f} ms  p99 {p99:6.1f} ms"
            f"  {side.cpu_us:6.0f} us of CPU a call"
        )
    ratio, cpu = sides["consume"].rate / sides["bare"].rate, sides["bare"].cpu_us / sides["consume"].cpu_us
    print(f"{name:17} {callers:4} callers  ratio    {ratio:8.2f}    {cpu:.2f} calls for the CPU of one bare update")
    return sides


async def revocations(bench: Bench, seconds: float) -> None:
    """Print how long a revocation takes to reach RAM by the stream, idle and under a flood of usage."""
    idle = [await bench.revoke() for _ in range(30)]
    flood = asyncio.create_task(rate(bench.consume, callers=64, spread=SPREAD, seconds=seconds))
    await asyncio.sleep(seconds / 10)
    busy = [await bench.revoke()]
    while not flood.done():
        busy.append(await bench.revoke())
    for name, took in (("idle", idle), ("under a flood of usage", busy)):
        p50, p99 = percentile(took, 0.5), percentile(took, 0.99)
        print(f"revocation written and in RAM, {name:24} p50 {p50:6.1f} ms  p99 {p99:6.1f} ms  n={len(took)}")


async def run(mongod: EmbeddedMongod, *, rounds: int, seconds: float) -> None:
    bench = Bench(mongod.uri, mongod.pid or 0)
    await bench.mongo.open()
    await bench.fill()
    async with bench.sync.running():
        await bench.sync.until_ready()
        await rate(bench.consume, callers=32, spread=SPREAD, seconds=1)
        one_loop: dict[str, float] = {}
        for callers in (1, 64, 256):
            for name, spread in (("one hot workspace", 1), ("1,000 workspaces", SPREAD)):
                sides = await compare(bench, name, callers=callers, spread=spread, rounds=rounds, seconds=seconds)
                one_loop.setdefault(name, sides["bare"].rate)
                ratio = sides["consume"].rate / one_loop[name]
                print(f"{name:17} {callers:4} callers  beside one bare loop alone {ratio:.2f}")
        await revocations(bench, seconds * 2)
    await bench.mongo.close()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--seconds", type=float, default=2.0, help="per side and round")
    given = arguments.parse_args()
    configure_logging(level="ERROR", format="json")
    with tempfile.TemporaryDirectory() as folder:
        mongod = EmbeddedMongod.start(Path(folder))
        try:
            asyncio.run(run(mongod, rounds=given.rounds, seconds=given.seconds))
        finally:
            mongod.stop()


if __name__ == "__main__":
    sys.exit(main())
