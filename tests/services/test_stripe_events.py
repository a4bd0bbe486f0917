"""Replaying one of Stripe's events."""

from collections.abc import AsyncIterator

import msgspec
import pytest
from support.records import NOW
from support.runtime import ADMIN, fakes_of, running

from app.domain.errors import ConflictError, IdempotencyConflictError, NotFoundError
from app.domain.stripe_event import StripeEvent, StripeEventStatus
from app.runtime import Runtime
from app.services.stripe_events import ReplayInput, replay


@pytest.fixture
async def rt(mongodb_uri: str, database: str) -> AsyncIterator[Runtime]:
    async with running(mongodb_uri, database) as rt:
        yield rt


def event(object_id: str | None = "sub_1") -> StripeEvent:
    return StripeEvent(
        id="evt_1",
        type="customer.subscription.updated",
        occurred_at=NOW,
        received_at=NOW,
        payload="{}",
        status=StripeEventStatus.DEAD,
        object_type="subscription" if object_id else None,
        object_id=object_id,
    )


async def test_a_replay_marks_the_object_and_wakes_the_worker(rt: Runtime) -> None:
    fakes = fakes_of(rt)
    await fakes.inbox.accept(event())

    answer = await replay(rt, ADMIN, ReplayInput(idempotency_key="k", event_id="evt_1"))

    assert (answer.event.id, answer.replayed) == ("evt_1", False)
    assert fakes.inbox.marked == [("subscription", "sub_1")]
    assert fakes.sync.woken == 1


async def test_the_same_request_again_marks_nothing(rt: Runtime) -> None:
    fakes = fakes_of(rt)
    await fakes.inbox.accept(event())
    await fakes.inbox.accept(msgspec.structs.replace(event(), id="evt_2"))
    first = ReplayInput(idempotency_key="k", event_id="evt_1")
    await replay(rt, ADMIN, first)

    again = await replay(rt, ADMIN, first)
    with pytest.raises(IdempotencyConflictError):
        await replay(rt, ADMIN, ReplayInput(idempotency_key="k", event_id="evt_2"))

    assert (again.event.id, again.replayed) == ("evt_1", True)
    assert fakes.inbox.marked == [("subscription", "sub_1")]


async def test_an_unknown_event_is_not_found(rt: Runtime) -> None:
    for unknown in ("evt_2", "", "\ud800"):
        with pytest.raises(NotFoundError):
            await replay(rt, ADMIN, ReplayInput(idempotency_key="k", event_id=unknown))


async def test_an_event_without_an_object_cannot_be_replayed(rt: Runtime) -> None:
    await fakes_of(rt).inbox.accept(event(object_id=None))

    with pytest.raises(ConflictError):
        await replay(rt, ADMIN, ReplayInput(idempotency_key="k", event_id="evt_1"))
