"""The worker that moves subscribers to newer versions of their plans."""

import asyncio
from collections.abc import Callable
from typing import Final

from app.domain.errors import ConflictError, UnavailableError
from app.domain.migration import Migration, MigrationStatus
from app.runtime import Runtime
from app.services.migrations import pending, step
from app.telemetry import logger
from sync.bell import Bell
from sync.cancellation import obey_cancellation
from sync.jobs.lease import until_loaded

_log = logger(__name__)

_REST: Final = 0.5  # of the time that a batch took: the loop, the database and the streams are there for others too
_LONGEST_REST_S: Final = 1.0


class MigrationWorker:
    """Works on one migration after the other until cancelled. Replicas may: whoever comes second leaves it be."""

    def __init__(self, rt: Runtime, *, poll_s: float = 5) -> None:
        self._rt = rt
        self._poll_s = poll_s
        self._bell = Bell()

    def wake(self) -> None:
        """Look for migrations now."""
        self._bell.ring()

    async def run(self, well: Callable[[], None]) -> None:
        """Work until cancelled; call `well` whenever a batch or a round went well.

        Raises what went wrong, once all others went on: the supervisor starts it again.
        """
        await until_loaded(self._rt.cache)
        while True:
            self._bell.silence()
            errors: list[Exception] = []
            for migration in await pending(self._rt):
                try:
                    await self._finish(migration, well)
                except UnavailableError:
                    raise
                except Exception as error:  # noqa: BLE001 - one migration's fault must not stop the others
                    errors.append(error)
            if errors:
                raise ExceptionGroup("migrations failed", errors)
            well()
            await self._bell.wait(self._poll_s)

    async def _finish(self, migration: Migration, well: Callable[[], None]) -> None:
        clock = asyncio.get_running_loop().time
        while migration.status is MigrationStatus.RUNNING:
            obey_cancellation()
            started = clock()
            try:
                migration = await step(self._rt, migration)
            except ConflictError as error:
                _log.info("migration left for later", migration=migration.id, reason=error.message)
                return
            well()
            await asyncio.sleep(min((clock() - started) * _REST, _LONGEST_REST_S))
        _log.info("migration ended", migration=migration.id, status=migration.status.value, moved=migration.moved)
