"""Deciding again after a conflict: on what the store holds, a bounded number of times."""

from collections.abc import AsyncIterator, Sequence

import pytest
from msgspec.structs import replace
from support.records import workspace
from support.runtime import ADMIN, put, running

from app.domain.change import Record
from app.domain.errors import ConflictError, ValidationError
from app.domain.workspace import Workspace
from app.runtime import Runtime
from app.services.idempotency import Once
from app.services.result import until_settled
from app.services.workspaces import ArchiveWorkspaceInput

INPUT = ArchiveWorkspaceInput(idempotency_key="k", workspace_id="ws_1")
STORED = workspace()


@pytest.fixture
async def rt(mongodb_uri: str, database: str) -> AsyncIterator[Runtime]:
    async with running(mongodb_uri, database) as rt:
        await put(rt, STORED)
        yield rt


class Deciding:
    """Gives what was loaded too early until enough conflicts have come; remembers how often it was asked."""

    def __init__(self, conflicts: int, *, refused: ConflictError | None = None) -> None:
        self.asked: list[int] = []
        self._conflicts = conflicts
        self._refused = refused

    async def __call__(self, conflicts: int) -> Sequence[Record]:
        self.asked.append(conflicts)
        if conflicts < self._conflicts:
            return (replace(STORED, version=7),)
        if self._refused:
            raise self._refused
        return (replace(STORED, name="ACME"),)


async def settled(rt: Runtime, deciding: Deciding, **more: int) -> Once:
    return await until_settled(rt, ADMIN, "test", INPUT, deciding, **more)


async def test_what_conflicts_is_decided_again(rt: Runtime) -> None:
    deciding = Deciding(2)

    [record] = (await settled(rt, deciding)).records

    assert isinstance(record, Workspace)
    assert (record.name, deciding.asked) == ("ACME", [0, 1, 2])


@pytest.mark.parametrize(("more", "tries"), [({}, 4), ({"conflicts_max": 1}, 2), ({"conflicts_max": 0}, 1)])
async def test_after_so_many_conflicts_the_caller_is_told(rt: Runtime, more: dict[str, int], tries: int) -> None:
    deciding = Deciding(99)

    with pytest.raises(ConflictError, match="version 7 was loaded"):
        await settled(rt, deciding, **more)

    assert len(deciding.asked) == tries


@pytest.mark.parametrize(
    ("conflicts", "asked"),
    [pytest.param(0, [0, 1], id="RAM may have lagged"), pytest.param(1, [0, 1], id="the store was read")],
)
async def test_a_conflict_that_is_found_in_the_store_stands(rt: Runtime, conflicts: int, asked: list[int]) -> None:
    deciding = Deciding(conflicts, refused=ConflictError("it is in use"))

    with pytest.raises(ConflictError, match="in use"):
        await settled(rt, deciding)

    assert deciding.asked == asked


async def test_half_a_surrogate_pair_is_refused_before_anything_is_decided(rt: Runtime) -> None:
    deciding = Deciding(0)

    with pytest.raises(ValidationError, match="surrogate"):
        await until_settled(rt, ADMIN, "test", replace(INPUT, workspace_id="\ud800"), deciding)

    assert deciding.asked == []
