import pytest
from support.clock import FrozenClock
from support.records import NOW

from app.cache.feed import SYNC_TOPIC, Feed
from app.domain.sync_status import WorkerState, WorkerStatus
from app.telemetry import Metrics
from sync.status import Worker, Workers


class Bench:
    def __init__(self) -> None:
        self.clock, self.metrics, self.feed = FrozenClock(), Metrics(), Feed()
        self.workers = Workers(clock=self.clock, metrics=self.metrics, feed=self.feed)
        self.worker = self.workers.add("w")


@pytest.mark.parametrize(
    ("steps", "state"),
    [
        pytest.param((), WorkerState.OFF, id="never started"),
        pytest.param((Worker.starting,), WorkerState.INITIALIZING, id="started"),
        pytest.param((Worker.starting, Worker.valid), WorkerState.VALID, id="good"),
        pytest.param((Worker.starting, "failed"), WorkerState.INITIALIZING, id="never good"),
        pytest.param((Worker.starting, Worker.valid, "failed"), WorkerState.INTERRUPTED, id="was good"),
        pytest.param(
            (Worker.starting, Worker.valid, "failed", Worker.starting), WorkerState.INTERRUPTED, id="being repaired"
        ),
        pytest.param((Worker.starting, Worker.valid, "failed", Worker.valid), WorkerState.VALID, id="repaired"),
        pytest.param((Worker.starting, Worker.valid, Worker.off), WorkerState.OFF, id="stopped"),
    ],
)
def test_states(steps: tuple[object, ...], state: WorkerState) -> None:
    bench = Bench()

    for step in steps:
        bench.worker.failed("x") if step == "failed" else step(bench.worker)  # type: ignore[operator]

    assert bench.worker.status.state is state
    assert bench.metrics.value("worker_valid", "w") == (state is WorkerState.VALID)


def test_last_error_outlives_its_repair_and_hides_secrets() -> None:
    bench = Bench()
    bench.worker.starting()
    bench.worker.valid()
    bench.clock.advance(1_000)
    bench.worker.failed("mongodb://root:hunter2@db refused")
    bench.clock.advance(1_000)
    bench.worker.valid()

    assert bench.workers.statuses() == (
        WorkerStatus("w", WorkerState.VALID, NOW + 2_000, "mongodb://[redacted]@db refused", NOW + 1_000),
    )


async def test_feed_tells_a_change_and_only_a_change() -> None:
    bench = Bench()
    bench.worker.starting()

    with bench.feed.subscribe(SYNC_TOPIC) as changes:
        bench.worker.valid()
        told = await changes.wait(0)
        bench.worker.valid()
        told_again = await changes.wait(0)

    assert (told, told_again) == (True, False)
