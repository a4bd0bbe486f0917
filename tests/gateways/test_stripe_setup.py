"""Webhook endpoints and what a key may read, at a scripted server and at the sandbox."""

import typing
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import parse_qsl

import pytest
from stripe.params import WebhookEndpointCreateParams
from support.stripe_api import Answer, answer, fault, listed, serving

from app.domain import stripe_setup
from app.domain.stripe_setup import WebhookEndpoint, events_about
from app.gateways.stripe import StripeProcessor
from app.ports.stripe import PermissionMissingError, ProcessorRefusedError, ProcessorUnavailableError
from app.sandbox.process import StripeSandboxProcess

URL: Final = "https://billing.example/webhooks/stripe"
EVENTS: Final = ("customer.created", "price.created")
ENDPOINT: Final = {"id": "we_1", "url": URL, "enabled_events": list(EVENTS), "status": "enabled", "created": 7}


@pytest.fixture
def sandbox() -> Iterator[StripeSandboxProcess]:
    process = StripeSandboxProcess.start(webhook_url=None, webhook_secret="whsec_x")
    yield process
    process.stop()


def forbidden(permission: str) -> Answer:
    told = f"The provided key 'rk_test_1' does not have the required permissions. Having '{permission}' would do."
    return fault(403, message=told)


async def test_the_sandbox_makes_updates_and_lists_endpoints(sandbox: StripeSandboxProcess) -> None:
    stripe = StripeProcessor("sk_test_1", api_base=sandbox.url)
    try:
        made = await stripe.create_endpoint(URL, EVENTS, idempotency_key="k")
        again = await stripe.create_endpoint(URL, EVENTS, idempotency_key="k")
        changed = await stripe.update_endpoint(made.endpoint.id, EVENTS[:1])

        assert made == again
        assert made.secret.startswith("whsec_")
        assert (made.endpoint.url, made.endpoint.enabled_events, made.endpoint.is_enabled) == (URL, EVENTS, True)
        assert made.endpoint.api_version == stripe.api_version
        assert await stripe.endpoints() == (changed,)
        assert (changed.id, changed.enabled_events) == (made.endpoint.id, EVENTS[:1])
        assert await stripe.access() == stripe_setup.AccountAccess(livemode=False, missing=())
    finally:
        await stripe.close()


async def test_a_disabled_endpoint_is_told_as_such_and_enabled() -> None:
    disabled = {**ENDPOINT, "status": "disabled", "api_version": "2020-08-27"}
    async with serving(lambda path, _: answer(ENDPOINT) if path.endswith("we_1") else listed(disabled)) as (stripe, _):
        found = await stripe.endpoints()
        changed = await stripe.update_endpoint("we_1", EVENTS)

    expected = WebhookEndpoint(
        id="we_1", url=URL, enabled_events=EVENTS, is_enabled=False, api_version="2020-08-27", created_at=7000
    )
    assert found == (expected,)
    assert (changed.is_enabled, changed.api_version) == (True, None)


async def test_a_restricted_key_gets_the_names_of_what_it_lacks() -> None:
    def respond(path: str, _query: object) -> Answer:
        if path == "/v1/prices":
            return forbidden("rak_plan_read")
        return fault(403) if path == "/v1/events" else listed({"id": "x", "livemode": True})

    async with serving(respond) as (stripe, server):
        access = await stripe.access()

    assert access == stripe_setup.AccountAccess(livemode=True, missing=("rak_plan_read", "reading /v1/events"))
    assert all(dict(parse_qsl(target.partition("?")[2])) == {"limit": "1"} for target, _ in server.seen)
    assert {"/v1/customers", "/v1/subscriptions", "/v1/webhook_endpoints", "/v1/entitlements/features"} <= {
        target.partition("?")[0] for target, _ in server.seen
    }


async def test_an_account_without_objects_tells_no_mode() -> None:
    async with serving(lambda _path, _query: listed()) as (stripe, _):
        assert (await stripe.access()).livemode is None


async def test_a_wrong_key_is_no_missing_permission() -> None:
    async with serving(lambda _path, _query: fault(401, message="Invalid API Key")) as (stripe, _):
        with pytest.raises(ProcessorRefusedError, match="Invalid API Key") as refused:
            await stripe.access()

    assert not isinstance(refused.value, PermissionMissingError)


async def test_an_endpoint_without_its_secret_or_shape_is_not_believed() -> None:
    async with serving(lambda _path, _query: answer(ENDPOINT)) as (stripe, _):
        with pytest.raises(ProcessorUnavailableError, match="secret"):
            await stripe.create_endpoint(URL, EVENTS, idempotency_key="k")
    async with serving(lambda _path, _query: answer({"id": "we_1", "secret": "whsec_x"})) as (stripe, _):
        with pytest.raises(ProcessorUnavailableError, match="not as expected"):
            await stripe.create_endpoint(URL, EVENTS, idempotency_key="k")


async def test_an_endpoint_that_was_just_deleted_is_tried_again_later() -> None:
    async with serving(lambda _path, _query: fault(404, "resource_missing")) as (stripe, _):
        with pytest.raises(ProcessorUnavailableError, match="deleted"):
            await stripe.update_endpoint("we_1", EVENTS)


def test_stripe_knows_every_event_that_may_be_asked_for() -> None:
    known = set(_literals(WebhookEndpointCreateParams.__annotations__["enabled_events"]))
    every = events_about(stripe_setup.EVENTS_ABOUT)

    assert "invoice.paid" in known
    assert set(every) <= known


def _literals(annotation: Any) -> Iterator[str]:
    if isinstance(annotation, str):
        yield annotation
    for part in typing.get_args(annotation):
        yield from _literals(part)
