"""Asking for a reconciliation: once per key, as far back as Stripe tells."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from support.runtime import ADMIN, FakeStripe, fakes_of, running

from app.domain.errors import StripeRefusedError, ValidationError
from app.domain.stripe_reconcile import StripeReconcile
from app.runtime import Runtime
from app.services.stripe_reconcile import JOB, REACH_MS, ReconcileStripeInput, ask_reconcile, current_reconcile

HOUR = 3_600_000


@pytest.fixture
async def rt(mongodb_uri: str, database: str) -> AsyncIterator[Runtime]:
    async with running(mongodb_uri, database) as rt:
        yield replace(rt, stripe=FakeStripe())


async def ask(rt: Runtime, ago_ms: int, key: str = "k") -> bool:
    command = ReconcileStripeInput(idempotency_key=key, since_at=rt.clock.now_at() - ago_ms)
    return await ask_reconcile(rt, ADMIN, command)


async def asked_since(rt: Runtime) -> int | None:
    state = await current_reconcile(rt)
    return state.asked.since_at if state and state.asked else None


async def test_it_is_asked_for_once_per_key_and_the_worker_is_told(rt: Runtime) -> None:
    assert await current_reconcile(rt) is None

    assert not await ask(rt, HOUR)
    state, revision = await rt.jobs.read(JOB, StripeReconcile)
    assert state is not None
    assert await asked_since(rt) == rt.clock.now_at() - HOUR
    assert await rt.jobs.write(JOB, replace_asked(state), revision=revision)

    assert await ask(rt, HOUR)
    assert await asked_since(rt) is None
    assert fakes_of(rt).sync.woken_for_reconcile == 2


def replace_asked(state: StripeReconcile) -> StripeReconcile:
    return StripeReconcile(watching_since_at=state.watching_since_at, seen_at=state.seen_at)


async def test_of_two_who_ask_the_earlier_time_counts(rt: Runtime) -> None:
    await ask(rt, HOUR)
    await ask(rt, 5 * HOUR, "k2")
    await ask(rt, 2 * HOUR, "k3")

    assert await asked_since(rt) == rt.clock.now_at() - 5 * HOUR


@pytest.mark.parametrize("ago_ms", [pytest.param(-1, id="future"), pytest.param(REACH_MS + 1, id="31 days")])
async def test_a_time_that_stripe_lists_nothing_of_is_refused(rt: Runtime, ago_ms: int) -> None:
    with pytest.raises(ValidationError, match=r"since|Stripe lists"):
        await ask(rt, ago_ms)

    assert await asked_since(rt) is None


async def test_without_a_key_to_ask_stripe_with_it_is_refused(rt: Runtime) -> None:
    with pytest.raises(StripeRefusedError):
        await ask(replace(rt, stripe=None), HOUR)
