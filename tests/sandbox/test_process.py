"""The sandbox as a process, driven with the real SDK."""

import asyncio
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
import stripe
from sandbox.waiting import runs, wait_until
from sandbox.webhook_receiver import SECRET, Receiver, receive

from app.sandbox.process import StripeSandboxProcess

# The SDK hands form bodies to httpx in a way that httpx 0.28 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=<...>':DeprecationWarning")

_ROOT = Path(__file__).parents[2]
_STARTER = """
import sys
from app.sandbox.process import StripeSandboxProcess
sandbox = StripeSandboxProcess.start(webhook_url=None, webhook_secret="whsec_x")
print(sandbox.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receive() as started:
        yield started


@pytest.fixture(scope="module")
def sandbox(receiver: Receiver) -> Iterator[StripeSandboxProcess]:
    process = StripeSandboxProcess.start(webhook_url=receiver.url, webhook_secret=SECRET)
    yield process
    process.stop()


@pytest.fixture
async def client(sandbox: StripeSandboxProcess) -> AsyncIterator[stripe.StripeClient]:
    http = stripe.HTTPXClient(timeout=10)
    yield stripe.StripeClient(
        "sk_test_sandbox",
        base_addresses={"api": sandbox.url, "files": sandbox.url, "meter_events": sandbox.url},
        max_network_retries=2,
        http_client=http,
    )
    await http.close_async()


async def test_the_sdk_runs_a_subscription_s_life_and_the_webhook_hears_of_it(
    client: stripe.StripeClient, receiver: Receiver
) -> None:
    known = len(receiver.bodies)
    product = await client.v1.products.create_async({"name": "Pro", "metadata": {"plan": "pro"}})
    price = await client.v1.prices.create_async(
        {"currency": "usd", "unit_amount": 1000, "recurring": {"interval": "month"}, "product": product.id}
    )
    customer = await client.v1.customers.create_async({"name": "Ann", "metadata": {"workspace_id": "ws_1"}})
    created = await client.v1.subscriptions.create_async(
        {"customer": customer.id, "items": [{"price": price.id, "quantity": 2}], "trial_period_days": 7}
    )
    updated = await client.v1.subscriptions.update_async(created.id, {"trial_end": "now", "cancel_at_period_end": True})
    canceled = await client.v1.subscriptions.cancel_async(created.id)
    receiver.wait_for(known + 19)

    assert (created.status, updated.status, canceled.status) == ("trialing", "active", "canceled")
    assert created["items"].data[0].price.unit_amount == 1000
    heard = Counter(receiver.verify_all()[known:])
    assert heard == {
        "customer.created": 1,
        "customer.subscription.created": 1,
        "customer.subscription.deleted": 1,
        "customer.subscription.updated": 1,
        "price.created": 1,
        "product.created": 1,
        **dict.fromkeys(("invoice.created", "invoice.finalized", "invoice.paid", "invoice.payment_succeeded"), 2),
        **dict.fromkeys(("payment_intent.created", "charge.succeeded", "payment_intent.succeeded"), 1),
        **dict.fromkeys(("invoice_payment.paid", "invoice.updated"), 1),
    }


async def test_the_sdk_bills_a_customer_for_months(client: stripe.StripeClient, sandbox: StripeSandboxProcess) -> None:
    price = await client.v1.prices.create_async(
        {"currency": "usd", "unit_amount": 1000, "recurring": {"interval": "month"}, "product_data": {"name": "Pro"}}
    )
    customer = await client.v1.customers.create_async({"name": "Ann"})
    with pytest.raises(stripe.CardError):
        await client.v1.payment_methods.attach_async("pm_card_chargeDeclined", {"customer": customer.id})
    card = await client.v1.payment_methods.attach_async("pm_card_chargeCustomerFail", {"customer": customer.id})
    first = await client.v1.subscriptions.create_async(
        {
            "customer": customer.id,
            "default_payment_method": card.id,
            "items": [{"price": price.id, "quantity": 2}],
            "expand": ["latest_invoice.payments"],
        }
    )
    paid = await client.v1.invoices.pay_async(first.latest_invoice.id, {"payment_method": "pm_card_visa"})
    item = {"id": first["items"].data[0].id, "quantity": 3}
    preview = await client.v1.invoices.create_preview_async(
        {"subscription": first.id, "subscription_details": {"items": [item], "proration_behavior": "always_invoice"}}
    )
    async with httpx.AsyncClient(base_url=sandbox.url, trust_env=False) as http:
        await http.post("/_sandbox/clock", json={"by": 32 * 86_400})
    after = await client.v1.subscriptions.retrieve_async(first.id)
    renewal = await client.v1.invoices.retrieve_async(after.latest_invoice)

    assert (first.status, first.latest_invoice.payments.data[0].status, paid.status) == ("incomplete", "open", "paid")
    assert [line.parent.subscription_item_details.proration for line in preview.lines.data] == [True, True]
    assert (after.status, renewal.billing_reason, renewal.status) == ("past_due", "subscription_cycle", "open")
    with pytest.raises(stripe.CardError) as declined:
        await client.v1.invoices.pay_async(renewal.id)
    assert declined.value.code == "card_declined"


async def test_the_sdk_pages_through_everything_both_ways(client: stripe.StripeClient) -> None:
    made = [(await client.v1.customers.create_async({"email": "page@example.com"})).id for _ in range(7)]

    page = await client.v1.customers.list_async({"email": "page@example.com", "limit": 3})
    forward = [customer.id async for customer in page.auto_paging_iter()]
    page = await client.v1.customers.list_async({"email": "page@example.com", "limit": 3, "ending_before": made[0]})
    backward = [customer.id async for customer in page.auto_paging_iter()]

    assert forward == made[::-1]
    assert backward == made[1:]


async def test_errors_become_the_sdk_s_exceptions(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as missing:
        await client.v1.subscriptions.retrieve_async("sub_none")
    await client.v1.customers.create_async({"name": "Ann"}, {"idempotency_key": "same"})
    with pytest.raises(stripe.IdempotencyError):
        await client.v1.customers.create_async({"name": "Bea"}, {"idempotency_key": "same"})

    assert (missing.value.http_status, missing.value.code) == (404, "resource_missing")
    assert missing.value.request_id is not None


async def test_the_sdk_retries_a_conflict_and_a_rate_limit_that_says_so(
    client: stripe.StripeClient, sandbox: StripeSandboxProcess
) -> None:
    async with httpx.AsyncClient(base_url=sandbox.url, trust_env=False) as http:
        await http.post("/_sandbox/faults", json={"kind": "status", "path": "/v1/customers", "status": 409})
        await client.v1.customers.create_async({"name": "Ann"})
        await http.post("/_sandbox/faults", json={"kind": "status", "path": "/v1/customers", "status": 429})
        with pytest.raises(stripe.RateLimitError):
            await client.v1.customers.create_async({"name": "Ann"})
        retried = {"kind": "status", "path": "/v1/customers", "status": 429, "shouldRetry": True, "retryAfter": 0}
        await http.post("/_sandbox/faults", json=retried)
        await client.v1.customers.create_async({"name": "Ann"})


async def test_the_sdk_makes_discounts_meters_and_endpoints(client: stripe.StripeClient) -> None:
    with receive() as other:
        endpoint = await client.v1.webhook_endpoints.create_async(
            {"url": other.url, "enabled_events": ["coupon.created"], "api_version": "2025-02-24.acacia"}
        )
        coupon = await client.v1.coupons.create_async({"percent_off": 12.5, "duration": "once"})
        code = await client.v1.promotion_codes.create_async({"promotion": {"type": "coupon", "coupon": coupon.id}})
        meter = await client.v1.billing.meters.create_async(
            {"display_name": "Calls", "event_name": "sdk_calls", "default_aggregation": {"formula": "sum"}}
        )
        customer = await client.v1.customers.create_async({"name": "Ann"})
        payload = {"stripe_customer_id": customer.id, "value": "2.5"}
        await client.v1.billing.meter_events.create_async({"event_name": "sdk_calls", "payload": payload})
        hour = meter.created - meter.created % 3600
        wanted = {"customer": customer.id, "start_time": hour - 3600, "end_time": hour + 7200}
        counted = await client.v1.billing.meters.event_summaries.list_async(meter.id, wanted)
        other.wait_for(1)
        await client.v1.webhook_endpoints.delete_async(endpoint.id)

    told = stripe.Webhook.construct_event(other.bodies[0], other.signatures[0], endpoint.secret or "")
    assert (told.type, told.api_version, told.data.object["id"]) == ("coupon.created", "2025-02-24.acacia", coupon.id)
    assert (coupon.percent_off, code.promotion.coupon, counted.data[0].aggregated_value) == (12.5, coupon.id, 2.5)


async def test_a_set_field_is_delivered_signed_and_again_on_demand(
    client: stripe.StripeClient, sandbox: StripeSandboxProcess, receiver: Receiver
) -> None:
    customer = await client.v1.customers.create_async({"name": "Ann"})
    async with httpx.AsyncClient(base_url=sandbox.url, trust_env=False) as http:
        event = (await http.post(f"/_sandbox/objects/{customer.id}", json={"set": {"delinquent": True}})).json()
        await http.post(f"/_sandbox/events/{event['id']}/deliver")
        wait_until(lambda: [each["id"] for each in receiver.events].count(event["id"]) == 2)
        receiver.verify_all()
        async with asyncio.timeout(5):
            while (await http.get("/_sandbox/deliveries")).json()["unfinished"]:
                await asyncio.sleep(0.01)
        attempts = (await http.get("/_sandbox/deliveries", params={"event": event["id"]})).json()["attempts"]
        stored = await client.v1.events.retrieve_async(event["id"])

    assert [attempt["status"] for attempt in attempts] == [200, 200]
    assert (stored.pending_webhooks, stored.data.object["delinquent"]) == (0, True)


async def test_the_webhook_can_be_moved_and_an_event_withheld(
    client: stripe.StripeClient, sandbox: StripeSandboxProcess
) -> None:
    with receive() as other:
        async with httpx.AsyncClient(base_url=sandbox.url, trust_env=False) as http:
            before = (await http.get("/_sandbox/deliveries")).json()["attempts"][0]["url"]
            await http.post("/_sandbox/webhook", json={"url": other.url, "secret": SECRET})
            customer = await client.v1.customers.create_async({"name": "Ann"})
            silent = {"set": {"name": "Bea"}, "deliver": False}
            withheld = (await http.post(f"/_sandbox/objects/{customer.id}", json=silent)).json()
            await client.v1.customers.update_async(customer.id, {"name": "Cid"})
            other.wait_for(2)
            await http.post("/_sandbox/webhook", json={"url": before, "secret": SECRET})
        assert other.verify_all() == ["customer.created", "customer.updated"]
        assert withheld["id"] not in [event["id"] for event in other.events]


async def test_two_hundred_customers_sign_up_at_once(client: stripe.StripeClient) -> None:
    product = await client.v1.products.create_async({"name": "Pro"})
    price = await client.v1.prices.create_async(
        {"currency": "usd", "unit_amount": 1000, "recurring": {"interval": "month"}, "product": product.id}
    )

    async def sign_up() -> None:
        customer = await client.v1.customers.create_async({"name": "Ann"})
        await client.v1.subscriptions.create_async({"customer": customer.id, "items": [{"price": price.id}]})

    async with asyncio.TaskGroup() as tasks:
        for _ in range(200):
            tasks.create_task(sign_up())

    listed = await client.v1.subscriptions.list_async({"limit": 100})
    assert listed.has_more


def test_it_ends_with_a_parent_that_was_killed() -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", _STARTER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=_ROOT
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())

    parent.send_signal(signal.SIGKILL)
    parent.communicate()

    wait_until(lambda: not runs(pid))


def test_stop_ends_it_and_is_idempotent() -> None:
    process = StripeSandboxProcess.start(webhook_url=None, webhook_secret=SECRET)

    process.stop()
    process.stop()

    assert not runs(process.pid)


def test_a_taken_port_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(RuntimeError, match="did not start"):
        StripeSandboxProcess.start(webhook_url=None, webhook_secret=SECRET, port=taken.getsockname()[1])
