"""Billing events on their way out: whose they are, who is told, and how they are followed."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from typing import Final

import msgspec

from app.cache.feed import BILLING_TOPIC, billing_topic
from app.domain.billing_event import BillingEvent, BillingEventFilter
from app.domain.errors import UnavailableError, ValidationError
from app.runtime import Runtime

REFRESH_S: Final = 2.0
"""How soon what another replica recorded is found: only the own process rings."""

_OVERLAP_MS: Final = 10_000  # a write may take seconds, and clocks of replicas differ: what comes later may say earlier
_PAGE: Final = 100


async def tell(rt: Runtime, events: Sequence[BillingEvent]) -> None:
    """Keep facts that no record holds, each once by its id, and tell who listens. Raises `UnavailableError`."""
    events = owned(rt, events)
    await rt.billing_events.tell(events)
    publish(rt, events)


def check_filter(wanted: BillingEventFilter) -> None:
    """Raise `ValidationError` for a filter that nothing can match."""
    if wanted.from_at is not None and wanted.to_at is not None and wanted.to_at <= wanted.from_at:
        raise ValidationError.of("to", "OUT_OF_RANGE", "`to` must be later than `from`")


async def follow(rt: Runtime, wanted: BillingEventFilter) -> AsyncGenerator[BillingEvent]:
    """Yield what is recorded from now on, whichever replica records it, each event once and the oldest first.

    Whoever reads slowly loses nothing that is still kept. While the database does not answer, nothing comes.
    """
    began_at = newest_at = rt.clock.now_at()
    seen: dict[str, int] = {}
    is_begun = False  # until then, what says that it was recorded earlier was
    with rt.cache.feed.subscribe(billing_topic(wanted.workspace_id)) as changes:
        while True:
            try:
                async for event in _since(rt, wanted, newest_at - _OVERLAP_MS):
                    is_news = event.id not in seen and (is_begun or event.recorded_at >= began_at)
                    seen[event.id] = event.recorded_at
                    if is_news:
                        yield event
                is_begun = True
            except UnavailableError:
                pass  # the next look begins where the last one that was answered ended
            else:
                newest_at = max(newest_at, *seen.values()) if seen else newest_at
                seen = {name: at for name, at in seen.items() if at >= newest_at - _OVERLAP_MS}
            await changes.wait(REFRESH_S)


async def _since(rt: Runtime, wanted: BillingEventFilter, from_at: int) -> AsyncIterator[BillingEvent]:
    after: tuple[int, str] | None = None
    narrowed = msgspec.structs.replace(wanted, from_at=from_at)
    while True:
        page = await rt.billing_events.page(narrowed, after=after, first=_PAGE, newest_first=False)
        for event in page.items:
            yield event
        if not page.has_next:
            return
        after = page.items[-1].recorded_at, page.items[-1].id


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
