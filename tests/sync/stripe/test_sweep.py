"""The sweep that several processes share."""

from collections.abc import AsyncIterator

import pytest
from support.stripe import FakeProcessor, Sync, eventually, syncing

from app.store.inbox import MongoInbox
from sync.stripe.events import SWEEP

SWEEP_S = 0.02


class CountingInbox(MongoInbox):
    """Counts how often somebody looked for what was forgotten."""

    sweeps = 0

    async def mark_forgotten(self, *, received_before_at: int) -> int:
        self.sweeps += 1
        return await super().mark_forgotten(received_before_at=received_before_at)


@pytest.fixture
async def sync(mongodb_uri: str, database: str) -> AsyncIterator[Sync]:
    async with syncing(mongodb_uri, database) as sync:
        yield sync


def process(sync: Sync) -> CountingInbox:
    """Let the next worker that is started have an inbox of its own."""
    sync.inbox = CountingInbox(sync.mongo, sync.clock)
    return sync.inbox


async def test_one_of_two_processes_sweeps_and_the_other_one_once_it_has_ended(sync: Sync) -> None:
    first = process(sync)
    async with sync.running(FakeProcessor(), sweep_s=SWEEP_S):
        await eventually(lambda: first.sweeps >= 2)
        second = process(sync)
        looks = sync.looks
        async with sync.running(FakeProcessor(), sweep_s=SWEEP_S):
            await eventually(lambda: sync.looks >= looks + 10)
            assert second.sweeps == 0
    async with sync.running(FakeProcessor(), sweep_s=SWEEP_S):
        await eventually(lambda: second.sweeps > 0)


async def test_a_killed_processes_sweep_is_taken_over(sync: Sync) -> None:
    assert await sync.rt.jobs.lease(SWEEP, "killed", until_at=sync.clock.now_at() + 30_000)
    inbox = process(sync)
    async with sync.running(FakeProcessor(), sweep_s=SWEEP_S):
        await eventually(lambda: sync.looks >= 5)
        assert inbox.sweeps == 0
        sync.clock.advance(30_000)
        await eventually(lambda: inbox.sweeps > 0)
