"""What every resolver is given: the runtime, who calls, and the one instant of the operation."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import TypeVar

import strawberry

from app.domain.api_key import Principal
from app.domain.errors import NotReadyError
from app.domain.faults import NAME_MAX, is_storable
from app.domain.workspace_state import WorkspaceState
from app.graphql.documents import Operation
from app.graphql.pagination import Cursors
from app.runtime import Runtime

T = TypeVar("T")


class Context:
    """One operation's context. `at` is its instant: everything in one answer is true at the same moment.

    What takes milliseconds and may be asked for a thousand times is done under `turn`, one after the other.
    """

    __slots__ = ("at", "cursors", "operation", "principal", "request_id", "rt", "turn")

    def __init__(
        self, rt: Runtime, *, principal: Principal, operation: Operation, cursors: Cursors, request_id: str
    ) -> None:
        self.rt = rt
        self.principal = principal
        self.operation = operation
        self.cursors = cursors
        self.request_id = request_id
        self.at = rt.clock.now_at()
        self.turn = asyncio.Lock()

    def loaded(self) -> Runtime:
        """Return the runtime. Raises `NotReadyError` while RAM was never loaded."""
        if not self.rt.cache.ready:
            raise NotReadyError
        return self.rt

    def from_state(self, ref: str, translate: Callable[[WorkspaceState | None], T]) -> T | Awaitable[T]:
        """Look a workspace up by our id or the external id, and translate: at once from RAM, else as an awaitable.

        Raises `NotReadyError`, and `UnavailableError` where RAM lacks it and the database does not answer.
        """
        state = find_state(self.loaded(), ref)
        if inspect.isawaitable(state):
            return _translate_later(state, translate)
        return translate(state)

    async def workspace_id(self, ref: str) -> str | None:
        """Return our id of a workspace; None where there is none. Raises as `from_state` does."""
        found = self.from_state(ref, lambda state: state.workspace.id if state else None)
        return await found if inspect.isawaitable(found) else found


def find_state(rt: Runtime, ref: str) -> WorkspaceState | Awaitable[WorkspaceState | None] | None:
    """Look a workspace up; what can be no id of ours or of a caller is not asked for."""
    return rt.lookup.state(ref) if 0 < len(ref) <= NAME_MAX and is_storable(ref) else None


async def _translate_later(
    state: Awaitable[WorkspaceState | None], translate: Callable[[WorkspaceState | None], T]
) -> T:
    return translate(await state)


Info = strawberry.Info[Context, None]
