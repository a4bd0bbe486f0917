"""Replaying Stripe's events, and giving dead ones up."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from support.records import NOW
from support.runtime import ADMIN, fakes_of, running

from app.domain.errors import ConflictError, IdempotencyConflictError, NotFoundError, ValidationError
from app.domain.stripe_event import (
    Discard,
    Discarded,
    ObjectName,
    QueuedObject,
    StripeEvent,
    StripeEventStatus,
    StripeObjectState,
)
from app.runtime import Runtime
from app.services.stripe_events import (
    Chosen,
    DiscardInput,
    ReplayInput,
    ReplayManyInput,
    discard,
    replay,
    replay_many,
)


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


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"foreign": True, "reason": "it is of the other mode"}, id="another mode"),
        pytest.param({"object_type": "payment_method", "object_id": "pm_1"}, id="a type that is not used"),
    ],
)
async def test_an_event_whose_object_cannot_be_asked_for_is_not_replayed(rt: Runtime, fields: dict[str, Any]) -> None:
    await fakes_of(rt).inbox.accept(msgspec.structs.replace(event(), **fields))

    with pytest.raises(ConflictError):
        await replay(rt, ADMIN, ReplayInput(idempotency_key="k", event_id="evt_1"))

    assert fakes_of(rt).inbox.marked == []


async def test_a_dry_run_marks_nothing_and_takes_no_key(rt: Runtime) -> None:
    fakes = fakes_of(rt)
    await fakes.inbox.accept(event())
    one = ReplayInput(idempotency_key="k", event_id="evt_1", dry_run=True)
    many = ReplayManyInput(idempotency_key="k", from_at=NOW, dry_run=True)

    await replay(rt, ADMIN, one)
    fakes.clock.advance(1)
    found = await replay_many(rt, ADMIN, many)
    assert (fakes.inbox.marked, fakes.sync.woken) == ([], 0)
    assert found.chosen == Chosen((ObjectName("subscription", "sub_1"),), events=1)

    real = await replay(rt, ADMIN, msgspec.structs.replace(one, dry_run=False))
    assert not real.replayed
    assert fakes.inbox.marked == [("subscription", "sub_1")]


async def test_one_object_is_marked_though_nothing_is_known_of_it(rt: Runtime) -> None:
    asked = ReplayManyInput(idempotency_key="k", object=ObjectName("customer", "cus_new"))

    done = await replay_many(rt, ADMIN, asked)

    assert done.chosen.objects == (ObjectName("customer", "cus_new"),)
    assert fakes_of(rt).inbox.marked == [("customer", "cus_new")]
    assert fakes_of(rt).sync.woken == 1


async def test_a_long_range_is_marked_part_by_part(rt: Runtime) -> None:
    fakes = fakes_of(rt)
    for number in range(5):
        found = msgspec.structs.replace(event(f"sub_{number}"), id=f"evt_{number}", received_at=NOW + number)
        await fakes.inbox.accept(found)

    after, parts = None, 0
    while True:
        asked = ReplayManyInput(idempotency_key=f"k{parts}", from_at=NOW, to_at=NOW + 9, after=after)
        chosen = (await replay_many(rt, ADMIN, asked, most=2)).chosen
        parts, after = parts + 1, chosen.end
        if after is None:
            break

    assert parts == 3
    assert fakes.inbox.marked == [("subscription", f"sub_{number}") for number in range(5)]


async def test_what_failed_is_marked_part_by_part(rt: Runtime) -> None:
    inbox = fakes_of(rt).inbox
    for number in range(3):
        inbox.queue[f"cus_{number}"] = QueuedObject(
            id=f"cus_{number}", type="customer", state=StripeObjectState.DEAD, due_at=NOW, failed_at=NOW
        )
    asked = ReplayManyInput(idempotency_key="a", failed_since_at=NOW)

    first = (await replay_many(rt, ADMIN, asked, most=2)).chosen
    rest = msgspec.structs.replace(asked, idempotency_key="b", after=first.end)
    second = (await replay_many(rt, ADMIN, rest, most=2)).chosen

    assert (first.end, second.end, first.events) == ("cus_1", None, None)
    assert [name for _, name in inbox.marked] == ["cus_0", "cus_1", "cus_2"]


async def test_the_same_bulk_request_again_is_answered_and_marks_nothing(rt: Runtime) -> None:
    asked = ReplayManyInput(idempotency_key="k", object=ObjectName("customer", "cus_1"))
    first = await replay_many(rt, ADMIN, asked)

    again = await replay_many(rt, ADMIN, asked)
    with pytest.raises(IdempotencyConflictError):
        await replay_many(rt, ADMIN, msgspec.structs.replace(asked, object=ObjectName("customer", "cus_2")))

    assert (first.replayed, again.replayed) == (False, True)
    assert again.chosen == first.chosen
    assert len(fakes_of(rt).inbox.marked) == 1


async def test_discarding_says_who_and_why_and_is_answered_once(rt: Runtime) -> None:
    inbox = fakes_of(rt).inbox
    await inbox.accept(event())
    asked = DiscardInput(idempotency_key="k", reason="a test account", event_ids=("evt_1",))

    first = await discard(rt, ADMIN, asked)
    again = await discard(rt, ADMIN, asked)

    assert first.discarded == again.discarded == Discarded(events=1, objects=1)
    assert (first.replayed, again.replayed) == (False, True)
    assert inbox.discards == [Discard(by="key_admin", reason="a test account", event_ids=("evt_1",))]


async def test_only_dead_events_are_discarded_and_all_or_none(rt: Runtime) -> None:
    inbox = fakes_of(rt).inbox
    await inbox.accept(event())
    await inbox.accept(msgspec.structs.replace(event(), id="evt_2", status=StripeEventStatus.PROCESSED))
    asked = DiscardInput(idempotency_key="k", reason="gone", event_ids=("evt_1", "evt_2"))

    with pytest.raises(ConflictError, match="evt_2"):
        await discard(rt, ADMIN, asked)
    with pytest.raises(NotFoundError):
        await discard(rt, ADMIN, msgspec.structs.replace(asked, event_ids=("evt_1", "evt_3")))
    with pytest.raises(ValidationError):
        await discard(rt, ADMIN, msgspec.structs.replace(asked, object_id="sub_1"))

    assert inbox.discards == []


async def test_an_object_of_which_nothing_is_dead_is_not_discarded(rt: Runtime) -> None:
    fakes_of(rt).inbox.discardable = Discarded(0, 0)

    with pytest.raises(ConflictError, match="sub_1"):
        await discard(rt, ADMIN, DiscardInput(idempotency_key="k", reason="gone", object_id="sub_1"))
