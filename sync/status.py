"""What the workers say of themselves, and who is told when that changes."""

from collections.abc import Callable

from app.cache.feed import SYNC_TOPIC, Feed
from app.domain.sync_status import WorkerState, WorkerStatus
from app.ports.system import Clock
from app.telemetry import Metrics, logger, redact

log = logger(__name__)

_SHOWN = 300


class Worker:
    """The state of one worker, told by itself."""

    def __init__(self, name: str, clock: Clock, changed: Callable[["Worker"], None]) -> None:
        self.name = name
        self.status = WorkerStatus(name, WorkerState.OFF, clock.now_at())
        self._clock = clock
        self._changed = changed

    def starting(self) -> None:
        """Note that it begins."""
        if self.status.state is WorkerState.OFF:
            self._become(WorkerState.INITIALIZING)

    def valid(self) -> None:
        """Note that all is well."""
        self._become(WorkerState.VALID)

    def failed(self, error: str) -> None:
        """Note the error; what was good is interrupted."""
        state = self.status.state
        became = WorkerState.INTERRUPTED if state is WorkerState.VALID else state
        self._become(became, redact(error)[:_SHOWN])

    def off(self) -> None:
        """Note that it has ended."""
        self._become(WorkerState.OFF)

    @property
    def is_valid(self) -> bool:
        """Whether all is well."""
        return self.status.state is WorkerState.VALID

    def _become(self, state: WorkerState, error: str | None = None) -> None:
        before, at = self.status, self._clock.now_at()
        if state is before.state and error is None:
            return
        since_at = before.since_at if state is before.state else at
        last_error, last_error_at = (before.last_error, before.last_error_at) if error is None else (error, at)
        self.status = WorkerStatus(self.name, state, since_at, last_error, last_error_at)
        if state is not before.state:
            log.info("worker changed", worker=self.name, state=state.value, error=error)
        elif error != before.last_error:
            log.warning("worker failed", worker=self.name, state=state.value, error=error)
        self._changed(self)


class Workers:
    """All workers of this process, in the order in which they were added."""

    def __init__(self, *, clock: Clock, metrics: Metrics, feed: Feed) -> None:
        self._clock = clock
        self._metrics = metrics
        self._feed = feed
        self._workers: dict[str, Worker] = {}

    def add(self, name: str) -> Worker:
        """Return a new worker, which is OFF."""
        worker = self._workers[name] = Worker(name, self._clock, self._changed)
        self._changed(worker)
        return worker

    def statuses(self) -> tuple[WorkerStatus, ...]:
        """Return every worker's state."""
        return tuple(worker.status for worker in self._workers.values())

    def _changed(self, worker: Worker) -> None:
        self._metrics.set("worker_valid", float(worker.is_valid), worker.name)
        self._feed.publish(SYNC_TOPIC)
