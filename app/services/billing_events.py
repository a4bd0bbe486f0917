"""Billing events on their way out: whose they are, and who is told."""

from collections.abc import Iterable, Sequence

import msgspec

from app.cache.feed import BILLING_TOPIC, billing_topic
from app.domain.billing_event import BillingEvent
from app.runtime import Runtime


async def tell(rt: Runtime, events: Sequence[BillingEvent]) -> None:
    """Keep facts that no record holds, each once by its id, and tell who listens. Raises `UnavailableError`."""
    events = owned(rt, events)
    await rt.billing_events.tell(events)
    publish(rt, events)


def owned(rt: Runtime, events: Iterable[BillingEvent]) -> list[BillingEvent]:
    """Name the workspace of those events that only name its customer."""
    return [_owned(rt, event) for event in events]


def publish(rt: Runtime, events: Iterable[BillingEvent]) -> None:
    """Tell who listens in this process that there are events."""
    for topic in dict.fromkeys(
        topic for event in events for topic in (BILLING_TOPIC, billing_topic(event.workspace_id))
    ):
        rt.cache.feed.publish(topic)


def _owned(rt: Runtime, event: BillingEvent) -> BillingEvent:
    if event.workspace_id is not None or event.customer_id is None:
        return event
    return msgspec.structs.replace(event, workspace_id=rt.cache.workspace_of_customer(event.customer_id))
