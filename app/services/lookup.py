"""How a use case finds what decides for a workspace: RAM, and on a miss the store, once."""

import asyncio
from collections.abc import Awaitable
from typing import Final

from cachetools import TTLCache

from app.cache.cache import BillingCache
from app.domain.change import Source
from app.domain.workspace import Workspace
from app.domain.workspace_state import WorkspaceState
from app.ports import Clock, RecordStore

_ABSENCE_MS: Final = 5_000
_ABSENCES: Final = 10_000


class _Reading:
    """One read of the store that several callers wait for."""

    def __init__(self) -> None:
        self.done = asyncio.Event()
        self.error: Exception | None = None


class Lookup:
    """Answers from RAM at once; a miss reads the store, concurrent misses of one workspace share the read."""

    def __init__(self, store: RecordStore, cache: BillingCache, clock: Clock) -> None:
        self._store = store
        self._cache = cache
        self._absent: TTLCache[str, bool] = TTLCache(_ABSENCES, _ABSENCE_MS, timer=clock.now_at)
        self._readings: dict[str, _Reading] = {}

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

    async def _read(self, ref: str) -> WorkspaceState | None:
        records = await self._store.read_workspace(ref)
        for record in records:
            self._cache.apply(record, source=Source.LOOKUP)
        workspace_id = next((record.id for record in records if isinstance(record, Workspace)), ref)
        state = self._cache.state(workspace_id) or self._held(ref)
        if state is None:
            self._absent[ref] = True
        return state
