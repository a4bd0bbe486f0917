"""Thin events, as the SDK reads them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import stripe
from sandbox.delivering import at_work, until_over
from sandbox.stripe_account import Account
from sandbox.webhook_receiver import SECRET, Receiver, receive
from stripe.events import (
    V1CustomerSubscriptionCreatedEventNotification,
    V1EntitlementsActiveEntitlementSummaryUpdatedEventNotification,
    V1InvoiceUpcomingEventNotification,
)

_THIN_KEYS = {"id", "object", "context", "created", "livemode", "reason", "related_object", "snapshot_event", "type"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receive() as started:
        yield started


class Notified:
    """What an endpoint with thin payloads got, read and its signatures checked by the SDK."""

    def __init__(self, sdk: stripe.StripeClient, receiver: Receiver) -> None:
        signed = zip(receiver.bodies, receiver.signatures, strict=True)
        self.all = [sdk.parse_event_notification(body, signature, SECRET, 10**10) for body, signature in signed]

    def one(self, kind: type[Any]) -> Any:
        return next(notification for notification in self.all if isinstance(notification, kind))


async def test_the_sdk_reads_who_is_meant_and_fetches_it(
    account: Account, sdk: stripe.StripeClient, receiver: Receiver
) -> None:
    await account.control("webhook", {"url": receiver.url, "secret": SECRET, "payload": "thin"})
    async with at_work(account.sandbox.deliveries):
        subscription = await account.subscription()
        await until_over(account.sandbox.deliveries)

    created = Notified(sdk, receiver).one(V1CustomerSubscriptionCreatedEventNotification)
    # The SDK's own asynchronous fetches send its internal `usage` along, which no API knows.
    answer = await sdk.raw_request_async("get", created.related_object.url)
    fetched = sdk.deserialize(answer, api_mode="V1")
    event = await sdk.v2.core.events.retrieve_async(created.id)

    assert set(receiver.events[0]) == _THIN_KEYS
    assert created.related_object.id == subscription["id"]
    assert created.related_object.url == f"/v1/subscriptions/{subscription['id']}"
    assert datetime.fromisoformat(created.created) == datetime.fromtimestamp(account.clock.at, UTC)
    assert created.reason is not None
    assert created.reason.request is not None
    assert isinstance(fetched, stripe.Subscription)
    assert fetched.id == subscription["id"]
    assert (event.id, event.type) == (created.id, "v1.customer.subscription.created")
    snapshot = await account.get(f"/v1/events/{event.snapshot_event}")
    assert snapshot["type"] == "customer.subscription.created"


async def test_every_named_object_is_where_the_event_says(account: Account) -> None:
    product = (await account.price())["product"]
    feature = (await account.post("/v1/entitlements/features", {"lookup_key": "sso", "name": "SSO"}))["id"]
    await account.post(f"/v1/products/{product}/features", {"entitlement_feature": feature})
    await account.post("/v1/test_helpers/test_clocks", {"frozen_time": account.clock.at})
    await account.post(
        "/v1/billing/meters", {"display_name": "C", "event_name": "c", "default_aggregation[formula]": "sum"}
    )
    price = (await account.price(product=product))["id"]
    subscription = await account.subscription({"items[0][price]": price})
    await account.post("/v1/subscription_schedules", {"from_subscription": subscription["id"]})
    await account.change(subscription, {"items[0][quantity]": 2})
    await account.control("clock", {"by": 25 * 86_400})

    thin = [
        await account.get(f"/v2/core/events/{event['id'].replace('evt_', 'evt_test_')}")
        for event in account.sandbox.store.all("event")
    ]

    named = [event["related_object"] for event in thin if "related_object" in event]
    assert [(await account.get(about["url"]))["object"] for about in named] == [about["type"] for about in named]
    nameless = {event["type"] for event in thin if "related_object" not in event}
    assert nameless == {"v1.entitlements.active_entitlement_summary.updated", "v1.invoice.upcoming"}


async def test_what_has_no_id_names_no_object(account: Account, sdk: stripe.StripeClient, receiver: Receiver) -> None:
    product = (await account.price())["product"]
    feature = (await account.post("/v1/entitlements/features", {"lookup_key": "sso", "name": "SSO"}))["id"]
    await account.post(f"/v1/products/{product}/features", {"entitlement_feature": feature})
    price = (await account.price(product=product))["id"]
    await account.control("webhook", {"url": receiver.url, "secret": SECRET, "payload": "thin"})
    async with at_work(account.sandbox.deliveries):
        subscription = await account.subscription({"items[0][price]": price})
        await account.control("clock", {"by": 25 * 86_400})
        await until_over(account.sandbox.deliveries)

    notified = Notified(sdk, receiver)
    summary = notified.one(V1EntitlementsActiveEntitlementSummaryUpdatedEventNotification)
    told = notified.one(V1InvoiceUpcomingEventNotification)
    upcoming: Any = await sdk.v2.core.events.retrieve_async(told.id)

    assert not hasattr(summary, "related_object")
    assert (upcoming.data.customer, upcoming.data.subscription) == (subscription["customer"], subscription["id"])


async def test_unknown_paths_and_events_of_v2_are_refused(account: Account) -> None:
    await account.get("/v2/core/events/evt_test_none", status=404)
    await account.get("/v2/core/accounts", status=404)
    await account.control("webhook", {"url": "http://127.0.0.1:9", "secret": SECRET, "payload": "fat"}, status=400)
