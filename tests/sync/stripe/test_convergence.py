"""Whatever happens at Stripe, and however its events come, store and RAM end as Stripe is."""

import asyncio
import os
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any

import httpx
import msgspec
import pytest
from support.runtime import ADMIN
from support.stripe_truth import differences, provisional_differences, truth_of
from support.stripe_world import Replica, Spoil, World, replicas_at_work
from support.sync import at_work
from support.virtual_time import run_virtually

from app.domain.change import Kind, Record
from app.domain.stripe_backfill import BackfillStatus
from app.domain.stripe_event import StripeEvent
from app.http.stripe_webhook import read_event
from app.ports.store import RecordStore
from app.ports.stripe import Inbox, Listing, ProcessorUnavailableError
from app.services.stripe_backfill import BackfillStripeInput, current_backfill, start_backfill
from app.services.stripe_reconcile import REACH_MS, ReconcileStripeInput, ask_reconcile, current_reconcile
from sync.jobs.stripe_backfill import BackfillWorker
from sync.jobs.stripe_reconcile import ReconcileWorker
from sync.stripe.lists import EVERYTHING

HISTORIES = int(os.environ.get("CONVERGENCE_HISTORIES", "150"))
FIRST = int(os.environ.get("CONVERGENCE_SEED", "0"))
SHARES = 10
DAY_MS = 86_400_000
PATIENCE_S = 7200
MOST_UNTIL_FOUND = 200


async def live(world: World) -> None:
    """Let lives be lived while replicas follow, until all is told and settled."""
    dice = world.dice
    async with replicas_at_work(world, dice.choice((1, 2, 2, 3))), asyncio.TaskGroup() as others:
        began_at = world.clock.now_at() - 4 * DAY_MS  # some events say that they are older
        await world.lives.begin()
        for _ in range(dice.randint(3, 16)):
            world.deliver(others)
            await asyncio.sleep(dice.choice((0.0, 0.0, 0.3, 5.0, 20.0, 90.0)))
            await world.lives.step()
            if world.has_key and dice.random() < 0.2:
                others.create_task(look_at_lists(dice.choice(world.replicas)))
        world.is_over = True
        while True:
            await world.lives.wait(0)
            world.deliver(others)
            await world.everything_delivered()
            if world.is_lossy:
                await recover(world, began_at)
            await world.settled()
            if not world.has_news():
                return


async def look_at_lists(replica: Replica) -> None:
    """Read subscriptions as an operator or the night does, while events come; nobody minds where Stripe fails."""
    assert replica.lists is not None
    with suppress(ProcessorUnavailableError):
        _ = [page async for page in replica.lists.every_page(Listing("subscription", (("status", "all"),)))]


async def recover(world: World, began_at: int) -> None:
    """Ask Stripe for what was lost: for events, as far as they reach back, else for everything."""
    if world.spoil.by_backfill or world.clock.now_at() - began_at > REACH_MS - DAY_MS:
        await backfill(world)
        listed = {listing.type for listing in EVERYTHING}
        world.knowable = tuple(kind for kind in world.knowable if kind in listed)
    else:
        await reconcile(world, began_at)


async def reconcile(world: World, since_at: int) -> None:
    rt, lists = world.replicas[0].rt, world.replicas[0].lists
    await ask_reconcile(rt, ADMIN, ReconcileStripeInput(idempotency_key=rt.ids.new("key"), since_at=since_at))
    async with at_work(ReconcileWorker(rt, lists, read).run), asyncio.timeout(PATIENCE_S):
        while (state := await current_reconcile(rt)) is None or state.asked is not None:
            await asyncio.sleep(5)


async def backfill(world: World) -> None:
    rt, lists = world.replicas[0].rt, world.replicas[0].lists
    await start_backfill(rt, ADMIN, BackfillStripeInput(idempotency_key=rt.ids.new("key")))
    worker = BackfillWorker(rt, lists, jitter=world.dice.random)
    async with at_work(worker.run), asyncio.timeout(PATIENCE_S):
        while (run := await current_backfill(rt)) is None or run.status is BackfillStatus.RUNNING:
            await asyncio.sleep(5)


def read(body: bytes, received_at: int) -> StripeEvent:
    return read_event(body, received_at=received_at, livemode=False)


async def story(seed: int, *, has_key: bool = True, spoil: Spoil | None = None) -> list[str]:
    """Return in what the world of a seed differs from Stripe in the end."""
    world = World(seed, has_key=has_key, spoil=spoil)
    try:
        await live(world)
        found = list(differences(world, await truth_of(world)) if has_key else provisional_differences(world))
    except TimeoutError:
        found = ["it never settles"]
    return [*found, *world.lives.told] if found else []


class NoGuard(Spoil):
    """A store that forgets when what it holds was fetched: whoever writes last wins."""

    def store(self, store: RecordStore) -> RecordStore:
        return Forgetful(store)


class Forgetful:
    def __init__(self, store: RecordStore) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def read(self, kind: Kind, ids: Collection[str]) -> dict[str, Record]:
        found = await self._store.read(kind, ids)
        if kind is not Kind.STRIPE_OBJECT:
            return found
        return {name: msgspec.structs.replace(record, fetch_sequence=0) for name, record in found.items()}


class TimestampGuard(Spoil):
    """An inbox that takes only what is newer than what it has of the object."""

    def __init__(self) -> None:
        self.newest_at: dict[str | None, int] = {}

    def inbox(self, inbox: Inbox) -> Inbox:
        return Picky(inbox, self.newest_at)


class Picky:
    def __init__(self, inbox: Inbox, newest_at: dict[str | None, int]) -> None:
        self._inbox = inbox
        self._newest_at = newest_at

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inbox, name)

    async def accept(self, event: StripeEvent) -> bool:
        if event.occurred_at <= self._newest_at.get(event.object_id, 0):
            return False
        self._newest_at[event.object_id] = event.occurred_at
        return await self._inbox.accept(event)


class FirstPageOnly(Spoil):
    """A reader who believes that every list ends with its first page."""

    def answered(self, body: bytes) -> bytes:
        return body.replace(b'"has_more":true', b'"has_more":false')


class WithoutCanceled(Spoil):
    """A backfill that asks for subscriptions without `status=all`."""

    loss = 0.9
    by_backfill = True

    def asked(self, url: httpx.URL) -> httpx.URL:
        return url.copy_remove_param("status")


@pytest.mark.parametrize("share", range(SHARES))
def test_store_and_ram_end_as_stripe_is(share: int) -> None:
    for seed in range(FIRST + share, FIRST + HISTORIES, SHARES):
        assert run_virtually(story(seed)) == [], f"CONVERGENCE_SEED={seed} CONVERGENCE_HISTORIES=1"


@pytest.mark.parametrize("share", range(SHARES))
def test_without_a_key_they_end_as_the_newest_events_say(share: int) -> None:
    for seed in range(FIRST + share, FIRST + HISTORIES // 3, SHARES):
        assert run_virtually(story(seed, has_key=False)) == [], f"CONVERGENCE_SEED={seed} CONVERGENCE_HISTORIES=3"


@pytest.mark.parametrize("mistake", [NoGuard, TimestampGuard, FirstPageOnly, WithoutCanceled])
def test_the_mistakes_of_others_are_found(mistake: Callable[[], Spoil]) -> None:
    assert any(run_virtually(story(seed, spoil=mistake())) for seed in range(MOST_UNTIL_FOUND))
