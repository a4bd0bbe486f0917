"""Workspaces: what is written, what is refused, and who is told."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from support.clock import SequentialIds
from support.records import DAY, NOW, plan
from support.runtime import ADMIN, fakes_of, put, running, state_of

from app.domain.change import Kind
from app.domain.errors import ConflictError, IdempotencyConflictError, NotFoundError, ValidationError
from app.domain.plan import PlanStatus
from app.domain.workspace import Address, BillingDetails, Workspace
from app.runtime import Runtime
from app.services.workspaces import (
    ArchiveWorkspaceInput,
    CreateWorkspaceInput,
    StartTrialInput,
    UpdateWorkspaceInput,
    archive_workspace,
    create_workspace,
    start_trial,
    update_workspace,
)


@pytest.fixture
async def rt(mongodb_uri: str, database: str) -> AsyncIterator[Runtime]:
    async with running(mongodb_uri, database) as rt:
        yield rt


async def create(rt: Runtime, key: str = "create", **fields: Any) -> Workspace:
    return (await create_workspace(rt, ADMIN, CreateWorkspaceInput(idempotency_key=key, **fields))).record


async def test_a_created_workspace_is_answered_at_once_by_either_id(rt: Runtime) -> None:
    assert await state_of(rt, "org-1") is None  # absence is remembered, and must be forgotten

    workspace = await create(rt, name="ACME", external_id="org-1", metadata={"tier": "a"})

    assert (workspace.version, workspace.created_at) == (1, NOW)
    by_external_id, by_id = await state_of(rt, "org-1"), await state_of(rt, workspace.id)
    assert by_id is not None
    assert by_id is by_external_id
    assert by_id.workspace == workspace
    assert await rt.store.read(Kind.WORKSPACE, (workspace.id,)) == {workspace.id: workspace}


async def test_creating_and_changing_releases_what_waits_for_the_workspace(rt: Runtime) -> None:
    fakes = fakes_of(rt)

    workspace = await create(rt, external_id="org-1")
    await update_workspace(
        rt, ADMIN, UpdateWorkspaceInput(idempotency_key="k", workspace_id=workspace.id, external_id="org-2")
    )

    assert fakes.inbox.released == [workspace.id, "org-1", workspace.id, "org-2"]
    assert fakes.sync.woken == 2


async def test_a_retried_creation_answers_with_the_first_one(rt: Runtime) -> None:
    request = CreateWorkspaceInput(idempotency_key="k", name="ACME")

    first = await create_workspace(rt, ADMIN, request)
    second = await create_workspace(rt, ADMIN, request)

    assert (first.replayed, second.replayed) == (False, True)
    assert second.record == first.record
    assert await rt.store.count(Kind.WORKSPACE) == 1


async def test_concurrent_twins_make_one_workspace(rt: Runtime) -> None:
    request = CreateWorkspaceInput(idempotency_key="k", name="ACME")

    answers = await asyncio.gather(*(create_workspace(rt, ADMIN, request) for _ in range(5)))

    assert len({answer.record.id for answer in answers}) == 1
    assert sorted(answer.replayed for answer in answers) == [False, True, True, True, True]


async def test_an_idempotency_key_serves_one_input(rt: Runtime) -> None:
    await create(rt, name="ACME")

    with pytest.raises(IdempotencyConflictError) as caught:
        await create(rt, name="Other")

    assert caught.value.original_request_at == NOW


async def test_every_fault_of_an_input_is_told_at_once(rt: Runtime) -> None:
    with pytest.raises(ValidationError) as caught:
        await create(
            rt,
            key="",
            external_id="ws_1",
            email="nobody",
            metadata={"$a": ""},
            billing=BillingDetails(address=Address(country="xx")),
        )

    assert {".".join(field.path) for field in caught.value.fields} == {
        "input.idempotencyKey",
        "input.externalId",
        "input.email",
        "input.metadata.$a",
        "input.billing.address.country",
    }
    assert await rt.store.count(Kind.WORKSPACE) == 0


async def test_an_external_id_belongs_to_one_workspace(rt: Runtime) -> None:
    first = await create(rt, external_id="org-1")

    with pytest.raises(ConflictError, match=first.id):
        await create(rt, key="other", external_id="org-1")


async def test_an_external_id_taken_on_another_replica_is_refused(mongodb_uri: str, database: str) -> None:
    ids = SequentialIds()
    async with running(mongodb_uri, database, ids=ids) as here, running(mongodb_uri, database, ids=ids) as there:
        first = await create(there, external_id="org-1")

        with pytest.raises(ConflictError, match=first.id):
            await create(here, key="other", external_id="org-1")


async def test_an_update_changes_what_is_given_and_nothing_else(rt: Runtime) -> None:
    workspace = await create(rt, name="ACME", email="a@example.com", metadata={"a": "1", "b": "2"})

    done = await update_workspace(
        rt,
        ADMIN,
        UpdateWorkspaceInput(
            idempotency_key="k", workspace_id=workspace.id, if_version=1, name=None, metadata={"b": "3"}
        ),
    )

    changed = done.record
    assert (changed.name, changed.email, changed.metadata) == (None, "a@example.com", {"b": "3"})
    assert changed.version == 2


async def test_an_update_that_changes_nothing_writes_nothing(rt: Runtime) -> None:
    workspace = await create(rt, name="ACME")

    done = await update_workspace(
        rt, ADMIN, UpdateWorkspaceInput(idempotency_key="k", workspace_id=workspace.id, name="ACME")
    )

    assert done.record == workspace


async def test_a_stale_if_version_is_told_the_current_one(rt: Runtime) -> None:
    workspace = await create(rt, name="ACME")
    request = UpdateWorkspaceInput(idempotency_key="k", workspace_id=workspace.id, if_version=7, name="Other")

    with pytest.raises(ConflictError) as caught:
        await update_workspace(rt, ADMIN, request)

    assert caught.value.current_version == 1


async def test_ram_that_lags_behind_another_replica_does_not_refuse(mongodb_uri: str, database: str) -> None:
    ids = SequentialIds()
    async with running(mongodb_uri, database, ids=ids) as here, running(mongodb_uri, database, ids=ids) as there:
        workspace = await create(here, name="ACME")
        assert await state_of(there, workspace.id) is not None
        await update_workspace(
            here, ADMIN, UpdateWorkspaceInput(idempotency_key="k1", workspace_id=workspace.id, email="a@example.com")
        )

        blind = await update_workspace(
            there, ADMIN, UpdateWorkspaceInput(idempotency_key="k2", workspace_id=workspace.id, name="Other")
        )
        seeing = await update_workspace(
            here, ADMIN, UpdateWorkspaceInput(idempotency_key="k3", workspace_id=workspace.id, if_version=3, name="X")
        )

        assert (blind.record.version, blind.record.email, blind.record.name) == (3, "a@example.com", "Other")
        assert (seeing.record.version, seeing.record.name) == (4, "X")


async def test_archiving_ends_access_and_twice_changes_nothing(rt: Runtime) -> None:
    workspace = await create(rt)

    first = await archive_workspace(rt, ADMIN, ArchiveWorkspaceInput(idempotency_key="a", workspace_id=workspace.id))
    fakes_of(rt).clock.advance(DAY)
    again = await archive_workspace(
        rt, ADMIN, ArchiveWorkspaceInput(idempotency_key="b", workspace_id=workspace.id, if_version=1)
    )

    assert (first.record.archived_at, first.record.version) == (NOW, 2)
    assert again.record == first.record


async def test_an_archived_workspace_is_not_changed(rt: Runtime) -> None:
    workspace = await create(rt)
    await archive_workspace(rt, ADMIN, ArchiveWorkspaceInput(idempotency_key="a", workspace_id=workspace.id))

    with pytest.raises(ConflictError, match="archived"):
        await update_workspace(
            rt, ADMIN, UpdateWorkspaceInput(idempotency_key="k", workspace_id=workspace.id, name="Other")
        )


async def test_an_unknown_workspace_is_not_found(rt: Runtime) -> None:
    for ref in ("ws_0", "", "x" * 300, "a\x00b"):
        with pytest.raises(NotFoundError):
            await archive_workspace(rt, ADMIN, ArchiveWorkspaceInput(idempotency_key="a", workspace_id=ref))


async def test_half_a_surrogate_pair_is_refused_wherever_it_stands(rt: Runtime) -> None:
    with pytest.raises(ValidationError):
        await archive_workspace(rt, ADMIN, ArchiveWorkspaceInput(idempotency_key="a", workspace_id="\ud800"))


async def test_a_trial_runs_for_the_days_of_the_plan_or_those_given(rt: Runtime) -> None:
    await put(rt, plan("pro", trial_days=14), plan("pro", plan_version=2, trial_days=30))
    one, two = await create(rt, "one"), await create(rt, "two")

    default = await start_trial(rt, ADMIN, StartTrialInput(idempotency_key="1", workspace_id=one.id, plan_key="pro"))
    week = await start_trial(
        rt, ADMIN, StartTrialInput(idempotency_key="2", workspace_id=two.id, plan_key="pro", days=7)
    )

    assert default.record.trial is not None
    assert week.record.trial is not None
    assert default.record.trial.plan_id == "plan_pro_2"
    assert default.record.trial.ends_at == NOW + 30 * DAY
    assert week.record.trial.ends_at == NOW + 7 * DAY


async def test_a_workspace_has_one_trial(rt: Runtime) -> None:
    await put(rt, plan("pro"))
    workspace = await create(rt)
    await start_trial(rt, ADMIN, StartTrialInput(idempotency_key="1", workspace_id=workspace.id, plan_key="pro"))
    fakes_of(rt).clock.advance(100 * DAY)

    with pytest.raises(ConflictError, match="trial"):
        await start_trial(rt, ADMIN, StartTrialInput(idempotency_key="2", workspace_id=workspace.id, plan_key="pro"))


@pytest.mark.parametrize(
    ("plan_key", "days", "error"),
    [
        pytest.param("nope", None, NotFoundError, id="unknown plan"),
        pytest.param("gone", None, ConflictError, id="archived plan"),
        pytest.param("none", None, ValidationError, id="plan without a trial"),
        pytest.param("none", 0, ValidationError, id="no day"),
        pytest.param("none", 731, ValidationError, id="too many days"),
    ],
)
async def test_trials_that_are_refused(rt: Runtime, plan_key: str, days: int | None, error: type[Exception]) -> None:
    await put(rt, plan("none", trial_days=0), plan("gone", status=PlanStatus.ARCHIVED))
    workspace = await create(rt)
    request = StartTrialInput(idempotency_key="1", workspace_id=workspace.id, plan_key=plan_key, days=days)

    with pytest.raises(error):
        await start_trial(rt, ADMIN, request)
