"""What a stored verdict makes it worth to look at, whether the worker or a list brought it."""

from collections.abc import Iterator

from app.domain.stripe_event import ObjectName
from app.runtime import Runtime
from app.telemetry import logger
from sync.stripe.verdict import Verdict

_log = logger(__name__)


def follow_up(rt: Runtime, object_id: str, verdict: Verdict) -> Iterator[ObjectName]:
    """Yield the objects to be marked dirty now that the verdict on this one is stored; count what surprises."""
    if verdict.is_unknown_transition:
        rt.metrics.count("stripe_unknown_transitions")
        _log.warning("stripe_unknown_transition", object=object_id)
    if verdict.missing_customer:
        yield ObjectName("customer", verdict.missing_customer)
