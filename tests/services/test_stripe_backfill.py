"""Starting a backfill: once per key, one at a time."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import msgspec
import pytest
from support.records import NOW
from support.runtime import ADMIN, FakeStripe, fakes_of, running

from app.domain.errors import ConflictError, IdempotencyConflictError, StripeRefusedError, ValidationError
from app.domain.stripe_backfill import Backfill, BackfillStatus, finished
from app.runtime import Runtime
from app.services.stripe_backfill import JOB, BackfillStripeInput, current_backfill, start_backfill


@pytest.fixture
async def rt(mongodb_uri: str, database: str) -> AsyncIterator[Runtime]:
    async with running(mongodb_uri, database) as rt:
        yield replace(rt, stripe=FakeStripe())


def asked(key: str = "k", *, dry_run: bool = False) -> BackfillStripeInput:
    return BackfillStripeInput(idempotency_key=key, dry_run=dry_run)


async def end(rt: Runtime) -> Backfill:
    run, revision = await rt.jobs.read(JOB, Backfill)
    assert run is not None
    ended = finished(run, NOW + 1)
    assert await rt.jobs.write(JOB, ended, revision=revision)
    return ended


async def test_it_is_started_once_per_key_and_the_worker_is_told(rt: Runtime) -> None:
    assert await current_backfill(rt) is None

    first = await start_backfill(rt, ADMIN, asked(dry_run=True))
    again = await start_backfill(rt, ADMIN, asked(dry_run=True))

    assert (first.replayed, again.replayed) == (False, True)
    assert again.backfill == first.backfill == await current_backfill(rt)
    assert (first.backfill.status, first.backfill.dry_run, first.backfill.started_at) == (
        BackfillStatus.RUNNING,
        True,
        rt.clock.now_at(),
    )
    assert fakes_of(rt).sync.woken_for_backfill == 2


async def test_while_one_runs_another_is_a_conflict_that_names_it(rt: Runtime) -> None:
    first = await start_backfill(rt, ADMIN, asked())

    with pytest.raises(ConflictError, match=first.backfill.id):
        await start_backfill(rt, ADMIN, asked("other"))

    await end(rt)
    second = await start_backfill(rt, ADMIN, asked("other"))
    assert second.backfill.id != first.backfill.id


async def test_an_old_request_is_answered_as_it_was_and_starts_nothing(rt: Runtime) -> None:
    first = await start_backfill(rt, ADMIN, asked())
    ended = await end(rt)

    again = await start_backfill(rt, ADMIN, asked())

    assert (again.replayed, again.backfill) == (True, first.backfill)
    assert await current_backfill(rt) == ended


async def test_a_request_whose_process_died_before_the_answer_finds_its_backfill(rt: Runtime) -> None:
    begun = Backfill(id="backfill_1", request=f"{ADMIN.id}:k", dry_run=False, started_at=NOW)
    await rt.jobs.write(JOB, begun, revision=0)

    found = await start_backfill(rt, ADMIN, asked())

    assert (found.backfill, found.replayed) == (begun, False)


async def test_a_key_whose_answer_was_forgotten_starts_another(rt: Runtime) -> None:
    old = finished(Backfill(id="backfill_1", request=f"{ADMIN.id}:k", dry_run=False, started_at=NOW - 3_600_000), NOW)
    await rt.jobs.write(JOB, old, revision=0)

    assert (await start_backfill(rt, ADMIN, asked())).backfill.id != "backfill_1"


async def test_of_many_at_once_one_is_started(rt: Runtime) -> None:
    told = await asyncio.gather(*(start_backfill(rt, ADMIN, asked(f"k{n}")) for n in range(6)), return_exceptions=True)

    assert sum(not isinstance(one, Exception) for one in told) == 1
    assert all(isinstance(one, ConflictError) for one in told if isinstance(one, Exception))


async def test_the_same_key_for_something_else_is_refused(rt: Runtime) -> None:
    await start_backfill(rt, ADMIN, asked())

    with pytest.raises(IdempotencyConflictError):
        await start_backfill(rt, ADMIN, asked(dry_run=True))
    with pytest.raises(ValidationError):
        await start_backfill(rt, ADMIN, msgspec.structs.replace(asked(), idempotency_key=""))


async def test_without_a_key_to_ask_stripe_with_none_is_started(rt: Runtime) -> None:
    with pytest.raises(StripeRefusedError, match="STRIPE_SECRET_KEY"):
        await start_backfill(replace(rt, stripe=None), ADMIN, asked())

    assert await current_backfill(rt) is None
