"""Log format, and counters as plain integers that are collected on scrape."""

import logging
import re
import sys
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Final, Literal

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from structlog.typing import EventDict, Processor

Logger = structlog.stdlib.BoundLogger

_SECRET_NAME: Final = re.compile(r"(secret|token|password|authorization|api_?key|credential)", re.IGNORECASE)
_SECRET_SHAPE: Final = re.compile(
    r"(sk_(?:test|live)_|rk_(?:test|live)_|whsec_|ent_key_|Bearer\s+)[A-Za-z0-9_\-.=]+|(mongodb(?:\+srv)?://)[^@\s/]+@"
)
REDACTED: Final = "[redacted]"

METRICS: Final[Mapping[str, tuple[Literal["counter", "gauge"], str, str]]] = {
    "records": ("gauge", "kind", "Records held in RAM"),
    "apply": ("counter", "outcome", "Records brought to RAM, by what was done with them"),
    "apply_lag_seconds": ("gauge", "stream", "Age of the newest event when it was applied"),
    "worker_valid": ("gauge", "worker", "1 while the worker's state is VALID"),
    "worker_restarts": ("counter", "worker", "Times a worker was started again after an error"),
    "stream_reopened": ("counter", "stream", "Times a change stream lost its place and was opened anew"),
    "stripe_events": ("counter", "outcome", "Stripe events, by what became of them"),
    "stripe_unknown_transitions": ("counter", "", "Status changes told by Stripe that our table lacks"),
    "stripe_drift": ("counter", "", "Stripe objects found changed with no event that told of it"),
    "reconcile_runs": ("counter", "", "Reconciliations finished"),
    "reconcile_repaired": ("counter", "", "Records that reconcile found different and repaired"),
    "reconcile_dropped": ("counter", "", "Records that reconcile dropped from RAM"),
    "requests": ("counter", "operation", "GraphQL operations, by type"),
    "request_errors": ("counter", "code", "GraphQL top-level errors, by code"),
    "live_subscribers": ("gauge", "", "Open live operations"),
    "usage": ("counter", "outcome", "Requests of usage: accepted, replayed, or refused for a limit"),
    "audit_sealed": ("counter", "", "Audit entries sealed into the chain"),
    "audit_unsealed": ("gauge", "", "Audit entries that no seal lists yet"),
    "job_failures": ("counter", "job", "Scheduled jobs that raised"),
}
"""By name: counter or gauge, the label if it has one, and the help."""


class Metrics(Collector):
    """Counters and gauges in a dict; a scrape turns them into Prometheus' families, all with the prefix `entitled_`."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], float] = {}

    def count(self, name: str, label: str = "", by: int = 1) -> None:
        """Add to a counter. The label is ours, never a caller's input."""
        key = (name, label)
        self._values[key] = self._values.get(key, 0) + by

    def set(self, name: str, value: float, label: str = "") -> None:
        """Set a gauge."""
        self._values[name, label] = value

    def value(self, name: str, label: str = "") -> float:
        """Return what a counter or gauge holds."""
        return self._values.get((name, label), 0)

    def collect(self) -> Iterable[Metric]:
        """Yield every metric that METRICS declares; those never touched are zero where they have no label."""
        for name, (sort, label, text) in METRICS.items():
            family = CounterMetricFamily if sort == "counter" else GaugeMetricFamily
            metric = family(f"entitled_{name}", text, labels=[label] if label else [])
            held = {key[1]: value for key, value in self._values.items() if key[0] == name}
            for value_of, value in (held or ({} if label else {"": 0.0})).items():
                metric.add_metric([value_of] if label else [], value)
            yield metric


def redact(value: str) -> str:
    """Hide what looks like a Stripe key, a webhook secret, one of our keys or a password in a URI."""
    return _SECRET_SHAPE.sub(lambda m: f"{m.group(1) or m.group(2)}{REDACTED}{'@' if m.group(2) else ''}", value)


def _redact_event(_logger: Any, _method: str, event: EventDict) -> EventDict:
    for key, value in event.items():
        if _SECRET_NAME.search(key) and not key.endswith(("_id", "_at")):
            event[key] = REDACTED
        elif isinstance(value, str):
            event[key] = redact(value)
    return event


def configure_logging(*, level: str, format: Literal["json", "console"]) -> None:
    """Send all logs, those of libraries too, to stderr as one line of JSON each, or in colours for a person."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        _redact_event,
    ]
    last: Processor = (
        structlog.processors.JSONRenderer() if format == "json" else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for noisy in ("httpx", "httpcore", "stripe", "apscheduler", "pymongo", "uvicorn.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def bound(**values: str) -> AbstractContextManager[None]:
    """Add these values to every log line that is written within the `with` block."""
    return structlog.contextvars.bound_contextvars(**values)


def logger(name: str) -> Logger:
    """Return the logger of a module."""
    return structlog.stdlib.get_logger(name)
