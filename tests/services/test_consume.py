"""Consume, reserve, settle and release: limits hold under contention, and every retry is answered once."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal

import pytest
from support.clock import SequentialIds
from support.records import NOW, feature, grant, limit, plan, workspace
from support.runtime import ADMIN, fakes_of, put, running

from app.domain.change import Kind
from app.domain.consumption import RESERVED_LINES_MAX, LimitExceededError, Wanted
from app.domain.denial import AccessDeniedReason
from app.domain.entitlement import evaluate
from app.domain.errors import ConflictError, IdempotencyConflictError, NotFoundError, ValidationError
from app.domain.grant import GrantSource
from app.domain.plan import FeatureType, MeterType, ResetPeriod
from app.domain.usage import Balance, UsageKind
from app.runtime import Runtime
from app.services import usage
from app.services.loading import load_state, refresh_catalogue
from app.services.usage import Used

CATALOGUE = (
    feature("api_calls"),
    feature("seats", meter_type=MeterType.FLUCTUATING),
    feature("ai", FeatureType.CREDIT),
    feature("images", FeatureType.CREDIT, credit_key="ai", cost=Decimal("2.5")),
    feature("sso", FeatureType.BOOLEAN),
    plan("free", limit(amount=100), limit("seats", 5, ResetPeriod.NEVER), prices=()),
)
CREDITS = grant("grant_ai", "ai", amount=Decimal(500), source=GrantSource.TOP_UP)


@pytest.fixture
async def rt(mongodb_uri: str, database: str) -> AsyncIterator[Runtime]:
    async with running(mongodb_uri, database, default_plan_key="free") as rt:
        await put(rt, workspace(external_id="org-1"), *CATALOGUE, CREDITS)
        yield rt


async def follow(*replicas: Runtime) -> None:
    """Bring the catalogue and the workspace to the RAM of replicas that wrote neither."""
    for rt in replicas:
        await refresh_catalogue(rt)
        await load_state(rt, "ws_1")


def lines(**amounts: str | int) -> tuple[Wanted, ...]:
    return tuple(Wanted(key, Decimal(amount)) for key, amount in amounts.items())


async def consume(rt: Runtime, key: str = "k", ref: str = "ws_1", **amounts: str | int) -> Used:
    return await usage.consume(
        rt, ADMIN, usage.ConsumeInput(idempotency_key=key, workspace_id=ref, lines=lines(**amounts))
    )


async def reserve(rt: Runtime, key: str = "r", ttl_s: int = 300, **amounts: str | int) -> Used:
    return await usage.reserve(
        rt, ADMIN, usage.ReserveInput(idempotency_key=key, workspace_id="ws_1", lines=lines(**amounts), ttl_s=ttl_s)
    )


async def settle(rt: Runtime, reserved: Used, key: str = "s", **actual: str | int) -> Used:
    request = usage.SettleInput(
        idempotency_key=key,
        reservation_id=reserved.event.reservation_id or "",
        actual=lines(**actual) if actual else None,
    )
    return await usage.settle(rt, ADMIN, request)


async def release(rt: Runtime, reserved: Used, key: str = "l") -> Used:
    request = usage.ReleaseInput(idempotency_key=key, reservation_id=reserved.event.reservation_id or "")
    return await usage.release(rt, ADMIN, request)


async def balance_of(rt: Runtime) -> Balance:
    balance = (await rt.store.read(Kind.BALANCE, ("ws_1",)))["ws_1"]
    assert isinstance(balance, Balance)
    return balance


def left(done: Used, position: int = 0) -> Decimal | None:
    answer = done.entitlements[position].usage
    return answer.remaining if answer else None


async def refused(call: Awaitable[Used]) -> LimitExceededError:
    with pytest.raises(LimitExceededError) as caught:
        await call
    return caught.value


async def count_granted(calls: list[Awaitable[Used]]) -> int:
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(outcome, (Used, LimitExceededError)) for outcome in outcomes), outcomes
    return sum(isinstance(outcome, Used) for outcome in outcomes)


async def test_several_features_and_credits_are_used_together(rt: Runtime) -> None:
    done = await consume(rt, api_calls=10, images=4, seats=1)

    assert [left(done, n) for n in range(3)] == [90, 490, 4]
    stored = await balance_of(rt)
    held = rt.cache.state("ws_1")
    assert held is not None
    assert held.balance == stored
    assert done.event.kind is UsageKind.CONSUME
    assert [line.charge for line in done.event.lines] == [10, 10, 1]


async def test_an_answer_is_that_of_its_question_whatever_came_since(rt: Runtime) -> None:
    used = await consume(rt, "first", ai=499, api_calls=1)
    await consume(rt, "second", ai=1)

    for question, answer in zip(used.questions, used.entitlements, strict=True):
        assert evaluate(question.feature_key, question.state, question.catalogue, question.at) == answer
    assert [answer.has_access for answer in used.entitlements] == [True, True]


async def test_a_line_that_is_refused_takes_the_others_along(rt: Runtime) -> None:
    error = await refused(consume(rt, api_calls=10, images=201))

    assert (error.line, error.answer.access_denied_reason) == (1, AccessDeniedReason.INSUFFICIENT_CREDITS)
    assert await rt.store.read(Kind.BALANCE, ("ws_1",)) == {}


@pytest.mark.parametrize(
    ("amounts", "reason"),
    [
        pytest.param({"api_calls": 101}, AccessDeniedReason.USAGE_LIMIT_EXCEEDED, id="beyond-the-limit"),
        pytest.param({"nothing": 1}, AccessDeniedReason.FEATURE_NOT_FOUND, id="unknown-feature"),
        pytest.param({"sso": 1}, AccessDeniedReason.FEATURE_TYPE_MISMATCH, id="not-counted"),
    ],
)
async def test_a_refusal_is_a_decision(rt: Runtime, amounts: dict[str, int], reason: AccessDeniedReason) -> None:
    assert (await refused(consume(rt, **amounts))).answer.access_denied_reason is reason


async def test_twenty_reservations_of_75_on_500_grant_six(rt: Runtime) -> None:
    granted = await count_granted([reserve(rt, f"r{n}", ai=75) for n in range(20)])

    assert granted == 6
    assert len((await balance_of(rt)).reservations) == 6


async def test_three_replicas_grant_six_as_well(mongodb_uri: str, database: str) -> None:
    ids = SequentialIds()
    async with (
        running(mongodb_uri, database, ids=ids) as one,
        running(mongodb_uri, database, ids=ids) as two,
        running(mongodb_uri, database, ids=ids) as three,
    ):
        await put(one, workspace(), *CATALOGUE, CREDITS)
        await follow(two, three)

        granted = await count_granted([reserve(rt, f"r{n}", ai=75) for n, rt in enumerate((one, two, three) * 7)])

        assert granted == 6
        assert len((await balance_of(one)).reservations) == 6


async def test_two_hundred_baskets_of_two_features_overspend_nothing(mongodb_uri: str, database: str) -> None:
    ids = SequentialIds()
    async with (
        running(mongodb_uri, database, ids=ids, default_plan_key="free") as here,
        running(mongodb_uri, database, ids=ids, default_plan_key="free") as there,
    ):
        await put(here, workspace(), *CATALOGUE, CREDITS)
        await follow(there)

        granted = await count_granted(
            [consume((here, there)[n % 2], f"b{n}", api_calls=1 + n % 3, images=2) for n in range(200)]
        )

        stored = await balance_of(here)
        calls = next(m.used for m in stored.meters["api_calls"] if m.reset_period is ResetPeriod.MONTH)
        spent = stored.pots["ai"][0].used
        assert spent == granted * 5 <= 500
        assert granted <= calls <= 100
        events = [e for e in (await entries(here)).values() if e is not None]
        assert len(events) == granted
        assert sum(line.charge for event in events for line in event.lines if line.balance_key == "ai") == spent


async def entries(rt: Runtime) -> dict[str, object]:
    ids = [usage_event_id(rt, f"b{n}") for n in range(200)]
    return dict(await rt.ledger.events(ids))


def usage_event_id(rt: Runtime, key: str) -> str:
    request = usage.ConsumeInput(idempotency_key=key, workspace_id="ws_1", lines=())
    return usage.entry_of(rt, ADMIN, "ws_1", UsageKind.CONSUME, request).id


async def test_a_retry_is_answered_although_nothing_is_left(rt: Runtime) -> None:
    first = await consume(rt, api_calls=100)

    again = await consume(rt, ref="org-1", api_calls="100.0")

    assert again.event == first.event
    assert (first.replayed, again.replayed) == (False, True)
    await refused(consume(rt, "other", api_calls=1))
    assert [rt.metrics.value("usage", outcome) for outcome in ("accepted", "replayed", "refused")] == [1, 1, 1]


async def test_the_key_of_another_operation_is_a_conflict(rt: Runtime) -> None:
    await consume(rt, api_calls=1)

    with pytest.raises(IdempotencyConflictError):
        await reserve(rt, "k", api_calls=1)


async def test_settling_returns_the_rest_to_where_it_came_from(rt: Runtime) -> None:
    await put(rt, grant("grant_gift", "ai", amount=Decimal(10), expires_at=NOW + 1000))
    reserved = await reserve(rt, images=6)

    done = await settle(rt, reserved, images=2)

    assert left(done) == 505
    assert {pot.id: pot.used for pot in (await balance_of(rt)).pots["ai"]} == {"grant_gift": 5}
    assert [line.amount for line in done.event.lines] == [2]


async def test_more_than_was_reserved_is_recorded_too(rt: Runtime) -> None:
    reserved = await reserve(rt, api_calls=90)

    done = await settle(rt, reserved, api_calls=120)

    answer = done.entitlements[0].usage
    assert answer is not None
    assert (answer.used, answer.reserved, answer.overage) == (120, 0, 20)


async def test_releasing_returns_everything(rt: Runtime) -> None:
    reserved = await reserve(rt, api_calls=90, ai=500)
    await refused(consume(rt, api_calls=11))

    done = await release(rt, reserved)

    assert [left(done, n) for n in range(2)] == [100, 500]


@pytest.mark.parametrize("close", [settle, release])
async def test_a_reservation_ends_once(rt: Runtime, close: Callable[..., Awaitable[Used]]) -> None:
    reserved = await reserve(rt, api_calls=90)
    first = await settle(rt, reserved)

    again = await settle(rt, reserved)

    assert again.replayed
    assert again.event == first.event
    with pytest.raises(ConflictError, match="settled or released"):
        await close(rt, reserved, "another")


async def test_an_expired_reservation_has_returned_by_itself(rt: Runtime) -> None:
    reserved = await reserve(rt, ttl_s=10, api_calls=100)
    assert reserved.entitlements[0].valid_until_at == NOW + 10_000
    fakes_of(rt).clock.advance(10_000)

    with pytest.raises(ConflictError, match="expired"):
        await settle(rt, reserved)
    assert left(await consume(rt, api_calls=100)) == 0


async def test_a_reservation_of_another_replica_is_settled_here(mongodb_uri: str, database: str) -> None:
    ids = SequentialIds()
    async with running(mongodb_uri, database, ids=ids) as here, running(mongodb_uri, database, ids=ids) as there:
        await put(here, workspace(), *CATALOGUE, CREDITS)
        await follow(there)
        await consume(there, ai=1)
        reserved = await reserve(here, ai=100)

        assert left(await settle(there, reserved, ai=50)) == 449


async def test_bad_reservations_and_lines_are_refused(rt: Runtime) -> None:
    with pytest.raises(NotFoundError, match="reservation"):
        await usage.release(rt, ADMIN, usage.ReleaseInput(idempotency_key="x", reservation_id="rsv_none"))
    for amounts in ({}, {"api_calls": 0}, {"api_calls": -1}, {"api_calls": "NaN"}, {"\ud800": 1}):
        with pytest.raises(ValidationError):
            await consume(rt, **amounts)
    for ttl_s in (0, -1, 604_801):
        with pytest.raises(ValidationError, match="ttlSeconds"):
            await reserve(rt, ttl_s=ttl_s, api_calls=1)
    reserved = await reserve(rt, api_calls=1)
    with pytest.raises(ValidationError, match="does not hold"):
        await settle(rt, reserved, ai=1)


async def test_open_reservations_are_bounded(rt: Runtime) -> None:
    for start in range(0, RESERVED_LINES_MAX, 100):
        await asyncio.gather(*(reserve(rt, f"r{start + n}", ai="0.1") for n in range(100)))

    with pytest.raises(ConflictError, match="reserved already"):
        await reserve(rt, "one more", ai="0.1")
    assert left(await consume(rt, ai=1)) == 500 - RESERVED_LINES_MAX // 10 - 1


async def test_setting_a_level_counts_the_difference(rt: Runtime) -> None:
    async def set_to(level: int, key: str, of: str = "seats") -> Used:
        request = usage.SetUsageInput(idempotency_key=key, workspace_id="ws_1", feature_key=of, level=Decimal(level))
        return await usage.set_usage(rt, ADMIN, request)

    assert left(await set_to(4, "a")) == 1
    done = await set_to(7, "b")

    answer = done.entitlements[0].usage
    assert answer is not None
    assert (answer.used, answer.overage, done.event.lines[0].amount) == (7, 2, 3)
    with pytest.raises(ValidationError, match="FLUCTUATING"):
        await set_to(1, "c", of="api_calls")


async def correct(rt: Runtime, done: Used, amount: int, key: str, of: str = "ai", reason: str = "typo") -> Used:
    request = usage.CorrectUsageInput(
        idempotency_key=key,
        workspace_id="ws_1",
        event_id=done.event.id,
        feature_key=of,
        amount=Decimal(amount),
        reason=reason,
    )
    return await usage.correct_usage(rt, ADMIN, request)


async def test_a_correction_returns_to_the_grant_and_keeps_the_entry(rt: Runtime) -> None:
    done = await consume(rt, ai=100)

    assert left(await correct(rt, done, 30, "c1")) == 470
    last = await correct(rt, done, 40, "c2")

    assert left(last) == 460
    assert [line.amount for line in last.event.lines] == [10]
    assert (last.event.corrects, last.event.reason) == (done.event.id, "typo")
    assert (await rt.ledger.events((done.event.id,)))[done.event.id] == done.event


async def test_a_correction_is_of_all_lines_of_the_feature(rt: Runtime) -> None:
    twice = usage.ConsumeInput(idempotency_key="k", workspace_id="ws_1", lines=(*lines(ai=7), *lines(ai=5)))
    done = await usage.consume(rt, ADMIN, twice)

    assert left(await correct(rt, done, 10, "c1")) == 490
    assert left(await correct(rt, done, 13, "c2")) == 487


async def test_what_a_level_fell_by_is_corrected(rt: Runtime) -> None:
    async def change(amount: int, key: str) -> Used:
        request = usage.RecordUsageInput(
            idempotency_key=key, workspace_id="ws_1", feature_key="seats", amount=Decimal(amount)
        )
        return await usage.record_usage(rt, ADMIN, request)

    await change(4, "up")
    down = await change(-3, "down")

    assert left(await correct(rt, down, -2, "c1", of="seats")) == 3
    assert left(await correct(rt, down, 1, "c2", of="seats")) == 0


async def test_concurrent_corrections_end_with_one_of_them(rt: Runtime) -> None:
    done = await consume(rt, ai=100)

    await asyncio.gather(*(correct(rt, done, 10 * n, f"c{n}") for n in range(1, 9)))

    used = (await balance_of(rt)).pots["ai"][0].used
    assert used in {10 * n for n in range(1, 9)}
    corrections = await rt.ledger.corrections(done.event.id)
    assert 100 + sum(line.amount for entry in corrections for line in entry.lines) == used


async def test_what_cannot_be_corrected_is_refused(rt: Runtime) -> None:
    done = await consume(rt, ai=100)
    reserved = await reserve(rt, ai=1)

    with pytest.raises(ValidationError, match="reason must not be empty") as caught:
        await correct(rt, done, 1, "c", reason=" ")
    assert len(caught.value.fields) == 1
    with pytest.raises(ValidationError, match="amount must not be below 0"):
        await correct(rt, done, -1, "c")
    with pytest.raises(ValidationError, match="no line of"):
        await correct(rt, done, 1, "c", of="seats")
    with pytest.raises(ValidationError, match="RESERVE"):
        await correct(rt, reserved, 1, "c")


async def test_who_gives_up_waiting_takes_nobody_along(rt: Runtime) -> None:
    calls = [asyncio.create_task(consume(rt, f"k{n}", ai=1)) for n in range(40)]
    await asyncio.sleep(0)
    for call in calls[::2]:
        call.cancel()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)

    assert all(isinstance(outcome, Used) for outcome in outcomes[1::2])
    retried = [await consume(rt, f"k{n}", ai=1) for n in range(40)]
    assert left(retried[-1]) == 460
