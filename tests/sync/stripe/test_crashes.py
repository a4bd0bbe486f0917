"""A process killed at anything it asks of the database or of Stripe: nothing is lost, and nothing happens twice."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest
from support.stripe_lives import LOOKUP_KEY
from support.stripe_truth import differences, provisional_differences, truth_of
from support.stripe_world import Replica, World
from support.virtual_time import run_virtually

from app.domain.change import Kind
from app.domain.stripe_event import StripeEvent, StripeObjectState
from app.http.stripe_webhook import read_event

NEVER = 0
PATIENCE_S = 600
OURS = (Kind.SUBSCRIPTION, Kind.WORKSPACE, Kind.GRANT)
MADE_HERE = (Kind.SUBSCRIPTION, Kind.STRIPE_OBJECT)
SHARES = 6


class KilledError(BaseException):
    """The process is no more: nobody in it handles this, and whatever else it would ask raises it too."""


class Process:
    """Counts what a replica asks, and ends it at the n-th."""

    def __init__(self, last: int) -> None:
        self.count = 0
        self.last = last
        self.is_dead = False
        self.died_of = ""

    async def step(self, what: str) -> None:
        if not self.is_dead:
            self.count += 1
            self.is_dead = self.count == self.last
            self.died_of = what
        if self.is_dead:
            raise KilledError
        await asyncio.sleep(0.001)


class Outcome(NamedTuple):
    """What a life came to: how far it is from Stripe's, what was written how often, and what was told."""

    differences: list[str]
    written: Counter[tuple[Kind, int]]
    is_audited: bool
    told: Counter[str]


class Service:
    """One process at a time; where it is killed, another one is started."""

    def __init__(self, world: World, process: Process) -> None:
        self.world = world
        self.process = process
        self.replica: Replica = world.replica(process.step)
        self._tasks = [asyncio.create_task(self.replica.worker.run(lambda: None))]

    def restart_where_killed(self) -> None:
        if self.process.is_dead and self.replica.step == self.process.step:
            self.world.replicas.clear()
            self.replica = self.world.replica()
            self._tasks.append(asyncio.create_task(self.replica.worker.run(lambda: None)))

    async def receive(self, event: StripeEvent) -> None:
        """Take an event; where nobody acknowledges it, Stripe sends it again."""
        while True:
            self.restart_where_killed()
            try:
                await self.replica.inbox.accept(event)
            except KilledError:
                continue
            self.replica.worker.wake()
            return

    async def settled(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while any(dirty.state is StripeObjectState.PENDING for dirty in self.world.database.dirty.values()):
                await asyncio.sleep(1)
                self.restart_where_killed()
        await asyncio.sleep(60)  # for whatever the sweep would still find
        self.restart_where_killed()

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def serving(world: World, process: Process) -> AsyncGenerator[Service]:
    service = Service(world, process)
    try:
        yield service
    finally:
        await service.stop()


async def post(world: World, path: str, **form: str) -> dict[str, Any]:
    answer = await world.http.post(path, content=urlencode(form))
    assert answer.status_code == 200, answer.text
    return answer.json()


async def live(world: World, process: Process) -> None:
    """Subscribe, change, move to another workspace and cancel; each once all that came before has arrived."""
    async with serving(world, process) as service:
        product = (await post(world, "/v1/products", name="Pro"))["id"]
        priced = {"currency": "usd", "unit_amount": "1000", "recurring[interval]": "month", "lookup_key": LOOKUP_KEY}
        price = (await post(world, "/v1/prices", product=product, **priced))["id"]
        card = {"payment_method": "pm_card_visa", "invoice_settings[default_payment_method]": "pm_card_visa"}
        customer = (await post(world, "/v1/customers", **card, **{"metadata[workspace_id]": "ws_1"}))["id"]
        sub = await post(world, "/v1/subscriptions", customer=customer, **{"items[0][price]": price})
        await arrive(world, service)
        item = {"items[0][id]": sub["items"]["data"][0]["id"], "items[0][quantity]": "3"}
        await post(world, f"/v1/subscriptions/{sub['id']}", **item, cancel_at_period_end="true")
        await arrive(world, service)
        await post(world, f"/v1/customers/{customer}", **{"metadata[workspace_id]": "ws_2"})
        await arrive(world, service)
        await world.http.delete(f"/v1/subscriptions/{sub['id']}")
        await arrive(world, service)


async def arrive(world: World, service: Service) -> None:
    for told in world.new_events():
        event = read_event(json.dumps(told).encode(), received_at=world.clock.now_at(), livemode=False)
        world.delivered.append(event)
        await service.receive(event)
    await service.settled()


async def outcome(process: Process, *, has_key: bool) -> Outcome:
    world = World(0, has_key=has_key, is_calm=True)
    await live(world, process)
    found = list(differences(world, await truth_of(world)) if has_key else provisional_differences(world))
    made = [record for record in world.database.records.values() if record.updated_at and record.KIND in MADE_HERE]
    audited = Counter((entry.kind, entry.record_id) for entry in world.database.audit)
    is_audited = all(audited[record.KIND, record.id] == record.version for record in made)
    written = Counter((kind, record.version) for kind in OURS for record in world.database.of(kind).values())
    told = Counter(event.type.value for event in world.database.told.values())
    return Outcome(found, written, is_audited=is_audited, told=told)


@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize("has_key", [True, False], ids=["fetched", "provisional"])
def test_nothing_is_lost_or_happens_twice_wherever_a_process_is_killed(has_key: bool, share: int) -> None:  # noqa: FBT001
    whole = Process(NEVER)
    expected = run_virtually(outcome(whole, has_key=has_key))
    assert expected.differences == []
    assert expected.is_audited
    assert expected.told

    for last in range(1 + share, whole.count + 1, SHARES):
        process = Process(last)
        found = run_virtually(outcome(process, has_key=has_key))
        assert process.is_dead
        assert found == expected, f"killed at {process.died_of!r}, number {last} of what it asked"
