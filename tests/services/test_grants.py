"""Grants and overrides: what they change, what they refuse, and that ending them twice is no fault."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest
from support.clock import SequentialIds
from support.records import DAY, NOW, feature, sub, workspace
from support.runtime import ADMIN, fakes_of, put, running, state_of

from app.domain.change import Kind
from app.domain.errors import ConflictError, NotFoundError, ValidationError
from app.domain.grant import Grant, GrantSource, Override
from app.domain.plan import FeatureType, LimitBehavior, ResetPeriod
from app.domain.workspace_state import WorkspaceState
from app.runtime import Runtime
from app.services.grants import (
    GrantEntitlementInput,
    RemoveOverrideInput,
    RevokeGrantInput,
    SetOverrideInput,
    grant_entitlement,
    remove_override,
    revoke_grant,
    set_override,
)

RECORDS = (
    workspace(external_id="org-1"),
    workspace("ws_2"),
    workspace("ws_3", archived_at=NOW),
    feature("api_calls"),
    feature("sso", FeatureType.BOOLEAN),
    sub(),
    sub("sub_2", workspace_id="ws_2"),
)


@pytest.fixture
async def rt(mongodb_uri: str, database: str) -> AsyncIterator[Runtime]:
    async with running(mongodb_uri, database) as rt:
        await put(rt, *RECORDS)
        yield rt


async def state(rt: Runtime) -> WorkspaceState:
    found = await state_of(rt, "ws_1")
    assert found is not None
    return found


async def give(rt: Runtime, key: str = "k", **fields: Any) -> Grant:
    fields = {"workspace_id": "ws_1", "feature_key": "api_calls", "source": GrantSource.PROMOTIONAL, **fields}
    return (await grant_entitlement(rt, ADMIN, GrantEntitlementInput(idempotency_key=key, **fields))).record


async def override(rt: Runtime, key: str = "k", **fields: Any) -> Override:
    fields = {"workspace_id": "ws_1", "feature_key": "api_calls", **fields}
    return (await set_override(rt, ADMIN, SetOverrideInput(idempotency_key=key, **fields))).record


async def test_a_grant_starts_now_and_is_in_ram_at_once(rt: Runtime) -> None:
    given = await give(rt, workspace_id="org-1", amount=Decimal(50), expires_at=NOW + DAY)

    assert (given.workspace_id, given.effective_at) == ("ws_1", NOW)
    assert (await state(rt)).grants == (given,)


async def test_a_top_up_keeps_its_priority_and_period(rt: Runtime) -> None:
    given = await give(rt, source=GrantSource.TOP_UP, amount=Decimal(50), priority=10, reset_period=ResetPeriod.MONTH)

    assert (given.source, given.priority, given.reset_period) == (GrantSource.TOP_UP, 10, ResetPeriod.MONTH)


async def test_a_grant_that_does_not_fit_is_refused(rt: Runtime) -> None:
    with pytest.raises(ValidationError):
        await give(rt, feature_key="sso", amount=Decimal(1))

    assert (await state(rt)).grants == ()


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        pytest.param({"workspace_id": "ws_0"}, NotFoundError, id="unknown workspace"),
        pytest.param({"feature_key": "nope"}, NotFoundError, id="unknown feature"),
        pytest.param({"workspace_id": "ws_3"}, ConflictError, id="archived workspace"),
    ],
)
async def test_nothing_is_given_to_nobody(rt: Runtime, fields: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        await give(rt, amount=Decimal(1), **fields)
    with pytest.raises(error):
        await override(rt, limit=Decimal(1), **fields)


async def test_revoking_ends_a_grant_and_twice_changes_nothing(rt: Runtime) -> None:
    given = await give(rt, amount=Decimal(50), reason="launch")

    first = await revoke_grant(rt, ADMIN, RevokeGrantInput(idempotency_key="1", grant_id=given.id, reason="over"))
    fakes_of(rt).clock.advance(DAY)
    again = await revoke_grant(rt, ADMIN, RevokeGrantInput(idempotency_key="2", grant_id=given.id))
    replay = await revoke_grant(rt, ADMIN, RevokeGrantInput(idempotency_key="2", grant_id=given.id))

    assert (first.record.revoked_at, first.record.reason) == (NOW, "over")
    assert again.record == replay.record == first.record
    assert (again.replayed, replay.replayed) == (False, True)
    assert (await state(rt)).grants == (first.record,)


async def test_an_unknown_grant_or_override_is_not_found(rt: Runtime) -> None:
    with pytest.raises(NotFoundError):
        await revoke_grant(rt, ADMIN, RevokeGrantInput(idempotency_key="1", grant_id="grant_0"))
    with pytest.raises(NotFoundError):
        await remove_override(rt, ADMIN, RemoveOverrideInput(idempotency_key="1", override_id="ovr_0"))


async def test_a_second_override_replaces_the_first_entirely(rt: Runtime) -> None:
    first = await override(rt, "1", limit=Decimal(5), reason="trouble")

    second = await override(rt, "2", limit_behavior=LimitBehavior.UNLIMITED)

    assert second.id == first.id
    assert (second.limit, second.limit_behavior, second.reason) == (None, LimitBehavior.UNLIMITED, "")
    assert (await state(rt)).overrides == (second,)


async def test_a_subscription_and_its_workspace_have_overrides_of_their_own(rt: Runtime) -> None:
    whole = await override(rt, "1", limit=Decimal(5))
    one = await override(rt, "2", subscription_id="sub_1", revoked=True)

    assert whole.id != one.id
    assert set((await state(rt)).overrides) == {whole, one}


async def test_a_subscription_of_another_workspace_is_not_found(rt: Runtime) -> None:
    with pytest.raises(NotFoundError, match="sub_2"):
        await override(rt, subscription_id="sub_2", revoked=True)


async def test_removing_an_override_lets_another_one_follow(rt: Runtime) -> None:
    first = await override(rt, "1", limit=Decimal(5))

    removed = await remove_override(rt, ADMIN, RemoveOverrideInput(idempotency_key="2", override_id=first.id))
    again = await remove_override(rt, ADMIN, RemoveOverrideInput(idempotency_key="3", override_id=first.id))

    assert removed.record.deleted_at == NOW
    assert again.record == removed.record
    assert (await state(rt)).overrides == ()
    second = await override(rt, "4", limit=Decimal(6))
    assert second.id != first.id
    assert (await state(rt)).overrides == (second,)


async def test_two_replicas_that_override_at_once_leave_one(mongodb_uri: str, database: str) -> None:
    ids = SequentialIds()
    async with running(mongodb_uri, database, ids=ids) as here, running(mongodb_uri, database, ids=ids) as there:
        await put(here, *RECORDS)
        assert await state_of(there, "ws_1") is not None

        first, second = await asyncio.gather(
            override(here, "1", limit=Decimal(1)), override(there, "2", limit=Decimal(2))
        )

        assert first.id == second.id
        assert sorted((first.version, second.version)) == [1, 2]
        assert await here.store.count(Kind.OVERRIDE) == 1


async def test_an_override_removed_on_another_replica_is_made_anew(mongodb_uri: str, database: str) -> None:
    ids = SequentialIds()
    async with running(mongodb_uri, database, ids=ids) as here, running(mongodb_uri, database, ids=ids) as there:
        await put(here, *RECORDS)
        first = await override(here, "1", limit=Decimal(1))
        assert await state_of(there, "ws_1") is not None
        await remove_override(here, ADMIN, RemoveOverrideInput(idempotency_key="2", override_id=first.id))

        second = await override(there, "3", limit=Decimal(2))

        assert second.id != first.id
        assert second.version == 1
