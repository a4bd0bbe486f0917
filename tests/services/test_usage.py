"""Usage is recorded once, exactly, and under contention."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

import msgspec
import pytest
from support.clock import SequentialIds
from support.records import NOW, feature, limit, plan, workspace
from support.runtime import ADMIN, fakes_of, put, running, state_of

from app.domain.api_key import Principal, Scope
from app.domain.change import Kind
from app.domain.entitlement import AccessDeniedReason
from app.domain.errors import ConflictError, IdempotencyConflictError, NotFoundError, ValidationError
from app.domain.plan import FeatureType, MeterType, ResetPeriod
from app.domain.usage import Balance
from app.runtime import Runtime
from app.services.usage import RecordUsageInput, Used, record_usage

DAY_LIMIT = limit(amount=10, reset=ResetPeriod.DAY)
CATALOGUE = (
    feature("api_calls"),
    feature("seats", meter_type=MeterType.FLUCTUATING),
    feature("sso", FeatureType.BOOLEAN),
    plan("free", DAY_LIMIT, limit("seats", 5, ResetPeriod.NEVER), prices=()),
)


@pytest.fixture
async def rt(mongodb_uri: str, database: str) -> AsyncIterator[Runtime]:
    async with running(mongodb_uri, database, default_plan_key="free") as rt:
        await put(rt, workspace(external_id="org-1"), *CATALOGUE)
        yield rt


async def use(
    rt: Runtime, amount: int | str, key: str = "k", of: str = "api_calls", ref: str = "ws_1", by: Principal = ADMIN
) -> Used:
    request = RecordUsageInput(idempotency_key=key, workspace_id=ref, feature_key=of, amount=Decimal(amount))
    return await record_usage(rt, by, request)


async def stored_balance(rt: Runtime) -> Balance:
    balance = (await rt.store.read(Kind.BALANCE, ("ws_1",)))["ws_1"]
    assert isinstance(balance, Balance)
    return balance


async def total(rt: Runtime, key: str = "api_calls") -> Decimal:
    meters = (await stored_balance(rt)).meters[key]
    return next(meter.used for meter in meters if meter.reset_period is ResetPeriod.NEVER)


async def test_usage_is_stored_and_answered_from_ram_at_once(rt: Runtime) -> None:
    done = await use(rt, 4)

    assert done.entitlements[0].usage is not None
    assert (done.entitlements[0].usage.used, done.entitlements[0].usage.remaining) == (4, 6)
    assert done.entitlements[0].has_access
    assert await rt.ledger.events((done.event.id,)) == {done.event.id: done.event}
    state = await state_of(rt, "ws_1")
    assert state is not None
    assert state.balance == await stored_balance(rt)


async def test_usage_is_recorded_beyond_a_hard_limit(rt: Runtime) -> None:
    done = await use(rt, 14)

    assert done.entitlements[0].usage is not None
    assert (done.entitlements[0].usage.remaining, done.entitlements[0].usage.overage) == (0, 4)
    assert done.entitlements[0].access_denied_reason is AccessDeniedReason.USAGE_LIMIT_EXCEEDED


async def test_a_retry_counts_once_under_either_id_of_the_workspace(rt: Runtime) -> None:
    first = await use(rt, "4.50")

    again = await use(rt, "4.5", ref="org-1")

    assert (first.replayed, again.replayed) == (False, True)
    assert again.event == first.event
    assert await total(rt) == Decimal("4.5")


async def test_a_retry_is_answered_although_it_could_not_be_recorded_any_more(rt: Runtime) -> None:
    await use(rt, 2, "up", of="seats")
    first = await use(rt, -2, "down", of="seats")

    again = await use(rt, -2, "down", of="seats")

    assert again.event == first.event
    assert again.replayed


async def test_another_input_under_the_same_key_is_a_conflict(rt: Runtime) -> None:
    await use(rt, 4)
    fakes_of(rt).clock.advance(1000)

    with pytest.raises(IdempotencyConflictError) as caught:
        await use(rt, 5)

    assert caught.value.original_request_at == NOW
    assert await total(rt) == 4


async def test_keys_of_two_principals_do_not_meet(rt: Runtime) -> None:
    other = Principal(id="key_other", scopes=frozenset({Scope.USAGE_WRITE}))

    await use(rt, 4)
    done = await use(rt, 5, by=other)

    assert not done.replayed
    assert await total(rt) == 9


async def test_concurrent_twins_count_once(rt: Runtime) -> None:
    answers = await asyncio.gather(*(use(rt, 3) for _ in range(5)))

    assert sorted(answer.replayed for answer in answers) == [False, True, True, True, True]
    assert await total(rt) == 3


async def test_twenty_concurrent_reports_all_count(rt: Runtime) -> None:
    await asyncio.gather(*(use(rt, n, key=str(n)) for n in range(1, 21)))

    assert await total(rt) == sum(range(1, 21))
    assert (await stored_balance(rt)).version < 20, "those that came together were written together"


async def test_reports_of_two_processes_all_count(mongodb_uri: str, database: str) -> None:
    ids = SequentialIds()
    async with running(mongodb_uri, database, ids=ids) as here, running(mongodb_uri, database, ids=ids) as there:
        await put(here, workspace(), feature("api_calls"))

        await asyncio.gather(*(use(rt, 1, key=f"{n}") for n, rt in enumerate((here, there) * 5)))

        assert await total(here) == 10


async def test_a_retry_on_another_replica_is_answered_with_what_was_counted(mongodb_uri: str, database: str) -> None:
    ids = SequentialIds()
    async with (
        running(mongodb_uri, database, ids=ids, default_plan_key="free") as here,
        running(mongodb_uri, database, ids=ids, default_plan_key="free") as there,
    ):
        await put(here, workspace(external_id="org-1"), *CATALOGUE)
        await use(there, 1, "before")
        await use(here, 4)

        again = await use(there, 4)

        assert again.replayed
        assert again.entitlements[0].usage is not None
        assert again.entitlements[0].usage.used == 5


async def test_a_new_day_starts_at_zero(rt: Runtime) -> None:
    await use(rt, 10, "today")
    fakes_of(rt).clock.advance(86_400_000)

    done = await use(rt, 1, "tomorrow")

    assert done.entitlements[0].usage is not None
    assert done.entitlements[0].usage.used == 1
    assert await total(rt) == 11


async def test_what_cannot_be_recorded_changes_nothing(rt: Runtime) -> None:
    impossible = [("api_calls", "0"), ("api_calls", "-1"), ("api_calls", "sNaN"), ("api_calls", "1E+40")]
    for of, amount in (*impossible, ("seats", "-1"), ("sso", "1")):
        with pytest.raises(ValidationError):
            await use(rt, amount, of=of)

    assert await rt.store.read(Kind.BALANCE, ("ws_1",)) == {}


async def test_unknown_workspaces_and_features_are_not_found(rt: Runtime) -> None:
    with pytest.raises(NotFoundError, match="workspace"):
        await use(rt, 1, ref="ws_2")
    with pytest.raises(NotFoundError, match="feature"):
        await use(rt, 1, of="\ud800")


async def test_an_archived_workspace_records_nothing(rt: Runtime) -> None:
    archived = msgspec.structs.replace(workspace("ws_2"), archived_at=NOW)
    await put(rt, archived)

    with pytest.raises(ConflictError, match="archived"):
        await use(rt, 1, ref="ws_2")
