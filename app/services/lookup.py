"""How a use case finds what decides for a workspace: RAM, and on a miss the store, once."""

import asyncio
from collections.abc import Awaitable
from typing import Final

from cachetools import TTLCache

from app.cache.cache import BillingCache
from app.domain.change import Source
from app.domain.workspace import Workspace
from app.domain.workspace_state import WorkspaceState
from app.ports.store import RecordStore
from app.ports.system import Clock

_ABSENCE_MS: Final = 5_000
_ABSENCES: Final = 10_000


class _Reading:
    """One read of the store that several callers wait for."""

    def __init__(self) -> None:
        self.done = asyncio.Event()
        self.error: Exception | None = None


class _Roll:
    """References that one question to the store shall tell apart."""

    def __init__(self) -> None:
        self.refs: set[str] = set()
        self.called: asyncio.Task[set[str]] | None = None


class Lookup:
    """Answers from RAM at once; a miss reads the store, concurrent misses of one workspace share the read.

    Whether workspaces exist at all is asked for all misses together, one question at a time: however many unknown
    ids come, they take one connection, and the rest is left to others.
    """

    def __init__(self, store: RecordStore, cache: BillingCache, clock: Clock) -> None:
        self._store = store
        self._cache = cache
        self._absent: TTLCache[str, bool] = TTLCache(_ABSENCES, _ABSENCE_MS, timer=clock.now_at)
        self._readings: dict[str, _Reading] = {}
        self._roll = _Roll()
        self._turn = asyncio.Lock()

    def state(self, ref: str) -> WorkspaceState | Awaitable[WorkspaceState | None] | None:
        """Return the state by our id or the external id: the value, or an awaitable where RAM does not have it.

        Absence is remembered for five seconds. Raises `UnavailableError`.
        """
        held = self._held(ref)
        if held is not None:
            return held
        return None if ref in self._absent else self._read_once(ref)

    def forget(self, ref: str) -> None:
        """Forget that this workspace was absent: it has just been made."""
        self._absent.pop(ref, None)

    def _held(self, ref: str) -> WorkspaceState | None:
        workspace_id = self._cache.workspace_id(ref)
        return None if workspace_id is None else self._cache.state(workspace_id)

    async def _read_once(self, ref: str) -> WorkspaceState | None:
        while reading := self._readings.get(ref):
            await reading.done.wait()
            if reading.error is not None:
                raise reading.error
            held = self._held(ref)
            if held is not None or ref in self._absent:
                return held
            # The one who read was cancelled: the next one reads.
        reading = self._readings[ref] = _Reading()
        try:
            return await self._read(ref)
        except Exception as error:
            reading.error = error
            raise
        finally:
            del self._readings[ref]
            reading.done.set()

    async def _exists(self, ref: str) -> bool:
        roll = self._roll
        roll.refs.add(ref)
        if roll.called is None:
            roll.called = asyncio.create_task(self._call(roll))
            roll.called.add_done_callback(_note_error)
        return ref in await asyncio.shield(roll.called)  # it is not this caller's alone

    async def _call(self, roll: _Roll) -> set[str]:
        async with self._turn:
            self._roll = _Roll()
            return await self._store.names(roll.refs)

    async def _read(self, ref: str) -> WorkspaceState | None:
        if not await self._exists(ref):
            state = self._held(ref)  # the stream may have brought it meanwhile
            self._absent[ref] = True
            return state
        records = await self._store.read_workspace(ref)
        for record in records:
            self._cache.apply(record, source=Source.LOOKUP)
        workspace_id = next((record.id for record in records if isinstance(record, Workspace)), ref)
        state = self._cache.state(workspace_id) or self._held(ref)
        if state is None:
            self._absent[ref] = True
        return state


def _note_error(called: asyncio.Task[set[str]]) -> None:
    """Mark an error as seen, although everybody who waited for it may have left."""
    if not called.cancelled():
        called.exception()
