"""The same key again: the same answer, nothing written twice."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from support.records import workspace
from support.runtime import fakes_of, running

from app.domain.api_key import Principal, Scope
from app.domain.change import Kind, Record
from app.domain.errors import ConflictError, IdempotencyConflictError, NotFoundError, ValidationError
from app.runtime import Runtime
from app.services.idempotency import Once, once

ALICE = Principal("key_alice", frozenset({Scope.ADMIN}))
BOB = Principal("key_bob", frozenset({Scope.ADMIN}))


class Rename(msgspec.Struct):
    name: str
    amount: Decimal = Decimal(1)


class Decider:
    """Decides to make a new workspace, and counts how often it was asked."""

    def __init__(self, rt: Runtime) -> None:
        self.asked = 0
        self._rt = rt

    async def __call__(self) -> Sequence[Record]:
        self.asked += 1
        await asyncio.sleep(0)
        return [workspace(self._rt.ids.new("ws"), version=0)]


@pytest.fixture
async def rt(mongodb_uri: str, database: str) -> AsyncIterator[Runtime]:
    async with running(mongodb_uri, database) as runtime:
        yield runtime


async def send(
    rt: Runtime, decide: Any, key: str = "k", *, by: Principal = ALICE, operation: str = "create", name: str = "Acme"
) -> Once:
    return await once(rt, by, operation, key, Rename(name), decide)


async def test_the_same_request_again_is_answered_and_not_done(rt: Runtime) -> None:
    decide = Decider(rt)

    first = await send(rt, decide)
    again = await send(rt, decide)

    assert (first.replayed, again.replayed, decide.asked) == (False, True, 1)
    assert again.records == first.records
    assert await rt.store.count(Kind.WORKSPACE) == 1


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"by": BOB}, id="another principal"),
        pytest.param({"operation": "update"}, id="another operation"),
        pytest.param({"key": "l"}, id="another key"),
    ],
)
async def test_a_key_counts_for_one_principal_and_one_operation(rt: Runtime, other: dict[str, Any]) -> None:
    decide = Decider(rt)
    await send(rt, decide)

    done = await send(rt, decide, **other)

    assert (done.replayed, decide.asked) == (False, 2)


async def test_the_same_key_with_another_input_is_refused(rt: Runtime) -> None:
    decide = Decider(rt)
    sent_at = rt.clock.now_at()
    await send(rt, decide)
    fakes_of(rt).clock.advance(5000)

    with pytest.raises(IdempotencyConflictError) as raised:
        await send(rt, decide, name="Other")

    assert raised.value.original_request_at == sent_at
    assert decide.asked == 1


async def test_the_order_of_an_inputs_fields_does_not_matter(rt: Runtime) -> None:
    decide = Decider(rt)
    await once(rt, ALICE, "create", "k", {"a": 1, "b": {"c": 2, "d": 3}}, decide)

    again = await once(rt, ALICE, "create", "k", {"b": {"d": 3, "c": 2}, "a": 1}, decide)

    assert again.replayed


async def test_twins_at_the_same_time_are_one(rt: Runtime) -> None:
    decide = Decider(rt)

    done = await asyncio.gather(*(send(rt, decide) for _ in range(6)))

    assert [each.replayed for each in done].count(False) == 1
    assert all(each.records == done[0].records for each in done)
    assert await rt.store.count(Kind.WORKSPACE) == 1
    assert rt.cache.ids(Kind.WORKSPACE) == [done[0].records[0].id]


async def test_twins_that_change_one_record_are_one(rt: Runtime) -> None:
    [created] = (await send(rt, Decider(rt))).records

    async def decide() -> Sequence[Record]:
        return [created]

    done = await asyncio.gather(*(send(rt, decide, "l", operation="update") for _ in range(6)))

    assert [each.replayed for each in done].count(False) == 1
    assert {each.records[0].version for each in done} == {2}


async def test_a_twin_that_ends_while_this_one_decides_is_the_answer(rt: Runtime) -> None:
    [created] = (await send(rt, Decider(rt))).records

    async def decide() -> Sequence[Record]:
        return [created]

    async def decide_slowly() -> Sequence[Record]:
        await send(rt, decide, "l", operation="update")
        return [created]

    done = await send(rt, decide_slowly, "l", operation="update")

    assert (done.replayed, done.records[0].version) == (True, 2)


async def test_a_twin_with_another_input_is_refused(rt: Runtime) -> None:
    decide = Decider(rt)

    outcomes = await asyncio.gather(*(send(rt, decide, name=name) for name in "ab"), return_exceptions=True)

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["IdempotencyConflictError", "Once"]


async def test_a_conflict_that_no_twin_made_is_the_callers(rt: Runtime) -> None:
    async def decide() -> Sequence[Record]:
        return [workspace("ws_none", version=3)]

    with pytest.raises(ConflictError):
        await send(rt, decide)


async def test_a_refusal_is_not_remembered(rt: Runtime) -> None:
    async def refuse() -> Sequence[Record]:
        raise NotFoundError("workspace", "ws_none")

    with pytest.raises(NotFoundError):
        await send(rt, refuse)

    assert not (await send(rt, Decider(rt))).replayed


async def test_an_operation_that_changes_nothing_is_remembered_too(rt: Runtime) -> None:
    async def decide() -> Sequence[Record]:
        return []

    assert await send(rt, decide) == Once((), replayed=False)
    assert await send(rt, decide) == Once((), replayed=True)


async def test_a_replay_answers_what_was_answered_beside_the_records(rt: Runtime) -> None:
    async def answered(answer: str) -> Once:
        return await once(rt, ALICE, "create", "k", Rename("Acme"), Decider(rt), answer=lambda: answer)

    first = await answered("two of three")

    assert first.answer == "two of three"
    assert await answered("nothing") == Once(first.records, replayed=True, answer="two of three")


async def test_a_replay_on_another_replica_is_in_its_ram(rt: Runtime, mongodb_uri: str, database: str) -> None:
    [created] = (await send(rt, Decider(rt))).records

    async with running(mongodb_uri, database) as replica:
        assert (await send(replica, Decider(replica))).replayed

        assert replica.cache.held(Kind.WORKSPACE, created.id) == created


@pytest.mark.parametrize("key", ["", "x" * 256, "a\0b", "\ud800"])
async def test_a_key_that_cannot_be_one_is_refused_before_anything_is_done(rt: Runtime, key: str) -> None:
    decide = Decider(rt)

    with pytest.raises(ValidationError) as raised:
        await send(rt, decide, key)

    assert raised.value.fields[0].path == ("input", "idempotencyKey")
    assert decide.asked == 0


async def test_the_longest_key_is_good(rt: Runtime) -> None:
    assert not (await send(rt, Decider(rt), "x" * 255)).replayed
