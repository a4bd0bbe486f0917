"""Live: the state first, then every change, also when only the clock makes it."""

import asyncio
import inspect
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress

import strawberry

from app.cache.feed import SYNC_TOPIC, Subscriber
from app.domain.billing_event import BillingEventFilter, BillingEventType
from app.domain.errors import NotReadyError, UnavailableError
from app.domain.stripe_backfill import Backfill
from app.domain.threshold import Reached, still_running, thresholds_reached
from app.graphql.context import Context, Info, find_state
from app.graphql.permissions import OPERATES, READS_ENTITLEMENTS, READS_EVENTS, requires
from app.graphql.types.billing_event import BillingEvent
from app.graphql.types.decision import Answers, answers, to_set, unknown_answers
from app.graphql.types.entitlement import Entitlement, EntitlementSet
from app.graphql.types.stripe_backfill import StripeBackfill
from app.graphql.types.sync_status import SyncStatus
from app.graphql.types.usage import UsageThreshold
from app.services.billing_events import follow, owned
from app.services.stripe_backfill import current_backfill

RETRY_S = 0.5
"""How soon an answer that is not known is tried again: loading, or the database away."""
SYNC_REFRESH_S = 5.0
"""How old a sync status may get: the inbox's numbers change without a word to the feed."""
BACKFILL_REFRESH_S = 0.5
"""How old a backfill's progress may get: whichever process works on it notes it in the store, page by page."""
USAGE_PAUSE_S = 0.1
"""How long after telling of usage the next change of usage may wait. Whatever else changes is told at once."""
LONGEST_WAIT_S = 3600.0
"""A timer is set anew at least this often, so that a jump of the wall clock is noticed."""


@strawberry.type(description="Everything that can be followed, over graphql-transport-ws. The state comes first.")
class Live:
    @strawberry.subscription(
        directives=requires(*READS_ENTITLEMENTS),
        description=(
            "What a workspace may use: now, and again whenever it differs. Changes in quick succession arrive as one. "
            "An unknown workspace is answered with WORKSPACE_NOT_FOUND, and again once it exists."
        ),
    )
    async def entitlements_changed(
        self, info: Info, workspace_id: strawberry.ID
    ) -> AsyncGenerator[EntitlementSet, None]:
        sent: Answers | None = None
        context = info.context
        while True:
            topics = _topics(context, workspace_id)
            with context.rt.cache.feed.subscribe(*topics) as changes:
                while topics == _topics(context, workspace_id):
                    found = await _answers(context, workspace_id)
                    if found != sent:
                        sent = found
                        yield to_set(found)
                    await _changed(context, workspace_id, changes, found)

    @strawberry.subscription(
        directives=requires(*READS_ENTITLEMENTS),
        description=(
            "Thresholds of a workspace's plan that usage has reached: those of the current period first, then each as "
            "it is reached; once per connection, feature, limit, period and threshold."
        ),
    )
    async def usage_threshold_reached(
        self, info: Info, workspace_id: strawberry.ID, feature_key: str | None = None
    ) -> AsyncGenerator[UsageThreshold, None]:
        told: set[Reached] = set()
        context, keys = info.context, None if feature_key is None else [feature_key]
        while True:
            topics = _topics(context, workspace_id)
            with context.rt.cache.feed.subscribe(*topics) as changes:
                while topics == _topics(context, workspace_id):
                    found = await _answers(context, workspace_id, keys)
                    reached = {mark: answer for answer in found.entitlements for mark in thresholds_reached(answer)}
                    for mark in sorted(reached.keys() - told):
                        yield UsageThreshold(
                            threshold=mark.percent,
                            reset_period=mark.reset_period,
                            entitlement=Entitlement.from_domain(reached[mark]),
                        )
                    if not found.is_unknown:
                        told = still_running(told, found.entitlements) | reached.keys()
                    await _changed(context, workspace_id, changes, found)

    @strawberry.subscription(
        directives=requires(*READS_EVENTS),
        description=(
            "What happens to customers' billing from now on, each event once, the oldest first: what this replica "
            "records at once, what others do within two seconds. A slow reader gets every event, later. What was "
            "missed while nobody was connected, `billingEvents` tells. A workspace that is unknown is waited for."
        ),
    )
    async def billing_event_occurred(
        self, info: Info, workspace_id: strawberry.ID | None = None, types: list[BillingEventType] | None = None
    ) -> AsyncGenerator[BillingEvent, None]:
        owner = None if workspace_id is None else await _known(info.context, workspace_id)
        wanted = BillingEventFilter(workspace_id=owner, types=tuple(dict.fromkeys(types or ())))
        async with aclosing(follow(info.context.rt, wanted)) as events:
            async for event in events:
                yield BillingEvent.from_domain(owned(info.context.rt, event))

    @strawberry.subscription(
        directives=requires(*OPERATES), description="How true RAM is: now, and again whenever it differs."
    )
    async def sync_status_changed(self, info: Info) -> AsyncGenerator[SyncStatus, None]:
        rt = info.context.rt
        sent = None
        with rt.cache.feed.subscribe(SYNC_TOPIC) as changes:
            while True:
                status = await rt.sync.status()
                if status != sent:
                    sent = status
                    yield SyncStatus.from_domain(status)
                await changes.wait(SYNC_REFRESH_S)

    @strawberry.subscription(
        directives=requires(*OPERATES),
        description="The backfill from Stripe as `stripeBackfill` tells it: now, and again whenever it has come on, at "
        "most twice a second, whichever replica works on it. Null where there never was one.",
    )
    async def stripe_backfill_changed(self, info: Info) -> AsyncGenerator[StripeBackfill | None, None]:
        sent: tuple[Backfill | None, ...] = ()
        while True:
            found = await _backfill(info.context)
            if found not in ((), sent):
                sent = found
                yield StripeBackfill.from_domain(found[0]) if found[0] else None
            await asyncio.sleep(BACKFILL_REFRESH_S)


