"""Billing events on their way out: whose they are, who is told, and how they are followed."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from app.cache.feed import BILLING_TOPIC, billing_topic
from app.domain.billing_event import NEWS_MS, BillingEvent, BillingEventFilter, BillingEventType
from app.domain.change import Record
from app.domain.errors import UnavailableError, ValidationError
from app.domain.stripe_facts import CustomerFacts
from app.domain.stripe_object import StripeObject
from app.domain.subscription import Subscription
from app.runtime import Runtime

REFRESH_S: Final = 2.0
"""How soon what another replica recorded is found: only the own process rings."""

_OVERLAP_MS: Final = 10_000  # a write may take seconds, and clocks of replicas differ: what comes later may say earlier
_PAGE: Final = 100


async def tell(rt: Runtime, events: Sequence[BillingEvent]) -> None:
    """Keep facts that no record holds, each once by its id, and tell who listens. Raises `UnavailableError`."""
    events = outgoing(rt, events)
    await rt.billing_events.tell(events)
    publish(rt, events)


def asked_for(rt: Runtime, wanted: BillingEventFilter) -> BillingEventFilter:
    """Complete a filter: a workspace's events are also those of its customer that nobody could name the workspace of.

    Raises `ValidationError` for a filter that nothing can match.
    """
    if wanted.from_at is not None and wanted.to_at is not None and wanted.to_at <= wanted.from_at:
        raise ValidationError.of("to", "OUT_OF_RANGE", "`to` must be later than `from`")
    state = rt.cache.state(wanted.workspace_id) if wanted.workspace_id is not None else None
    return msgspec.structs.replace(wanted, customer_id=state.workspace.stripe_customer_id if state else None)


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
                async for event in _since(rt, asked_for(rt, wanted), newest_at - _OVERLAP_MS):
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


def outgoing(rt: Runtime, events: Sequence[BillingEvent], written: Iterable[Record] = ()) -> list[BillingEvent]:
    """Leave out what an account that is adopted brings along, and name the workspaces that only customers name.

    `written` are the records whose transitions tell of these events.
    """
    if not events:
        return []
    mirrors = {record.id: record for record in written if isinstance(record, StripeObject)}
    return [owned(rt, event) for event in events if not _is_brought_along(rt, event, mirrors)]


def owned(rt: Runtime, event: BillingEvent) -> BillingEvent:
    """Name the workspace of an event that only names its customer, as far as it is known by now."""
    if event.workspace_id is not None or event.customer_id is None:
        return event
    return msgspec.structs.replace(event, workspace_id=rt.cache.workspace_of_customer(event.customer_id))


def publish(rt: Runtime, events: Iterable[BillingEvent]) -> None:
    """Tell who listens in this process that there are events."""
    for topic in dict.fromkeys(
        topic for event in events for topic in (BILLING_TOPIC, billing_topic(event.workspace_id))
    ):
        rt.cache.feed.publish(topic)


def _is_brought_along(rt: Runtime, event: BillingEvent, mirrors: Mapping[str, StripeObject]) -> bool:
    """Tell whether this is the state of an old customer that is seen for the first time, and no change of it.

    That is a link which comes with the customer, and entitlements by subscriptions that are all old themselves.
    """
    customer, old_at = mirrors.get(event.customer_id or ""), event.recorded_at - NEWS_MS
    if event.type is BillingEventType.CUSTOMER_LINKED and customer is not None and customer.version == 1:
        return isinstance(customer.facts, CustomerFacts) and customer.facts.created_at < old_at
    if event.type is BillingEventType.ENTITLEMENT_CHANGED and event.data["before"] is None:
        began = [sub.subscribed_at for sub in _subscriptions_of(rt, event.customer_id or "")]
        return bool(began) and max(began) < old_at
    return False


def _subscriptions_of(rt: Runtime, customer_id: str) -> list[Subscription]:
    state = rt.cache.state(rt.cache.workspace_of_customer(customer_id) or "")
    return [sub for sub in state.subscriptions if sub.stripe_customer_id == customer_id] if state else []
