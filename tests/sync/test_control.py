"""What a process says of Stripe's side, whether it works on it or not."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from support.control import control_of
from support.runtime import FakeInbox
from support.stripe import FakeProcessor, Sync, eventually, syncing

from app.domain.errors import UnavailableError
from app.domain.sync_status import StripeBacklog, StripeSyncMode, StripeSyncStatus, StripeWork
from app.ports.stripe import ProcessorRefusedError, ProcessorUnavailableError
from sync.control import SyncControl
from sync.stripe.backoff import PatientProcessor
from sync.stripe.events import WORK


@pytest.fixture
async def sync(mongodb_uri: str, database: str) -> AsyncIterator[Sync]:
    async with syncing(mongodb_uri, database) as sync:
        yield sync


async def told(control: SyncControl) -> StripeSyncStatus:
    return (await control.status()).stripe


async def run_once(sync: Sync, processor: FakeProcessor | None) -> None:
    """Let a worker of another process run until it has said so."""

    async def has_said_so() -> bool:
        return (await sync.rt.jobs.read(WORK, StripeWork))[0] is not None

    async with sync.running(processor):
        await eventually(has_said_so)


def away(error: Exception) -> FakeProcessor:
    processor = FakeProcessor()

    def fail(_id: str) -> None:
        raise error

    processor.before = fail
    return processor


async def test_where_nobody_works_it_says_so(sync: Sync) -> None:
    found = await told(control_of(sync, FakeProcessor(), works=False))

    assert found.worker_seen_at is None
    assert found.trouble is not None
    assert "no process works on Stripe's events" in found.trouble


async def test_it_says_so_again_once_the_last_worker_was_silent_for_a_minute(sync: Sync) -> None:
    control = control_of(sync, FakeProcessor(), works=False)
    await run_once(sync, FakeProcessor())
    seen_at = sync.clock.now_at()

    sync.clock.advance(60_000)
    well = await told(control)
    sync.clock.advance(1)
    silent = await told(control)

    assert (well.trouble, well.worker_seen_at) == (None, seen_at)
    assert (silent.trouble is None, silent.worker_seen_at) == (False, seen_at)


@pytest.mark.parametrize(
    ("works", "mode"),
    [
        pytest.param(False, StripeSyncMode.FETCH, id="another's"),
        pytest.param(True, StripeSyncMode.PROVISIONAL, id="own"),
    ],
)
async def test_the_mode_is_that_of_who_works(sync: Sync, *, works: bool, mode: StripeSyncMode) -> None:
    await run_once(sync, FakeProcessor())

    assert (await told(control_of(sync, None, works=works))).mode is mode


async def test_where_there_is_nothing_to_do_nobody_is_missed(sync: Sync) -> None:
    found = await told(control_of(sync, None, works=False, accepts_payloads=False))

    assert (found.mode, found.trouble) == (StripeSyncMode.OFF, None)


async def test_what_another_process_met_is_told(sync: Sync) -> None:
    control = control_of(sync, FakeProcessor(), works=False)
    asking = PatientProcessor(away(ProcessorUnavailableError("status 429", slow_down=True)), sync.backoff())
    with pytest.raises(ProcessorUnavailableError):
        await asking.retrieve("customer", "cus_1")

    found = await told(control)

    assert found.trouble == "status 429"
    assert found.backoff is not None
    assert (found.backoff.until_at, found.backoff.reason) == (sync.clock.now_at() + 1500, "status 429")


async def test_what_stripe_refuses_another_process_is_told(sync: Sync) -> None:
    asking = PatientProcessor(away(ProcessorRefusedError("invalid API key")), sync.backoff())
    with pytest.raises(ProcessorRefusedError):
        await asking.retrieve("customer", "cus_1")

    found = await told(control_of(sync, FakeProcessor(), works=True))

    assert (found.trouble, found.backoff) == ("customer: invalid API key", None)


async def test_while_the_database_is_away_it_tells_what_it_knew_last(sync: Sync) -> None:
    class Silent(FakeInbox):
        is_silent = False

        async def backlog(self) -> StripeBacklog:
            if self.is_silent:
                raise UnavailableError
            return await super().backlog()

    inbox = Silent()
    sync.rt = replace(sync.rt, inbox=inbox)
    control = control_of(sync, FakeProcessor(), works=False)
    asking = PatientProcessor(away(ProcessorUnavailableError("status 429", slow_down=True)), sync.backoff())
    with pytest.raises(ProcessorUnavailableError):
        await asking.retrieve("customer", "cus_1")
    before = await told(control)
    inbox.is_silent = True

    found = await told(control)

    assert (found.backlog, found.drift, found.worker_seen_at) == (None, None, None)
    assert (found.trouble, found.backoff) == (before.trouble, before.backoff)
    assert found.backoff is not None