async def _known(context: Context, ref: str) -> str:
    """Return our id of a workspace, once there is one."""
    with context.rt.cache.feed.subscribe(ref) as changes:
        while True:
            with suppress(NotReadyError, UnavailableError):
                if found := await context.workspace_id(ref):
                    return found
            await changes.wait(RETRY_S)


def _topics(context: Context, ref: str) -> tuple[str, ...]:
    """Return what to listen to: the reference as given, and our id once there is one."""
    workspace_id = context.rt.cache.workspace_id(ref)
    return (ref,) if workspace_id in (None, ref) else (ref, workspace_id)


async def _backfill(context: Context) -> tuple[Backfill | None, ...]:
    """Return the backfill, which may be None; nothing while the database does not answer."""
    try:
        return (await current_backfill(context.rt),)
    except UnavailableError:
        return ()


async def _answers(context: Context, ref: str, keys: Sequence[str] | None = None) -> Answers:
    rt = context.rt
    if not rt.cache.ready:
        return unknown_answers(ref, keys)
    try:
        found = find_state(rt, ref)
        state = await found if inspect.isawaitable(found) else found
    except UnavailableError:
        return unknown_answers(ref, keys)
    return answers(ref, state, rt.cache.catalogue(), rt.clock.now_at(), keys)


async def _changed(context: Context, ref: str, changes: Subscriber, found: Answers) -> None:
    """Wait until the answers may differ. Usage comes in floods, so it is told of no more often than every so often."""
    clock = asyncio.get_running_loop().time
    before, rested_at = _decided(context, ref), clock() + USAGE_PAUSE_S
    if not await changes.wait(_wait_s(context, found)):
        return
    while _decided(context, ref) == before and (left := rested_at - clock()) > 0:
        await changes.wait(left)


def _decided(context: Context, ref: str) -> tuple[int, int] | None:
    """Return what rises with every change but those of usage."""
    cache = context.rt.cache
    workspace_id = cache.workspace_id(ref)
    state = None if workspace_id is None else cache.state(workspace_id)
    if state is None:
        return None
    return state.version - (state.balance.version if state.balance else 0), id(cache.catalogue())


def _wait_s(context: Context, found: Answers) -> float:
    if found.is_unknown:
        return RETRY_S
    if found.valid_until_at is None:
        return LONGEST_WAIT_S
    return min(max(found.valid_until_at - context.rt.clock.now_at(), 1) / 1000, LONGEST_WAIT_S)
