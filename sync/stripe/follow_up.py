"""What a stored verdict makes it worth to look at, whether the worker or a list brought it."""

from collections.abc import Iterator

from app.domain.stripe_event import ObjectName
from app.domain.stripe_object import ENTITLEMENTS, entitlements_id
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
    if verdict.left:
        yield from _moved(rt, verdict.left, verdict.linked or object_id)


def _moved(rt: Runtime, workspace_id: str, customer_id: str) -> Iterator[ObjectName]:
    """Yield what the workspace had by a customer that is another's now, or nobody's."""
    yield ObjectName(ENTITLEMENTS, entitlements_id(customer_id))
    state = rt.cache.state(workspace_id)
    for sub in state.subscriptions if state else ():
        if sub.stripe_customer_id == customer_id:
            yield ObjectName("subscription", sub.id)
