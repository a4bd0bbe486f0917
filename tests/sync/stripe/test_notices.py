"""What no state tells is told once: whatever is sent twice, late, in another order, or to two workers."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from msgspec.structs import replace
from support.records import workspace
from support.stripe import DAY, T0, FakeProcessor, Json, Sync, customer, event, stored_event, subscription, syncing

from app.domain.billing_event import NEWS_MS, BillingEvent, BillingEventFilter, BillingEventType
from app.domain.stripe_event import StripeEvent, StripeEventStatus
from app.http.stripe_webhook import read_event
from sync.stripe.notices import tell_notices

T = BillingEventType
E = StripeEventStatus
WILL_END = "customer.subscription.trial_will_end"
CREATED, UPDATED = "customer.subscription.created", "customer.subscription.updated"


@pytest.fixture
async def sync(mongodb_uri: str, database: str) -> AsyncIterator[Sync]:
    async with syncing(mongodb_uri, database) as sync:
        await sync.put(workspace())
        yield sync


async def told(sync: Sync, *types: BillingEventType) -> list[BillingEvent]:
    """Return what was told, the oldest first."""
    page = await sync.rt.billing_events.page(BillingEventFilter(types=types), after=None, first=99, newest_first=False)
    return list(page.items)


def trial(**fields: Any) -> Json:
    times = {"trial_start": T0, "trial_end": T0 + 3 * DAY}
    return subscription(**{"status": "trialing", "workspace": "ws_1", **times, **fields})


def invoice(**fields: Any) -> Json:
    """Build one in the shape before basil."""
    return {
        "id": "in_1",
        "object": "invoice",
        "customer": "cus_1",
        "subscription": "sub_1",
        "attempt_count": 1,
        "currency": "usd",
        "amount_due": 1000,
        **fields,
    }


def since_basil(invoice: Json) -> Json:
    rest = {key: value for key, value in invoice.items() if key != "subscription"}
    return rest | {"parent": {"subscription_details": {"subscription": {"id": invoice["subscription"]}}}}


async def accept(sync: Sync, id: str, type: str, object: Json, **fields: Any) -> None:
    """Let the webhook read it, and the inbox keep it."""
    body = json.dumps(event(id, type, object, **fields)).encode()
    assert await sync.inbox.accept(read_event(body, received_at=sync.clock.now_at(), livemode=False))


async def test_the_end_of_a_trial_is_announced_once_per_end(sync: Sync) -> None:
    processor = FakeProcessor(trial())
    for sub in (trial(), trial(), trial(trial_end=T0 + 5 * DAY)):
        await sync.receive(WILL_END, sub)
        await sync.settle(processor)
    await sync.inbox.mark("subscription", "sub_1")
    await sync.settle(processor)

    first, second = await told(sync, T.SUBSCRIPTION_TRIAL_ENDING)

    assert (first.workspace_id, first.customer_id) == ("ws_1", "cus_1")
    assert (first.object_type, first.object_id) == ("subscription", "sub_1")
    ends = [event.data["after"]["trialEndAt"] for event in (first, second)]
    assert ends == ["2026-05-31T20:26:40.000Z", "2026-06-02T20:26:40.000Z"]


@pytest.mark.parametrize("shape", [lambda preview: preview, since_basil], ids=["before basil", "since"])
@pytest.mark.parametrize("with_key", [True, False])
async def test_a_renewal_is_announced_once_per_period(sync: Sync, shape: Any, *, with_key: bool) -> None:
    processor = FakeProcessor(subscription(workspace="ws_1")) if with_key else None
    await sync.receive(CREATED, subscription(workspace="ws_1"))
    for number, end in enumerate((T0 + DAY, T0 + DAY, T0 + 31 * DAY)):
        preview = shape(invoice(period_end=end))
        del preview["id"]
        await accept(sync, f"evt_up_{number}", "invoice.upcoming", preview)
        await sync.settle(processor)

    found = await told(sync, T.INVOICE_UPCOMING)

    assert [(event.object_type, event.object_id, event.workspace_id) for event in found] == [
        ("subscription", "sub_1", "ws_1")
    ] * 2
    assert await sync.status("evt_up_0") is E.PROCESSED
    sub = await sync.subscription()
    assert sub is not None
    assert sub.provisional is not with_key


def failed(id: str, type: str, object: Json) -> StripeEvent:
    return stored_event(id, type, object)


async def test_a_payment_fails_once_per_attempt_and_wants_a_person_once(sync: Sync) -> None:
    events = [
        failed("evt_1", "invoice.payment_failed", invoice()),
        failed("evt_2", "invoice.payment_failed", since_basil(invoice())),
        failed("evt_3", "invoice.payment_action_required", invoice()),
        failed("evt_4", "invoice.payment_failed", invoice(attempt_count=2, next_payment_attempt=T0)),
        failed("evt_5", "checkout.session.async_payment_failed", {"id": "cs_1", "object": "checkout.session"}),
        failed("evt_6", "invoice.updated", invoice()),
    ]

    await asyncio.gather(
        *(
            tell_notices(sync.rt, order, provisional=False)
            for order in itertools.islice(itertools.permutations(events), 9)
        )
    )

    found = sorted(
        (event.type.value, event.object_id, event.data["after"].get("attemptCount")) for event in await told(sync)
    )
    assert found == [
        ("checkout.payment_failed", "cs_1", None),
        ("payment.action_required", "in_1", 1),
        ("payment.failed", "in_1", 1),
        ("payment.failed", "in_1", 2),
    ]


async def test_without_a_key_nothing_of_money_is_told(sync: Sync) -> None:
    await tell_notices(
        sync.rt,
        [failed("evt_1", "invoice.payment_failed", invoice()), failed("evt_2", WILL_END, trial())],
        provisional=True,
    )

    assert [event.type for event in await told(sync)] == [T.SUBSCRIPTION_TRIAL_ENDING]


async def test_what_is_first_heard_of_days_later_is_history(sync: Sync) -> None:
    late = stored_event("evt_1", WILL_END, trial(), received_at=T0 * 1000 + NEWS_MS + 1)

    await tell_notices(sync.rt, [late], provisional=False)

    assert await told(sync) == []


@pytest.mark.parametrize(
    "payload", ["", "{}", '{"data":{"object":{"id":5}}}', '{"data":{"object":{"trial_end":1e99}}}']
)
async def test_what_cannot_be_read_tells_nothing_and_stops_nobody(sync: Sync, payload: str) -> None:
    broken = replace(stored_event("evt_1", WILL_END, trial()), payload=payload)

    await tell_notices(sync.rt, [broken, stored_event("evt_2", WILL_END, trial())], provisional=False)

    assert len(await told(sync)) == 1


async def test_a_thin_event_tells_what_was_fetched(sync: Sync) -> None:
    processor = FakeProcessor(trial())
    thin = replace(stored_event("evt_1", f"v1.{WILL_END}", trial()), payload='{"object":"v2.core.event"}')
    await sync.inbox.accept(thin)
    await sync.settle(processor)

    [event] = await told(sync, T.SUBSCRIPTION_TRIAL_ENDING)
    assert event.data["after"]["trialEndAt"] == "2026-05-31T20:26:40.000Z"


async def test_a_parked_event_tells_once_its_workspace_is_known(sync: Sync) -> None:
    processor = FakeProcessor(trial(workspace=None), customer())
    await sync.receive(WILL_END, trial())
    await sync.settle(processor)
    assert await told(sync, T.SUBSCRIPTION_TRIAL_ENDING) == []

    processor.put(customer(workspace="ws_1"))
    await sync.receive("customer.updated", customer())
    await sync.settle(processor)

    [event] = await told(sync, T.SUBSCRIPTION_TRIAL_ENDING)
    assert event.workspace_id == "ws_1"
