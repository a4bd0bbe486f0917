"""The worker that moves subscribers to newer versions of their plans."""

import asyncio
from typing import Final

from app.cache.feed import SYNC_TOPIC
from app.domain.errors import ConflictError, UnavailableError
from app.domain.migration import Migration, MigrationStatus
from app.runtime import Runtime
from app.services.migrations import pending, step
from app.telemetry import logger
from sync.cancellation import obey_cancellation

_log = logger(__name__)

_REST: Final = 0.5  # of the time that a batch took: the loop, the database and the streams are there for others too
_LONGEST_REST_S: Final = 1.0


class MigrationWorker:
    """Works on one migration after the other until cancelled. Replicas may: whoever comes second leaves it be."""

    def __init__(self, rt: Runtime, *, poll_s: float = 5) -> None:
        self._rt = rt
        self._poll_s = poll_s
        self._bell = asyncio.Event()

    def wake(self) -> None:
        """Look for migrations now."""
        self._bell.set()

    async def run(self) -> None:
        """Work until cancelled. Raises what went wrong, once all others went on: the supervisor starts it again."""
        await self._until_loaded()
        while True:
            self._bell.clear()
            errors: list[Exception] = []
            for migration in await pending(self._rt):
                try:
                    await self._finish(migration)
                except UnavailableError:
                    raise
                except Exception as error:  # noqa: BLE001 - one migration's fault must not stop the others
                    errors.append(error)
            if errors:
                raise ExceptionGroup("migrations failed", errors)
            await self._wait_for_more()

    async def _until_loaded(self) -> None:
        with self._rt.cache.feed.subscribe(SYNC_TOPIC) as changes:
            while not self._rt.cache.ready:
                await changes.wait(None)

    async def _finish(self, migration: Migration) -> None:
        clock = asyncio.get_running_loop().time
        while migration.status is MigrationStatus.RUNNING:
            obey_cancellation()
            started = clock()
            try:
                migration = await step(self._rt, migration)
            except ConflictError as error:
                _log.info("migration left for later", migration=migration.id, reason=error.message)
                return
            await asyncio.sleep(min((clock() - started) * _REST, _LONGEST_REST_S))
        _log.info("migration ended", migration=migration.id, status=migration.status.value, moved=migration.moved)

    async def _wait_for_more(self) -> None:
        obey_cancellation()
        try:
            async with asyncio.timeout(self._poll_s):
                await self._bell.wait()
        except TimeoutError:
            return
